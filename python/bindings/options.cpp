// SPDX-License-Identifier: Apache-2.0

// Python values to the options of a request. Each reader says what it expected and received.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "numpy_view.hpp"

namespace simdloss::python {
namespace {

bool is_bool(py::handle value) {
  return PyBool_Check(value.ptr()) || PyArray_IsScalar(value.ptr(), Bool);
}

// One of a few names. `values` says which there are.
template <class T, std::size_t N>
T parse_name(py::handle given, const char* argument, const char* values,
             const std::pair<const char*, T> (&allowed)[N]) {
  if (PyUnicode_Check(given.ptr())) {
    for (const auto& [name, value] : allowed) {
      if (PyUnicode_CompareWithASCIIString(given.ptr(), name) == 0) return value;
    }
  }
  throw Error(ErrorCode::kValue, argument,
              std::string(argument) + " must be " + values + "; received " + shown(given));
}

// An int. `expected` says what else the argument may be.
std::int64_t parse_int(py::handle given, const char* argument, const char* expected) {
  if (!is_bool(given) && PyIndex_Check(given.ptr()) != 0) {
    const Py_ssize_t value = PyNumber_AsSsize_t(given.ptr(), PyExc_OverflowError);
    if (value != -1 || PyErr_Occurred() == nullptr) return value;
    const py::error_already_set error;
    if (error.matches(PyExc_OverflowError)) {
      throw Error(ErrorCode::kValue, argument,
                  std::string(argument) + " must lie from -2**63 to 2**63 - 1; received " +
                      described(given));
    }
    if (!error.matches(PyExc_TypeError)) throw error;  // arrays have an __index__ that raises it
  }
  throw Error(ErrorCode::kType, argument,
              std::string(argument) + " must be " + expected + "; received " + described(given));
}

}  // namespace

Axes parse_axes(py::handle axis, const LossInfo& info) {
  Axes axes;
  if (info.axis_kind == AxisKind::kOne) {
    axes.list[0] = parse_int(axis, "axis", "one int, the axis of the classes");
    return axes;
  }
  constexpr const char* kExpected = "an int, a tuple of ints or None";
  if (axis.is_none()) {
    axes.all = true;
  } else if (PyTuple_Check(axis.ptr()) || PyList_Check(axis.ptr())) {
    axes.list.clear();
    for (const py::handle item : axis) axes.list.push_back(parse_int(item, "axis", kExpected));
  } else {
    axes.list[0] = parse_int(axis, "axis", kExpected);
  }
  return axes;
}

std::string shown(py::handle value) {
  if (py::hasattr(value, "shape") && !PyType_Check(value.ptr()) &&
      py::len(value.attr("shape")) > 0) {
    return "an array of shape " + py::str(value.attr("shape")).cast<std::string>();
  }
  constexpr Py_ssize_t kMost = 200;
  const py::object text = py::repr(value);
  if (PyUnicode_GET_LENGTH(text.ptr()) <= kMost) return text.cast<std::string>();
  const auto start = py::reinterpret_steal<py::object>(PyUnicode_Substring(text.ptr(), 0, kMost));
  return start.cast<std::string>() + "...";
}

std::string described(py::handle value) {
  return shown(value) + " of type " + Py_TYPE(value.ptr())->tp_name;
}

std::string shape_text(const std::int64_t* shape, std::size_t rank) {
  py::tuple dims(rank);
  for (std::size_t i = 0; i < rank; ++i) dims[i] = shape[i];
  return py::repr(dims).cast<std::string>();
}

double parse_number(py::handle value, const std::string& argument) {
  const double number = PyFloat_AsDouble(value.ptr());
  if (number != -1.0 || PyErr_Occurred() == nullptr) return number;
  const bool too_large = PyErr_ExceptionMatches(PyExc_OverflowError) != 0;
  PyErr_Clear();
  if (too_large) {
    throw Error(ErrorCode::kValue, argument,
                argument + " must be a number within the range of float64; received a larger int");
  }
  throw Error(ErrorCode::kType, argument,
              argument + " must be a number; received " + described(value));
}

Reduction parse_reduction(py::handle reduction) {
  if (reduction.is_none()) return Reduction::kNone;
  const std::pair<const char*, Reduction> allowed[] = {
      {"none", Reduction::kNone},
      {"sum", Reduction::kSum},
      {"mean", Reduction::kMean},
      {"sum_over_batch_size", Reduction::kMean},
      {"mean_with_sample_weight", Reduction::kMeanWithSampleWeight}};
  if (PyUnicode_Check(reduction.ptr())) {
    for (const auto& [name, value] : allowed) {
      if (PyUnicode_CompareWithASCIIString(reduction.ptr(), name) == 0) return value;
    }
  }
  throw Error(ErrorCode::kValue, "reduction",
              "Invalid value for argument `reduction`. Expected one of 'sum_over_batch_size', "
              "'mean', 'sum', 'mean_with_sample_weight', 'none', None. Received: reduction=" +
                  shown(reduction));
}

Extras parse_extras(py::handle given) {
  Extras extras;
  if (given.is_none()) return extras;
  const auto dict = py::cast<py::dict>(given);
  if (dict.contains("labels")) {
    extras.labels = parse_name<Labels>(
        dict["labels"], "labels", "'auto', 'binary' or 'signed'",
        {{"auto", Labels::kAuto}, {"binary", Labels::kBinary}, {"signed", Labels::kSigned}});
  }
  const auto has = [&](const char* key) { return dict.contains(key) && !dict[key].is_none(); };
  if (has("ignore_class")) {
    extras.ignore_class = parse_int(dict["ignore_class"], "ignore_class", "an int or None");
  }
  if (has("class_weight")) {  // a contiguous float64 vector, as simdloss._array makes it
    const py::object weights = dict["class_weight"];
    ArrayView view;
    if (!read_view(weights.ptr(), view) || view.rank != 1 || view.dtype != DType::kFloat64) {
      throw Error(ErrorCode::kType, "class_weight", "class_weight must be a vector of float64");
    }
    const auto* const first = static_cast<const double*>(view.data);
    extras.class_weights.assign(first, first + view.shape[0]);
    if (extras.class_weights.empty()) {
      throw Error(ErrorCode::kValue, "class_weight",
                  "class_weight must have one number for each class; received none.");
    }
  }
  if (dict.contains("ref_labels")) extras.ref_labels = dict["ref_labels"];
  if (dict.contains("ref_embeddings")) extras.ref_embeddings = dict["ref_embeddings"];
  return extras;
}

BoundLoss parse_loss(std::string_view name, py::handle params, Extras& extras) {
  const LossInfo& info = find(name);
  if (!PyTuple_Check(params.ptr()) || PyTuple_GET_SIZE(params.ptr()) != info.n_params) {
    throw Error(ErrorCode::kType, "params",
                std::string(name) + " has " + std::to_string(info.n_params) +
                    " parameters; received " + described(params));
  }
  std::vector<double> values(static_cast<std::size_t>(info.n_params));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const ParamInfo& param = info.params[i];
    PyObject* value = PyTuple_GET_ITEM(params.ptr(), static_cast<Py_ssize_t>(i));
    if (param.is_bool && !is_bool(value)) {
      throw Error(ErrorCode::kType, param.name,
                  std::string(param.name) + " must be a bool; received " + described(value));
    }
    values[i] = parse_number(value, param.name);
  }
  return simdloss::bind_loss(info, values, std::move(extras.class_weights));
}

Empty parse_empty(py::handle empty) {
  return parse_name<Empty>(
      empty, "empty", "'zero', 'nan' or 'raise'",
      {{"zero", Empty::kZero}, {"nan", Empty::kNan}, {"raise", Empty::kRaise}});
}

Curvature parse_curvature(py::handle hessian) {
  return parse_name<Curvature>(
      hessian, "hessian", "'diagonal' or 'upper_bound'",
      {{"diagonal", Curvature::kDiagonal}, {"upper_bound", Curvature::kUpperBound}});
}

DType parse_floating(std::string_view name, const char* argument) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16}) {
    if (name == dtype_name(dtype)) return dtype;
  }
  throw Error(ErrorCode::kValue, argument,
              std::string(argument) +
                  " must be one of 'float16', 'bfloat16', 'float32', 'float64'; received '" +
                  std::string(name) + "'");
}

}  // namespace simdloss::python
