// SPDX-License-Identifier: Apache-2.0
#include "simdloss/runtime.hpp"

#include <atomic>
#include <string>

#include "bindings.hpp"

namespace simdloss::python {
namespace {

// Settings of the process. A context (PEP 567) may set another epsilon or thread count for the
// calls inside it, in its thread or task alone.
std::atomic<double> process_epsilon{1e-7};
std::atomic<DType> process_floatx{DType::kFloat32};

// The context variables live as long as the process: created once, never destroyed.
PyObject* epsilon_context = nullptr;
PyObject* threads_context = nullptr;

// The value that the context holds, or a null object.
py::object context_value(PyObject* variable) {
  PyObject* value = nullptr;
  if (PyContextVar_Get(variable, nullptr, &value) < 0) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(value);
}

py::object new_context_variable(py::module_& m, const char* name, PyObject*& variable) {
  variable = PyContextVar_New(name, nullptr);
  if (variable == nullptr) throw py::error_already_set();
  m.attr(name) = py::handle(variable);
  return py::reinterpret_borrow<py::object>(variable);
}

double checked_epsilon(py::handle value) {
  const double epsilon = parse_number(value, "epsilon");
  if (!(epsilon >= 0.0 && epsilon < 0.5)) {
    throw Error(ErrorCode::kValue, "epsilon",
                "epsilon must be at least 0 and less than 0.5; received " + described(value));
  }
  return epsilon;
}

int checked_threads(py::handle n) {
  if (PyBool_Check(n.ptr()) || PyIndex_Check(n.ptr()) == 0) {
    throw Error(ErrorCode::kType, "n", "n must be an int or None; received " + described(n));
  }
  const Py_ssize_t value = PyNumber_AsSsize_t(n.ptr(), nullptr);  // clips what does not fit
  if (value == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (value < 1 || value > kMaxThreads) {
    throw Error(ErrorCode::kValue, "n",
                "n, the number of threads, must be from 1 to " + std::to_string(kMaxThreads) +
                    ", or None for the default; received " + described(n));
  }
  return static_cast<int>(value);
}

std::string isa_or_default(py::handle name) {
  if (name.is_none()) return "";
  if (!PyUnicode_Check(name.ptr())) {
    throw Error(ErrorCode::kType, "name",
                "name must be a str or None; received " + described(name));
  }
  return name.cast<std::string>();
}

py::dict build_config() {
  const BuildInfo info = build_info();
  py::dict config;
  config["version"] = info.version;
  config["compiler"] = info.compiler;
  config["flags"] = info.flags;
  config["openmp"] = info.openmp;
  config["openmp_library"] = openmp_library();
  config["isa_reason"] = isa_reason();
  config["num_threads_reason"] = num_threads_reason();
  return config;
}

}  // namespace

DType floatx() { return process_floatx.load(std::memory_order_relaxed); }

double epsilon() {
  const py::object value = context_value(epsilon_context);
  return value ? PyFloat_AsDouble(value.ptr()) : process_epsilon.load(std::memory_order_relaxed);
}

int threads() {
  const py::object value = context_value(threads_context);
  return value && !value.is_none() ? static_cast<int>(PyLong_AsLong(value.ptr())) : 0;
}

void add_runtime(py::module_& m) {
  new_context_variable(m, "epsilon_context", epsilon_context);
  new_context_variable(m, "threads_context", threads_context);
  m.def("checked_epsilon", &checked_epsilon, py::arg("value"));
  m.def("checked_threads", &checked_threads, py::arg("n"));

  m.def("floatx", [] { return dtype_name(floatx()); });
  m.def(
      "set_floatx", [](std::string_view value) { process_floatx = parse_floating(value, "value"); },
      py::arg("value"));
  m.def("epsilon", &epsilon);
  m.def(
      "set_epsilon", [](py::handle value) { process_epsilon = checked_epsilon(value); },
      py::arg("value"));

  m.def("available_isas", [] {
    py::list names;
    for (const Isa isa : available_isas()) names.append(isa_name(isa));
    return names;
  });
  m.def("active_isa", [] { return isa_name(active_isa()); });
  m.def(
      "force_isa", [](py::handle name) { force_isa(isa_or_default(name)); }, py::arg("name"));
  m.def("get_num_threads", [] { return threads() > 0 ? threads() : num_threads(); });
  m.def(
      "set_num_threads",
      [](py::handle n) { set_num_threads(n.is_none() ? 0 : checked_threads(n)); }, py::arg("n"));
  m.def("last_num_threads", &last_num_threads);
  m.def("build_config", &build_config);
}

}  // namespace simdloss::python
