// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the files of _core share: the settings, the readers of small arguments, and the functions
// that add their part to the module.

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "simdloss/evaluate.hpp"
#include "simdloss/gradient.hpp"

namespace simdloss::python {

namespace py = pybind11;

/// What a call reads once, at its start: the value of the context, else that of the process.
DType floatx();
double epsilon();
int threads();  ///< 0 where no context asks for a number

/// The value as Python writes it, if that is short; of an array its shape. For messages.
std::string shown(py::handle value);
/// "'text' of type str": what an error says that it received.
std::string described(py::handle value);
/// A shape as Python writes it: "(3, 4)".
std::string shape_text(const std::int64_t* shape, std::size_t rank);

/// Readers of options. Throw Error that says what is allowed and what was received.
double parse_number(py::handle value, const std::string& argument);
Axes parse_axes(py::handle axis, const LossInfo& info);
Reduction parse_reduction(py::handle reduction);
Empty parse_empty(py::handle empty);
Curvature parse_curvature(py::handle hessian);
DType parse_floating(std::string_view name, const char* argument);

/// Options that few losses have, from a dict or None.
struct Extras {
  Labels labels = Labels::kAuto;
  std::optional<std::int64_t> ignore_class;
  std::vector<double> class_weights;
  // Arrays of the caller's, as exact ndarrays; null if absent.
  py::object ref_labels;
  py::object ref_embeddings;
};
Extras parse_extras(py::handle extras);
BoundLoss parse_loss(std::string_view name, py::handle params, Extras& extras);

/// Sets the Python error that stands for `error`.
void set_python_error(const Error& error);

void add_runtime(py::module_& m);
void add_partial_sums(py::module_& m);
void add_dlpack(py::module_& m);
void add_direct_method(py::module_& m);
void add_loss(py::module_& m);
void add_gradient(py::module_& m);

}  // namespace simdloss::python
