// SPDX-License-Identifier: Apache-2.0
#pragma once

// [Short rows] Sums over adjacent rows that are no longer than there are lanes: see [Lane order is the
// contract]. A reduction across the lanes of a vector would leave most of it idle, so those of some
// rows, 8 at most, are made at once.

#include <cstdint>

#include "kernels/abi.hpp"
#include "simd/add_exactly.hpp"
#include "simd/vec.hpp"

namespace simdloss {

// hi + lo += other_hi + other_lo, without lo if sums are no pairs.
template <bool kPairs, class D>
SIMDLOSS_INLINE void merge_sums(D& hi, D& lo, D other_hi, D other_lo) {
  if constexpr (kPairs) {
    const D error = add_exactly(hi, other_hi);
    lo = (lo + other_lo) + error;
  } else {
    hi = hi + other_hi;
  }
}

template <class T, class Isa, bool kPairs>
class ShortRows {
  using D = Vec<double, Isa>;
  static constexpr int kVectors = kLanes<T> / D::kWidth;  // which hold all lanes

 public:
  // The sums of as many of n_rows rows of n_cols <= kLanes<T> elements as are a multiple of D's
  // width; how many that were. There is code for each number of vectors that a row takes, and for
  // parts of one.
  static SIMDLOSS_INLINE std::int64_t sum(const T* elements, std::int64_t n_rows,
                                          std::int64_t n_cols, double* sums) {
    constexpr int width = D::kWidth;
    if constexpr (width >= 8) {
      if (n_cols <= width / 4) return sum_rows_of<width / 4>(elements, n_rows, n_cols, sums);
    }
    if constexpr (width >= 4) {
      if (n_cols <= width / 2) return sum_rows_of<width / 2>(elements, n_rows, n_cols, sums);
    }
    return sum_rows_of_vectors<1, kVectors>(elements, n_rows, n_cols, sums);
  }

 private:
  struct Partial {
    D hi;
    D lo;
  };

  template <int kLow, int kHigh>
  static SIMDLOSS_INLINE std::int64_t sum_rows_of_vectors(const T* elements, std::int64_t n_rows,
                                                          std::int64_t n_cols, double* sums) {
    if constexpr (kLow == kHigh) {
      return sum_rows_of<kLow * D::kWidth>(elements, n_rows, n_cols, sums);
    } else {
      constexpr int middle = (kLow + kHigh) / 2;
      if (n_cols <= middle * D::kWidth) {
        return sum_rows_of_vectors<kLow, middle>(elements, n_rows, n_cols, sums);
      }
      return sum_rows_of_vectors<middle + 1, kHigh>(elements, n_rows, n_cols, sums);
    }
  }
  template <int kMost>
  static SIMDLOSS_INLINE std::int64_t sum_rows_of(const T* elements, std::int64_t n_rows,
                                                  std::int64_t n_cols, double* sums) {
    std::int64_t row = 0;
    for (; row + D::kWidth <= n_rows; row += D::kWidth) {
      const Partial sum = sums_of_rows<kMost>(elements + row * n_cols, n_cols);
      (kPairs ? sum.hi + sum.lo : sum.hi).store(sums + row);
    }
    return row;
  }
  // Lane i is the sum of row i, for D::kWidth rows of n <= kMost elements. In each step of the
  // halving tree two vectors become one, with half as many lanes for each of twice as many rows.
  template <int kMost, int kFirst = 0, int kApart = 1>
  static SIMDLOSS_INLINE Partial sums_of_rows(const T* rows, std::int64_t n) {
    if constexpr (kApart == D::kWidth) {
      return sum_of_vectors<(kMost + D::kWidth - 1) / D::kWidth>(rows + kFirst * n, n);
    } else {
      const Partial x = sums_of_rows<kMost, kFirst, 2 * kApart>(rows, n);
      const Partial y = sums_of_rows<kMost, kFirst + kApart, 2 * kApart>(rows, n);
      Partial sums{even_blocks<kApart>(x.hi, y.hi), x.lo};
      if constexpr (kPairs) sums.lo = even_blocks<kApart>(x.lo, y.lo);
      if constexpr (kApart < kMost) {  // the others are 0
        merge_sums<kPairs>(sums.hi, sums.lo, odd_blocks<kApart>(x.hi, y.hi),
                           kPairs ? odd_blocks<kApart>(x.lo, y.lo) : y.lo);
      }
      return sums;
    }
  }
  // The first steps, for a row that kCount vectors hold.
  template <int kCount, int kFirst = 0, int kApart = 1>
  static SIMDLOSS_INLINE Partial sum_of_vectors(const T* row, std::int64_t n) {
    if constexpr (kApart == kVectors) {
      const std::int64_t left = kFirst + 1 < kCount ? D::kWidth : n - kFirst * D::kWidth;
      return {load_wide(row + kFirst * D::kWidth, left), D(0.0)};
    } else {
      Partial sum = sum_of_vectors<kCount, kFirst, 2 * kApart>(row, n);
      if constexpr (kFirst + kApart < kCount) {
        const Partial other = sum_of_vectors<kCount, kFirst + kApart, 2 * kApart>(row, n);
        merge_sums<kPairs>(sum.hi, sum.lo, other.hi, other.lo);
      }
      return sum;
    }
  }
  static SIMDLOSS_INLINE D load_wide(const T* from, std::int64_t left) {
    if constexpr (sizeof(T) == sizeof(double)) {
      return left == D::kWidth ? D::load(from) : D::load_first(from, left);
    } else {
      return left == D::kWidth ? D::load_float(from) : D::load_float_first(from, left);
    }
  }
};

}  // namespace simdloss
