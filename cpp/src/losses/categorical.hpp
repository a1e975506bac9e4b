// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/loss.hpp"

namespace simdloss {

// Losses over the classes of one axis, C of them.
struct Categorical : RowLoss {
  static constexpr bool has_classes = true;
  static constexpr ParamInfo label_smoothing_info = {"label_smoothing", 0.0, 0.0, 1.0};

  // y = t keep + shift.
  template <class T>
  struct Smoothing {
    T keep;
    T shift;
  };
  template <class T>
  static Smoothing<T> smoothing(double label_smoothing, const Settings& settings) {
    const double share = settings.cols > 0 ? label_smoothing / settings.cols : 0.0;
    return {static_cast<T>(1.0 - label_smoothing), static_cast<T>(share)};
  }

  template <class T>
  struct Clip {
    T low;
    T high;
    bool is_regular;  // all logarithms in it are finite
  };
  template <class T>
  static Clip<T> clip(const Settings& settings) {
    const T low = static_cast<T>(settings.epsilon);
    return {low, static_cast<T>(settings.one_minus_epsilon), low >= Limits<T>::kMin};
  }

  template <class V, class T>
  static SIMDLOSS_INLINE V clipped(V q, const Clip<T>& clip) {
    return min(max(q, V(static_cast<typename V::Element>(clip.low))),
               V(static_cast<typename V::Element>(clip.high)));
  }
  // -ln q of a clipped probability, times its label.
  template <class V, class T>
  static SIMDLOSS_INLINE V surprise(V y, V q, const Clip<T>& clip) {
    if (clip.is_regular) return -(y * log_regular(q));
    return weigh(y, -log(q));
  }
};

// What losses of probabilities add: p is divided by its sum, p / sum = p a / b, with a a power of
// two that brings the sum into the range of every type. b is NaN if the sum is not finite.
template <class Base>
struct Probabilities : Base {
  static constexpr int n_first = 1;

  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> first(V, V p, V, const Row<V>&, const Args&) {
    return {{p}};
  }
  template <class T, class V, class Args>
  static SIMDLOSS_INLINE void prepare(const Terms<V>& sums, Row<V>& row, const Args&) {
    const V sum = sums.values[0];
    row.a = inverse_power_of_two<T>(sum);
    row.b = sum * row.a + (sum - sum);
  }
  template <class V>
  static SIMDLOSS_INLINE V share(V p, const Row<V>& row) {
    return p * row.a / row.b;
  }
};

// What losses of logits add.
template <class Base>
struct Logits : Base {
  static constexpr bool has_max = true;
  static constexpr bool has_ties = true;

  template <class V, class Args>
  static SIMDLOSS_INLINE V scan(V, V p, const Args&) {
    return p;
  }
  // m - z for the largest logit m: 0 where both are, though they be infinite.
  template <class V>
  static SIMDLOSS_INLINE V distance(V z, V max) {
    return keep(!(z == max), max - z);
  }
  // e^-distance, but 0 for the largest, which are counted instead: what they are more than would be
  // lost beside their 1.
  template <class V>
  static SIMDLOSS_INLINE V weight_below_max(V z, V distance, V max) {
    return keep(!(z == max), exp_nonpositive(-distance));
  }
  // ln of the sum of e^(z - m) over all classes, from the sum of weights below the maximum.
  template <class V>
  static SIMDLOSS_INLINE V log_of_sum(V below, V ties) {
    return log1p(below + (ties - V(1)));
  }
};

// Categorical crossentropy: -sum of w y ln q over the classes, q = p / sum(p) clipped to
// [epsilon, 1 - epsilon], y = t (1 - label_smoothing) + label_smoothing / C, w the class weights.
// Domain: t, p in [0, 1], sum(p) > 0. Max error: 4 u sum of w y (1 + |ln q|).
// Source: keras.losses.categorical_crossentropy.
struct CategoricalCrossentropy : Probabilities<Categorical> {
  static constexpr const char* name = "categorical_crossentropy";
  static constexpr ParamInfo params[] = {label_smoothing_info};
  static constexpr int n_params = 1;
  static constexpr int n_sums = 1;

  template <class T>
  struct Args {
    Smoothing<T> smoothing;
    Clip<T> clip;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    return {smoothing<T>(settings.params[0], settings), clip<T>(settings)};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V w, const Row<V>& row, const Args& args) {
    const V y = fma(t, V(args.smoothing.keep), V(args.smoothing.shift));
    return {{surprise(w * y, clipped(share(p, row), args.clip), args.clip)}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>&, const Args&) {
    return sums.values[0];
  }
};

// Categorical crossentropy of logits: the same with q = softmax(p), never clipped, as
// sum of w y (m - p) + (sum of w y) ln(sum of e^(p - m)) for the largest logit m.
// Domain: t in [0, 1], p real or -inf.
// Max error: 4 u of sum of w y (m - p), and of sum of w y times the mean of 1 + m - p under q.
// Source: keras.losses.categorical_crossentropy(from_logits=True).
struct CategoricalCrossentropyFromLogits : Logits<Categorical> {
  static constexpr const char* name = "categorical_crossentropy_from_logits";
  static constexpr ParamInfo params[] = {label_smoothing_info};
  static constexpr int n_params = 1;
  static constexpr int n_sums = 3;

  template <class T>
  struct Args {
    Smoothing<T> smoothing;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    return {smoothing<T>(settings.params[0], settings)};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V w, const Row<V>& row, const Args& args) {
    const V y = w * fma(t, V(args.smoothing.keep), V(args.smoothing.shift));
    const V d = distance(p, row.max);
    return {{weight_below_max(p, d, row.max), weigh(y, d), y}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>& row, const Args&) {
    return sums.values[1] + weigh(sums.values[2], log_of_sum(sums.values[0], row.ties));
  }
};

// What the focal losses share.
struct CategoricalFocal : Categorical {
  static constexpr ParamInfo params[] = {
      {"alpha", 0.25, 0.0, kInfinity}, {"gamma", 2.0, 0.0, kInfinity}, label_smoothing_info};
  static constexpr int n_params = 3;
  static constexpr int n_sums = 1;
  // Up to this one, whole gammas are powers by multiplication.
  static constexpr double kMaxIntegralGamma = 64;

  // gamma multiplies the relative error of 1 - q, which float has no room for.
  template <class T>
  using Compute = double;

  template <class T>
  struct Args {
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
    return {smoothing<double>(settings.params[2], settings), clip<double>(settings),
            settings.params[0], parameter<double>(gamma), integral ? static_cast<int>(gamma) : -1};
  }

  // w alpha y miss^gamma, for miss = 1 - q as value and rest.
  template <class V, class Args>
  static SIMDLOSS_INLINE V factor(V t, V w, V miss, V miss_rest, const Args& args) {
    const V y = fma(t, V(args.smoothing.keep), V(args.smoothing.shift));
    const V focus = args.integral_gamma >= 0 ? pow_int(miss, miss_rest, args.integral_gamma)
                                             : pow(miss, miss_rest, V(args.gamma));
    return weigh(w * V(args.alpha) * y, focus);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>&, const Args&) {
    return sums.values[0];
  }
};

// Categorical focal crossentropy: sum of alpha w y (1 - q)^gamma (-ln q) over the classes, with y
// and q as in categorical_crossentropy.
// Domain: t, p in [0, 1], sum(p) > 0; alpha, gamma >= 0.
// Max error: u sum of (4 + gamma |ln(1 - q)|) alpha w y (1 - q)^gamma (1 + |ln q|).
// Source: keras.losses.categorical_focal_crossentropy; Lin et al. (2017), arXiv:1708.02002.
struct CategoricalFocalCrossentropy : Probabilities<CategoricalFocal> {
  static constexpr const char* name = "categorical_focal_crossentropy";

  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V w, const Row<V>& row, const Args& args) {
    const V q = clipped(share(p, row), args.clip);
    const V miss = V(1) - q;
    const V scale = factor(t, w, miss, (V(1) - miss) - q, args);
    return {{surprise(scale, q, args.clip)}};
  }
};

// Categorical focal crossentropy of logits: the same with q = softmax(p), never clipped.
// Domain: t in [0, 1], p real or -inf; alpha, gamma >= 0.
// Source: keras.losses.categorical_focal_crossentropy(from_logits=True).
struct CategoricalFocalCrossentropyFromLogits : Logits<CategoricalFocal> {
  static constexpr const char* name = "categorical_focal_crossentropy_from_logits";
  static constexpr int n_first = 1;

  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> first(V, V p, V, const Row<V>& row, const Args&) {
    return {{weight_below_max(p, distance(p, row.max), row.max)}};
  }
  // x + y - sum, exactly (Knuth).
  template <class V>
  static SIMDLOSS_INLINE V error_of_sum(V x, V y, V sum) {
    const V part = sum - x;
    return (x - (sum - part)) + (y - part);
  }
  // a: the sum of e^(p - m) without one of the largest; b: ln(1 + a).
  template <class T, class V, class Args>
  static SIMDLOSS_INLINE void prepare(const Terms<V>& sums, Row<V>& row, const Args&) {
    row.a = sums.values[0] + (row.ties - V(1));
    row.b = log_of_sum(sums.values[0], row.ties);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V w, const Row<V>& row, const Args& args) {
    const V d = distance(p, row.max);
    const V e = exp_nonpositive(-d);
    // The sum over all classes and that over all others, as unevaluated sums, and their ratio.
    const V sum = V(1) + row.a;
    const V sum_rest = error_of_sum(V(1), row.a, sum);
    const V below = sum - e;
    const auto is_max = p == row.max;
    const V others = select(is_max, row.a, below);
    const V others_rest = keep(!is_max, error_of_sum(sum, -e, below) + sum_rest);
    const V miss = others / sum;
    const V product = miss * sum;
    const V missing = (others - product) - product_error(miss, sum, product);
    const V rest = fnma(miss, sum_rest, missing + others_rest) / sum;
    return {{weigh(factor(t, w, miss, rest, args), d + row.b)}};
  }
};

// What the losses of class ids share: the label of a row is its prediction for its class.
struct SparseCategorical : Categorical {
  static constexpr Target target = Target::kClassId;

  template <class T>
  struct Args {
    double keep;   // 1 - label_smoothing
    double shift;  // label_smoothing / C
    Clip<double> clip;
    Clip<T> clip_of_terms;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    const Smoothing<double> s = smoothing<double>(settings.params[0], settings);
    return {s.keep, s.shift, clip<double>(settings), clip<T>(settings)};
  }
};

// Sparse categorical crossentropy: -w ln q at the class of the row, with q and label smoothing as
// in categorical_crossentropy.
// Domain: p in [0, 1], sum(p) > 0. Max error: as categorical_crossentropy.
// Source: keras.losses.sparse_categorical_crossentropy.
struct SparseCategoricalCrossentropy : Probabilities<SparseCategorical> {
  static constexpr const char* name = "sparse_categorical_crossentropy";
  static constexpr ParamInfo params[] = {label_smoothing_info};
  static constexpr int n_params = 1;
  static constexpr int n_sums = 1;

  template <class V, class Args>
  static SIMDLOSS_INLINE int used_sums(const Args& args) {
    return args.shift == 0 ? 0 : 1;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V, V p, V w, const Row<V>& row, const Args& args) {
    const V q = clipped(share(p, row), args.clip_of_terms);
    return {{surprise(w, q, args.clip_of_terms)}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>& row, const Args& args) {
    const V q = clipped(share(row.label, row), args.clip);
    const V own = surprise(row.label_weight * V(args.keep), q, args.clip);
    return args.shift == 0 ? own : fma(V(args.shift), sums.values[0], own);
  }
};

// Sparse categorical crossentropy of logits: the same with q = softmax(p), never clipped, as
// (m - p at the class) + ln(sum of e^(p - m)) for the largest logit m.
// Domain: p real or -inf. Max error: as categorical_crossentropy_from_logits.
// Source: keras.losses.sparse_categorical_crossentropy(from_logits=True).
struct SparseCategoricalCrossentropyFromLogits : Logits<SparseCategorical> {
  static constexpr const char* name = "sparse_categorical_crossentropy_from_logits";
  static constexpr ParamInfo params[] = {label_smoothing_info};
  static constexpr int n_params = 1;
  static constexpr int n_sums = 3;

  template <class V, class Args>
  static SIMDLOSS_INLINE int used_sums(const Args& args) {
    return args.shift == 0 ? 1 : 3;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V, V p, V w, const Row<V>& row, const Args&) {
    const V d = distance(p, row.max);
    return {{weight_below_max(p, d, row.max), weigh(w, d), w}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>& row, const Args& args) {
    const V y = row.label_weight * V(args.keep);
    const V log = log_of_sum(sums.values[0], row.ties);
    const V own = weigh(y, distance(row.label, row.max) + log);
    if (args.shift == 0) return own;
    return fma(V(args.shift), sums.values[1] + weigh(sums.values[2], log), own);
  }
};

// Categorical generalized crossentropy: w (1 - p^q) / q for the probability p of the row's class,
// neither normalised nor clipped.
// Domain: p in [0, 1], q > 0. Max error: 4 u L.
// Source: keras.losses.categorical_generalized_cross_entropy; Zhang and Sabuncu (2018),
// arXiv:1805.07836.
struct CategoricalGeneralizedCrossEntropy : Categorical {
  static constexpr const char* name = "categorical_generalized_cross_entropy";
  static constexpr Target target = Target::kClassId;
  static constexpr ParamInfo params[] = {{"q", 0.5, 0.0, kInfinity, true}};
  static constexpr int n_params = 1;

  template <class T>
  struct Args {
    double q;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    // Nearer to 0, where the loss is -ln p, q would lose digits.
    return {parameter<double>(settings.params[0] < 1e-300 ? 1e-300 : settings.params[0])};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>&, const Row<V>& row, const Args& args) {
    const V q(args.q);
    return weigh(row.label_weight, -expm1(q * log(row.label)) / q);
  }
};

}  // namespace simdloss
