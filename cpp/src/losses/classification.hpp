// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/binary_labels.hpp"

namespace simdloss {

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
  static SIMDLOSS_INLINE bool is_usual(const Args& args) {
    return args.smoothing.is_none && args.clip.is_regular;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Args usual(Args args) {
    args.smoothing.is_none = true;
    args.clip.is_regular = true;
    return args;
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args& args) {
    return crossentropy(smoothed(t, args.smoothing), p, args.clip, !args.smoothing.is_none);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, const Args& args) {
    return crossentropy_gradient(smoothed(t, args.smoothing), p, args.clip);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, const Args& args) {
    return crossentropy_curvature(smoothed(t, args.smoothing), p, args.clip);
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
  template <class V, class Args>
  static SIMDLOSS_INLINE bool is_usual(const Args& args) {
    return args.smoothing.is_none;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Args usual(Args args) {
    args.smoothing.is_none = true;
    return args;
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
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, V e, const Args& args) {
    return crossentropy_gradient_from_logits(t, p, e, args.smoothing);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, V e, const Args&) {
    return constant(sigmoid_slope(p, e), t);
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
  static SIMDLOSS_INLINE bool is_usual(const Args& args) {
    return args.is_regular;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Args usual(Args args) {
    args.is_regular = true;
    return args;
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE V value(V t, V p, const Args& args) {
    const V y = min(max(t, V(args.low)), V(1));
    const V q = min(max(p, V(args.low)), V(1));
    if (args.is_regular) return y * log_regular(y / q);
    return weigh(y, log(y / q));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, const Args& args) {
    const V y = min(max(t, V(args.low)), V(1));
    const V q = min(max(p, V(args.low)), V(1));
    return where_inside(p, V(args.low), V(1), -share_of(y, q));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, const Args& args) {
    const V y = min(max(t, V(args.low)), V(1));
    const V q = min(max(p, V(args.low)), V(1));
    return where_inside(p, V(args.low), V(1), share_of(y, q) / q);
  }
};

}  // namespace simdloss
