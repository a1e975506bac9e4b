// SPDX-License-Identifier: Apache-2.0
#pragma once

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

}  // namespace simdloss
