// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/binary_labels.hpp"
#include "simd/pair.hpp"

namespace simdloss {

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
    T gamma_minus_one;
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
            parameter<T>(gamma - 1),
            integral ? static_cast<int>(gamma) : -1,
            settings.params[0] != 0,
            static_cast<T>(alpha),
            static_cast<T>(1 - alpha)};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE bool is_usual(const Args& args) {
    return args.smoothing.is_none && args.clip.is_regular && args.integral_gamma == 2 &&
           !args.balanced;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Args usual(Args args) {
    args.smoothing.is_none = true;
    args.clip.is_regular = true;
    args.integral_gamma = 2;
    args.balanced = false;
    return args;
  }

  // a b + c d. All is in pairs here, because gamma multiplies the relative error of 1 - p_t, and the
  // factor's error leaves little room for that of the crossentropy.
  template <class V>
  static SIMDLOSS_INLINE Pair<V> sum_of_products(V a, const Pair<V>& b, V c, const Pair<V>& d) {
    const V first = a * b.value;
    const V second = c * d.value;
    V sum = first;
    V rest = add_exactly(sum, second);
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
    V sum = wrong;
    const V lost = add_exactly(sum, tail);
    const V rest = lost + product_error(against, z, wrong);
    return {sum, keep(!is_nan(rest), rest)};  // NaN if z is infinite
  }

  // 1 - p_t = y opposite + (1 - y) same.
  template <class V, class Args>
  static SIMDLOSS_INLINE Pair<V> missing(V t, const Labels<V>& y, const Pair<V>& opposite,
                                         const Pair<V>& same, const Args& args) {
    if constexpr (sizeof(typename V::Element) == sizeof(float)) {  // the same bits, at less cost
      const auto is_one = t == V(1);
      if (args.smoothing.is_none && all(is_one | (t == V(0)))) {
        return {select(is_one, opposite.value, same.value),
                select(is_one, opposite.rest, same.rest)};
      }
    }
    const V one_minus_t = V(1) - t;
    const V zero_rest = ((V(1) - one_minus_t) - t) * V(args.smoothing.keep);
    const Pair<V> sum = sum_of_products(y.one, opposite, y.zero, same);
    return {sum.value, fma(zero_rest, same.value, sum.rest)};
  }
  // The derivative of 1 - p_t by the probability: 1 - 2 y, which smoothing shrinks.
  template <class V, class Args>
  static SIMDLOSS_INLINE Pair<V> miss_slope(V t, const Args& args) {
    const V slope = fnma(V(2), t, V(1));
    return times<V>({V(args.smoothing.keep), V(0)}, {slope, (V(1) - slope) - (t + t)});
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V balance(const Labels<V>& y, const Args& args) {
    return fma(y.one, V(args.weight_one), y.zero * V(args.weight_zero));
  }

  // (1 - p_t)^gamma times the class weight.
  template <class V, class Args>
  static SIMDLOSS_INLINE Pair<V> factor(const Labels<V>& y, const Pair<V>& miss, const Args& args) {
    const V focus = power(miss, args);
    if (!args.balanced) return {focus, V(0)};
    const V weight = balance(y, args);
    const V value = focus * weight;
    return {value, product_error(focus, weight, value)};
  }

  // Out of line: in every loop, and three times there, it was 7 % of the code of all kernels.
  template <class V>
  [[gnu::noinline]] static V general_power(V base, V base_rest, V exponent) {
    return pow(base, base_rest, exponent);
  }
  // m^gamma and m^(gamma - 1) for m = 1 - p_t.
  template <class V, class Args>
  static SIMDLOSS_INLINE V power(const Pair<V>& m, const Args& args) {
    if (args.integral_gamma >= 0) return pow_int(m.value, m.rest, args.integral_gamma);
    return general_power(m.value, m.rest, V(args.gamma));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V lower_power(const Pair<V>& m, const Args& args) {
    const int n = args.integral_gamma;
    if (n >= 0) return n < 1 ? V(0) : pow_int(m.value, m.rest, n - 1);
    // Below 0 the power grows towards m = 0, where it is infinite.
    const bool falls = args.gamma_minus_one < 0;
    const V x =
        general_power(m.value, m.rest, V(falls ? -args.gamma_minus_one : args.gamma_minus_one));
    return falls ? V(1) / x : x;
  }
  // The second derivative of m^gamma by m; `slope` is the first.
  template <class V, class Args>
  static SIMDLOSS_INLINE V power_curvature(const Pair<V>& m, V slope, const Args& args) {
    const int n = args.integral_gamma;
    if (n < 0) return V(args.gamma_minus_one) * slope / m.value;
    const V factor = V(args.gamma) * V(args.gamma_minus_one);
    return n < 2 ? V(0) : factor * pow_int(m.value, m.rest, n - 2);
  }

  // The derivative of w m^gamma H for the crossentropy H, w the class weight: `rises` is that of m,
  // `slope` that of H. Where one factor is 0 the other's may be infinite. A power, a label and H are
  // rounded, which 4 u are little more than enough for.
  template <class V, class Args>
  static SIMDLOSS_INLINE V slope_of_product(const Labels<V>& labels, const Pair<V>& m,
                                            const Pair<V>& rises, const Pair<V>& loss,
                                            const Pair<V>& slope, const Args& args) {
    const Pair<V> growth = times(times<V>({V(args.gamma), V(0)}, rises), loss);
    const Pair<V> own = times<V>(growth, {lower_power(m, args), V(0)});
    const auto grows = !(growth.value == V(0));
    const Pair<V> sum = plus<V>(times<V>({power(m, args), V(0)}, slope),
                                {keep(grows, own.value), keep(grows, own.rest)});
    if (!args.balanced) return rounded(sum);
    const V one(args.weight_one);
    const V zero(args.weight_zero);
    return rounded(
        times(sum_of_products<V>(labels.one, {one, V(0)}, labels.zero, {zero, V(0)}), sum));
  }

  // A number and its derivatives by p.
  template <class V>
  struct Jet {
    V value;
    V slope;
    V curvature;
  };
  // The second derivative of w x y.
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature_of_product(const Labels<V>& labels, const Jet<V>& x,
                                                const Jet<V>& y, const Args& args) {
    const V cross = weigh(y.slope, x.slope);
    const V curvature = fma(x.value, y.curvature, weigh(y.value, x.curvature) + (cross + cross));
    return args.balanced ? balance(labels, args) * curvature : curvature;
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
    return rounded(
        times(factor(y, miss(t, y, p, args), args), exact_crossentropy(y, p, args.clip)));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, const Args& args) {
    const Labels<V> y = smoothed(t, args.smoothing);
    const V q = min(max(p, V(args.clip.low)), V(args.clip.high));
    V slope = share_of(y.zero, V(1) - q);
    const V rest = add_exactly(slope, -share_of(y.one, q));
    const auto inside = [&](V x) SIMDLOSS_INLINE_LAMBDA {
      return where_inside(p, V(args.clip.low), V(args.clip.high), x);
    };
    return slope_of_product(y, miss(t, y, p, args), miss_slope(t, args),
                            exact_crossentropy(y, p, args.clip), {inside(slope), inside(rest)},
                            args);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, const Args& args) {
    const Labels<V> y = smoothed(t, args.smoothing);
    return curvature_of_product(y, focus(t, y, p, args), loss(y, p, args), args);
  }

 private:
  template <class V, class Args>
  static SIMDLOSS_INLINE Pair<V> miss(V t, const Labels<V>& y, V p, const Args& args) {
    const V opposite = V(1) - p;
    return missing(t, y, {opposite, (V(1) - opposite) - p}, {p, V(0)}, args);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Jet<V> focus(V t, const Labels<V>& y, V p, const Args& args) {
    const Pair<V> m = miss(t, y, p, args);
    const V power_slope = V(args.gamma) * lower_power(m, args);
    const V slope = miss_slope(t, args).value;
    return {power(m, args), weigh(slope, power_slope),
            weigh(slope * slope, power_curvature(m, power_slope, args))};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Jet<V> loss(const Labels<V>& y, V p, const Args& args) {
    const Pair<V> value = exact_crossentropy(y, p, args.clip);
    return {value.value + value.rest, crossentropy_gradient(y, p, args.clip),
            crossentropy_curvature(y, p, args.clip)};
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
    return rounded(times(factor(y, miss(t, y, p, e, args), args),
                         exact_crossentropy_from_logits(t, p, e, args.smoothing)));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, V e, const Args& args) {
    const Labels<V> y = smoothed(t, args.smoothing);
    const SigmoidPair<V> s = sigmoid_pair(p, e);
    const Pair<V> same{s.value, s.value_rest};
    const Pair<V> opposite{s.complement, s.complement_rest};
    return slope_of_product(y, missing(t, y, opposite, same, args),
                            times(miss_slope(t, args), times(same, opposite)),
                            exact_crossentropy_from_logits(t, p, e, args.smoothing),
                            sum_of_products(y.zero, same, -y.one, opposite), args);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, V e, const Args& args) {
    const Labels<V> y = smoothed(t, args.smoothing);
    return curvature_of_product(y, focus(t, y, p, e, args), loss(t, p, e, args), args);
  }

 private:
  template <class V, class Args>
  static SIMDLOSS_INLINE Pair<V> miss(V t, const Labels<V>& y, V p, V e, const Args& args) {
    const SigmoidPair<V> s = sigmoid_pair(p, e);
    return missing(t, y, {s.complement, s.complement_rest}, {s.value, s.value_rest}, args);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Jet<V> focus(V t, const Labels<V>& y, V p, V e, const Args& args) {
    const Pair<V> m = miss(t, y, p, e, args);
    const V sigmoid_rises = sigmoid_slope(p, e);
    const V rises = miss_slope(t, args).value * sigmoid_rises;
    const V slope = weigh(rises, V(args.gamma) * lower_power(m, args));
    // The second derivative of the sigmoid is the first one times sigmoid(-p) - sigmoid(p).
    const V bend = -copysign((V(1) - e) / (V(1) + e), p);
    return {power(m, args), slope,
            fma(slope, bend, V(args.gamma_minus_one) * slope * share_of(rises, m.value))};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Jet<V> loss(V t, V p, V e, const Args& args) {
    const Pair<V> value = exact_crossentropy_from_logits(t, p, e, args.smoothing);
    return {value.value + value.rest, crossentropy_gradient_from_logits(t, p, e, args.smoothing),
            sigmoid_slope(p, e)};
  }
};

}  // namespace simdloss
