// SPDX-License-Identifier: Apache-2.0
#pragma once

// Numbers as unevaluated sums, for formulas whose roundings would add up to more than their bound. The
// rest of an infinite value is NaN.

#include "simd/add_exactly.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class V>
struct Pair {
  V value;
  V rest;
};

// x y, but for the product of the rests.
template <class V>
SIMDLOSS_INLINE Pair<V> times(const Pair<V>& x, const Pair<V>& y) {
  const V value = x.value * y.value;
  const V cross = fma(x.value, y.rest, x.rest * y.value);
  return {value, cross + product_error(x.value, y.value, value)};
}
template <class V>
SIMDLOSS_INLINE Pair<V> plus(const Pair<V>& x, const Pair<V>& y) {
  V sum = x.value;
  const V lost = add_exactly(sum, y.value);
  return {sum, lost + (x.rest + y.rest)};
}
template <class V>
SIMDLOSS_INLINE V rounded(const Pair<V>& x) {
  return x.value + keep(!is_nan(x.rest), x.rest);
}

}  // namespace simdloss
