// SPDX-License-Identifier: Apache-2.0
#pragma once

// [Float exponentials] of a tile of a row, for a loss that computes in double.

#include <cstdint>

#include "kernels/abi.hpp"
#include "losses/loss.hpp"
#include "simd/vec.hpp"

namespace simdloss {

// std::conditional; see [One exported symbol per ISA].
template <bool kIsFirst, class A, class>
struct OneOf {
  using Type = A;
};
template <class A, class B>
struct OneOf<false, A, B> {
  using Type = B;
};

template <class Loss, class T, class Isa>
struct TileExps {
  using F = Vec<T, Isa>;
  static constexpr bool kThere = Loss::has_float_exps;
  // In what the largest element is looked for: that of T is as good.
  using Scanned = typename OneOf<kThere, T, typename Loss::template Compute<T>>::Type;

  static_assert(!kThere || (sizeof(T) == sizeof(float) && Loss::n_first > 0 && !Loss::is_light &&
                            !Loss::has_kept && !Loss::has_hessian));

  alignas(64) T values[kThere ? kTile<T> + F::kWidth : 1];

  // Those of n elements of `p` from element i on.
  SIMDLOSS_INLINE void make(const T* p, std::int64_t i, std::int64_t n, const Row<F>& row) {
    if constexpr (kThere) {
      for (const std::int64_t end = i + n; i < end; i += F::kWidth) {
        const F x = end - i >= F::kWidth ? F::load(p + i) : F::load_first(p + i, end - i);
        Loss::exponential(x, row).store(values + i);
      }
    }
  }
};

}  // namespace simdloss
