// SPDX-License-Identifier: Apache-2.0
#pragma once

// What drivers ask of numbers before or after the kernels of losses.

#include <cstdint>

#include "simd/vec.hpp"

namespace simdloss {

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

template <class T, class Isa>
bool all_binary(const void* values, std::int64_t n) noexcept {
  using V = Vec<T, Isa>;
  const T* const x = static_cast<const T*>(values);
  const V zero(T(0));
  const V one(T(1));
  auto binary = zero == zero;
  std::int64_t i = 0;
  for (; i + V::kWidth <= n; i += V::kWidth) {
    const V v = V::load(x + i);
    binary = binary & ((v == zero) | (v == one));
  }
  const V rest = V::load_first(x + i, n - i);  // zeros follow
  return all(binary & ((rest == zero) | (rest == one)));
}

}  // namespace simdloss
