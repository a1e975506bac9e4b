// SPDX-License-Identifier: Apache-2.0
#pragma once

// [Prefetch] A CPU's own prefetchers follow an array, but not from one page to the next, and they stop
// while a loop computes on what it has. So loops ask for what comes some time later: kAhead bytes on
// in the same array, be it read or written, or what the next group or tile of rows begins with, if
// this one has been read before. Of arrays in memory, before and after, ns an element (Ice Lake,
// AVX-512, 1 thread, 65536x128 float32): light formulas 0.75 / 0.63 and, with their gradient, 1.05 /
// 0.77; those with a logarithm 1.02 / 0.74; softmax of logits 1.36 / 0.88. In a cache nothing changes.

#include <cstdint>

#include "simd/vec.hpp"

namespace simdloss {

inline constexpr std::int64_t kAhead = 2048;

// Of what is `bytes` after `from`, which need not be memory, one line; nothing where V is no vector.
template <class V, class T>
SIMDLOSS_INLINE void prefetch(const T* from, std::int64_t bytes = kAhead) {
  if constexpr (V::kWidth > 1) {
    __builtin_prefetch(reinterpret_cast<const char*>(from) + bytes);
  }
}

}  // namespace simdloss
