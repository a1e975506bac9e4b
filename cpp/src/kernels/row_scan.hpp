// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is known of a row before its sums: the largest element and how many there are.

#include <cstdint>

#include "kernels/prefetch.hpp"
#include "losses/loss.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class Loss, class Elements>
struct RowScan {
  using V = typename Elements::W;
  using C = typename V::Element;

  template <class Args>
  static SIMDLOSS_INLINE C max_of(const Elements& row, std::int64_t n, const Args& args,
                                  C largest) {
    V lanes(largest);
    V more[3] = {lanes, lanes, lanes};  // so that no maximum waits for the one before
    std::int64_t i = 0;
    for (; i + 4 * V::kWidth <= n; i += 4 * V::kWidth) {
      lanes = max(lanes, scan(row, i, V::kWidth, args));
      more[0] = max(more[0], scan(row, i + V::kWidth, V::kWidth, args));
      more[1] = max(more[1], scan(row, i + 2 * V::kWidth, V::kWidth, args));
      more[2] = max(more[2], scan(row, i + 3 * V::kWidth, V::kWidth, args));
    }
    lanes = max(max(lanes, more[0]), max(more[1], more[2]));
    for (; i + V::kWidth <= n; i += V::kWidth) {
      lanes = max(lanes, scan(row, i, V::kWidth, args));
    }
    if (i < n) lanes = max(lanes, select_first(scan(row, i, n - i, args), n - i, lanes));
    return max_lane(lanes);
  }
  template <class Args>
  static SIMDLOSS_INLINE V scan(const Elements& row, std::int64_t i, std::int64_t left,
                                const Args& args) {
    prefetch<V>(row.p + i);
    return Loss::scan(row.label(i, left), row.prediction(i, left), args);
  }
  template <class Args>
  static SIMDLOSS_INLINE std::int64_t count_of(const Elements& row, std::int64_t n, C value,
                                               const Args& args) {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < n; i += V::kWidth) {
      const std::int64_t left = n - i < V::kWidth ? n - i : V::kWidth;
      count += count_first(scan(row, i, left, args) == V(value), left);
    }
    return count;
  }
};

}  // namespace simdloss
