// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows whose elements lie far apart while the rows are neighbours: class axis 1 of images, arrays in
// Fortran order. A block of some columns, of as many rows as a vector has lanes, is transposed at a
// time.

#include <cstdint>

#include "kernels/transpose.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class T, class Isa>
struct Columns {
  using V = Vec<T, Isa>;
  static constexpr std::int64_t kSize = sizeof(T);
  static constexpr std::int64_t kMost = 32;  // columns of a block

  // TypeKernels::gather_columns
  static void gather(const void* columns, std::int64_t stride, std::int64_t n_rows,
                     std::int64_t n_cols, std::int64_t pitch, void* rows) noexcept {
    for_blocks(n_rows, n_cols, [&](std::int64_t i, std::int64_t j, std::int64_t n, std::int64_t m) {
      alignas(64) T tile[kMost * V::kWidth];
      const char* const from = static_cast<const char*>(columns) + i * kSize + j * stride;
      Transposed<T, Isa>::copy_in(from, stride, n, m, tile);
      Transposed<T, Isa>::store(tile, n, m, static_cast<T*>(rows) + i * pitch + j, pitch * kSize);
    });
  }

  // TypeKernels::scatter_columns
  static void scatter(const void* rows, std::int64_t pitch, std::int64_t n_rows,
                      std::int64_t n_cols, std::int64_t stride, void* columns) noexcept {
    for_blocks(n_rows, n_cols, [&](std::int64_t i, std::int64_t j, std::int64_t n, std::int64_t m) {
      alignas(64) T tile[kMost * V::kWidth];
      const T* const from = static_cast<const T*>(rows) + i * pitch + j;
      Transposed<T, Isa>::load(from, pitch * kSize, n, m, tile);
      char* const to = static_cast<char*>(columns) + i * kSize + j * stride;
      Transposed<T, Isa>::copy_out(tile, n, m, to, stride);
    });
  }

 private:
  // use(i, j, n, m) for blocks of rows [i, i + n) and columns [j, j + m).
  template <class Use>
  static SIMDLOSS_INLINE void for_blocks(std::int64_t n_rows, std::int64_t n_cols, Use use) {
    for (std::int64_t j = 0; j < n_cols; j += kMost) {
      for (std::int64_t i = 0; i < n_rows; i += V::kWidth) {
        use(i, j, n_rows - i < V::kWidth ? n_rows - i : V::kWidth,
            n_cols - j < kMost ? n_cols - j : kMost);
      }
    }
  }
};

}  // namespace simdloss
