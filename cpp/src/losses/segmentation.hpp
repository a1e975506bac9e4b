// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/loss.hpp"

namespace simdloss {

// Overlaps of two sets, as one minus a ratio of sums. All in double: sums over images leave float no
// accuracy.
struct Overlap : RowLoss {
  static constexpr AxisKind axis_kind = AxisKind::kAny;
  static constexpr bool is_light = true;
  static constexpr int n_sums = 3;

  template <class T>
  using Compute = double;

  // x / (a + b + c), with the sum's roundings carried along.
  template <class V>
  static SIMDLOSS_INLINE V over_sum(V x, V a, V b, V c) {
    V sum = a;
    V rest = V(0);
    for (const V term : {b, c}) {
      const V old = sum;
      sum = old + term;
      const V part = sum - old;
      rest = rest + ((old - (sum - part)) + (term - part));
    }
    const V ratio = x / sum;
    const V correction = ratio * (rest / sum);
    return ratio - keep(!is_nan(correction), correction);  // NaN if a sum is infinite
  }
};

// Dice: 1 - 2 sum(t p) / (sum(t) + sum(p) + epsilon).
// Domain: t, p in [0, 1]. Max error: 4 u.
// Source: keras.losses.dice; Dice (1945), doi:10.2307/1932409.
struct Dice : Overlap {
  static constexpr const char* name = "dice";

  template <class T>
  struct Args {
    double epsilon;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    return {settings.epsilon};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V, const Row<V>&, const Args&) {
    return {{weigh(t, p), t, p}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>&, const Args& args) {
    return V(1) - over_sum(sums.values[0] + sums.values[0], sums.values[1], sums.values[2],
                           V(args.epsilon));
  }
};

// Tversky: 1 - I / (I + alpha F + beta N + epsilon), I = sum(t p), F = sum((1 - t) p) (false
// positives), N = sum(t (1 - p)) (false negatives).
// Domain: t, p in [0, 1]; alpha, beta >= 0. Max error: 4 u.
// Source: keras.losses.tversky; Salehi et al. (2017), arXiv:1706.05721.
struct Tversky : Overlap {
  static constexpr const char* name = "tversky";
  static constexpr ParamInfo params[] = {{"alpha", 0.5, 0.0, kInfinity},
                                         {"beta", 0.5, 0.0, kInfinity}};
  static constexpr int n_params = 2;

  template <class T>
  struct Args {
    double alpha;
    double beta;
    double epsilon;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    return {parameter<double>(settings.params[0]), parameter<double>(settings.params[1]),
            settings.epsilon};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V, const Row<V>&, const Args&) {
    return {{weigh(t, p), weigh(V(1) - t, p), weigh(t, V(1) - p)}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>&, const Args& args) {
    const V missed = fma(V(args.alpha), sums.values[1], V(args.beta) * sums.values[2]);
    return V(1) - over_sum(sums.values[0], sums.values[0], missed, V(args.epsilon));
  }
};

}  // namespace simdloss
