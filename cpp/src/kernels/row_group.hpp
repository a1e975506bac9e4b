// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is known of a group of rows while they go through the stages of a loss: see [Row losses].

#include <cstdint>

#include "kernels/abi.hpp"
#include "losses/loss.hpp"
#include "simd/vec.hpp"

namespace simdloss {

static_assert(sizeof(RowSlopes) == sizeof(double) * kMaxSlopes);

// The same facts, or slopes, in every lane.
template <class V>
SIMDLOSS_INLINE Row<V> broadcast_row(const RowFacts& f) {
  using E = typename V::Element;
  return {V(static_cast<E>(f.max)),   V(static_cast<E>(f.ties)),
          V(static_cast<E>(f.label)), V(static_cast<E>(f.label_weight)),
          V(static_cast<E>(f.base)),  V(static_cast<E>(f.power)),
          V(static_cast<E>(f.a)),     V(static_cast<E>(f.b)),
          V(static_cast<E>(f.c)),     V(static_cast<E>(f.d))};
}
template <class V>
SIMDLOSS_INLINE Slopes<V> broadcast_slopes(const RowSlopes& s) {
  using E = typename V::Element;
  static_assert(kMaxSlopes == 7);  // not a loop, so that they stay in registers
  return {{V(static_cast<E>(s.values[0])), V(static_cast<E>(s.values[1])),
           V(static_cast<E>(s.values[2])), V(static_cast<E>(s.values[3])),
           V(static_cast<E>(s.values[4])), V(static_cast<E>(s.values[5])),
           V(static_cast<E>(s.values[6]))}};
}

// Arrays with one entry a row. Lanes beyond the group are computed too.
template <class Isa>
struct alignas(64) RowGroup {
  double max[kRowGroup];
  double ties[kRowGroup];
  double label[kRowGroup];
  double label_weight[kRowGroup];
  double base[kRowGroup];
  double power[kRowGroup];
  double a[kRowGroup];
  double b[kRowGroup];
  double c[kRowGroup];
  double d[kRowGroup];
  double sums[kMaxSums][kRowGroup];
  double scales[kRowGroup];
  double slopes[kMaxSlopes][kRowGroup];

  // Row `row` of rows that are `stride` bytes apart.
  template <class T>
  static SIMDLOSS_INLINE const T* row_of(const void* rows, std::int64_t stride, std::int64_t row) {
    return reinterpret_cast<const T*>(static_cast<const char*>(rows) + row * stride);
  }
  template <class T>
  static SIMDLOSS_INLINE T* row_of(void* rows, std::int64_t stride, std::int64_t row) {
    return reinterpret_cast<T*>(static_cast<char*>(rows) + row * stride);
  }

  // V::kWidth doubles from `from` on, in V's type.
  template <class V>
  static SIMDLOSS_INLINE V load_as(const double* from) {
    if constexpr (sizeof(typename V::Element) == sizeof(double)) {
      return V::load(from);
    } else {
      return V::load_double(from);
    }
  }

  // V::kWidth rows from row i on, one a lane.
  template <class V>
  SIMDLOSS_INLINE Row<V> rows(int i) const {
    return {load_as<V>(max + i),   load_as<V>(ties + i),
            load_as<V>(label + i), load_as<V>(label_weight + i),
            load_as<V>(base + i),  load_as<V>(power + i),
            load_as<V>(a + i),     load_as<V>(b + i),
            load_as<V>(c + i),     load_as<V>(d + i)};
  }
  template <class V>
  SIMDLOSS_INLINE Slopes<V> row_slopes(int i) const {
    Slopes<V> found;
    for (int k = 0; k < kMaxSlopes; ++k) found.values[k] = load_as<V>(slopes[k] + i);
    return found;
  }
  SIMDLOSS_INLINE Row<Vec<double, Isa>> load(int i) const { return rows<Vec<double, Isa>>(i); }
  SIMDLOSS_INLINE Terms<Vec<double, Isa>> load_sums(int i) const {
    Terms<Vec<double, Isa>> all;
    for (int k = 0; k < kMaxSums; ++k) all.values[k] = Vec<double, Isa>::load(sums[k] + i);
    return all;
  }

  // Of row i alone.
  SIMDLOSS_INLINE RowFacts facts(int i) const {
    return {max[i], ties[i], label[i], label_weight[i], base[i], power[i], a[i], b[i], c[i], d[i]};
  }
  SIMDLOSS_INLINE RowSlopes slopes_of(int i) const {
    RowSlopes found;
    for (int k = 0; k < kMaxSlopes; ++k) found.values[k] = slopes[k][i];
    return found;
  }
};

}  // namespace simdloss
