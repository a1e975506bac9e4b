// SPDX-License-Identifier: Apache-2.0
#pragma once

// Numbers of steps that the compiler knows.

#include "simd/vec.hpp"

namespace simdloss {

// f(kBegin), ..., f(kEnd - 1) without a loop, so that what f indexes can stay in registers.
template <int kEnd, int kBegin = 0, class F>
SIMDLOSS_INLINE void unrolled(const F& f) {
  if constexpr (kBegin < kEnd) {
    f(kBegin);
    unrolled<kEnd, kBegin + 1>(f);
  }
}

// Calls body(Count<n>()) for a constant n that is `used` or more: 1, or kMost.
template <int kNumber>
struct Count {
  static constexpr int kCount = kNumber;
};
template <int kMost, class Body>
SIMDLOSS_INLINE void with_count(int used, const Body& body) {
  if constexpr (kMost > 1) {
    if (used == 1) return body(Count<1>());
  }
  body(Count<kMost>());
}

}  // namespace simdloss
