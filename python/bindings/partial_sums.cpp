// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "numpy_view.hpp"

namespace simdloss::python {
namespace {

constexpr const char* kDoc = R"doc(What a batch, or a part of it, contributes to a reduced loss.

A loss makes it with ``loss.partial(y_true, y_pred, sample_weight)``. States of the parts of a data
set merge, in any order and any grouping, to the state of the whole, bit for bit; ``result()`` is
then the number that the loss gives for all the data at once. ``PartialSums()`` is the state of no
data and merges with any other; ``sum(states)`` merges too. States that merge are those of equal
losses (class, parameters, axis, dtype, reduction) under the same ``epsilon()``.

Example:
    >>> import numpy as np, simdloss
    >>> loss = simdloss.MeanSquaredError()
    >>> y_true, y_pred = np.zeros((6, 2), np.float32), np.full((6, 2), 3, np.float32)
    >>> total = simdloss.PartialSums()
    >>> for rows in (slice(0, 4), slice(4, 6)):
    ...     _ = total.merge(loss.partial(y_true[rows], y_pred[rows]))
    >>> float(total.result()), total.count
    (9.0, 6)
    >>> simdloss.PartialSums.from_bytes(total.to_bytes()) == total
    True
)doc";

py::bytes to_bytes(const PartialSums& sums) {
  const std::vector<std::uint8_t> bytes = sums.to_bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

PartialSums from_bytes(py::handle data) {
  if (PyObject_CheckBuffer(data.ptr()) == 0) {
    throw Error(ErrorCode::kType, "data", "data must be bytes-like; received " + described(data));
  }
  Py_buffer view;
  if (PyObject_GetBuffer(data.ptr(), &view, PyBUF_SIMPLE) < 0) throw py::error_already_set();
  const std::unique_ptr<Py_buffer, decltype(&PyBuffer_Release)> release(&view, &PyBuffer_Release);
  return PartialSums::from_bytes(static_cast<const std::uint8_t*>(view.buf),
                                 static_cast<std::size_t>(view.len));
}

void merge(PartialSums& sums, py::handle other) {
  if (!py::isinstance<PartialSums>(other)) {
    throw Error(ErrorCode::kType, "other",
                "other must be a PartialSums; received " + described(other));
  }
  sums.merge(other.cast<const PartialSums&>());
}

// The value of the state under another reduction, in double.
double value_as(PartialSums sums, Reduction reduction) {
  sums.reduction = reduction;
  sums.result_dtype = DType::kFloat64;
  return sums.finalize();
}

py::object result(const PartialSums& sums, py::handle empty) {
  const double value = sums.finalize(parse_empty(empty));
  // NumPy rounds the double, a number of the result dtype already, without a change.
  return result_descr(sums.result_dtype).attr("type")(value);
}

py::str repr(const PartialSums& sums) {
  return py::str("PartialSums(sum={}, weight_sum={}, count={}, valid_count={})")
      .format(value_as(sums, Reduction::kSum), sums.weight_sum.value(), sums.count,
              sums.valid_count);
}

}  // namespace

void add_partial_sums(py::module_& m) {
  // Docstrings begin with the signature in the form that `inspect` reads.
  py::options options;
  options.disable_function_signatures();
  py::class_<PartialSums> cls(m, "PartialSums", kDoc);
  cls.def(py::init<>(), "__init__(self, /)\n--\n\nThe state of no data.")
      .def(
          "merge",
          [](py::object self, py::handle other) {
            merge(self.cast<PartialSums&>(), other);
            return self;
          },
          py::arg("other"),
          "merge(self, /, other)\n--\n\n"
          "Adds another state to this one and returns this one. ValueError if it comes from\n"
          "another loss, other options or another epsilon().")
      .def(
          "__add__",
          [](PartialSums left, const PartialSums& right) {
            merge(left, py::cast(right));
            return left;
          },
          py::is_operator(),
          "__add__(self, value, /)\n--\n\nThe merged state, a new one; see merge().")
      .def(
          "__radd__",
          [](const PartialSums& right, py::handle left) -> py::object {
            const bool zero = PyLong_CheckExact(left.ptr()) && PyObject_Not(left.ptr()) == 1;
            if (!zero) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
            return py::cast(PartialSums(right));
          },
          "__radd__(self, value, /)\n--\n\n0 plus this state, so that sum() merges states.")
      .def(
          "__eq__",
          [](const PartialSums& left, const PartialSums& right) {
            return left.to_bytes() == right.to_bytes();
          },
          py::is_operator(),
          "__eq__(self, value, /)\n--\n\nWhether two states have the same bytes.")
      .def("result", &result, py::arg("empty") = "zero",
           "result(self, /, empty='zero')\n--\n\n"
           "The reduced loss, a NumPy scalar of the loss's dtype, rounded once. A mean over\n"
           "nothing is 0, NaN or a ValueError, as `empty` says: \"zero\", \"nan\", \"raise\".")
      .def_property_readonly(
          "sum", [](const PartialSums& sums) { return value_as(sums, Reduction::kSum); },
          "Sum of weight times loss, as a float.")
      .def_property_readonly(
          "weight_sum", [](const PartialSums& sums) { return sums.weight_sum.value(); },
          "Sum of weight times mask, as given (before broadcasting), as a float.")
      .def_readonly("count", &PartialSums::count,
                    "Entries of the loss after broadcasting with the weights.")
      .def_readonly("valid_count", &PartialSums::valid_count,
                    "Entries that were not skipped for a zero weight or a false mask.")
      .def("to_bytes", &to_bytes,
           "to_bytes(self, /)\n--\n\n"
           "The state as bytes of a fixed size; equal states, equal bytes.")
      .def_static(
          "from_bytes", &from_bytes, py::arg("data"),
          "from_bytes(data)\n--\n\n"
          "The state that to_bytes() wrote. ValueError for other bytes, TypeError for what\n"
          "is not bytes-like.")
      .def("__repr__", &repr)
      .def(py::pickle(&to_bytes, &from_bytes));
  cls.attr("__module__") = "simdloss";
}

}  // namespace simdloss::python
