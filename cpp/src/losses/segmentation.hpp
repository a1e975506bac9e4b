// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/loss.hpp"
#include "simd/pair.hpp"

namespace simdloss {

// Overlaps of two sets, as one minus a ratio of sums. All in double: sums over images leave float no
// accuracy.
struct Overlap : RowLoss {
  static constexpr AxisKind axis_kind = AxisKind::kAny;
  static constexpr bool is_light = true;
  static constexpr int n_sums = 3;
  static constexpr int n_slope_sums = 3;

  template <class T>
  using Compute = double;

  // A sum, and what its roundings lost.
  template <class V>
  struct Sum {
    V value;
    V rest;

    SIMDLOSS_INLINE void add(V x) { rest = rest + add_exactly(value, x); }
    // x y, not rounded.
    SIMDLOSS_INLINE void add_product(V x, V y) {
      const V product = x * y;
      add(product);
      rest = rest + product_error(x, y, product);
    }
  };
  // x / sum, not rounded.
  template <class V>
  static SIMDLOSS_INLINE Pair<V> quotient(V x, const Sum<V>& sum) {
    const V value = x / sum.value;
    const V product = value * sum.value;
    const V missing = (x - product) - product_error(value, sum.value, product);
    return {value, fnma(value, sum.rest, missing) / sum.value};
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
    return V(1) - rounded(quotient(sums.values[0] + sums.values[0], whole(sums, args)));
  }

  // 2 I / S^2 - 2 t / S, I = sum(t p), S the denominator.
  template <class V, class Args>
  static SIMDLOSS_INLINE Slopes<V> slopes(const Terms<V>& sums, const Row<V>&, V scale,
                                          const Args& args) {
    const Sum<V> sum = whole(sums, args);
    const Pair<V> slope = quotient(scale + scale, sum);
    const Pair<V> share = quotient(sums.values[0], sum);
    return {{rounded(times(slope, share)) + zero_if_safe(sum.value), rounded(slope)}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V, V, const Row<V>&, const Slopes<V>& s, const Args&) {
    return fnma(t, s.values[1], s.values[0]);
  }

 private:
  template <class V, class Args>
  static SIMDLOSS_INLINE Sum<V> whole(const Terms<V>& sums, const Args& args) {
    Sum<V> sum{sums.values[1], V(0)};
    sum.add(sums.values[2]);
    sum.add(V(args.epsilon));
    return sum;
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
    return V(1) - rounded(quotient(sums.values[0], whole(sums, args)));
  }

  // (1 - t) alpha I / S^2 - t (1 - (1 - beta) I / S) / S, S the denominator.
  template <class V, class Args>
  static SIMDLOSS_INLINE Slopes<V> slopes(const Terms<V>& sums, const Row<V>&, V scale,
                                          const Args& args) {
    const Sum<V> sum = whole(sums, args);
    const Pair<V> slope = quotient(scale, sum);
    const Pair<V> share = quotient(sums.values[0], sum);
    const V kept = V(1) - V(args.beta);
    const Pair<V> part = times<V>({-kept, V(args.beta) - (V(1) - kept)}, share);
    const Pair<V> labelled = plus<V>({V(1), V(0)}, part);
    const Pair<V> unlabelled = times<V>({V(args.alpha), V(0)}, share);
    return {{rounded(times(unlabelled, slope)) + zero_if_safe(sum.value),
             rounded(times(labelled, slope))}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V, V, const Row<V>&, const Slopes<V>& s, const Args&) {
    return fnma(t, s.values[1], (V(1) - t) * s.values[0]);
  }

 private:
  template <class V, class Args>
  static SIMDLOSS_INLINE Sum<V> whole(const Terms<V>& sums, const Args& args) {
    Sum<V> sum{sums.values[0], V(0)};
    sum.add_product(V(args.alpha), sums.values[1]);
    sum.add_product(V(args.beta), sums.values[2]);
    sum.add(V(args.epsilon));
    return sum;
  }
};

}  // namespace simdloss
