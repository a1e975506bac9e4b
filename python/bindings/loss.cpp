// SPDX-License-Identifier: Apache-2.0

// The two ways to compute: _core.Loss, which holds a bound loss and its options, and
// _core.evaluate, which binds for one call. Both are written against the C API of Python
// (vectorcall and METH_FASTCALL): a call on a small batch costs as much in a generic dispatcher as
// in the core.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "bindings.hpp"
#include "call.hpp"
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

// A loss of the catalogue, or (without one) per-sample losses that y_pred holds.
struct Subject {
  const BoundLoss* loss = nullptr;

  ResultType type(const Operands& operands, const Request& request) const {
    return loss != nullptr ? type_of_result(*loss, operands, request)
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

py::object compute(Subject subject, const Arrays& arrays, Request& request, py::handle out,
                   int depth) {
  const Operands operands = arrays.operands();
  const ResultType type = subject.type(operands, request);
  if (subject.loss != nullptr) {
    warn_of_one_class(subject.loss->info(), operands, request.axes, depth);
  }
  Output result(type, out, arrays);
  run(subject.loss, arrays, request, [&] { subject.compute(operands, request, result.view()); });
  return result.finish();
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
    const Cotangent* const cotangent = as_cotangent(args[6]);
    const py::handle out = cotangent != nullptr ? py::handle(cotangent->out) : args[6];
    // Without ml_dtypes no array can hold a bfloat16 result: it is float32, see [bfloat16].
    const DType given = arrays.y_pred().dtype;
    const DType result = is_floating(given) ? given : request.default_dtype;
    if (out.is_none() && result == DType::kBFloat16 && !have_ml_dtypes()) {
      request.dtype = DType::kFloat32;
    }
    if (cotangent != nullptr) {
      arrays.set_cotangent(cotangent->value);
      return vector_jacobian_product(loss, arrays, request, out);
    }
    return compute({&loss}, arrays, request, out, 2);
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

Subject subject_of(const LossObject& self) { return {self.loss ? &*self.loss : nullptr}; }

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
      {"value_and_grad",
       reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&loss_value_and_grad)),
       METH_FASTCALL,
       "value_and_grad(y_true, y_pred, sample_weight, mask, out, empty, scale) -> value, gradient"},
      {"value_grad_hess",
       reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&loss_value_grad_hess)),
       METH_FASTCALL,
       "value_grad_hess(y_true, y_pred, sample_weight, mask, empty, scale, hessian)\n"
       "-> value, gradient, Hessian"},
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

py::object call_loss(const LossObject& loss, PyObject* const* args, Py_ssize_t n_args, int depth) {
  const Arrays arrays = arrays_of(loss, args, n_args);
  Request request = loss.request;
  if (n_args > 5) request.empty = parse_empty(args[5]);
  read_settings(request);
  return compute(subject_of(loss), arrays, request, n_args > 4 ? args[4] : Py_None, depth);
}

PyObject* loss_call(PyObject* self, PyObject* const* args, std::size_t flags, PyObject* keywords) {
  return guarded([&]() -> py::object {
    const Py_ssize_t n_args = PyVectorcall_NARGS(flags);
    if (n_args < 2 || n_args > 6 || (keywords != nullptr && PyTuple_GET_SIZE(keywords) > 0)) {
      throw py::type_error("a _core.Loss takes 2 to 6 positional arguments");
    }
    return call_loss(as_loss(self), args, n_args, 2);
  });
}

void add_loss(py::module_& m) {
  static PyMethodDef functions[] = {
      {"evaluate", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&evaluate_once)),
       METH_FASTCALL,
       "evaluate(name, params, axis, extras, y_true, y_pred, out, /)\n--\n\n"
       "Per-sample losses by the entry `name` of the catalogue. If `out` is a Cotangent, the "
       "product\n"
       "of that and their Jacobian by y_pred."},
      {nullptr, nullptr, 0, nullptr}};
  if (PyModule_AddFunctions(m.ptr(), functions) < 0) throw py::error_already_set();
  m.attr("Loss") = new_loss_type();
}

}  // namespace simdloss::python
