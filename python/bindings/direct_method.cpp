// SPDX-License-Identifier: Apache-2.0

// _core.direct_method, a decorator for methods of loss classes: a call with nothing but arrays goes
// to the native callable at once, any other call to the method as it is written: a frame of Python,
// with options to fill in, is a good part of a call on a small batch.
//
// It answers like the function that it wraps, but is none: what asks for types.FunctionType, as
// autospec of unittest.mock does, sees some callable.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>

#include "bindings.hpp"
#include "call.hpp"

#include <structmember.h>

namespace simdloss::python {
namespace {

using Kernel = py::object (*)(const LossObject&, PyObject* const*, Py_ssize_t, int);

// Method descriptors come before attributes: a call gets the instance as its first argument.
struct DirectMethod {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* weak_references;
  PyObject* function;
  PyObject* bound_name;  // "_bound"
  PyObject* options[3];  // "sample_weight", "mask", "out"
  Kernel kernel;
};

DirectMethod& as_method(PyObject* self) { return *reinterpret_cast<DirectMethod*>(self); }

// The native callable in an instance's `_bound`, if it is one of a loss of the catalogue. Other
// threads may be adding one.
py::object kernel_in(const py::object& bound) {
  if (!PyList_CheckExact(bound.ptr())) return {};
#if PY_VERSION_HEX >= 0x030D0000
  auto kernel = py::reinterpret_steal<py::object>(PyList_GetItemRef(bound.ptr(), 0));
  if (!kernel) PyErr_Clear();  // IndexError
#else
  py::object kernel;
  if (PyList_GET_SIZE(bound.ptr()) > 0) {
    kernel = py::reinterpret_borrow<py::object>(PyList_GET_ITEM(bound.ptr(), 0));
  }
#endif
  const bool of_catalog =
      kernel && PyVectorcall_Function(kernel.ptr()) == &loss_call && as_loss(kernel.ptr()).loss;
  return of_catalog ? kernel : py::object();
}

// What a native callable takes: (y_true, y_pred, sample_weight, mask, out).
struct KernelArgs {
  PyObject* values[5];
  Py_ssize_t n;  // up to the last one that is given
};

// Those of a call of a method, if it has two arrays by position and no other options. Names that the
// compiler of Python did not intern are unknown.
std::optional<KernelArgs> kernel_args(const DirectMethod& method, PyObject* const* args,
                                      Py_ssize_t n_args, PyObject* keywords) {
  if (n_args != 3 && n_args != 4) return std::nullopt;
  KernelArgs found{{args[1], args[2], n_args == 4 ? args[3] : Py_None, Py_None, Py_None},
                   n_args - 1};
  const Py_ssize_t n_keywords = keywords != nullptr ? PyTuple_GET_SIZE(keywords) : 0;
  for (Py_ssize_t i = 0; i < n_keywords; ++i) {
    const PyObject* name = PyTuple_GET_ITEM(keywords, i);
    const auto* known = std::find(std::begin(method.options), std::end(method.options), name);
    const Py_ssize_t place = 2 + (known - method.options);
    if (known == std::end(method.options) || place < n_args - 1) return std::nullopt;
    found.values[place] = args[n_args + i];
    found.n = std::max(found.n, place + 1);
  }
  return found;
}

PyObject* direct_call(PyObject* self, PyObject* const* args, std::size_t flags,
                      PyObject* keywords) {
  const DirectMethod& method = as_method(self);
  const Py_ssize_t n_args = PyVectorcall_NARGS(flags);
  if (const auto given = kernel_args(method, args, n_args, keywords)) {
    const auto bound =
        py::reinterpret_steal<py::object>(PyObject_GetAttr(args[0], method.bound_name));
    if (bound) {
      if (const py::object kernel = kernel_in(bound)) {
        return guarded(
            [&] { return method.kernel(as_loss(kernel.ptr()), given->values, given->n, 1); });
      }
    } else if (PyErr_ExceptionMatches(PyExc_AttributeError) != 0) {
      PyErr_Clear();  // the method says what is wrong
    } else {
      return nullptr;
    }
  }
  return PyObject_Vectorcall(method.function, args, flags, keywords);
}

PyObject* interned(const char* name) {
  PyObject* const text = PyUnicode_InternFromString(name);
  if (text == nullptr) throw py::error_already_set();
  return text;
}

PyObject* method_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  return guarded([&]() -> py::object {
    static const char* names[] = {"", nullptr};
    PyObject* function = nullptr;
    if (PyArg_ParseTupleAndKeywords(args, keywords, "O:direct_method", const_cast<char**>(names),
                                    &function) == 0) {
      throw py::error_already_set();
    }
    const auto name = py::handle(function).attr("__name__").cast<std::string>();
    if (name != "__call__" && name != "value_and_grad") {
      throw py::value_error("no native callable does what " + name + " does");
    }
    auto self = py::reinterpret_steal<py::object>(type->tp_alloc(type, 0));
    if (!self) throw py::error_already_set();
    DirectMethod& method = as_method(self.ptr());
    method.vectorcall = &direct_call;
    method.function = Py_NewRef(function);
    method.bound_name = interned("_bound");
    const char* const options[] = {"sample_weight", "mask", "out"};
    std::transform(std::begin(options), std::end(options), method.options, interned);
    method.kernel = name == "__call__" ? &call_loss : &value_and_grad;
    return self;
  });
}

int method_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_method(self).function);
  return 0;
}
void method_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  PyObject_ClearWeakRefs(self);
  Py_CLEAR(as_method(self).function);
  Py_CLEAR(as_method(self).bound_name);
  for (PyObject*& option : as_method(self).options) Py_CLEAR(option);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* method_get(PyObject* self, PyObject* instance, PyObject*) {
  return instance == nullptr ? Py_NewRef(self) : PyMethod_New(self, instance);
}

// The attributes of the function, its name, documentation and so on, but for those that make a copy.
PyObject* method_getattro(PyObject* self, PyObject* name) {
  const auto is = [&](const char* text) {
    return PyUnicode_CompareWithASCIIString(name, text) == 0;
  };
  if (is("__wrapped__")) return Py_NewRef(as_method(self).function);
  if (is("__class__") || is("__reduce__") || is("__reduce_ex__")) {
    return PyObject_GenericGetAttr(self, name);
  }
  return PyObject_GetAttr(as_method(self).function, name);
}

PyObject* method_repr(PyObject* self) { return PyObject_Repr(as_method(self).function); }

// Copies are the method itself, pickles its name, as of functions.
PyObject* method_reduce(PyObject* self, PyObject*) {
  return PyObject_GetAttrString(as_method(self).function, "__qualname__");
}

}  // namespace

void add_direct_method(py::module_& m) {
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(DirectMethod, vectorcall), READONLY, nullptr},
      {"__weaklistoffset__", T_PYSSIZET, offsetof(DirectMethod, weak_references), READONLY,
       nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyMethodDef methods[] = {{"__reduce__", &method_reduce, METH_NOARGS, nullptr},
                                  {nullptr, nullptr, 0, nullptr}};
  static PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(&method_new)},
                                {Py_tp_dealloc, reinterpret_cast<void*>(&method_dealloc)},
                                {Py_tp_traverse, reinterpret_cast<void*>(&method_traverse)},
                                {Py_tp_call, reinterpret_cast<void*>(&PyVectorcall_Call)},
                                {Py_tp_descr_get, reinterpret_cast<void*>(&method_get)},
                                {Py_tp_getattro, reinterpret_cast<void*>(&method_getattro)},
                                {Py_tp_repr, reinterpret_cast<void*>(&method_repr)},
                                {Py_tp_methods, methods},
                                {Py_tp_members, members},
                                {0, nullptr}};
  static PyType_Spec spec = {"simdloss._core.direct_method", sizeof(DirectMethod), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                                 Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_IMMUTABLETYPE,
                             slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (type == nullptr) throw py::error_already_set();
  m.attr("direct_method") = py::reinterpret_steal<py::object>(type);
}

}  // namespace simdloss::python
