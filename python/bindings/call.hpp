// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every call of the core shares, whatever it computes: the loss object, where results go, the
// GIL and Ctrl-C, and the way from C++ exceptions to Python's.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <stdexcept>

#include "arrays.hpp"
#include "bindings.hpp"
#include "numpy_view.hpp"

namespace simdloss::python {

// --- _core.Loss ---------------------------------------------------------------------------------

struct LossObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  std::optional<BoundLoss> loss;
  std::uint64_t fingerprint;  // of per-sample losses, where there is no loss
  Request request;
};

inline LossObject& as_loss(PyObject* self) { return *reinterpret_cast<LossObject*>(self); }

/// The arrays among the arguments of a method; `n_args` of (y_true, y_pred, sample_weight, mask).
inline Arrays arrays_of(const LossObject& self, PyObject* const* args, Py_ssize_t n_args) {
  PyObject* weight = n_args > 2 ? args[2] : Py_None;
  PyObject* mask = n_args > 3 ? args[3] : Py_None;
  if (!self.loss) return {nullptr, args[1], weight, mask, Target::kReal, self.request.dtype};
  return {args[0], args[1], weight, mask, self.loss->info().target, self.request.dtype};
}

/// Its call, and what it does: for `args` as kLossDoc says, `depth` as in warn_of_one_class().
PyObject* loss_call(PyObject* self, PyObject* const* args, std::size_t flags, PyObject* keywords);
py::object call_loss(const LossObject& loss, PyObject* const* args, Py_ssize_t n_args, int depth);
py::object value_and_grad(const LossObject& loss, PyObject* const* args, Py_ssize_t n_args,
                          int depth);

/// Its methods that give derivatives, in gradient.cpp.
PyObject* loss_value_and_grad(PyObject* self, PyObject* const* args, Py_ssize_t n_args);
PyObject* loss_value_grad_hess(PyObject* self, PyObject* const* args, Py_ssize_t n_args);

// --- Before a call ------------------------------------------------------------------------------

inline void read_settings(Request& request) {
  request.epsilon = epsilon();
  request.threads = threads();
}

/// The rank of y_pred after the adjustment of a missing last axis of length 1.
std::int64_t adjusted_rank(const LossInfo& info, const Operands& operands);

/// Warns, as Keras does, of labels over one class only. `depth` is how many Python frames the caller
/// of the library is away.
void warn_of_one_class(const LossInfo& info, const Operands& operands, const Axes& axes, int depth);

// --- Results ------------------------------------------------------------------------------------

/// The dtype of losses by predictions of that dtype.
inline DType loss_dtype(const Request& request, DType y_pred) {
  return request.dtype.value_or(is_floating(y_pred) ? y_pred : request.default_dtype);
}

/// Whether the result is a scalar whatever the shapes, if they are valid: no plan has to say so.
inline bool gives_scalar(const Request& request, const ArrayView& y_pred) {
  return request.reduction != Reduction::kNone && element_count(y_pred) > 0;
}

/// Whether it surely has an entry for each row along y_pred's last axis, with nothing left to check.
inline bool gives_rows(const BoundLoss& loss, const Request& request, const Operands& operands) {
  const LossInfo& info = loss.info();
  const Axes& axes = request.axes;
  const ArrayView& t = operands.y_true;
  const ArrayView& p = operands.y_pred;
  const bool is_last = !axes.all && axes.list.size() == 1 && axes.list[0] == -1;
  const bool is_bare = operands.sample_weight == nullptr && operands.mask == nullptr;
  if (request.reduction != Reduction::kNone || !is_last || !is_bare ||
      info.axis_kind == AxisKind::kNone || !loss.class_weights().empty() || p.rank == 0) {
    return false;
  }
  const int labelled = info.target == Target::kClassId ? p.rank - 1 : p.rank;
  return t.rank == labelled && std::equal(t.shape, t.shape + labelled, p.shape) &&
         element_count(p) > 0;
}

/// Shape and dtype of what a call of `loss` returns. Errors may be left to the call.
inline ResultType type_of_result(const BoundLoss& loss, const Operands& operands,
                                 const Request& request) {
  const ArrayView& p = operands.y_pred;
  const DType dtype = loss_dtype(request, p.dtype);
  if (gives_scalar(request, p)) return {{}, dtype};
  if (gives_rows(loss, request, operands)) return {{p.shape, p.shape + p.rank - 1}, dtype};
  return result_type(loss, operands, request);
}

/// Where a result goes: to a NumPy scalar, a new array, or an array of the caller's.
class Output {
 public:
  /// `out` is None or the caller's array, which is written by way of another one if it may overlap
  /// `arrays`. A new array has the memory order of `like`, if that is not null.
  Output(const ResultType& type, py::handle out, const Arrays& arrays,
         PyArrayObject* like = nullptr);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  const MutableArrayView& view() const { return view_; }
  /// What the call returns, after the result was written to view().
  py::object finish();

 private:
  PyArrayObject* array() const { return reinterpret_cast<PyArrayObject*>(array_.ptr()); }

  MutableArrayView view_;
  double scalar_ = 0;  // of any floating type
  py::object array_;   // what is written; null for a scalar
  py::object target_;  // what the result is copied to at the end, if it is not null
};

// --- Running ------------------------------------------------------------------------------------

/// From this many elements on a call gives up the GIL and looks for Ctrl-C: about 10 us of work.
inline constexpr std::int64_t kLargeCall = std::int64_t{1} << 14;

/// Gives up the GIL for its lifetime.
class ReleasedGil {
 public:
  ReleasedGil();
  ~ReleasedGil();
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

  /// Request::interrupted, with a ReleasedGil as its context: whether a signal handler has raised.
  /// Looks every 50 ms only, for it waits for the GIL.
  static bool signal_raised(void* self);

 private:
  using Clock = std::chrono::steady_clock;
  void take();

  PyThreadState* state_;
  Clock::time_point last_look_;
};

template <class Kernel>
auto run(const BoundLoss* loss, const Arrays& arrays, Request& request, Kernel&& kernel) {
  const bool is_special = loss != nullptr && loss->info().axis_kind == AxisKind::kNone;
  if (!is_special && element_count(arrays.y_pred()) < kLargeCall) return kernel();
  ReleasedGil released;
  request.interrupted = &ReleasedGil::signal_raised;
  request.interrupted_context = &released;
  return kernel();
}

/// Calls `body` and turns its exceptions into Python's.
template <class Body>
PyObject* guarded(Body&& body) noexcept {
  try {
    return body().release().ptr();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const Error& error) {
    set_python_error(error);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::length_error&) {  // of a vector that no memory holds
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

/// The gradient of the losses of `loss`, times the cotangent that `arrays` hold; `out` as in Output.
py::object vector_jacobian_product(const BoundLoss& loss, const Arrays& arrays, Request& request,
                                   py::handle out);

/// What a function of the package receives as `out` to give that in the place of its losses. So
/// the functions alone know their options.
struct Cotangent {
  py::object value;
  py::object out;
};

/// `out` as a Cotangent; null if it is none.
inline const Cotangent* as_cotangent(py::handle out) {
  if (out.is_none() || PyArray_Check(out.ptr()) || !py::isinstance<Cotangent>(out)) return nullptr;
  return out.cast<const Cotangent*>();
}

}  // namespace simdloss::python
