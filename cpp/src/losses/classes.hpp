// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the losses over classes have in common.

#include "losses/loss.hpp"

namespace simdloss {

// Losses over the classes of one axis, C of them.
struct Categorical : RowLoss {
  static constexpr bool has_classes = true;
  static constexpr ParamInfo label_smoothing_info = {"label_smoothing", 0.0, 0.0, 1.0};

  // Of data of type T. What is made once a row, in double, counts as a float where data are floats:
  // relative errors of 2^-32 are nothing then.
  template <class T>
  struct DataArgs {
    static constexpr bool counts_as_float = sizeof(T) == sizeof(float);
  };

  // y = t keep + shift.
  template <class T>
  struct Smoothing {
    bool is_none;
    T keep;
    T shift;
  };
  template <class T>
  static Smoothing<T> smoothing(double label_smoothing, const Settings& settings) {
    const double share = settings.cols > 0 ? label_smoothing / settings.cols : 0.0;
    return {label_smoothing == 0.0, static_cast<T>(1.0 - label_smoothing), static_cast<T>(share)};
  }

  // The smoothed label times the weight of the class.
  template <class V, class Args>
  static SIMDLOSS_INLINE V label(V t, V w, const Args& args) {
    return w * fma(t, V(args.smoothing.keep), V(args.smoothing.shift));
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
  static constexpr bool first_is_prediction = true;

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
    return p * row.a / row.b;  // which leaves 1 and the bounds of a clip exact
  }
  // Whether shares are numbers.
  template <class V>
  static SIMDLOSS_INLINE typename V::Mask has_shares(const Row<V>& row) {
    return abs(row.b) > V(0);
  }

  // With the derivative r of a class's term by its probability, times that, and R their sum, where
  // what is clipped has r = 0: the derivative by p is (r / q + R) / sum(p), q = p / sum(p).
  template <class V, class Clip>
  static SIMDLOSS_INLINE V where_not_clipped(V p, const Row<V>& row, const Clip& clip, V r) {
    using Element = typename V::Element;
    return where_inside(share(p, row), V(static_cast<Element>(clip.low)),
                        V(static_cast<Element>(clip.high)), r);
  }
  // All elements share the error of -sum scale a / b: so what its roundings lose is put right, and
  // what that one rounds off comes last.
  template <class V>
  static SIMDLOSS_INLINE Slopes<V> slopes_of_sum(V sum, const Row<V>& row, V scale) {
    const V slope = scale * row.a;
    const V product = sum * slope;
    const V ratio = product / row.b;
    const V missing = fnma(ratio, row.b, product) + product_error(sum, slope, product);
    const V lost = missing / row.b;
    const V shared = ratio + lost;
    return {{-shared, slope, (shared - ratio) - lost}};
  }
  template <class V>
  static SIMDLOSS_INLINE V gradient_of_class(V p, V r, const Row<V>& row, const Slopes<V>& s) {
    const V own = share_of(r, p * row.a);
    if constexpr (sizeof(typename V::Element) == sizeof(float)) {
      return fma(own, s.values[1], s.values[0]);
    } else {
      return fma(own, s.values[1], s.values[2]) + s.values[0];
    }
  }
};

// What losses of logits add.
//
// [Centered exponentials] Exponentials are e^(z - base) / 2^power, where base and power bring the
// largest close to 2 and z - base is exact for all that count: base is 0, so that z itself is
// reduced by multiples of ln 2, unless logits are so large that neighbours differ by little. The
// rounding of z - max, max being any number, would be that of a large exponent. Close to 2, not to 1:
// what is 0 because it is below the smallest normal number is so beside the largest as well.
template <class Base>
struct Logits : Base {
  static constexpr bool has_max = true;
  static constexpr bool has_ties = true;
  static constexpr bool has_center = true;

  template <class V, class Args>
  static SIMDLOSS_INLINE V scan(V, V p, const Args&) {
    return p;
  }
  template <class T, class V>
  static SIMDLOSS_INLINE void center(Row<V>& row) {
    // Twice the distance at which an exponential of type T is 0.
    constexpr double limit = sizeof(T) == sizeof(float) ? 176.0 : 1492.0;
    const auto large = !(abs(row.max) < V(limit));
    row.base = keep(large, row.max);
    row.power = exponent_of_exp(keep(!large, row.max)) - V(1);
  }
  // e^(z - base) / 2^power; 0 where it is below the smallest normal number; NaN stays. Anything for
  // the largest logit, if that is infinite.
  template <class V>
  static SIMDLOSS_INLINE V centered_exp(V z, const Row<V>& row) {
    return exp_over_power_of_two(z - row.base, row.power);
  }
  // 2^power / e^(max - base).
  template <class Args, class V>
  static SIMDLOSS_INLINE V inverse_of_largest(const Row<V>& row) {
    const V max = keep(row.base == V(0), row.max);
    const V exponent = row.power + V(1);
    if constexpr (Args::counts_as_float) {
      return short_exp_over_power_of_two(-max, -exponent) * V(0.5);
    } else {
      return power_of_two_over_exp(max, exponent) * V(0.5);
    }
  }
  // m - z for the largest logit m: 0 where both are, though they be infinite.
  template <class V>
  static SIMDLOSS_INLINE V distance(V z, V max) {
    return keep(!(z == max), max - z);
  }
  // centered_exp(), but 0 for the largest, which are counted instead: what they are more than would
  // be lost beside their 1.
  template <class V>
  static SIMDLOSS_INLINE V exp_below_max(V z, const Row<V>& row) {
    return keep(!(z == row.max), centered_exp(z, row));
  }
  // The sum of e^(z - m) over all classes but one of the largest, from the sum of exp_below_max().
  template <class Args, class V>
  static SIMDLOSS_INLINE V rest_of_sum(V below, const Row<V>& row) {
    return fma(below, inverse_of_largest<Args>(row), row.ties - V(1));
  }
  // The logarithm of the whole sum, from that rest.
  template <class Args, class V>
  static SIMDLOSS_INLINE V log_of_sum(V rest) {
    if constexpr (Args::counts_as_float) {
      return short_log1p(rest);
    } else {
      return log1p(rest);
    }
  }
};

// The derivatives of crossentropies of logits, y the weight of a class and Y the sum of all, are
// Y q - y = (Y - y) q - y (1 - q) and Y q (1 - q).
template <class Base>
struct CrossentropyOfLogits : Logits<Base> {
  static constexpr bool has_hessian = true;
  static constexpr bool has_kept = true;

  template <class V>
  static SIMDLOSS_INLINE V kept(V z, const Row<V>& row) {
    return Logits<Base>::centered_exp(z, row);
  }
  template <class Args, class V>
  static SIMDLOSS_INLINE Slopes<V> slopes_of_softmax(V below, V sum_of_y, const Row<V>& row,
                                                     V scale) {
    const V rest = Logits<Base>::template rest_of_sum<Args>(below, row);
    const V top = V(1) / (V(1) + rest);
    const V miss = rest * top;
    const V factor = top * Logits<Base>::template inverse_of_largest<Args>(row);
    return {{scale * sum_of_y * factor, scale * top, scale * miss, scale, sum_of_y, factor, miss}};
  }
  template <class V>
  static SIMDLOSS_INLINE V gradient_of_class(V e, V y, V z, const Row<V>& row, const Slopes<V>& s) {
    const V sum = s.values[4];
    const V below = fma(e, s.values[0], -(y * s.values[3]));
    const V top = fnma(y, s.values[2], (sum - y) * s.values[1]);
    return select(z == row.max, top, below);
  }
  // The Hessian is Y (diag(q) - q q^T): what is beside the diagonal adds up to no more than that.
  template <class V>
  static SIMDLOSS_INLINE V upper_bound(V curvature) {
    return curvature + curvature;
  }
  template <class V>
  static SIMDLOSS_INLINE V curvature_of_class(V z, const Row<V>& row, const Slopes<V>& s) {
    const V e = Logits<Base>::centered_exp(z, row);
    const V below = fnma(e * s.values[0], e * s.values[5], e * s.values[0]);
    return select(z == row.max, s.values[1] * s.values[4] * s.values[6], below);
  }
};

}  // namespace simdloss
