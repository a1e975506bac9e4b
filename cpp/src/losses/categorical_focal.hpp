// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the categorical focal losses have in common.

#include "losses/classes.hpp"

namespace simdloss {

struct CategoricalFocal : Categorical {
  static constexpr ParamInfo params[] = {
      {"alpha", 0.25, 0.0, kInfinity}, {"gamma", 2.0, 0.0, kInfinity}, label_smoothing_info};
  static constexpr int n_params = 3;
  static constexpr int n_sums = 1;
  static constexpr int n_slope_sums = 2;
  static constexpr bool has_zero_terms = true;
  // Up to this one, whole gammas are powers by multiplication.
  static constexpr double kMaxIntegralGamma = 64;

  // gamma multiplies the relative error of 1 - q, which float has no room for.
  template <class T>
  using Compute = double;
  template <class T>
  using GradientCompute = double;

  template <class T>
  struct Args : DataArgs<T> {
    Smoothing<double> smoothing;
    Clip<double> clip;
    double alpha;
    double gamma;
    int integral_gamma;  // -1 if gamma is not a small whole number
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    const double gamma = settings.params[1];
    const bool integral = gamma <= kMaxIntegralGamma && gamma == static_cast<int>(gamma);
    return {{},
            smoothing<double>(settings.params[2], settings),
            clip<double>(settings),
            settings.params[0],
            parameter<double>(gamma),
            integral ? static_cast<int>(gamma) : -1};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE bool is_usual(const Args& args) {
    return args.smoothing.is_none && args.clip.is_regular && args.integral_gamma == 2;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Args usual(Args args) {
    args.smoothing.is_none = true;
    args.clip.is_regular = true;
    args.integral_gamma = 2;
    return args;
  }
  // label(), with less to do where the options are known.
  template <class V, class Args>
  static SIMDLOSS_INLINE V known_label(V t, V w, const Args& args) {
    return args.smoothing.is_none ? w * t : label(t, w, args);
  }
  // w alpha y
  template <class V, class Args>
  static SIMDLOSS_INLINE V weight(V t, V w, const Args& args) {
    return V(args.alpha) * known_label(t, w, args);
  }

  // Of one class.
  template <class V>
  struct Parts {
    V weight;  // w alpha y
    V loss;    // -ln q
    V q;
    V miss;   // 1 - q
    V focus;  // miss^gamma
  };
  // The derivative of weight miss^gamma loss by the loss: miss^gamma + gamma miss^(gamma - 1) q loss,
  // times the weight.
  template <class V, class Args>
  static SIMDLOSS_INLINE V slope(const Parts<V>& x, const Args& args) {
    const V moved = V(args.gamma) * x.q * share_of(x.loss, x.miss);
    return weigh(x.weight, fma(x.focus, moved, x.focus));
  }
  // miss^gamma, for miss = 1 - q as value and rest.
  template <class V, class Args>
  static SIMDLOSS_INLINE V focus(V miss, V miss_rest, const Args& args) {
    if (args.integral_gamma < 0) return pow(miss, miss_rest, V(args.gamma));
    return Args::counts_as_float ? pow_int(miss, args.integral_gamma)
                                 : pow_int(miss, miss_rest, args.integral_gamma);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>&, const Args&) {
    return sums.values[0];
  }
};

}  // namespace simdloss
