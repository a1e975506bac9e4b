// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/classes.hpp"

namespace simdloss {

// Categorical crossentropy: -sum of w y ln q over the classes, q = p / sum(p) clipped to
// [epsilon, 1 - epsilon], y = t (1 - label_smoothing) + label_smoothing / C, w the class weights.
// Domain: t, p in [0, 1], sum(p) > 0. Max error: 4 u sum of w y (1 + |ln q|).
// Source: keras.losses.categorical_crossentropy.
struct CategoricalCrossentropy : Probabilities<Categorical> {
  static constexpr const char* name = "categorical_crossentropy";
  static constexpr ParamInfo params[] = {label_smoothing_info};
  static constexpr int n_params = 1;
  static constexpr int n_sums = 1;
  static constexpr int n_slope_sums = 2;

  template <class T>
  struct Args {
    Smoothing<T> smoothing;
    Clip<T> clip;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    return {smoothing<T>(settings.params[0], settings), clip<T>(settings)};
  }

  static constexpr bool has_zero_terms = true;
  template <class V, class Args>
  static SIMDLOSS_INLINE auto terms_are_zero(V t, V w, const Row<V>& row, const Args& args) {
    return (label(t, w, args) == V(0)) & has_shares(row);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V w, const Row<V>& row, const Args& args) {
    const V y = label(t, w, args);
    return {{surprise(y, clipped(share(p, row), args.clip), args.clip),
             where_not_clipped(p, row, args.clip, -y)}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Slopes<V> slopes(const Terms<V>& sums, const Row<V>& row, V scale,
                                          const Args&) {
    return slopes_of_sum(sums.values[1], row, scale);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, V w, const Row<V>& row, const Slopes<V>& s,
                                    const Args& args) {
    const V r = where_not_clipped(p, row, args.clip, -label(t, w, args));
    return gradient_of_class(p, r, row, s);
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
struct CategoricalCrossentropyFromLogits : CrossentropyOfLogits<Categorical> {
  static constexpr const char* name = "categorical_crossentropy_from_logits";
  static constexpr ParamInfo params[] = {label_smoothing_info};
  static constexpr int n_params = 1;
  static constexpr int n_sums = 3;
  static constexpr int n_slope_sums = 3;

  template <class T>
  struct Args : DataArgs<T> {
    Smoothing<T> smoothing;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    return {{}, smoothing<T>(settings.params[0], settings)};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V w, const Row<V>& row, const Args& args) {
    const V y = label(t, w, args);
    return {{exp_below_max(p, row), weigh(y, distance(p, row.max)), y}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>& row, const Args&) {
    return sums.values[1] +
           weigh(sums.values[2], log_of_sum<Args>(rest_of_sum<Args>(sums.values[0], row)));
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Slopes<V> slopes(const Terms<V>& sums, const Row<V>& row, V scale,
                                          const Args&) {
    return slopes_of_softmax<Args>(sums.values[0], sums.values[2], row, scale);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, V w, const Row<V>& row, const Slopes<V>& s,
                                    const Args& args) {
    return gradient_of_kept(kept(p, row), t, p, w, row, s, args);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient_of_kept(V e, V t, V p, V w, const Row<V>& row,
                                            const Slopes<V>& s, const Args& args) {
    return gradient_of_class(e, label(t, w, args), p, row, s);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V, V p, V, const Row<V>& row, const Slopes<V>& s,
                                     const Args&) {
    return curvature_of_class(p, row, s);
  }
};

// What the losses of class ids share: the label of a row is its prediction for its class.
struct SparseCategorical : Categorical {
  static constexpr Target target = Target::kClassId;

  template <class T>
  struct Args : DataArgs<T> {
    double keep;   // 1 - label_smoothing
    double shift;  // label_smoothing / C
    Clip<double> clip;
    Clip<T> clip_of_terms;
  };
  template <class T>
  static Args<T> args(const Settings& settings) {
    const Smoothing<double> s = smoothing<double>(settings.params[0], settings);
    return {{}, s.keep, s.shift, clip<double>(settings), clip<T>(settings)};
  }

  // As label(), in the type of V.
  template <class V, class Args>
  static SIMDLOSS_INLINE V label_of_id(V t, V w, const Args& args) {
    using Element = typename V::Element;
    const V keep(static_cast<Element>(args.keep));
    return w * fma(t, keep, V(static_cast<Element>(args.shift)));
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

  static constexpr int n_slope_sums = 2;

  template <class V, class Args>
  static SIMDLOSS_INLINE int used_sums(const Args& args) {
    return args.shift == 0 ? 0 : 1;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE int used_slope_sums(const Args& args) {
    return args.shift == 0 ? 0 : 2;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V, V p, V w, const Row<V>& row, const Args& args) {
    const V q = clipped(share(p, row), args.clip_of_terms);
    return {
        {surprise(w, q, args.clip_of_terms), where_not_clipped(p, row, args.clip_of_terms, -w)}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>& row, const Args& args) {
    const V q = clipped(share(row.label, row), args.clip);
    const V own = surprise(row.label_weight * V(args.keep), q, args.clip);
    return args.shift == 0 ? own : fma(V(args.shift), sums.values[0], own);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Slopes<V> slopes(const Terms<V>& sums, const Row<V>& row, V scale,
                                          const Args& args) {
    const V own =
        where_not_clipped(row.label, row, args.clip_of_terms, row.label_weight * V(-args.keep));
    const V sum = args.shift == 0 ? own : fma(V(args.shift), sums.values[1], own);
    return slopes_of_sum(sum, row, scale);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, V w, const Row<V>& row, const Slopes<V>& s,
                                    const Args& args) {
    const V r = where_not_clipped(p, row, args.clip_of_terms, -label_of_id(t, w, args));
    return gradient_of_class(p, r, row, s);
  }
};

// Sparse categorical crossentropy of logits: the same with q = softmax(p), never clipped, as
// (m - p at the class) + ln(sum of e^(p - m)) for the largest logit m.
// Domain: p real or -inf. Max error: as categorical_crossentropy_from_logits.
// Source: keras.losses.sparse_categorical_crossentropy(from_logits=True).
struct SparseCategoricalCrossentropyFromLogits : CrossentropyOfLogits<SparseCategorical> {
  static constexpr const char* name = "sparse_categorical_crossentropy_from_logits";
  static constexpr ParamInfo params[] = {label_smoothing_info};
  static constexpr int n_params = 1;
  static constexpr int n_sums = 3;
  static constexpr int n_slope_sums = 3;

  template <class V, class Args>
  static SIMDLOSS_INLINE int used_sums(const Args& args) {
    return args.shift == 0 ? 1 : 3;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE int used_slope_sums(const Args& args) {
    return used_sums<V>(args);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V, V p, V w, const Row<V>& row, const Args&) {
    return {{exp_below_max(p, row), weigh(w, distance(p, row.max)), w}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>& row, const Args& args) {
    const V y = row.label_weight * V(args.keep);
    const V log = log_of_sum<Args>(rest_of_sum<Args>(sums.values[0], row));
    const V own = weigh(y, distance(row.label, row.max) + log);
    if (args.shift == 0) return own;
    return fma(V(args.shift), sums.values[1] + weigh(sums.values[2], log), own);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Slopes<V> slopes(const Terms<V>& sums, const Row<V>& row, V scale,
                                          const Args& args) {
    const V own = row.label_weight * V(args.keep);
    const V sum = args.shift == 0 ? own : fma(V(args.shift), sums.values[2], own);
    return slopes_of_softmax<Args>(sums.values[0], sum, row, scale);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, V w, const Row<V>& row, const Slopes<V>& s,
                                    const Args& args) {
    return gradient_of_kept(kept(p, row), t, p, w, row, s, args);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient_of_kept(V e, V t, V p, V w, const Row<V>& row,
                                            const Slopes<V>& s, const Args& args) {
    return gradient_of_class(e, label_of_id(t, w, args), p, row, s);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V, V p, V, const Row<V>& row, const Slopes<V>& s,
                                     const Args&) {
    return curvature_of_class(p, row, s);
  }
};

// Categorical generalized crossentropy: w (1 - p^q) / q for the probability p of the row's class,
// neither normalised nor clipped.
// Domain: p in [0, 1], q > 0. Max error: 4 u L.
// Source: keras.losses.categorical_generalized_cross_entropy; Zhang, Sabuncu (2018), arXiv:1805.07836.
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

  // -p^(q - 1) at the class.
  static constexpr bool has_hessian = true;
  static constexpr bool has_label_only = true;
  template <class T>
  using GradientCompute = double;
  template <class V, class Args>
  static SIMDLOSS_INLINE Slopes<V> slopes(const Terms<V>&, const Row<V>&, V scale, const Args&) {
    return {{scale}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, V w, const Row<V>&, const Slopes<V>& s,
                                    const Args& args) {
    return -weigh(t, w * s.values[0] * power_below(p, args));
  }
  // (1 - q) p^(q - 2)
  template <class V, class Args>
  static SIMDLOSS_INLINE V curvature(V t, V p, V w, const Row<V>&, const Slopes<V>& s,
                                     const Args& args) {
    return weigh(t, w * s.values[0] * weigh(V(1 - args.q), power_below(p, args) / p));
  }

 private:
  // p^(q - 1)
  template <class V, class Args>
  static SIMDLOSS_INLINE V power_below(V p, const Args& args) {
    if (args.q >= 1) return pow(p, V(0), V(args.q - 1));
    return select(p == V(0), V(kInfinity), pow(p, V(0), V(args.q)) / p);
  }
};

}  // namespace simdloss
