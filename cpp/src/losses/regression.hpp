// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/loss.hpp"
#include "simd/add_exactly.hpp"

namespace simdloss {

// Mean squared error: (p - t)^2.
// Row value: mean.
// Domain: t, p real. Max error: 4 u L.
// Source: keras.losses.mean_squared_error.
struct MeanSquaredError : Pointwise {
  static constexpr const char* name = "mean_squared_error";
  static constexpr bool is_light = true;

  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args&) {
    const V d = p - t;
    return d * d;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, const Args&) {
    const V d = p - t;
    return d + d;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, const Args&) {
    return constant(V(2), p - t);
  }
};

// Mean absolute error: |p - t|.
// Row value: mean.
// Domain: t, p real. Max error: 4 u L.
// Source: keras.losses.mean_absolute_error.
struct MeanAbsoluteError : Pointwise {
  static constexpr const char* name = "mean_absolute_error";
  static constexpr bool is_light = true;

  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args&) {
    return abs(p - t);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, const Args&) {
    return sign(p - t);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, const Args&) {
    return constant(V(0), p - t);
  }
};

// Mean absolute percentage error: 100 |p - t| / max(|t|, epsilon).
// Row value: mean.
// Domain: t, p real. Max error: 4 u L.
// Source: keras.losses.mean_absolute_percentage_error.
struct MeanAbsolutePercentageError : Pointwise {
  static constexpr const char* name = "mean_absolute_percentage_error";

  template <class T>
  struct Args {
    T epsilon;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    return {static_cast<T>(settings.epsilon)};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args& args) {
    return V(100) * (abs(p - t) / max(abs(t), V(args.epsilon)));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, const Args& args) {
    return sign(p - t) * (V(100) / max(abs(t), V(args.epsilon)));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, const Args&) {
    return constant(V(0), p - t);
  }
};

// Mean squared logarithmic error: (ln(1 + max(p, epsilon)) - ln(1 + max(t, epsilon)))^2 in the form
// log1p((high - low) / (1 + low))^2, with the rounding errors of the quotient carried along: the
// difference of two logarithms would cancel.
// Row value: mean.
// Domain: t, p real; below epsilon they count as epsilon. Max error: 4 u L.
// Source: keras.losses.mean_squared_logarithmic_error.
struct MeanSquaredLogarithmicError : Pointwise {
  static constexpr const char* name = "mean_squared_logarithmic_error";

  template <class T>
  struct Args {
    T epsilon;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    return {static_cast<T>(settings.epsilon)};
  }

  // |ln((1 + b) / (1 + a))|, not rounded.
  template <class V>
  static SIMDLOSS_INLINE LogPair<V> log_of_ratio(V a, V b) {
    const V low = select(a < b, a, b);
    const V high = select(a < b, b, a);
    const V rise = abs(b - a);
    V base(1);
    const V base_error = add_exactly(base, low);
    const V ratio = rise / base;
    // rise + rise_error = high - low and base + base_error = 1 + low, exactly.
    const V rise_error = high - (rise + low);
    const V product = ratio * base;
    const V missing = (rise - product) - product_error(ratio, base, product);
    // By (1 + ratio) base. NaN if the larger one is infinite.
    const V correction = (missing + fnma(ratio, base_error, rise_error)) / (V(1) + high);
    const LogPair<V> log_ratio = log1p_pair(ratio);
    return {log_ratio.value, log_ratio.rest + keep(!is_nan(correction), correction)};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args& args) {
    const LogPair<V> log_ratio = log_of_ratio(max(t, V(args.epsilon)), max(p, V(args.epsilon)));
    const V root = log_ratio.value + log_ratio.rest;
    const V root_rest = log_ratio.rest - (root - log_ratio.value);  // NaN if root is infinite
    return fma(root, root, keep(!is_nan(root_rest), (root + root) * root_rest));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, const Args& args) {
    const V a = max(t, V(args.epsilon));
    const V b = max(p, V(args.epsilon));
    const V root = copysign(rounded(log_of_ratio(a, b)), b - a);
    return constant(where_positive(p - V(args.epsilon), (root + root) / (V(1) + b)), root);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, const Args& args) {
    const V a = max(t, V(args.epsilon));
    const V b = max(p, V(args.epsilon));
    const V root = copysign(rounded(log_of_ratio(a, b)), b - a);
    const V base = V(1) + b;
    return constant(where_positive(p - V(args.epsilon), (V(2) - (root + root)) / base / base),
                    root);
  }
};

// Huber: with d = |p - t|, d^2 / 2 for d <= delta, else delta (d - delta / 2). Both are
// m (d - m / 2) for m = min(d, delta).
// Row value: mean.
// Domain: t, p real, delta > 0. Max error: 4 u L.
// Source: keras.losses.huber; Huber (1964), doi:10.1214/aoms/1177703732.
struct Huber : Pointwise {
  static constexpr const char* name = "huber";
  static constexpr bool is_light = true;
  static constexpr ParamInfo params[] = {{"delta", 1.0, 0.0, kInfinity, true, false}};
  static constexpr int n_params = 1;

  template <class T>
  struct Args {
    T delta;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    return {parameter<T>(settings.params[0])};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args& args) {
    const V d = abs(p - t);
    const V m = min(d, V(args.delta));
    return m * fnma(V(0.5F), m, d);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, const Args& args) {
    return max(min(p - t, V(args.delta)), V(-args.delta));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, const Args& args) {
    const V d = abs(p - t);
    return constant(keep(d <= V(args.delta), V(1)), d);
  }
};

// Log-cosh: ln cosh(p - t).
// Row value: mean.
// Domain: t, p real. Max error: 4 u L.
// Source: keras.losses.log_cosh.
struct LogCosh : Pointwise {
  static constexpr const char* name = "log_cosh";

  static constexpr bool is_prepared = true;
  template <class V, class Args>
  static SIMDLOSS_INLINE V prepare(V t, V p, const Args&) {
    return exp_nonpositive_or_zero(abs(p - t) * V(-2));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, V e, const Args&) {
    return log_cosh(p - t, e);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, V e, const Args&) {
    return tanh(p - t, e);
  }
  // 1 / cosh^2
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, V e, const Args&) {
    const V sum = V(1) + e;
    return constant(V(4) * e / sum / sum, p - t);
  }
};

// Poisson: p - t ln(p + epsilon), the negative log-likelihood of rate p but for a constant of t.
// The rounding error of p + epsilon is carried along where the logarithm is near 0.
// Row value: mean.
// Domain: p >= 0, t real; t = 0 gives p. Max error: 4 u (|p| + |t ln(p + epsilon)|).
// Source: keras.losses.poisson.
struct Poisson : Pointwise {
  static constexpr const char* name = "poisson";

  template <class T>
  struct Args {
    T epsilon;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    return {static_cast<T>(settings.epsilon)};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, const Args& args) {
    return V(1) - share_of(t, p + V(args.epsilon));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, const Args& args) {
    const V rate = p + V(args.epsilon);
    return share_of(t, rate) / rate;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args& args) {
    const V epsilon(args.epsilon);
    const V rate = p + epsilon;
    const V lost = epsilon - (rate - p);
    // ln(rate + lost) = ln rate + lost / rate; the quotient matters near rate = 1 only.
    const V log_rate = log(rate) + keep(rate < V(2), lost);
    return select(t == V(0), p, fnma(t, log_rate, p));
  }
};

}  // namespace simdloss
