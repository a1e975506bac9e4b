// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one place where NumPy arrays become views of the core and the other way round. Exact
// ndarrays are read here through NumPy's C API; whatever else a caller passes goes through
// simdloss._array first, which answers with exact ndarrays.

#include <Python.h>
#include <pybind11/pybind11.h>

// The pointer table of the NumPy API is defined in module.cpp and shared by the other files.
#define PY_ARRAY_UNIQUE_SYMBOL simdloss_numpy_api
#define NPY_NO_DEPRECATED_API NPY_1_22_API_VERSION
#ifndef SIMDLOSS_DEFINES_NUMPY_API
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "simdloss/array_view.hpp"

namespace simdloss::python {

namespace py = pybind11;

static_assert(sizeof(npy_intp) == sizeof(std::int64_t), "simdloss needs a 64-bit Python");

// [bfloat16] NumPy has no bfloat16. Two spellings of it are read, both of kind 'V' and two bytes:
// the type of ml_dtypes, and a plain V2 whose metadata has the key "bfloat16", which is what our
// own DLPack reader makes where ml_dtypes is not installed.
inline constexpr const char* kBFloat16Name = "bfloat16";

inline bool is_bfloat16(PyArray_Descr* descr) {
  if (descr->type_num >= NPY_USERDEF) {
    const std::string_view name = descr->typeobj->tp_name;
    const std::string_view last = name.substr(name.rfind('.') + 1);
    return last == kBFloat16Name;
  }
  PyObject* metadata = PyDataType_METADATA(descr);
  return metadata != nullptr && PyDict_Check(metadata) &&
         PyDict_GetItemString(metadata, kBFloat16Name) != nullptr;
}

/// The element type that a NumPy dtype stands for; nothing for dtypes that the core cannot read,
/// byte-swapped ones included. Goes by kind and size: `long` and `long long` are one type here.
inline std::optional<DType> dtype_of(PyArray_Descr* descr) {
  if (descr->byteorder == NPY_OPPBYTE) return std::nullopt;
  const auto by_size = [&](DType one, DType two, DType four, DType eight) -> std::optional<DType> {
    switch (PyDataType_ELSIZE(descr)) {
      case 1:
        return one;
      case 2:
        return two;
      case 4:
        return four;
      case 8:
        return eight;
      default:
        return std::nullopt;
    }
  };
  switch (descr->kind) {
    case 'f': {
      if (PyDataType_ELSIZE(descr) == 1) return std::nullopt;  // float8 of ml_dtypes
      return by_size({}, DType::kFloat16, DType::kFloat32, DType::kFloat64);
    }
    case 'i':
      return by_size(DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64);
    case 'u':
      return by_size(DType::kUInt8, DType::kUInt16, DType::kUInt32, DType::kUInt64);
    case 'b':
      return DType::kBool;
    case 'V':
      if (PyDataType_ELSIZE(descr) == 2 && is_bfloat16(descr)) return DType::kBFloat16;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

inline const std::int64_t* dims_of(PyArrayObject* array) {
  return reinterpret_cast<const std::int64_t*>(PyArray_DIMS(array));
}

inline const std::int64_t* strides_of(PyArrayObject* array) {
  return reinterpret_cast<const std::int64_t*>(PyArray_STRIDES(array));
}

/// Reads an exact ndarray of a dtype that the core knows into `view`; false for anything else. The
/// view borrows from the array.
inline bool read_view(py::handle object, ArrayView& view) {
  if (!PyArray_CheckExact(object.ptr())) return false;
  auto* array = reinterpret_cast<PyArrayObject*>(object.ptr());
  const std::optional<DType> dtype = dtype_of(PyArray_DESCR(array));
  if (!dtype) return false;
  view = {PyArray_DATA(array), *dtype, PyArray_NDIM(array), dims_of(array), strides_of(array)};
  return true;
}

/// The view that writes to an ndarray whose dtype the caller has found to be `dtype`.
inline MutableArrayView mutable_view(PyArrayObject* array, DType dtype) {
  return {PyArray_DATA(array), dtype, PyArray_NDIM(array), dims_of(array), strides_of(array)};
}

inline std::int64_t element_count(const ArrayView& view) {
  std::int64_t count = 1;
  for (int i = 0; i < view.rank; ++i) count *= view.shape[i];
  return count;
}

/// The dtype object of a floating result. bfloat16 imports ml_dtypes: throws its ImportError.
inline py::object result_descr(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
      return py::reinterpret_steal<py::object>(
          reinterpret_cast<PyObject*>(PyArray_DescrFromType(NPY_HALF)));
    case DType::kFloat64:
      return py::reinterpret_steal<py::object>(
          reinterpret_cast<PyObject*>(PyArray_DescrFromType(NPY_DOUBLE)));
    case DType::kBFloat16:
      return py::module_::import("simdloss._array").attr("bfloat16_dtype")();
    default:
      return py::reinterpret_steal<py::object>(
          reinterpret_cast<PyObject*>(PyArray_DescrFromType(NPY_FLOAT)));
  }
}

inline bool have_ml_dtypes() {
  try {
    result_descr(DType::kBFloat16);
    return true;
  } catch (const py::error_already_set& error) {
    if (!error.matches(PyExc_ImportError)) throw;
    return false;
  }
}

/// A new, uninitialised ndarray in C order. Throws what NumPy raises (MemoryError, too large).
inline py::object new_array(py::object descr, int rank, const std::int64_t* shape) {
  PyObject* array = PyArray_NewFromDescr(
      &PyArray_Type, reinterpret_cast<PyArray_Descr*>(descr.release().ptr()), rank,
      reinterpret_cast<const npy_intp*>(shape), nullptr, nullptr, 0, nullptr);
  if (array == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(array);
}

/// The same in the memory order of `like` and of its shape; in C order where elements of `like` share
/// memory.
inline py::object new_array_like(py::object descr, PyArrayObject* like) {
  const int rank = PyArray_NDIM(like);
  bool is_c_order = PyArray_IS_C_CONTIGUOUS(like);
  for (int i = 0; i < rank; ++i) {
    is_c_order = is_c_order || (PyArray_STRIDE(like, i) == 0 && PyArray_DIM(like, i) > 1);
  }
  if (is_c_order) return new_array(std::move(descr), rank, dims_of(like));
  PyObject* array = PyArray_NewLikeArray(
      like, NPY_KEEPORDER, reinterpret_cast<PyArray_Descr*>(descr.release().ptr()), 0);
  if (array == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(array);
}

/// The NumPy scalar of that dtype whose bytes are at `data`.
inline py::object new_scalar(const py::object& descr, void* data) {
  PyObject* scalar = PyArray_Scalar(data, reinterpret_cast<PyArray_Descr*>(descr.ptr()), nullptr);
  if (scalar == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(scalar);
}

/// Whether the memory extents of two arrays meet: never wrongly false.
inline bool may_overlap(const ArrayView& a, const ArrayView& b) {
  struct Extent {
    const char* low;
    const char* high;
  };
  const auto extent = [](const ArrayView& view) -> Extent {
    const char* low = static_cast<const char*>(view.data);
    const char* high = low + item_size(view.dtype);
    for (int i = 0; i < view.rank; ++i) {
      if (view.shape[i] == 0) return {low, low};
      const std::int64_t reach = (view.shape[i] - 1) * view.strides[i];
      (reach < 0 ? low : high) += reach;
    }
    return {low, high};
  };
  const Extent x = extent(a), y = extent(b);
  return x.low < y.high && y.low < x.high;
}

}  // namespace simdloss::python
