// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/loss.hpp"

namespace simdloss {

// Cosine similarity with its sign turned: -sum(t p) / (|t| |p|), in [-1, 1]; 0 if t or p is 0.
// Domain: t, p real. Max error: 4 u.
// Source: keras.losses.cosine_similarity.
struct CosineSimilarity : RowLoss {
  static constexpr const char* name = "cosine_similarity";
  static constexpr Target target = Target::kReal;
  static constexpr AxisKind axis_kind = AxisKind::kAny;
  static constexpr bool is_light = true;
  static constexpr int n_sums = 3;

  // The square of a float neither overflows nor underflows in double.
  template <class T>
  using Compute = double;

  template <class T>
  struct Args {
    bool is_safe;  // no square can overflow or underflow
  };
  template <class T>
  static Args<T> args(const Settings&) {
    return {sizeof(T) < sizeof(double)};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V, const Row<V>&, const Args&) {
    return {{t * t, p * p, t * p}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>&, const Args& args) {
    const V norms = sqrt(sums.values[0]) * sqrt(sums.values[1]);
    const V cosine = max(min(sums.values[2] / norms, V(1)), V(-1));
    // NaN for a row to be computed again, by numbers of any magnitude.
    const V special = sums.values[2] - sums.values[2];
    const V result = special - keep(sums.values[0] > V(0), keep(sums.values[1] > V(0), cosine));
    if (args.is_safe) return result;
    const V again(Limits<typename V::Element>::kNan);
    return select(is_ordinary_square(sums.values[0]),
                  select(is_ordinary_square(sums.values[1]), result, again), again);
  }
};

// Circle loss: see circle.hpp.
// Source: keras.losses.circle.
struct Circle : SpecialLoss {
  static constexpr const char* name = "circle";
  static constexpr Target target = Target::kPairs;
  static constexpr ParamInfo params[] = {
      {"gamma", 80.0}, {"margin", 0.4}, {"remove_diagonal", 1.0, 0.0, 1.0, false, true}};
  static constexpr int n_params = 3;
};

}  // namespace simdloss
