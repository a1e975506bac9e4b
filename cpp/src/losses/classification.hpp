// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/loss.hpp"

namespace simdloss {

// Binary labels and probabilities as the binary losses use them.
struct BinaryLabels : Pointwise {
  static constexpr Target target = Target::kLabel;
  static constexpr ParamInfo label_smoothing_info = {"label_smoothing", 0.0, 0.0, 1.0};

  // The smoothed label and one minus it, each formed from t by itself: y = t keep + shift, or
  // t - amount (t - 1/2), which rounds less.
  template <class T>
  struct Smoothing {
    T amount;
    T keep;
    T shift;
    bool is_none;  // y = t
  };
  template <class T>
  static Smoothing<T> smoothing(double label_smoothing) {
    return {static_cast<T>(label_smoothing), static_cast<T>(1.0 - label_smoothing),
            static_cast<T>(label_smoothing / 2), label_smoothing == 0};
  }

  template <class V>
  struct Labels {
    V one;   // weight of class 1
    V zero;  // weight of class 0
  };
  template <class V, class T>
  static SIMDLOSS_INLINE Labels<V> smoothed(V t, const Smoothing<T>& s) {
    const V rest = V(1) - t;
    if (s.is_none) return {t, rest};
    const V half(T(0.5));
    return {fnma(V(s.amount), t - half, t), fnma(V(s.amount), rest - half, rest)};
  }

  // The range that probabilities are clipped to.
  template <class T>
  struct Clip {
    T low;
    T high;
    bool is_regular;  // all logarithms in it are finite and need no special case
  };
  template <class T>
  static Clip<T> clip(const Settings& settings) {
    const T low = static_cast<T>(settings.epsilon);
    const T high = static_cast<T>(settings.one_minus_epsilon);
    const auto inside = [](T x) { return x >= Limits<T>::kMin && x < T(1); };
    return {low, high, inside(low) && inside(high)};
  }

  // Smoothed labels come with errors of their own, and elements of double are added up without loss,
  // so that their errors show in a mean: there the logarithms are pairs.
  template <class V, class T>
  static SIMDLOSS_INLINE V crossentropy(const Labels<V>& y, V p, const Clip<T>& clip,
                                        bool is_smoothed) {
    const V q = min(max(p, V(clip.low)), V(clip.high));
    if (clip.is_regular) {
      if (sizeof(typename V::Element) == sizeof(float) && !is_smoothed) {
        return -fma(y.one, log_regular(q), y.zero * log1p_regular(-q));
      } else {
        const LogPair<V> one = log_regular_pair(q);
        const LogPair<V> zero = log1p_regular_pair(-q);
        const V product = y.zero * zero.value;
        const V lost = fma(y.zero, zero.rest, product_error(y.zero, zero.value, product));
        return -fma(y.one, one.value, product + fma(y.one, one.rest, lost));
      }
    }
    return -(weigh(y.one, log(q)) + weigh(y.zero, log1p(-q)));
  }

  // y softplus(-z) + (1 - y) softplus(z), for e = e^-|z|. Both softplus are ln(1 + e) and, where
  // the logit is on the wrong side, |z| more, weighted by the label that is against z's sign:
  // 1 - y for z > 0, y for z < 0.
  template <class V, class T>
  static SIMDLOSS_INLINE V crossentropy_from_logits(V t, V z, V e, const Smoothing<T>& s) {
    return fma(weight_against(t, z, s), z, log1p_unit(e));
  }

  // That weight, with z's sign.
  template <class V, class T>
  static SIMDLOSS_INLINE V weight_against(V t, V z, const Smoothing<T>& s) {
    const V against = max(copysign(V(1), z), V(0)) - t;
    return s.is_none ? against : fma(against, V(s.keep), copysign(V(s.shift), z));
  }
};

// Binary crossentropy: -(y ln q + (1 - y) ln(1 - q)), q = p clipped to [epsilon, 1 - epsilon],
// y = t (1 - label_smoothing) + label_smoothing / 2.
// Row value: mean.
// Domain: t, p in [0, 1]; other labels by plain arithmetic. Max error: 4 u L.
// Source: keras.losses.binary_crossentropy.
struct BinaryCrossentropy : BinaryLabels {
  static constexpr const char* name = "binary_crossentropy";
  static constexpr ParamInfo params[] = {label_smoothing_info};
  static constexpr int n_params = 1;

  template <class T>
  struct Args {
    Smoothing<T> smoothing;
    Clip<T> clip;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    return {smoothing<T>(settings.params[0]), clip<T>(settings)};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args& args) {
    return crossentropy(smoothed(t, args.smoothing), p, args.clip, !args.smoothing.is_none);
  }
};

// Binary crossentropy of the logit p: y softplus(-p) + (1 - y) softplus(p), never clipped.
// Row value: mean.
// Domain: t in [0, 1] (others by plain arithmetic), p real. Max error: 4 u L.
// Source: keras.losses.binary_crossentropy(from_logits=True).
struct BinaryCrossentropyFromLogits : BinaryLabels {
  static constexpr const char* name = "binary_crossentropy_from_logits";
  static constexpr ParamInfo params[] = {label_smoothing_info};
  static constexpr int n_params = 1;

  template <class T>
  struct Args {
    Smoothing<T> smoothing;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    return {smoothing<T>(settings.params[0])};
  }

  static constexpr bool is_prepared = true;
  template <class V, class Args>
  static SIMDLOSS_INLINE V prepare(V, V p, const Args&) {
    return exp_of_minus_abs(p);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, V e, const Args& args) {
    return crossentropy_from_logits(t, p, e, args.smoothing);
  }
};

// What the focal losses add to the binary crossentropy.
struct BinaryFocal : BinaryLabels {
  static constexpr ParamInfo params[] = {{"apply_class_balancing", 0.0, 0.0, 1.0, false, true},
                                         {"alpha", 0.25, 0.0, 1.0},
                                         {"gamma", 2.0, 0.0, kInfinity},
                                         label_smoothing_info};
  static constexpr int n_params = 4;
  // Up to this one, whole gammas are powers by multiplication.
  static constexpr double kMaxIntegralGamma = 64;

  template <class T>
  struct Args {
    Smoothing<T> smoothing;
    Clip<T> clip;
    T gamma;
    int integral_gamma;  // -1 if gamma is not a small whole number
    bool balanced;
    T weight_one;
    T weight_zero;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    const double alpha = settings.params[1];
    const double gamma = settings.params[2];
    const bool integral = gamma <= kMaxIntegralGamma && gamma == static_cast<int>(gamma);
    return {smoothing<T>(settings.params[3]),
            clip<T>(settings),
            parameter<T>(gamma),
            integral ? static_cast<int>(gamma) : -1,
            settings.params[0] != 0,
            static_cast<T>(alpha),
            static_cast<T>(1 - alpha)};
  }

  // A number as an unevaluated sum: gamma multiplies the relative error of 1 - p_t, and the factor's
  // error leaves little room for that of the crossentropy.
  template <class V>
  struct Pair {
    V value;
    V rest;
  };

  // a b, rounded once.
  template <class V>
  static SIMDLOSS_INLINE V product(const Pair<V>& a, const Pair<V>& b) {
    const V value = a.value * b.value;
    const V cross = fma(a.value, b.rest, a.rest * b.value);
    const V rest = cross + product_error(a.value, b.value, value);
    return value + keep(!is_nan(rest), rest);  // NaN if the product is infinite
  }

  // a b + c d
  template <class V>
  static SIMDLOSS_INLINE Pair<V> sum_of_products(V a, const Pair<V>& b, V c, const Pair<V>& d) {
    const V first = a * b.value;
    const V second = c * d.value;
    const V sum = first + second;
    const V part = sum - first;
    V rest = (first - (sum - part)) + (second - part);
    rest = rest + fma(a, b.rest, product_error(a, b.value, first));
    rest = rest + fma(c, d.rest, product_error(c, d.value, second));
    return {sum, rest};
  }

  template <class V, class T>
  static SIMDLOSS_INLINE Pair<V> exact_crossentropy(const Labels<V>& y, V p, const Clip<T>& clip) {
    if (!clip.is_regular) return {crossentropy(y, p, clip, true), V(0)};
    const V q = min(max(p, V(clip.low)), V(clip.high));
    const LogPair<V> one = log_regular_pair(q);
    const LogPair<V> zero = log1p_regular_pair(-q);
    return sum_of_products<V>(-y.one, {one.value, one.rest}, -y.zero, {zero.value, zero.rest});
  }

  template <class V, class T>
  static SIMDLOSS_INLINE Pair<V> exact_crossentropy_from_logits(V t, V z, V e,
                                                                const Smoothing<T>& s) {
    const V against = weight_against(t, z, s);
    const V tail = log1p_unit(e);
    const V wrong = against * z;
    const V sum = wrong + tail;
    const V part = sum - wrong;
    const V rest = ((wrong - (sum - part)) + (tail - part)) + product_error(against, z, wrong);
    return {sum, keep(!is_nan(rest), rest)};  // NaN if z is infinite
  }

  // (1 - p_t)^gamma times the class weight, for 1 - p_t = y opposite + (1 - y) same.
  template <class V, class Args>
  static SIMDLOSS_INLINE Pair<V> factor(V t, const Labels<V>& y, const Pair<V>& opposite,
                                        const Pair<V>& same, const Args& args) {
    const V one_minus_t = V(1) - t;
    const V zero_rest = ((V(1) - one_minus_t) - t) * V(args.smoothing.keep);
    const Pair<V> sum = sum_of_products(y.one, opposite, y.zero, same);
    const V rest = fma(zero_rest, same.value, sum.rest);
    const V miss = sum.value;
    const V focus = args.integral_gamma >= 0 ? pow_int(miss, rest, args.integral_gamma)
                                             : pow(miss, rest, V(args.gamma));
    if (!args.balanced) return {focus, V(0)};
    const V balance = fma(y.one, V(args.weight_one), y.zero * V(args.weight_zero));
    const V value = focus * balance;
    return {value, product_error(focus, balance, value)};
  }
};

// Binary focal crossentropy: (1 - p_t)^gamma times the binary crossentropy, with
// 1 - p_t = y (1 - p) + (1 - y) p of the unclipped p; with apply_class_balancing also times
// y alpha + (1 - y) (1 - alpha).
// Row value: mean.
// Domain: t, p in [0, 1]; gamma >= 0. Max error: (4 + gamma |ln(1 - p_t)|) u L.
// Source: keras.losses.binary_focal_crossentropy; Lin et al. (2017), arXiv:1708.02002.
struct BinaryFocalCrossentropy : BinaryFocal {
  static constexpr const char* name = "binary_focal_crossentropy";

  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args& args) {
    const Labels<V> y = smoothed(t, args.smoothing);
    const V opposite = V(1) - p;
    const Pair<V> exact_opposite = {opposite, (V(1) - opposite) - p};
    const Pair<V> loss = exact_crossentropy(y, p, args.clip);
    return product(factor(t, y, exact_opposite, {p, V(0)}, args), loss);
  }
};

// Binary focal crossentropy of the logit p: as above with p = sigmoid(logit), never clipped.
// Row value: mean.
// Domain: t in [0, 1], p real; gamma >= 0. Max error: (4 + gamma |ln(1 - p_t)|) u L.
// Source: keras.losses.binary_focal_crossentropy(from_logits=True).
struct BinaryFocalCrossentropyFromLogits : BinaryFocal {
  static constexpr const char* name = "binary_focal_crossentropy_from_logits";

  static constexpr bool is_prepared = true;
  template <class V, class Args>
  static SIMDLOSS_INLINE V prepare(V, V p, const Args&) {
    return exp_of_minus_abs(p);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, V e, const Args& args) {
    const Labels<V> y = smoothed(t, args.smoothing);
    const SigmoidPair<V> s = sigmoid_pair(p, e);
    const Pair<V> loss = exact_crossentropy_from_logits(t, p, e, args.smoothing);
    return product(factor(t, y, {s.complement, s.complement_rest}, {s.value, s.value_rest}, args),
                   loss);
  }
};

// Kullback-Leibler divergence: t ln(t / p) with both clipped to [epsilon, 1].
// Row value: sum.
// Domain: t, p in [0, 1]. Max error: 4 u t (1 + |ln(t / p)|).
// Source: keras.losses.kl_divergence.
struct KlDivergence : Pointwise {
  static constexpr const char* name = "kl_divergence";
  static constexpr Target target = Target::kLabel;
  static constexpr RowFinish row_finish = RowFinish::kSum;

  template <class T>
  struct Args {
    T low;
    bool is_regular;  // t / p can be neither 0 nor subnormal nor infinite
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    const T low = static_cast<T>(settings.epsilon);
    return {low, low >= Limits<T>::kMin};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args& args) {
    const V y = min(max(t, V(args.low)), V(1));
    const V q = min(max(p, V(args.low)), V(1));
    if (args.is_regular) return y * log_regular(y / q);
    return weigh(y, log(y / q));
  }
};

}  // namespace simdloss
