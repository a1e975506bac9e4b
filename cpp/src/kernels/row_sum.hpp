// SPDX-License-Identifier: Apache-2.0
#pragma once

// The accumulators of a row: see [Lane order is the contract].

#include <cstdint>

#include "kernels/abi.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class T, class Isa>
struct RowAccumulator {
  using V = Vec<T, Isa>;
  using D = Vec<double, Isa>;
  static constexpr bool kPairs = sizeof(T) == sizeof(double);  // hi + lo
  static constexpr int kGroups = kLanes<T> / V::kWidth;        // vectors that hold all lanes
  static constexpr int kParts = V::kWidth / D::kWidth;         // of one of them, in double
  static constexpr int kSums = kGroups * kParts;

  // The sum of a row that is a single block, from the block's sum in each lane.
  static SIMDLOSS_INLINE RowSum sum_of_block(const V (&block)[kGroups]) {
    D hi[kSums];
    D lo[kSums];
    for (int group = 0; group < kGroups; ++group) widen(block[group], hi + group * kParts);
    for (int i = 0; kPairs && i < kSums; ++i) lo[i] = D(0.0);
    return halve(hi, lo);
  }

  // Adds a block's sum in the lanes of `group` to their accumulators.
  static SIMDLOSS_INLINE void add(V block, int group, LaneSums& lanes) {
    double* const hi = lanes.values + group * V::kWidth;
    D parts[kParts];
    widen(block, parts);
    for (int i = 0; i < kParts; ++i) {
      D sum = D::load(hi + i * D::kWidth);
      if constexpr (kPairs) {
        double* const lo = hi + kLanes<T>;
        (D::load(lo) + two_sum(sum, parts[i])).store(lo);
      } else {
        sum = sum + parts[i];
      }
      sum.store(hi + i * D::kWidth);
    }
  }

  static SIMDLOSS_INLINE RowSum finish(const LaneSums& lanes) {
    D hi[kSums];
    D lo[kSums];
    for (int i = 0; i < kSums; ++i) {
      hi[i] = D::load(lanes.values + i * D::kWidth);
      if constexpr (kPairs) lo[i] = D::load(lanes.values + kLanes<T> + i * D::kWidth);
    }
    return halve(hi, lo);
  }

 private:
  static SIMDLOSS_INLINE void widen(V x, D* parts) {
    if constexpr (kPairs) {
      parts[0] = x;
    } else {
      parts[0] = widen_part<0>(x);
      if constexpr (kParts == 2) parts[1] = widen_part<1>(x);
    }
  }

  // sum += x; returns what was rounded off, exactly.
  static SIMDLOSS_INLINE D two_sum(D& sum, D x) {
    const D old = sum;
    sum = old + x;
    const D part = sum - old;
    return (old - (sum - part)) + (x - part);
  }

  static SIMDLOSS_INLINE void merge(D& hi, D& lo, D other_hi, D other_lo) {
    if constexpr (kPairs) {
      const D error = two_sum(hi, other_hi);
      lo = (lo + other_lo) + error;
    } else {
      hi = hi + other_hi;
    }
  }

  template <int kLanesLeft>
  static SIMDLOSS_INLINE void halve_lanes(D& hi, D& lo) {
    if constexpr (kLanesLeft > 1) {
      constexpr int half = kLanesLeft / 2;
      if constexpr (kPairs) {
        merge(hi, lo, lower<half>(hi), lower<half>(lo));
      } else {
        merge(hi, lo, lower<half>(hi), lo);
      }
      halve_lanes<half>(hi, lo);
    }
  }

  static SIMDLOSS_INLINE RowSum halve(D (&hi)[kSums], D (&lo)[kSums]) {
    for (int half = kSums / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) merge(hi[i], lo[i], hi[i + half], lo[i + half]);
    }
    halve_lanes<D::kWidth>(hi[0], lo[0]);
    RowSum sum = {0.0, 0.0};
    hi[0].store_first(&sum.hi, 1);
    if constexpr (kPairs) lo[0].store_first(&sum.lo, 1);
    return sum;
  }
};

template <class T, class Isa>
RowSum finish_lanes(const LaneSums& lanes) noexcept {
  return RowAccumulator<T, Isa>::finish(lanes);
}

template <class T, class Isa>
bool all_finite(const void* values, std::int64_t n) noexcept {
  using V = Vec<T, Isa>;
  const T* const x = static_cast<const T*>(values);
  V sum(T(0));  // of x - x: 0 or NaN
  std::int64_t i = 0;
  for (; i + V::kWidth <= n; i += V::kWidth) {
    const V v = V::load(x + i);
    sum = sum + (v - v);
  }
  const V rest = V::load_first(x + i, n - i);
  return all(sum + (rest - rest) == V(T(0)));
}

}  // namespace simdloss
