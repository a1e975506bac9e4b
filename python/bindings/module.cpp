// SPDX-License-Identifier: Apache-2.0

// The extension module simdloss._core: generic, it names no loss.

#define SIMDLOSS_DEFINES_NUMPY_API
#include <exception>
#include <utility>

#include "bindings.hpp"
#include "numpy_view.hpp"
#include "simdloss/runtime.hpp"

namespace simdloss::python {
namespace {

const char* target_name(Target target) {
  static constexpr const char* names[] = {"real", "label", "class_id", "sequence", "pairs"};
  return names[static_cast<int>(target)];
}

py::list catalog_as_dicts() {
  py::list losses;
  for (const LossInfo& info : catalog()) {
    py::list params;
    for (int i = 0; i < info.n_params; ++i) {
      const ParamInfo& param = info.params[i];
      py::dict entry;
      entry["name"] = param.name;
      entry["default"] = param.default_value;
      entry["low"] = param.low;
      entry["high"] = param.high;
      entry["low_open"] = param.low_open;
      entry["is_bool"] = param.is_bool;
      params.append(entry);
    }
    py::dict loss;
    loss["name"] = info.name;
    loss["params"] = params;
    loss["target"] = target_name(info.target);
    loss["row_finish"] = info.row_finish == RowFinish::kMean  ? "mean"
                         : info.row_finish == RowFinish::kSum ? "sum"
                                                              : "whole";
    loss["axis_kind"] = info.axis_kind == AxisKind::kAny   ? "any"
                        : info.axis_kind == AxisKind::kOne ? "one"
                                                           : "none";
    loss["has_classes"] = info.has_classes;
    loss["needs_elements"] = info.needs_elements;
    loss["has_hessian"] = info.has_hessian;
    loss["converts_binary_labels"] = info.converts_binary_labels;
    losses.append(loss);
  }
  return losses;
}

}  // namespace

void set_python_error(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInterrupted:
      // The signal handler that ran has left its exception, KeyboardInterrupt as a rule.
      if (PyErr_Occurred() == nullptr) PyErr_SetNone(PyExc_KeyboardInterrupt);
      return;
    case ErrorCode::kType:
      PyErr_SetString(PyExc_TypeError, error.what());
      return;
    case ErrorCode::kNotSupported:
      PyErr_SetString(PyExc_NotImplementedError, error.what());
      return;
    case ErrorCode::kValue:
      PyErr_SetString(PyExc_ValueError, error.what());
      return;
  }
}

}  // namespace simdloss::python

// Free-threading: nothing here is mutable but the settings, which are atomics, and PartialSums,
// which its owner guards. Subinterpreters are refused, as NumPy refuses them.
PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used(),
                pybind11::multiple_interpreters::not_supported()) {
  namespace py = pybind11;
  using namespace simdloss;
  using namespace simdloss::python;

  if (_import_array() < 0) throw py::error_already_set();
  py::register_local_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(std::move(pointer));
    } catch (const Error& error) {
      set_python_error(error);
    }
  });
  m.attr("__version__") = build_info().version;
  m.def("catalog", &catalog_as_dicts);
  m.def("described", &described, py::arg("value"));
  add_runtime(m);
  add_partial_sums(m);
  add_dlpack(m);
  add_loss(m);
  add_gradient(m);
  add_direct_method(m);
}
