// SPDX-License-Identifier: Apache-2.0
#include "tiles.hpp"

#include <cstdlib>
#include <cstring>

#include "half.hpp"
#include "kernels/convert.hpp"

namespace simdloss {
namespace {

template <class T>
T to_compute(bool x) {
  return x ? T(1) : T(0);
}
template <class T, class Storage>
T to_compute(Storage x) {
  return static_cast<T>(x);
}
template <class T>
T to_compute(Float16 x) {
  return static_cast<T>(float16_to_float(x.bits));
}
template <class T>
T to_compute(BFloat16 x) {
  return static_cast<T>(bfloat16_to_float(x.bits));
}

template <class Storage>
Storage read(const char* from) {
  if constexpr (std::is_same_v<Storage, bool>) {
    return *from != 0;
  } else {
    Storage x;
    std::memcpy(&x, from, sizeof x);
    return x;
  }
}

// A rectangle of elements: strides in bytes for the source, in elements for the target.
struct Rectangle {
  const char* from;
  std::int64_t n_rows, n_cols;
  std::int64_t row_stride, col_stride;
  std::int64_t pitch;  // of the target's rows; its columns are adjacent
};

// The source's shorter stride goes into the inner loop, so that memory is read in order.
template <class Storage, class T>
void copy_strided(const Rectangle& r, T* to) {
  if (std::llabs(r.col_stride) <= std::llabs(r.row_stride) || r.n_rows == 1) {
    for (std::int64_t i = 0; i < r.n_rows; ++i) {
      const char* from = r.from + i * r.row_stride;
      T* const row = to + i * r.pitch;
      for (std::int64_t j = 0; j < r.n_cols; ++j) {
        row[j] = to_compute<T>(read<Storage>(from + j * r.col_stride));
      }
    }
  } else {
    for (std::int64_t j = 0; j < r.n_cols; ++j) {
      const char* from = r.from + j * r.col_stride;
      for (std::int64_t i = 0; i < r.n_rows; ++i) {
        to[i * r.pitch + j] = to_compute<T>(read<Storage>(from + i * r.row_stride));
      }
    }
  }
}

template <class Storage, class T>
void copy_picked(const RowSlice& rows, std::int64_t col_stride, const std::int64_t* cols, T* to) {
  for (std::int64_t i = 0; i < rows.n_rows; ++i) {
    to[i] = to_compute<T>(read<Storage>(rows.data + i * rows.stride + cols[i] * col_stride));
  }
}

// Copies to T, by the dtype of what is copied.
template <class T>
struct Copies {
  struct Kernels {
    void (*strided)(const Rectangle&, T*);
    void (*picked)(const RowSlice&, std::int64_t, const std::int64_t*, T*);
  };
  template <class... Storage>
  struct Of {
    static constexpr Kernels table[] = {{&copy_strided<Storage, T>, &copy_picked<Storage, T>}...};
  };
  static const Kernels& of(DType dtype) {
    return StorageTypes<Of>::table[static_cast<std::size_t>(dtype)];
  }
};

// Whether rows of elements of that size are so close that their columns are contiguous elements of T,
// and long enough for vectors.
template <class T>
bool are_columns(std::int64_t size, std::int64_t row_stride, std::int64_t n_rows) {
  return size == static_cast<std::int64_t>(sizeof(T)) && row_stride == size && n_rows >= 4;
}

template <class T>
void copy_rectangle(const TypeKernels& kernels, DType dtype, Rectangle r, T* to) {
  const auto type = static_cast<std::size_t>(dtype);
  const auto size = static_cast<std::int64_t>(item_size(dtype));
  if (r.n_cols == 1 && r.pitch == 1) {  // a column of single elements is a row
    r.n_cols = r.n_rows;
    r.n_rows = 1;
    r.col_stride = r.row_stride;
  }
  if (r.col_stride == size && r.row_stride == r.n_cols * size && r.pitch == r.n_cols) {
    r.n_cols *= r.n_rows;  // adjacent rows are one
    r.n_rows = 1;
  }
  if (r.col_stride == size) {
    for (std::int64_t i = 0; i < r.n_rows; ++i) {
      kernels.load[type](r.from + i * r.row_stride, r.n_cols, to + i * r.pitch);
    }
    return;
  }
  if (is_floating(dtype) && are_columns<T>(size, r.row_stride, r.n_rows)) {
    kernels.gather_columns(r.from, r.col_stride, r.n_rows, r.n_cols, r.pitch, to);
    return;
  }
  Copies<T>::of(dtype).strided(r, to);
}

template <class T>
void load_typed(const Plan& plan, Operand operand, const TypeKernels& kernels,
                const RowSlice& slice, std::int64_t col_begin, std::int64_t n_cols, T* to) {
  for_each_run(plan.inner, col_begin, n_cols,
               [&](std::int64_t position, std::int64_t run, const std::int64_t* offsets) {
                 const Rectangle r{
                     slice.data + offsets[operand],    slice.n_rows, run, slice.stride,
                     plan.inner.inner_stride(operand), n_cols};
                 copy_rectangle(kernels, plan.dtype[operand], r, to + position);
               });
}

// One element at a time, the output's shorter stride in the inner loop.
template <class T>
void scatter(const T* from, std::int64_t pitch, DType dtype, std::int64_t n_rows,
             std::int64_t n_cols, char* to, std::int64_t row_stride, std::int64_t col_stride) {
  const bool by_rows = std::llabs(col_stride) <= std::llabs(row_stride) || n_rows == 1;
  const std::int64_t outer = by_rows ? n_rows : n_cols;
  const std::int64_t inner = by_rows ? n_cols : n_rows;
  for (std::int64_t i = 0; i < outer; ++i) {
    for (std::int64_t j = 0; j < inner; ++j) {
      const std::int64_t row = by_rows ? i : j;
      const std::int64_t col = by_rows ? j : i;
      store_element(static_cast<double>(from[row * pitch + col]), dtype,
                    to + row * row_stride + col * col_stride);
    }
  }
}

template <class T>
void store_typed(const Plan& plan, Operand operand, const TypeKernels& kernels,
                 const RowSlice& slice, std::int64_t col_begin, std::int64_t n_cols,
                 const T* from) {
  const DType dtype = plan.dtype[operand];
  const auto size = static_cast<std::int64_t>(item_size(dtype));
  const auto store = kernels.store[static_cast<std::size_t>(dtype)];
  char* const data = const_cast<char*>(slice.data);
  for_each_run(
      plan.inner, col_begin, n_cols,
      [&](std::int64_t position, std::int64_t run, const std::int64_t* offsets) {
        char* const to = data + offsets[operand];
        const std::int64_t col_stride = plan.inner.inner_stride(operand);
        const bool dense = run == n_cols && slice.stride == n_cols * size;
        if (run > 1 && col_stride != size && are_columns<T>(size, slice.stride, slice.n_rows)) {
          kernels.scatter_columns(from + position, n_cols, slice.n_rows, run, col_stride, to);
        } else if (col_stride != size && !(run == 1 && dense)) {
          scatter(from + position, n_cols, dtype, slice.n_rows, run, to, slice.stride, col_stride);
        } else if (dense) {
          store(from, slice.n_rows * n_cols, to);
        } else {
          for (std::int64_t i = 0; i < slice.n_rows; ++i) {
            store(from + i * n_cols + position, run, to + i * slice.stride);
          }
        }
      });
}

template <class T>
void store_entries(const Plan& plan, const TypeKernels& kernels, char* out, std::int64_t begin,
                   std::int64_t n, const T* values) {
  const DType dtype = plan.dtype[kOut];
  const std::int64_t stride = plan.outer.inner_stride(kOut);
  // These by integers, so that results do not depend on the floating-point environment.
  const bool is_half = dtype == DType::kFloat16 || dtype == DType::kBFloat16;
  for_each_run(plan.outer, begin, n,
               [&](std::int64_t position, std::int64_t run, const std::int64_t* offsets) {
                 const T* const from = values + position;
                 char* const to = out + offsets[kOut];
                 if (!is_half && stride == static_cast<std::int64_t>(item_size(dtype))) {
                   kernels.store[static_cast<std::size_t>(dtype)](from, run, to);
                 } else {
                   scatter(from, run, dtype, 1, run, to, 0, stride);
                 }
               });
}

}  // namespace

bool is_direct(const Plan& plan, Operand operand, DType compute) {
  const bool contiguous =
      plan.cols <= 1 || (plan.inner.rank == 1 && plan.inner.stride[operand][0] ==
                                                     static_cast<std::int64_t>(item_size(compute)));
  return plan.dtype[operand] == compute && contiguous;
}

void load_tile(const Plan& plan, Operand operand, const TypeKernels& kernels, DType compute,
               const RowSlice& slice, std::int64_t col_begin, std::int64_t n_cols, void* to) {
  if (compute == DType::kFloat32) {
    load_typed(plan, operand, kernels, slice, col_begin, n_cols, static_cast<float*>(to));
  } else {
    load_typed(plan, operand, kernels, slice, col_begin, n_cols, static_cast<double*>(to));
  }
}

void load_picked(const Plan& plan, Operand operand, DType compute, const RowSlice& slice,
                 const std::int64_t* cols, void* to) {
  const DType dtype = plan.dtype[operand];
  const std::int64_t stride = plan.inner.inner_stride(operand);
  if (compute == DType::kFloat32) {
    Copies<float>::of(dtype).picked(slice, stride, cols, static_cast<float*>(to));
  } else {
    Copies<double>::of(dtype).picked(slice, stride, cols, static_cast<double*>(to));
  }
}

void store_tile(const Plan& plan, Operand operand, const TypeKernels& kernels, DType compute,
                const RowSlice& slice, std::int64_t col_begin, std::int64_t n_cols,
                const void* from) {
  if (compute == DType::kFloat32) {
    store_typed(plan, operand, kernels, slice, col_begin, n_cols, static_cast<const float*>(from));
  } else {
    store_typed(plan, operand, kernels, slice, col_begin, n_cols, static_cast<const double*>(from));
  }
}

void load_doubles(const TypeKernels& f64_kernels, DType dtype, const char* from,
                  std::int64_t stride, std::int64_t n, double* to) {
  copy_rectangle(f64_kernels, dtype, {from, 1, n, 0, stride, n}, to);
}

void load_entries(const Plan& plan, Operand operand, const Dims& dims, std::int64_t begin,
                  std::int64_t n, double* to) {
  const auto copy = Copies<double>::of(plan.dtype[operand]).strided;
  for_each_run(
      dims, begin, n, [&](std::int64_t position, std::int64_t run, const std::int64_t* offsets) {
        copy({plan.data[operand] + offsets[operand], 1, run, 0, dims.inner_stride(operand), run},
             to + position);
      });
}

void store_element(double x, DType dtype, char* to) {
  switch (dtype) {
    case DType::kFloat16: {
      const std::uint16_t bits = double_to_float16(x);
      std::memcpy(to, &bits, sizeof bits);
      return;
    }
    case DType::kBFloat16: {
      const std::uint16_t bits = double_to_bfloat16(x);
      std::memcpy(to, &bits, sizeof bits);
      return;
    }
    case DType::kFloat32: {
      const float value = static_cast<float>(x);
      std::memcpy(to, &value, sizeof value);
      return;
    }
    default:
      std::memcpy(to, &x, sizeof x);
  }
}

void store_doubles(DType dtype, const double* from, std::int64_t n, char* to, std::int64_t stride) {
  const auto store_as = [&](DType type) {  // once for each type: it is known in the loop then
    for (std::int64_t i = 0; i < n; ++i) store_element(from[i], type, to + i * stride);
  };
  switch (dtype) {
    case DType::kFloat16:
      return store_as(DType::kFloat16);
    case DType::kBFloat16:
      return store_as(DType::kBFloat16);
    case DType::kFloat32:
      return store_as(DType::kFloat32);
    default:
      return store_as(DType::kFloat64);
  }
}

void store_results(const Plan& plan, const TypeKernels& kernels, DType compute, char* out,
                   std::int64_t begin, std::int64_t n, const void* values) {
  if (compute == DType::kFloat32) {
    store_entries(plan, kernels, out, begin, n, static_cast<const float*>(values));
  } else {
    store_entries(plan, kernels, out, begin, n, static_cast<const double*>(values));
  }
}

}  // namespace simdloss
