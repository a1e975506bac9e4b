// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "simd/vec.hpp"

namespace simdloss {

// sum += x; returns what was rounded off, exactly unless the sum overflows (Knuth). For vectors and
// for numbers.
template <class V>
SIMDLOSS_INLINE V add_exactly(V& sum, V x) {
  const V old = sum;
  sum = old + x;
  const V part = sum - old;
  return (old - (sum - part)) + (x - part);
}

}  // namespace simdloss
