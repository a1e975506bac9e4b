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
  // so that their errors show in a mean: there the logarithms are pairs. Labels of 0 and 1 need one
  // logarithm only, with the same bits.
  template <class V, class T>
  static SIMDLOSS_INLINE V crossentropy(const Labels<V>& y, V p, const Clip<T>& clip,
                                        bool is_smoothed) {
    const V q = min(max(p, V(clip.low)), V(clip.high));
    if (!clip.is_regular) return -(weigh(y.one, log(q)) + weigh(y.zero, log1p(-q)));
    if constexpr (sizeof(typename V::Element) == sizeof(float)) {
      if (!is_smoothed) {
        const auto is_one = y.one == V(1);
        if (all(is_one | (y.one == V(0)))) return -log_regular_or_complement(is_one, q);
        return -fma(y.one, log_regular(q), y.zero * log1p_regular(-q));
      }
    }
    const LogPair<V> one = log_regular_pair(q);
    const LogPair<V> zero = log1p_regular_pair(-q);
    const V product = y.zero * zero.value;
    const V lost = fma(y.zero, zero.rest, product_error(y.zero, zero.value, product));
    return -fma(y.one, one.value, product + fma(y.one, one.rest, lost));
  }

  // (1 - y) / (1 - q) - y / q, where p is not clipped. Each label belongs to a probability that it
  // divides alone, so that no error of one is large beside the other.
  template <class V, class T>
  static SIMDLOSS_INLINE V crossentropy_gradient(const Labels<V>& y, V p, const Clip<T>& clip) {
    const V q = min(max(p, V(clip.low)), V(clip.high));
    const V slope = share_of(y.zero, V(1) - q) - share_of(y.one, q);
    return where_inside(p, V(clip.low), V(clip.high), slope);
  }
  template <class V, class T>
  static SIMDLOSS_INLINE V crossentropy_curvature(const Labels<V>& y, V p, const Clip<T>& clip) {
    const V q = min(max(p, V(clip.low)), V(clip.high));
    const V rest = V(1) - q;
    const V curvature = share_of(y.zero, rest) / rest + share_of(y.one, q) / q;
    return where_inside(p, V(clip.low), V(clip.high), curvature);
  }

  // (1 - y) sigmoid(z) - y sigmoid(-z), for e = e^-|z| (0 for NaN): (a + b e) / (1 + e), where a is
  // 1 - y for z > 0 and -y elsewhere, b the other of the two; at 0, where e = 1, either way round.
  // The usual labels do without selects.
  template <class V, class T>
  static SIMDLOSS_INLINE V crossentropy_gradient_from_logits(V t, V z, V e, const Smoothing<T>& s) {
    V a;
    V b;
    if (s.is_none) {
      const V step = step_of(z);
      a = step - t;
      b = (V(1) - step) - t;
    } else {
      const Labels<V> y = smoothed(t, s);
      const auto positive = z > V(0);
      a = select(positive, y.zero, -y.one);
      b = select(positive, -y.one, y.zero);
    }
    return constant(fma(b, e, a) / (V(1) + e), z);
  }
  // sigmoid(z) sigmoid(-z) = e / (1 + e)^2
  template <class V>
  static SIMDLOSS_INLINE V sigmoid_slope(V z, V e) {
    return constant(e / fma(e, V(2) + e, V(1)), z);
  }

  // y softplus(-z) + (1 - y) softplus(z), for e = e^-|z|. Both softplus are ln(1 + e) and, where
  // the logit is on the wrong side, |z| more, weighted by the label that is against z's sign:
  // 1 - y for z > 0, y for z < 0.
  template <class V, class T>
  static SIMDLOSS_INLINE V crossentropy_from_logits(V t, V z, V e, const Smoothing<T>& s) {
    return fma(weight_against(t, z, s), z, log1p_unit(e));
  }

  // 1 for z > 0 and +0, else 0.
  template <class V>
  static SIMDLOSS_INLINE V step_of(V z) {
    return max(copysign(V(1), z), V(0));
  }

  // That weight, with z's sign.
  template <class V, class T>
  static SIMDLOSS_INLINE V weight_against(V t, V z, const Smoothing<T>& s) {
    const V against = step_of(z) - t;
    return s.is_none ? against : fma(against, V(s.keep), copysign(V(s.shift), z));
  }
};

}  // namespace simdloss
