// SPDX-License-Identifier: Apache-2.0
#pragma once

// The categorical focal losses.

#include "losses/classes.hpp"
#include "simd/add_exactly.hpp"

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
  // What that loses.
  template <class V, class Args>
  static SIMDLOSS_INLINE V weight_rest(V t, V w, const Args& args) {
    const V keep(args.smoothing.keep);
    const V kept = t * keep;
    const V y = fma(t, keep, V(args.smoothing.shift));
    V sum = kept;
    const V lost = add_exactly(sum, V(args.smoothing.shift)) + product_error(t, keep, kept);
    const V weighted = w * y;
    const V rest = fma(w, (sum - y) + lost, product_error(w, y, weighted));
    return fma(V(args.alpha), rest,
               product_error(V(args.alpha), weighted, V(args.alpha) * weighted));
  }

  // Of one class.
  template <class V>
  struct Parts {
    V weight;  // w alpha y
    V loss;    // -ln q
    V q;
    V miss;         // 1 - q
    V focus;        // miss^gamma
    V weight_rest;  // what the weight, q and miss lose, where data are doubles
    V q_rest;
    V miss_rest;
  };
  // The derivative of weight miss^gamma loss by the loss: miss^gamma + gamma miss^(gamma - 1) q loss,
  // times the weight. In double data it would have more roundings than there is room for: so what they
  // lose is added at the end.
  template <class V, class Args>
  static SIMDLOSS_INLINE V slope(const Parts<V>& x, const Args& args) {
    const V moved = V(args.gamma) * x.q * share_of(x.loss, x.miss);
    if constexpr (Args::counts_as_float) return weigh(x.weight, fma(x.focus, moved, x.focus));
    const V product = x.focus * moved;
    V factor = x.focus;
    const V factor_rest = add_exactly(factor, product) + product_error(x.focus, moved, product);
    const V weighted = weigh(x.weight, factor);
    const V rest = fma(x.weight, factor_rest,
                       fma(x.weight_rest, factor, product_error(x.weight, factor, weighted)));
    return weighted + keep(!is_nan(rest), rest);
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

// Categorical focal crossentropy: sum of alpha w y (1 - q)^gamma (-ln q) over the classes, with y
// and q as in categorical_crossentropy.
// Domain: t, p in [0, 1], sum(p) > 0; alpha, gamma >= 0.
// Max error: u sum of alpha w y (1 - q)^gamma (4 + k |ln q|) with
// k = 4 + 4 gamma q / (1 - q) + gamma |ln(1 - q)|.
// Source: keras.losses.categorical_focal_crossentropy; Lin et al. (2017), arXiv:1708.02002.
struct CategoricalFocalCrossentropy : Probabilities<CategoricalFocal> {
  static constexpr const char* name = "categorical_focal_crossentropy";

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
  template <class V, class Args>
  static SIMDLOSS_INLINE auto terms_are_zero(V t, V w, const Row<V>& row, const Args& args) {
    return (weight(t, w, args) == V(0)) & has_shares(row);
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V w, const Row<V>& row, const Args& args) {
    const Parts<V> x = parts(t, p, w, row, args);
    return {{surprise(weigh(x.weight, x.focus), x.q, args.clip),
             where_not_clipped(p, row, args.clip, -slope(x, args))}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Slopes<V> slopes(const Terms<V>& sums, const Row<V>& row, V scale,
                                          const Args&) {
    return slopes_of_sum(sums.values[1], row, scale);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, V w, const Row<V>& row, const Slopes<V>& s,
                                    const Args& args) {
    const V r = where_not_clipped(p, row, args.clip, -slope(parts(t, p, w, row, args), args));
    if constexpr (Args::counts_as_float) return gradient_of_class(p, r, row, s);
    // As gradient_of_class(), with what the division loses.
    const V scaled = p * row.a;
    const V own = share_of(r, scaled);
    const V product = own * scaled;
    const V lost = ((r - product) - product_error(own, scaled, product)) / scaled;
    const V rest = keep(!(r == V(0)), keep(!is_nan(lost), lost));
    return fma(own, s.values[1], fma(rest, s.values[1], s.values[2])) + s.values[0];
  }

 private:
  template <class V, class Args>
  static SIMDLOSS_INLINE Parts<V> parts(V t, V p, V w, const Row<V>& row, const Args& args) {
    const V quotient = share(p, row);
    const V q = clipped(quotient, args.clip);
    const V y = weight(t, w, args);
    const V miss = V(1) - q;
    const V loss = surprise(V(1), q, args.clip);
    const V miss_rest = (V(1) - miss) - q;
    if constexpr (Args::counts_as_float) {
      return {y, loss, q, miss, focus(miss, miss_rest, args), V(0), V(0), V(0)};
    }
    // What the division lost, where q is neither clipped nor 1.
    const V lost = fnma(quotient, row.b, p * row.a) / row.b;
    const V rest = keep(q == quotient, keep(miss > V(0), lost));
    const V focused = focus(miss, miss_rest - rest, args);
    return {y,       loss - share_of(rest, q), q,    miss,
            focused, weight_rest(t, w, args),  rest, miss_rest - rest};
  }
};

template <class T>
struct CheapFocal {
  using Loss = void;
};

// Categorical focal crossentropy of logits: the same with q = softmax(p), never clipped.
// Domain: t in [0, 1], p real or -inf; alpha, gamma >= 0 (in float data at most 2^30, where what
// double rounds off of 1 - q begins to show).
// Source: keras.losses.categorical_focal_crossentropy(from_logits=True).
struct CategoricalFocalCrossentropyFromLogits : Logits<CategoricalFocal> {
  static constexpr const char* name = "categorical_focal_crossentropy_from_logits";
  static constexpr int n_first = 1;

  template <class T>
  using CheapCase = typename CheapFocal<T>::Loss;

  template <class V, class Args>
  static SIMDLOSS_INLINE auto terms_are_zero(V t, V w, const Row<V>&, const Args& args) {
    return weight(t, w, args) == V(0);
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> first(V, V p, V, const Row<V>& row, const Args& args) {
    return {{keep(!(p == row.max), exponential(p, row, args))}};
  }
  // a: the sum of e^(p - m) without one of the largest, and c what it loses; b: ln(1 + a).
  template <class T, class V, class Args>
  static SIMDLOSS_INLINE void prepare(const Terms<V>& sums, Row<V>& row, const Args&) {
    row.a = rest_of_sum<Args>(sums.values[0], row);
    row.b = log_of_sum<Args>(row.a);
    if constexpr (!Args::counts_as_float) {
      const V inverse = inverse_of_largest<Args>(row);
      const V product = sums.values[0] * inverse;
      row.c = (row.ties - V(1) - row.a + product) + product_error(sums.values[0], inverse, product);
    }
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V w, const Row<V>& row, const Args& args) {
    const Parts<V> x = parts(t, p, w, row, args);
    return {{weigh(weigh(x.weight, x.focus), x.loss), slope(x, args)}};
  }

  // With f the derivative of the term of a class by its own loss -ln q, and F the sum of all:
  // (F - f) q - f (1 - q), in double data with rests: F has almost all of the error.
  template <class V, class Args>
  static SIMDLOSS_INLINE Slopes<V> slopes(const Terms<V>& sums, const Row<V>&, V scale,
                                          const Args&) {
    return {{sums.values[1], scale}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, V w, const Row<V>& row, const Slopes<V>& s,
                                    const Args& args) {
    const Parts<V> x = parts(t, p, w, row, args);
    const V f = slope(x, args);
    if constexpr (Args::counts_as_float) {
      return s.values[1] * fnma(f, x.miss, (s.values[0] - f) * x.q);
    }
    V others = s.values[0];
    const V others_rest = add_exactly(others, -f);
    V sum = others * x.q;
    const V sum_rest =
        fma(others_rest, x.q, fma(others, x.q_rest, product_error(others, x.q, sum)));
    const V own = f * x.miss;
    const V own_rest = fma(f, x.miss_rest, product_error(f, x.miss, own));
    const V lost = add_exactly(sum, -own);
    return s.values[1] * (sum + (lost + (sum_rest - own_rest)));
  }

 private:
  // As centered_exp().
  template <class V, class Args>
  static SIMDLOSS_INLINE V exponential(V z, const Row<V>& row, const Args&) {
    if constexpr (Args::counts_as_float) {
      return short_exp_over_power_of_two(z - row.base, row.power);
    } else {
      return centered_exp(z, row);
    }
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Parts<V> parts(V t, V p, V w, const Row<V>& row, const Args& args) {
    // In units of e^m: e^p, the sum over all classes, and that over all others.
    const auto is_max = p == row.max;
    const V exp = exponential(p, row, args);
    const V inverse_of_max = inverse_of_largest<Args>(row);
    const V e = select(is_max, V(1), exp * inverse_of_max);
    V sum(1);
    const V sum_rest = add_exactly(sum, row.a);
    const V y = weight(t, w, args);
    const V loss = distance(p, row.max) + row.b;
    const V inverse = V(1) / sum;  // the same for the whole row
    if constexpr (Args::counts_as_float) {
      const V miss = select(is_max, row.a, sum - e) * inverse;
      return {y, loss, e * inverse, miss, focus(miss, V(0), args), V(0), V(0), V(0)};
    }
    // All of them as unevaluated sums, and so the ratios.
    const V e_rest = keep(!is_max, product_error(exp, inverse_of_max, e));
    const V whole_rest = sum_rest + row.c;
    V below = sum;
    const V below_rest = add_exactly(below, -e) + (whole_rest - e_rest);
    const V others = select(is_max, row.a, below);
    const V others_rest = select(is_max, row.c, below_rest);
    const V q = e / sum;
    const V q_rest = rest_of_ratio(q, e, e_rest, sum, whole_rest) * inverse;
    const V miss = others / sum;
    const V miss_rest = rest_of_ratio(miss, others, others_rest, sum, whole_rest) * inverse;
    const V focused = focus(miss, miss_rest, args);
    return {y, loss, q, miss, focused, weight_rest(t, w, args), q_rest, miss_rest};
  }
  // By which ratio (b + b_rest) is less than a + a_rest.
  template <class V>
  static SIMDLOSS_INLINE V rest_of_ratio(V ratio, V a, V a_rest, V b, V b_rest) {
    const V product = ratio * b;
    return fnma(ratio, b_rest, ((a - product) - product_error(ratio, b, product)) + a_rest);
  }
};

// The same of float data where gamma is 2 and labels are not smoothed, with exponentials in float: a
// relative error of theirs is at most three times as large in a loss, and only where 1 - q and the
// loss are small both, for which there is room.
struct UsualCategoricalFocalFromLogits : Logits<CategoricalFocal> {
  static constexpr int n_first = 1;
  static constexpr bool has_float_exps = true;

  template <class V, class Args>
  static SIMDLOSS_INLINE bool suits(const Args& args) {
    return args.smoothing.is_none && args.integral_gamma == 2;
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V weight(V t, V w, const Args& args) {
    return V(args.alpha) * (w * t);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE auto terms_are_zero(V t, V w, const Row<V>&, const Args& args) {
    return weight(t, w, args) == V(0);
  }

  template <class V>
  static SIMDLOSS_INLINE V exponential(V z, const Row<V>& row) {
    return centered_exp(z, row);
  }
  template <class V>
  static SIMDLOSS_INLINE Terms<V> first(V e, V p, const Row<V>& row) {
    return {{keep(!(p == row.max), e)}};
  }
  // Of the largest logit, a: 1 - q, b: -ln q, d: q. c: q of others is that times e.
  template <class T, class V, class Args>
  static SIMDLOSS_INLINE void prepare(const Terms<V>& sums, Row<V>& row, const Args&) {
    const V rest = rest_of_sum<Args>(sums.values[0], row);
    row.b = log_of_sum<Args>(rest);
    row.d = V(1) / (V(1) + rest);
    row.a = rest * row.d;
    row.c = row.d * inverse_of_largest<Args>(row);
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V e, V t, V p, V w, const Row<V>& row, const Args& args) {
    const Parts<V> x = parts(e, t, p, w, row, args);
    return {{weigh(x.weight, x.miss * x.miss * x.loss), slope(x)}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE Slopes<V> slopes(const Terms<V>& sums, const Row<V>&, V scale,
                                          const Args&) {
    return {{sums.values[1], scale}};
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V e, V t, V p, V w, const Row<V>& row, const Slopes<V>& s,
                                    const Args& args) {
    const Parts<V> x = parts(e, t, p, w, row, args);
    const V f = slope(x);
    return s.values[1] * fnma(f, x.miss, (s.values[0] - f) * x.q);
  }

 private:
  template <class V>
  struct Parts {
    V weight;  // w alpha t
    V loss;    // -ln q
    V q;
    V miss;  // 1 - q
  };
  template <class V, class Args>
  static SIMDLOSS_INLINE Parts<V> parts(V e, V t, V p, V w, const Row<V>& row, const Args& args) {
    const auto is_max = p == row.max;
    return {weight(t, w, args), distance(p, row.max) + row.b, select(is_max, row.d, e * row.c),
            select(is_max, row.a, fnma(e, row.c, V(1)))};
  }
  // The derivative of weight miss^2 loss by the loss: weight (miss^2 + 2 miss q loss).
  template <class V>
  static SIMDLOSS_INLINE V slope(const Parts<V>& x) {
    return weigh(x.weight, x.miss * fma(x.q + x.q, x.loss, x.miss));
  }
};

template <>
struct CheapFocal<float> {
  using Loss = UsualCategoricalFocalFromLogits;
};

}  // namespace simdloss
