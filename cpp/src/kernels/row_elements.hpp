// SPDX-License-Identifier: Apache-2.0
#pragma once

// How [Row losses] read a row that lies along vectors.

#include <cstdint>

#include "kernels/abi.hpp"
#include "kernels/prefetch.hpp"
#include "losses/loss.hpp"
#include "simd/vec.hpp"

namespace simdloss {

// The elements of a row of T, or of a part of one, in E.
template <class Loss, class T, class E, class Isa>
struct RowElements {
  using W = Vec<E, Isa>;
  static constexpr bool kHasClassIds = Loss::target == Target::kClassId;

  const T* t;
  const T* p;
  const T* w;
  std::int64_t next;  // bytes from p to where a stage that comes again to this memory goes on

  RowElements(const T* t_row, const T* p_row, const void* weights, std::int64_t bytes_to_next)
      : t(t_row), p(p_row), w(static_cast<const T*>(weights)), next(bytes_to_next) {}
  explicit RowElements(const RowPart& part)
      : RowElements(static_cast<const T*>(part.t), static_cast<const T*>(part.p),
                    part.class_weights, kAhead) {}

  static SIMDLOSS_INLINE W load(const T* from, std::int64_t left) {
    if constexpr (sizeof(E) == sizeof(T)) {
      return left >= W::kWidth ? W::load(from) : W::load_first(from, left);
    } else {
      return left >= W::kWidth ? W::load_float(from) : W::load_float_first(from, left);
    }
  }
  SIMDLOSS_INLINE W label(std::int64_t i, std::int64_t left) const {
    if constexpr (kHasClassIds) return W(E(0));
    return load(t + i, left);
  }
  SIMDLOSS_INLINE W prediction(std::int64_t i, std::int64_t left) const {
    return load(p + i, left);
  }
  SIMDLOSS_INLINE void prefetch_both(std::int64_t i, std::int64_t bytes = kAhead) const {
    if constexpr (!kHasClassIds) prefetch<W>(t + i);
    prefetch<W>(p + i, bytes);
  }
  SIMDLOSS_INLINE W weight(std::int64_t i, std::int64_t left) const {
    if constexpr (Loss::has_classes) {
      if (w != nullptr) return load(w + i, left);
    }
    return W(E(1));
  }
};

// The terms of a stage that adds up the predictions: a source for RowSums.
template <class V>
struct Predictions {
  const typename V::Element* p;
  SIMDLOSS_INLINE V whole(std::int64_t i) const {
    prefetch<V>(p + i);
    return V::load(p + i);
  }
  SIMDLOSS_INLINE V first(std::int64_t i, std::int64_t n) const { return V::load_first(p + i, n); }
};

}  // namespace simdloss
