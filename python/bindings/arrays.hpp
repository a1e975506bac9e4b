// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>

#include "bindings.hpp"
#include "numpy_view.hpp"

namespace simdloss::python {

// The arrays of a call. Owns what had to be converted; borrows the rest from the caller. Absent
// weights and masks are None. A null y_true is not looked at: y_pred holds per-sample losses. What
// y_true holds and the dtype of a class decide what Python's numbers are.
class Arrays {
 public:
  Arrays(PyObject* y_true, PyObject* y_pred, PyObject* sample_weight, PyObject* mask, Target target,
         std::optional<DType> class_dtype = {}) {
    if (y_true == nullptr) {
      y_true = Py_None;
    } else {
      require(y_true, "y_true");
    }
    require(y_pred, "y_pred");
    const Given given{y_true, y_pred, sample_weight, mask};
    if (read(given)) return;
    const py::object dtype =
        class_dtype ? py::object(py::str(dtype_name(*class_dtype))) : py::object(py::none());
    const bool has_ids = target != Target::kReal && target != Target::kLabel;
    converted_ = py::module_::import("simdloss._array")
                     .attr("operands")(py::handle(y_true), py::handle(y_pred),
                                       py::handle(sample_weight), py::handle(mask), dtype, has_ids);
    Given arrays;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      arrays[i] = PyTuple_GetItem(converted_.ptr(), static_cast<Py_ssize_t>(i));
      if (arrays[i] == nullptr) throw py::error_already_set();
    }
    if (!read(arrays)) throw std::logic_error("simdloss._array.operands gave an unreadable array");
  }

  Arrays(const Arrays&) = delete;
  Arrays& operator=(const Arrays&) = delete;

  // What y_pred's rows are compared with; null where absent.
  void set_references(const py::object& labels, const py::object& embeddings) {
    set_reference(labels, "class_ids", "ref_labels", 0);
    set_reference(embeddings, "to_ndarray", "ref_embeddings", 1);
  }

  // What losses are multiplied by, for their derivatives.
  void set_cotangent(const py::object& value) {
    require(value.ptr(), "cotangent");
    set_reference(value, "to_ndarray", "cotangent", 2);
  }

  Operands operands() const {
    return {views_[0],
            views_[1],
            present_[2] ? &views_[2] : nullptr,
            present_[3] ? &views_[3] : nullptr,
            references_[0] ? &reference_views_[0] : nullptr,
            references_[1] ? &reference_views_[1] : nullptr};
  }

  const ArrayView& y_pred() const { return views_[1]; }
  PyArrayObject* y_pred_array() const { return y_pred_array_; }
  const ArrayView& cotangent() const { return reference_views_[2]; }

  bool may_overlap_with(const ArrayView& out) const {
    for (std::size_t i = 0; i < views_.size(); ++i) {
      if (present_[i] && may_overlap(views_[i], out)) return true;
    }
    for (std::size_t i = 0; i < references_.size(); ++i) {
      if (references_[i] && may_overlap(reference_views_[i], out)) return true;
    }
    return false;
  }

 private:
  using Given = std::array<PyObject*, 4>;

  static void require(PyObject* array, const char* argument) {
    if (array == Py_None) {
      throw Error(ErrorCode::kType, argument, std::string(argument) + " is None, not an array");
    }
  }

  bool read(const Given& given) {
    for (std::size_t i = 0; i < given.size(); ++i) {
      present_[i] = given[i] != Py_None;
      if (present_[i] && !read_view(given[i], views_[i])) return false;
    }
    y_pred_array_ = reinterpret_cast<PyArrayObject*>(given[1]);
    return true;
  }

  void set_reference(const py::object& given, const char* reader, const char* argument,
                     std::size_t i) {
    if (!given) return;
    references_[i] = py::module_::import("simdloss._array").attr(reader)(given, argument);
    read_view(references_[i].ptr(), reference_views_[i]);
  }

  std::array<ArrayView, 4> views_;
  PyArrayObject* y_pred_array_ = nullptr;
  std::array<bool, 4> present_{};
  py::object converted_;
  // Beside the four: labels and embeddings to compare with, and the cotangent.
  std::array<ArrayView, 3> reference_views_;
  std::array<py::object, 3> references_;
};

}  // namespace simdloss::python
