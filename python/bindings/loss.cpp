// SPDX-License-Identifier: Apache-2.0

// The two ways to compute: _core.Loss, which holds a bound loss and its options, and
// _core.evaluate, which binds for one call. Both are written against the C API of Python
// (vectorcall and METH_FASTCALL): a call on a small batch costs as much in a generic dispatcher as
// in the core.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "bindings.hpp"
#include "numpy_view.hpp"

#include <structmember.h>

namespace simdloss::python {

namespace {

// A number for the per-sample losses of a class of the user's, which the core does not know.
std::uint64_t fingerprint_of(std::string_view identity) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : identity) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return hash | 1;  // 0 is the fingerprint of no loss
}

// --- Running ------------------------------------------------------------------------------------

// From this many elements on a call gives up the GIL and looks for Ctrl-C: about 10 us of work.
constexpr std::int64_t kLargeCall = std::int64_t{1} << 14;

// Request::interrupted: whether a signal handler has raised. Looks every 50 ms only, for it
// waits for the GIL. `context` is the time of the last look.
using Clock = std::chrono::steady_clock;

bool signal_raised(void* context) {
  auto& last = *static_cast<Clock::time_point*>(context);
  const Clock::time_point now = Clock::now();
  if (now - last < std::chrono::milliseconds(50)) return false;
  last = now;
  const py::gil_scoped_acquire gil;
  return PyErr_CheckSignals() != 0;
}

template <class Kernel>
auto run(const BoundLoss* loss, const Arrays& arrays, Request& request, Kernel&& kernel) {
  const bool is_special = loss != nullptr && loss->info().axis_kind == AxisKind::kNone;
  if (!is_special && element_count(arrays.y_pred()) < kLargeCall) return kernel();
  Clock::time_point last_look = Clock::now();
  request.interrupted = &signal_raised;
  request.interrupted_context = &last_look;
  const py::gil_scoped_release no_gil;
  return kernel();
}

// A loss of the catalogue, or (without one) per-sample losses that y_pred holds.
struct Subject {
  const BoundLoss* loss = nullptr;

  ResultType type(const Operands& operands, const Request& request) const {
    return loss != nullptr ? result_type(*loss, operands, request)
                           : reduced_type(operands, request);
  }
  void compute(const Operands& operands, const Request& request,
               const MutableArrayView& out) const {
    if (loss != nullptr) {
      evaluate(*loss, operands, request, out);
    } else {
      reduce(operands, request, out);
    }
  }
};

// The rank of y_pred after the adjustment of a missing last axis of length 1.
std::int64_t adjusted_rank(const LossInfo& info, const Operands& operands) {
  if (info.target == Target::kClassId) return operands.y_pred.rank;
  const auto [low, high] = std::minmax(operands.y_true.rank, operands.y_pred.rank);
  return low == 1 ? high : low;
}

// Warns, as Keras does, of labels over one class only. The axis has been checked.
void warn_of_one_class(const LossInfo& info, const Operands& operands, const Axes& axes) {
  if (!info.has_classes || info.target != Target::kLabel) return;
  const ArrayView& p = operands.y_pred;
  const std::int64_t rank = adjusted_rank(info, operands);
  const std::int64_t axis = axes.list[0] < 0 ? axes.list[0] + rank : axes.list[0];
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
  // The caller of a function or of Loss.__call__.
  if (PyErr_WarnEx(PyExc_SyntaxWarning, message.c_str(), 2) < 0) throw py::error_already_set();
}

void read_settings(Request& request) {
  request.epsilon = epsilon();
  request.threads = threads();
}

[[noreturn]] void refuse_out(ErrorCode code, const std::string& message) {
  throw Error(code, "out", "out " + message);
}

// The caller's array for the result: an ndarray (or a subclass, for memory maps).
PyArrayObject* checked_out(py::handle out, const ResultType& type) {
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
    refuse_out(ErrorCode::kValue, "must have the shape of the result, " +
                                      shape_text(type.shape.data(), type.shape.size()) +
                                      "; received " +
                                      py::repr(out.attr("shape")).cast<std::string>());
  }
  return array;
}

py::object compute(Subject subject, const Arrays& arrays, Request& request, py::handle out) {
  const Operands operands = arrays.operands();
  const ResultType type = subject.type(operands, request);
  if (subject.loss != nullptr) warn_of_one_class(subject.loss->info(), operands, request.axes);
  const auto shape = static_cast<int>(type.shape.size());
  const auto fill = [&](const MutableArrayView& view) {
    run(subject.loss, arrays, request, [&] { subject.compute(operands, request, view); });
  };
  if (out.is_none() && type.shape.empty()) {
    double scalar = 0;  // of any floating type
    fill({&scalar, type.dtype, 0, nullptr, nullptr});
    return new_scalar(result_descr(type.dtype), &scalar);
  }
  if (out.is_none()) {
    py::object array = new_array(result_descr(type.dtype), shape, type.shape.data());
    fill(mutable_view(reinterpret_cast<PyArrayObject*>(array.ptr()), type.dtype));
    return array;
  }
  PyArrayObject* target = checked_out(out, type);
  const DType dtype = *dtype_of(PyArray_DESCR(target));
  const ArrayView memory{PyArray_DATA(target), dtype, shape, dims_of(target), strides_of(target)};
  if (!arrays.may_overlap_with(memory)) {
    fill(mutable_view(target, dtype));
  } else {
    // The result would overwrite elements that are still to be read.
    const py::object copy = new_array(result_descr(dtype), shape, type.shape.data());
    auto* source = reinterpret_cast<PyArrayObject*>(copy.ptr());
    fill(mutable_view(source, dtype));
    if (PyArray_CopyInto(target, source) < 0) throw py::error_already_set();
  }
  return py::reinterpret_borrow<py::object>(out);
}

// Calls `body` and turns its exceptions into Python's.
template <class Body>
PyObject* guarded(Body&& body) noexcept {
  try {
    return body().release().ptr();
  } catch (py::error_already_set& error) {
    error.restore();
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

// --- _core.evaluate -----------------------------------------------------------------------------

PyObject* evaluate_once(PyObject*, PyObject* const* args, Py_ssize_t n_args) {
  return guarded([&]() -> py::object {
    if (n_args != 7) throw py::type_error("evaluate() takes 7 arguments");
    Extras extras = parse_extras(args[3]);
    const BoundLoss loss = parse_loss(py::cast<std::string_view>(args[0]), args[1], extras);
    Arrays arrays(args[4], args[5], Py_None, Py_None, loss.info().target);
    arrays.set_references(extras.ref_labels, extras.ref_embeddings);
    Request request;
    request.axes = parse_axes(args[2], loss.info());
    request.labels = extras.labels;
    request.ignore_class = extras.ignore_class;
    request.reduction = Reduction::kNone;
    request.default_dtype = floatx();
    read_settings(request);
    // Without ml_dtypes no array can hold a bfloat16 result: it is float32, see [bfloat16].
    const DType given = arrays.y_pred().dtype;
    const DType result = is_floating(given) ? given : request.default_dtype;
    if (args[6] == Py_None && result == DType::kBFloat16 && !have_ml_dtypes()) {
      request.dtype = DType::kFloat32;
    }
    return compute({&loss}, arrays, request, args[6]);
  });
}

// --- Partial sums -------------------------------------------------------------------------------

[[noreturn]] void refuse_partial(const char* argument, const std::string& message) {
  throw Error(ErrorCode::kValue, argument, message);
}

// Whether a row reaches across the batch axis.
bool reduces_batch(const LossInfo& info, const Operands& operands, const Axes& axes) {
  const std::int64_t rank = adjusted_rank(info, operands);
  const auto is_batch = [&](std::int64_t axis) { return axis == 0 || axis == -rank; };
  return axes.all || std::any_of(axes.list.begin(), axes.list.end(), is_batch);
}

// Throws where the states of parts would not add up to that of the whole.
void check_mergeable(const Subject& subject, const Operands& operands, Request request) {
  if (request.reduction == Reduction::kNone) {
    refuse_partial("reduction",
                   "reduction is None, which is 'none' too, and losses of samples have no partial "
                   "sums; use 'sum', 'sum_over_batch_size', 'mean' or 'mean_with_sample_weight'");
  }
  if (subject.loss != nullptr && subject.loss->info().target == Target::kPairs) {
    refuse_partial("y_pred", std::string("the ") + subject.loss->info().name +
                                 " loss compares all samples with each other, so parts do not add "
                                 "up; call the loss on the whole batch");
  }
  if (subject.loss != nullptr && reduces_batch(subject.loss->info(), operands, request.axes)) {
    const ArrayView& y_true = operands.y_true;
    const std::string shape = shape_text(y_true.shape, static_cast<std::size_t>(y_true.rank));
    refuse_partial("axis", y_true.rank == 1
                               ? "y_true of shape " + shape +
                                     " is one sample, so parts do not add up; pass y_true[:, None] "
                                     "and y_pred[:, None], or axis=()"
                               : "axis reaches across the first axis of y_true of shape " + shape +
                                     ", that of the samples, so parts do not add up; leave it out");
  }
  const ArrayView* weight = operands.sample_weight;
  const char* argument = "sample_weight";
  if (weight == nullptr) {
    weight = operands.mask;
    argument = "mask";
  }
  if (weight == nullptr || request.reduction != Reduction::kMeanWithSampleWeight) return;
  request.reduction = Reduction::kNone;
  const Operands losses{operands.y_true, operands.y_pred};
  const std::vector<std::int64_t> shape = subject.type(losses, request).shape;
  const auto rank = static_cast<std::size_t>(weight->rank);
  const bool for_each_sample = !shape.empty() && (rank == 1 || rank >= shape.size()) && rank > 0 &&
                               weight->shape[0] == shape[0];
  if (!for_each_sample) {
    refuse_partial(argument,
                   std::string(argument) + " of shape " + shape_text(weight->shape, rank) +
                       " is shared by samples, so parts do not add up under reduction "
                       "'mean_with_sample_weight'; pass one weight per sample, for losses of "
                       "shape " +
                       shape_text(shape.data(), shape.size()));
  }
}

// --- _core.Loss ---------------------------------------------------------------------------------

struct LossObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  std::optional<BoundLoss> loss;
  std::uint64_t fingerprint;  // of per-sample losses, where there is no loss
  Request request;
};

LossObject& as_loss(PyObject* self) { return *reinterpret_cast<LossObject*>(self); }

Subject subject_of(const LossObject& self) { return {self.loss ? &*self.loss : nullptr}; }

Arrays arrays_of(const LossObject& self, PyObject* const* args, Py_ssize_t n_args) {
  PyObject* weight = n_args > 2 ? args[2] : Py_None;
  PyObject* mask = n_args > 3 ? args[3] : Py_None;
  if (!self.loss) return {nullptr, args[1], weight, mask, Target::kReal, self.request.dtype};
  return {args[0], args[1], weight, mask, self.loss->info().target, self.request.dtype};
}

PyObject* loss_call(PyObject* self, PyObject* const* args, std::size_t flags, PyObject* keywords) {
  return guarded([&]() -> py::object {
    const Py_ssize_t n_args = PyVectorcall_NARGS(flags);
    if (n_args < 2 || n_args > 6 || (keywords != nullptr && PyTuple_GET_SIZE(keywords) > 0)) {
      throw py::type_error("a _core.Loss takes 2 to 6 positional arguments");
    }
    const LossObject& loss = as_loss(self);
    const Arrays arrays = arrays_of(loss, args, n_args);
    Request request = loss.request;
    if (n_args > 5) request.empty = parse_empty(args[5]);
    read_settings(request);
    return compute(subject_of(loss), arrays, request, n_args > 4 ? args[4] : Py_None);
  });
}

PyObject* loss_partial(PyObject* self, PyObject* const* args, Py_ssize_t n_args) {
  return guarded([&]() -> py::object {
    if (n_args < 2 || n_args > 4) throw py::type_error("partial() takes 2 to 4 arguments");
    const LossObject& loss = as_loss(self);
    const Arrays arrays = arrays_of(loss, args, n_args);
    Request request = loss.request;
    read_settings(request);
    const Operands operands = arrays.operands();
    check_mergeable(subject_of(loss), operands, request);
    return py::cast(run(subject_of(loss).loss, arrays, request, [&] {
      return loss.loss ? partial_sums(*loss.loss, operands, request)
                       : partial_sums(operands, request, loss.fingerprint);
    }));
  });
}

PyObject* loss_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  return guarded([&]() -> py::object {
    static const char* names[] = {"name",      "params", "axis",     "dtype",
                                  "reduction", "extras", "identity", nullptr};
    const char *name = nullptr, *dtype = nullptr, *identity = "";
    PyObject *params = nullptr, *axis = nullptr, *reduction = nullptr, *extras = Py_None;
    if (PyArg_ParseTupleAndKeywords(args, keywords, "zOOzO|Os:Loss", const_cast<char**>(names),
                                    &name, &params, &axis, &dtype, &reduction, &extras,
                                    &identity) == 0) {
      throw py::error_already_set();
    }
    std::optional<BoundLoss> loss;
    Request request;
    if (name != nullptr) {
      Extras options = parse_extras(extras);
      loss = parse_loss(name, params, options);
      request.axes = parse_axes(axis, loss->info());
      request.labels = options.labels;
      request.ignore_class = options.ignore_class;
    }
    if (dtype != nullptr) {
      request.dtype = parse_floating(dtype, "dtype");
      result_descr(*request.dtype);  // ImportError for bfloat16 without ml_dtypes
    }
    request.default_dtype = floatx();
    request.reduction = parse_reduction(reduction);
    PyObject* self = type->tp_alloc(type, 0);
    if (self == nullptr) throw py::error_already_set();
    LossObject& object = as_loss(self);
    object.vectorcall = &loss_call;
    new (&object.loss) std::optional<BoundLoss>(std::move(loss));
    new (&object.request) Request(std::move(request));
    object.fingerprint = fingerprint_of(identity);
    return py::reinterpret_steal<py::object>(self);
  });
}

void loss_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  as_loss(self).loss.~optional();
  as_loss(self).request.~Request();
  type->tp_free(self);
  Py_DECREF(type);
}

constexpr const char* kLossDoc =
    "Loss(name, params, axis, dtype, reduction, extras=None, identity='')\n--\n\n"
    "A loss of the catalogue with everything that its calls share. Immutable. Without a name it\n"
    "reduces per-sample losses, given as y_pred; `identity` then tells their kind in PartialSums.\n"
    "Called as (y_true, y_pred, sample_weight=None, mask=None, out=None, empty='zero').";

py::object new_loss_type() {
  static PyMethodDef methods[] = {
      {"partial", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&loss_partial)),
       METH_FASTCALL, "partial(y_true, y_pred, sample_weight=None, mask=None) -> PartialSums"},
      {nullptr, nullptr, 0, nullptr}};
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(LossObject, vectorcall), READONLY, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>(kLossDoc)},
                                {Py_tp_new, reinterpret_cast<void*>(&loss_new)},
                                {Py_tp_dealloc, reinterpret_cast<void*>(&loss_dealloc)},
                                {Py_tp_call, reinterpret_cast<void*>(&PyVectorcall_Call)},
                                {Py_tp_methods, methods},
                                {Py_tp_members, members},
                                {0, nullptr}};
  static PyType_Spec spec = {
      "simdloss._core.Loss", sizeof(LossObject), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE, slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (type == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(type);
}

}  // namespace

void add_loss(py::module_& m) {
  static PyMethodDef functions[] = {
      {"evaluate", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&evaluate_once)),
       METH_FASTCALL,
       "evaluate(name, params, axis, extras, y_true, y_pred, out, /)\n--\n\n"
       "Per-sample losses by the entry `name` of the catalogue."},
      {nullptr, nullptr, 0, nullptr}};
  if (PyModule_AddFunctions(m.ptr(), functions) < 0) throw py::error_already_set();
  m.attr("Loss") = new_loss_type();
}

}  // namespace simdloss::python
