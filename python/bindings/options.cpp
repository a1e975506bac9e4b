// SPDX-License-Identifier: Apache-2.0

// Python values to the options of a request. Each reader says what it expected and received.

#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"

namespace simdloss::python {
namespace {

std::string described(py::handle value) {
  return py::repr(value).cast<std::string>() + " of type " + Py_TYPE(value.ptr())->tp_name;
}

std::int64_t parse_axis(py::handle axis) {
  if (PyBool_Check(axis.ptr()) || PyIndex_Check(axis.ptr()) == 0) {
    throw Error(ErrorCode::kType, "axis",
                "axis must be an int, a tuple of ints or None; received " + described(axis));
  }
  const Py_ssize_t value = PyNumber_AsSsize_t(axis.ptr(), PyExc_ValueError);
  if (value == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return value;
}

}  // namespace

Axes parse_axes(py::handle axis) {
  Axes axes;
  if (axis.is_none()) {
    axes.all = true;
  } else if (PyTuple_Check(axis.ptr()) || PyList_Check(axis.ptr())) {
    axes.list.clear();
    for (const py::handle item : axis) axes.list.push_back(parse_axis(item));
  } else {
    axes.list[0] = parse_axis(axis);
  }
  return axes;
}

Labels parse_labels(std::string_view labels) {
  if (labels == "auto") return Labels::kAuto;
  if (labels == "binary") return Labels::kBinary;
  if (labels == "signed") return Labels::kSigned;
  throw Error(
      ErrorCode::kValue, "labels",
      "labels must be 'auto', 'binary' or 'signed'; received '" + std::string(labels) + "'");
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
                  py::repr(reduction).cast<std::string>());
}

BoundLoss parse_loss(std::string_view name, py::handle params) {
  const LossInfo& info = find(name);
  if (!PyTuple_Check(params.ptr()) || PyTuple_GET_SIZE(params.ptr()) != info.n_params) {
    throw Error(ErrorCode::kType, "params",
                std::string(name) + " has " + std::to_string(info.n_params) +
                    " parameters; received " + described(params));
  }
  std::vector<double> values(static_cast<std::size_t>(info.n_params));
  for (std::size_t i = 0; i < values.size(); ++i) {
    PyObject* value = PyTuple_GET_ITEM(params.ptr(), static_cast<Py_ssize_t>(i));
    values[i] = PyFloat_AsDouble(value);
    if (values[i] == -1.0 && PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      throw Error(
          ErrorCode::kType, info.params[i].name,
          std::string(info.params[i].name) + " must be a number; received " + described(value));
    }
  }
  return simdloss::bind_loss(info, values);
}

Empty parse_empty(py::handle empty) {
  if (PyUnicode_Check(empty.ptr())) {
    const std::pair<const char*, Empty> allowed[] = {
        {"zero", Empty::kZero}, {"nan", Empty::kNan}, {"raise", Empty::kRaise}};
    for (const auto& [name, value] : allowed) {
      if (PyUnicode_CompareWithASCIIString(empty.ptr(), name) == 0) return value;
    }
  }
  throw Error(
      ErrorCode::kValue, "empty",
      "empty must be 'zero', 'nan' or 'raise'; received " + py::repr(empty).cast<std::string>());
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
