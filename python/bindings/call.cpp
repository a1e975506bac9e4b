// SPDX-License-Identifier: Apache-2.0
#include "call.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if defined(__GLIBCXX__) && !defined(_WIN32)
#include <cxxabi.h>
#include <unistd.h>
#endif

namespace simdloss::python {
namespace {

[[noreturn]] void refuse_out(ErrorCode code, const std::string& message) {
  throw Error(code, "out", "out " + message);
}

// The caller's array for the result: an ndarray (or a subclass, for memory maps). `shape_of` says
// whose shape it must have.
PyArrayObject* checked_out(py::handle out, const ResultType& type, const char* shape_of) {
  if (!PyArray_Check(out.ptr())) {
    refuse_out(ErrorCode::kType,
               std::string("must be a numpy.ndarray; received ") + Py_TYPE(out.ptr())->tp_name);
  }
  auto* array = reinterpret_cast<PyArrayObject*>(out.ptr());
  const std::optional<DType> dtype = dtype_of(PyArray_DESCR(array));
  if (!dtype || !is_floating(*dtype)) {
    refuse_out(ErrorCode::kType,
               "must be of dtype float16, bfloat16, float32 or float64, in native byte order; "
               "received " +
                   py::str(out.attr("dtype")).cast<std::string>());
  }
  if (*dtype == DType::kBFloat16) result_descr(*dtype);  // ImportError without ml_dtypes
  if (!PyArray_ISWRITEABLE(array)) refuse_out(ErrorCode::kValue, "is read-only");
  const auto rank = static_cast<std::size_t>(PyArray_NDIM(array));
  if (!std::equal(type.shape.begin(), type.shape.end(), dims_of(array), dims_of(array) + rank)) {
    refuse_out(ErrorCode::kValue, std::string("must have the shape of ") + shape_of + ", " +
                                      shape_text(type.shape.data(), type.shape.size()) +
                                      "; received " +
                                      py::repr(out.attr("shape")).cast<std::string>());
  }
  return array;
}

}  // namespace

std::int64_t adjusted_rank(const LossInfo& info, const Operands& operands) {
  if (info.target == Target::kClassId) return operands.y_pred.rank;
  const auto [low, high] = std::minmax(operands.y_true.rank, operands.y_pred.rank);
  return low == 1 ? high : low;
}

void warn_of_one_class(const LossInfo& info, const Operands& operands, const Axes& axes,
                       int depth) {
  if (!info.has_classes || info.target != Target::kLabel) return;
  const ArrayView& p = operands.y_pred;
  const std::int64_t rank = adjusted_rank(info, operands);
  const std::int64_t axis = axes.list[0] < 0 ? axes.list[0] + rank : axes.list[0];
  if (axis < 0 || axis >= rank) return;  // an error, soon
  if (axis < p.rank && p.shape[axis] != 1) return;
  std::vector<std::int64_t> shape(p.shape, p.shape + std::min<std::int64_t>(p.rank, rank));
  shape.resize(static_cast<std::size_t>(rank), 1);
  const std::string_view entry = info.name;
  const std::string function(entry.substr(0, entry.find("_from_logits")));
  const std::string message =
      "In loss " + function +
      ", expected y_pred.shape to be (batch_size, num_classes) with num_classes > 1. Received: "
      "y_pred.shape=" +
      shape_text(shape.data(), shape.size()) +
      ". Consider using 'binary_crossentropy' if you only have 2 classes.";
  if (PyErr_WarnEx(PyExc_SyntaxWarning, message.c_str(), depth) < 0) {
    throw py::error_already_set();
  }
}

Output::Output(const ResultType& type, py::handle out, const Arrays& arrays, PyArrayObject* like) {
  const auto rank = static_cast<int>(type.shape.size());
  DType dtype = type.dtype;
  if (out.is_none() && rank == 0) {
    array_ = result_descr(dtype);
    view_ = {&scalar_, dtype, 0, nullptr, nullptr};
    return;
  }
  if (out.is_none()) {
    array_ = like != nullptr ? new_array_like(result_descr(dtype), like)
                             : new_array(result_descr(dtype), rank, type.shape.data());
  } else {
    PyArrayObject* given = checked_out(out, type, like != nullptr ? "y_pred" : "the result");
    dtype = *dtype_of(PyArray_DESCR(given));
    array_ = py::reinterpret_borrow<py::object>(out);
    if (arrays.may_overlap_with(
            {PyArray_DATA(given), dtype, rank, dims_of(given), strides_of(given)})) {
      // The result would overwrite elements that are still to be read.
      target_ = std::exchange(array_, new_array(result_descr(dtype), rank, type.shape.data()));
    }
  }
  view_ = mutable_view(array(), dtype);
}

py::object Output::finish() {
  if (view_.data == &scalar_) return new_scalar(array_, &scalar_);
  if (!target_) return std::move(array_);
  if (PyArray_CopyInto(reinterpret_cast<PyArrayObject*>(target_.ptr()), array()) < 0) {
    throw py::error_already_set();
  }
  return std::move(target_);
}

ReleasedGil::ReleasedGil() : state_(PyEval_SaveThread()), last_look_(Clock::now()) {}

ReleasedGil::~ReleasedGil() { take(); }

// [GIL at exit] A daemon thread that asks for the GIL while the interpreter shuts down does not get
// it. Before Python 3.14 it is ended by pthread_exit(), which unwinds the stack: through noexcept
// functions, where that ends the process, and through destructors of Python objects, which need the
// GIL. It is kept here instead until the process ends, as Python 3.14 does by itself.
void ReleasedGil::take() {
#if defined(__GLIBCXX__) && !defined(_WIN32)
  try {
    PyEval_RestoreThread(state_);
  } catch (const abi::__forced_unwind&) {
    for (;;) pause();
  }
#else
  PyEval_RestoreThread(state_);
#endif
}

bool ReleasedGil::signal_raised(void* self) {
  auto& released = *static_cast<ReleasedGil*>(self);
  const Clock::time_point now = Clock::now();
  if (now - released.last_look_ < std::chrono::milliseconds(50)) return false;
  released.last_look_ = now;
  released.take();
  const bool raised = PyErr_CheckSignals() != 0;
  released.state_ = PyEval_SaveThread();
  return raised;
}

}  // namespace simdloss::python
