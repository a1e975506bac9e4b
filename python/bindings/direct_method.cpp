// SPDX-License-Identifier: Apache-2.0

// _core.direct_method, a decorator for methods of loss classes: a call with nothing but arrays goes
// to the native callable at once, any other call to the method as it is written. A frame of Python
// takes a third of the time of a call on a small batch, most of it for the options.

#include <cstddef>
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
  PyObject* function;
  PyObject* bound_name;  // "_bound"
  Kernel kernel;
};

DirectMethod& as_method(PyObject* self) { return *reinterpret_cast<DirectMethod*>(self); }

// What the instance keeps its native callable in: see Loss._bound.
const LossObject* kernel_in(PyObject* bound) {
  if (!PyList_CheckExact(bound) || PyList_GET_SIZE(bound) != 1) return nullptr;
  PyObject* const item = PyList_GET_ITEM(bound, 0);
  if (PyVectorcall_Function(item) != &loss_call) return nullptr;
  const LossObject& loss = as_loss(item);
  return loss.loss ? &loss : nullptr;
}

PyObject* direct_call(PyObject* self, PyObject* const* args, std::size_t flags,
                      PyObject* keywords) {
  const DirectMethod& method = as_method(self);
  const Py_ssize_t n_args = PyVectorcall_NARGS(flags);
  const bool has_keywords = keywords != nullptr && PyTuple_GET_SIZE(keywords) > 0;
  if (!has_keywords && (n_args == 3 || n_args == 4)) {
    const auto bound =
        py::reinterpret_steal<py::object>(PyObject_GetAttr(args[0], method.bound_name));
    if (!bound) {
      PyErr_Clear();  // the method will raise it again
    } else if (const LossObject* loss = kernel_in(bound.ptr())) {
      return guarded([&] { return method.kernel(*loss, args + 1, n_args - 1, 1); });
    }
  }
  return PyObject_Vectorcall(method.function, args, flags, keywords);
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
    PyObject* bound_name = PyUnicode_InternFromString("_bound");
    PyObject* self = bound_name != nullptr ? type->tp_alloc(type, 0) : nullptr;
    if (self == nullptr) {
      Py_XDECREF(bound_name);
      throw py::error_already_set();
    }
    DirectMethod& method = as_method(self);
    method.vectorcall = &direct_call;
    method.function = Py_NewRef(function);
    method.bound_name = bound_name;
    method.kernel = name == "__call__" ? &call_loss : &value_and_grad;
    return py::reinterpret_steal<py::object>(self);
  });
}

int method_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_method(self).function);
  return 0;
}
int method_clear(PyObject* self) {
  Py_CLEAR(as_method(self).function);
  return 0;
}
void method_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  method_clear(self);
  Py_CLEAR(as_method(self).bound_name);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* method_get(PyObject* self, PyObject* instance, PyObject*) {
  return instance == nullptr ? Py_NewRef(self) : PyMethod_New(self, instance);
}

// The attributes of the function: its name, documentation, annotations and so on.
PyObject* method_getattro(PyObject* self, PyObject* name) {
  if (PyUnicode_CompareWithASCIIString(name, "__wrapped__") == 0) {
    return Py_NewRef(as_method(self).function);
  }
  if (PyUnicode_CompareWithASCIIString(name, "__class__") == 0) {
    return PyObject_GenericGetAttr(self, name);
  }
  return PyObject_GetAttr(as_method(self).function, name);
}

}  // namespace

void add_direct_method(py::module_& m) {
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(DirectMethod, vectorcall), READONLY, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(&method_new)},
                                {Py_tp_dealloc, reinterpret_cast<void*>(&method_dealloc)},
                                {Py_tp_traverse, reinterpret_cast<void*>(&method_traverse)},
                                {Py_tp_clear, reinterpret_cast<void*>(&method_clear)},
                                {Py_tp_call, reinterpret_cast<void*>(&PyVectorcall_Call)},
                                {Py_tp_descr_get, reinterpret_cast<void*>(&method_get)},
                                {Py_tp_getattro, reinterpret_cast<void*>(&method_getattro)},
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
