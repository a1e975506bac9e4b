// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows to columns and back, for drivers that compute with one row per lane. A tile holds n_cols
// vectors: element j of row r is tile[j * kWidth + r].
//
// A row is taken 16 bytes at a time: few shuffles, and none for columns that are not there. The
// last 16 bytes end with the row, so they can hold columns that were taken before.

#include <cstdint>

#include "simd/vec.hpp"

namespace simdloss {

template <class T, class Isa>
struct Transposed {
  using V = Vec<T, Isa>;
  static constexpr int kWidth = V::kWidth;

  // Rows are `stride` bytes apart and not aligned; those from n_rows <= kWidth on give zeros. Reads
  // n_cols elements of each row and nothing else.
  static void load(const void* rows, std::int64_t stride, std::int64_t n_rows, std::int64_t n_cols,
                   T* tile) {
    const char* const from = static_cast<const char*>(rows);
    if (n_cols >= kColumns<T>) {
      if (n_rows == kWidth) {
        load_groups(from, stride, kWidth, n_cols, tile);
      } else {
        load_groups(from, stride, n_rows, n_cols, tile);
      }
    } else if (n_cols == 1 && stride == static_cast<std::int64_t>(sizeof(T))) {
      load_column(from, n_rows, tile);
    } else {
      load_few<kColumns<T> - 1>(from, stride, n_rows, n_cols, tile);
    }
  }

  // The same tile of rows whose elements lie one column, or `stride` bytes, apart.
  static void copy_in(const void* columns, std::int64_t stride, std::int64_t n_rows,
                      std::int64_t n_cols, T* tile) {
    const char* const from = static_cast<const char*>(columns);
    for (std::int64_t j = 0; j < n_cols; ++j) {
      const T* const column = reinterpret_cast<const T*>(from + j * stride);
      const V x = n_rows == kWidth ? V::load(column) : V::load_first(column, n_rows);
      x.store(tile + j * kWidth);
    }
  }

  // The reverse. Writes n_cols elements of n_rows rows and
  // nothing else.
  static void store(const T* tile, std::int64_t n_rows, std::int64_t n_cols, void* rows,
                    std::int64_t stride) {
    char* const to = static_cast<char*>(rows);
    if (n_cols >= kColumns<T>) {
      if (n_rows == kWidth) {
        store_groups(tile, kWidth, n_cols, to, stride);
      } else {
        store_groups(tile, n_rows, n_cols, to, stride);
      }
    } else if (n_cols == 1 && stride == static_cast<std::int64_t>(sizeof(T))) {
      store_column(tile, n_rows, to);
    } else {
      store_few<kColumns<T> - 1>(tile, n_rows, n_cols, to, stride);
    }
  }

  // The reverse of copy_in().
  static void copy_out(const T* tile, std::int64_t n_rows, std::int64_t n_cols, void* columns,
                       std::int64_t stride) {
    char* const to = static_cast<char*>(columns);
    for (std::int64_t j = 0; j < n_cols; ++j) {
      T* const column = reinterpret_cast<T*>(to + j * stride);
      const V x = V::load(tile + j * kWidth);
      n_rows == kWidth ? x.store(column) : x.store_first(column, n_rows);
    }
  }

 private:
  static constexpr std::int64_t kSize = sizeof(T);

  static SIMDLOSS_INLINE T element(const char* row, std::int64_t j) {
    T x;
    __builtin_memcpy(&x, row + j * kSize, sizeof x);
    return x;
  }

  // Where the group of columns that begins at j or, at the end of the row, before it begins.
  static SIMDLOSS_INLINE std::int64_t start(std::int64_t j, std::int64_t n_cols) {
    return j + kColumns<T> <= n_cols ? j : n_cols - kColumns<T>;
  }
  static SIMDLOSS_INLINE void load_groups(const char* from, std::int64_t stride,
                                          std::int64_t n_rows, std::int64_t n_cols, T* tile) {
    for (std::int64_t j = 0; j < n_cols; j += kColumns<T>) {
      const std::int64_t at = start(j, n_cols);
      V::load_columns(from + at * kSize, stride, n_rows, tile + at * kWidth);
    }
  }
  static SIMDLOSS_INLINE void store_groups(const T* tile, std::int64_t n_rows, std::int64_t n_cols,
                                           char* to, std::int64_t stride) {
    for (std::int64_t j = 0; j < n_cols; j += kColumns<T>) {
      const std::int64_t at = start(j, n_cols);
      V::store_columns(tile + at * kWidth, to + at * kSize, stride, n_rows);
    }
  }

  // At most kMost columns; a loop for each number of them.
  template <int kMost>
  static SIMDLOSS_INLINE void load_few(const char* from, std::int64_t stride, std::int64_t n_rows,
                                       std::int64_t n_cols, T* tile) {
    if constexpr (kMost > 1) {
      if (n_cols < kMost) return load_few<kMost - 1>(from, stride, n_rows, n_cols, tile);
    }
    for (std::int64_t r = 0; r < kWidth; ++r) {
      for (int j = 0; j < kMost; ++j) {
        tile[j * kWidth + r] = r < n_rows ? element(from + r * stride, j) : T(0);
      }
    }
  }
  template <int kMost>
  static SIMDLOSS_INLINE void store_few(const T* tile, std::int64_t n_rows, std::int64_t n_cols,
                                        char* to, std::int64_t stride) {
    if constexpr (kMost > 1) {
      if (n_cols < kMost) return store_few<kMost - 1>(tile, n_rows, n_cols, to, stride);
    }
    for (std::int64_t r = 0; r < n_rows; ++r) {
      for (int j = 0; j < kMost; ++j) {
        const T x = tile[j * kWidth + r];
        __builtin_memcpy(to + r * stride + j * kSize, &x, sizeof x);
      }
    }
  }

  static SIMDLOSS_INLINE void load_column(const char* from, std::int64_t n, T* tile) {
    V::load_first(reinterpret_cast<const T*>(from), n).store(tile);
  }
  static SIMDLOSS_INLINE void store_column(const T* tile, std::int64_t n, char* to) {
    V::load(tile).store_first(reinterpret_cast<T*>(to), n);
  }
};

}  // namespace simdloss
