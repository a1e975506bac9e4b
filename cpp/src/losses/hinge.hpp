// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/loss.hpp"

namespace simdloss {

// What the hinge losses share. y is t, or 2 t - 1 where {0, 1} labels stand for {-1, 1}.
struct HingeLabels : Pointwise {
  static constexpr Target target = Target::kLabel;
  static constexpr bool converts_binary_labels = true;

  template <class T>
  struct Args {
    T scale;
    T offset;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    if (settings.binary_labels) return {T(2), T(-1)};
    return {T(1), T(0)};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE V label(V t, const Args& args) {
    return fma(t, V(args.scale), V(args.offset));
  }
  // max(1 - y p, 0)
  template <class V, class Args>
  static SIMDLOSS_INLINE V margin(V t, V p, const Args& args) {
    return max(fnma(label(t, args), p, V(1)), V(0));
  }
};

// Hinge: max(1 - y p, 0).
// Row value: mean.
// Domain: y -1 or 1 (any real is taken as it is), p real. Max error: 4 u L.
// Source: keras.losses.hinge.
struct Hinge : HingeLabels {
  static constexpr const char* name = "hinge";
  static constexpr bool is_light = true;

  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args& args) {
    return margin(t, p, args);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, const Args& args) {
    const V y = label(t, args);
    return where_positive(fnma(y, p, V(1)), -y);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, const Args& args) {
    return constant(V(0), margin(t, p, args));
  }
};

// Squared hinge: max(1 - y p, 0)^2.
// Row value: mean.
// Domain: as hinge. Max error: 4 u L.
// Source: keras.losses.squared_hinge.
struct SquaredHinge : HingeLabels {
  static constexpr const char* name = "squared_hinge";
  static constexpr bool is_light = true;

  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args& args) {
    const V m = margin(t, p, args);
    return m * m;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, const Args& args) {
    const V m = margin(t, p, args);
    return weigh(m, V(-2) * label(t, args));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, const Args& args) {
    const V y = label(t, args);
    return where_positive(fnma(y, p, V(1)), V(2) * y * y);
  }
};

// Categorical hinge: max(n - s + 1, 0), s = sum(t p), n the largest of (1 - t) p.
// Row value: itself.
// Domain: t in [0, 1], p real. Max error: 4 u (|n| + sum |t p| + 1).
// Source: keras.losses.categorical_hinge.
struct CategoricalHinge : RowLoss {
  static constexpr const char* name = "categorical_hinge";
  static constexpr bool has_max = true;
  static constexpr int n_sums = 1;

  template <class V, class Args>
  static SIMDLOSS_INLINE V scan(V t, V p, const Args&) {
    return weigh(V(1) - t, p);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V, const Row<V>&, const Args&) {
    return {{select(is_nan(p), p, weigh(t, p))}};  // the maximum ignores NaN
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>& row, const Args&) {
    const V sum = sums.values[0];
    return max((row.max - sum) + V(1), V(0)) + zero_if_safe(sum);
  }

  // ((1 - t) / ties where (1 - t) p is the largest) - t
  static constexpr int n_slope_sums = 1;
  static constexpr bool slopes_need_ties = true;
  template <class V, class Args>
  static SIMDLOSS_INLINE Slopes<V> slopes(const Terms<V>& sums, const Row<V>& row, V scale,
                                          const Args&) {
    const V margin = (row.max - sums.values[0]) + V(1);
    const V slope = where_positive(margin, scale) + zero_if_safe(sums.values[0]);
    return {{slope, slope / row.ties}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, V, const Row<V>& row, const Slopes<V>& s,
                                    const Args& args) {
    const V largest = keep(scan(t, p, args) == row.max, (V(1) - t) * s.values[1]);
    return fnma(t, s.values[0], largest);
  }
};

}  // namespace simdloss
