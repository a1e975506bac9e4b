// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/loss.hpp"

namespace simdloss {

// Cosine similarity with its sign turned: -sum(t p) / (|t| |p|), in [-1, 1]; 0 if t or p is 0.
// Domain: t, p real. Max error: 4 u.
// Source: keras.losses.cosine_similarity.
struct CosineSimilarity : RowLoss {
  static constexpr const char* name = "cosine_similarity";
  static constexpr Target target = Target::kReal;
  static constexpr AxisKind axis_kind = AxisKind::kAny;
  static constexpr bool is_light = true;
  static constexpr int n_sums = 3;
  static constexpr int n_slope_sums = 3;

  // The square of a float neither overflows nor underflows in double.
  template <class T>
  using Compute = double;

  template <class T>
  struct Args {
    // Double has digits to spare, and no product of squares can overflow or underflow.
    static constexpr bool is_safe = sizeof(T) < sizeof(double);
  };
  template <class T>
  static Args<T> args(const Settings&) {
    return {};
  }

  template <class V, class Args>
  static SIMDLOSS_INLINE Terms<V> terms(V t, V p, V, const Row<V>&, const Args&) {
    return {{t * t, p * p, t * p}};
  }
  // sqrt(x) - root, for root = sqrt(x) as rounded.
  template <class V>
  static SIMDLOSS_INLINE V root_error(V x, V root) {
    const V square = root * root;
    return ((x - square) - product_error(root, root, square)) / (root + root);
  }
  // The cosine of the angle and the product of both norms; not a number for a row to be computed
  // again, by numbers of any magnitude.
  template <class V>
  struct Angle {
    V cosine;
    V norms;
  };
  template <class V, class Args>
  static SIMDLOSS_INLINE Angle<V> angle(const Terms<V>& sums, const Args&) {
    if constexpr (Args::is_safe) {
      const V norms = sqrt(sums.values[0] * sums.values[1]);
      return {defined(sums, limited(sums.values[2] * (V(1) / norms))), norms};
    } else {
      const V norm_t = sqrt(sums.values[0]);
      const V norm_p = sqrt(sums.values[1]);
      const V norms = norm_t * norm_p;
      // What the roots and the product lose.
      const V lost_t = root_error(sums.values[0], norm_t);
      const V lost_p = root_error(sums.values[1], norm_p);
      const V lost = fma(norm_t, lost_p, fma(norm_p, lost_t, product_error(norm_t, norm_p, norms)));
      const V ratio = sums.values[2] / norms;
      const V cosine = defined(sums, limited(fnma(ratio, lost / norms, ratio)));
      const V again(Limits<typename V::Element>::kNan);
      return {select(is_ordinary_square(sums.values[0]),
                     select(is_ordinary_square(sums.values[1]), cosine, again), again),
              norms};
    }
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V finish(const Terms<V>& sums, const Row<V>&, const Args& args) {
    return -angle(sums, args).cosine;
  }

  // c p / |p|^2 - t / (|t| |p|) for the cosine c; 0 if t or p is 0.
  template <class V, class Args>
  static SIMDLOSS_INLINE Slopes<V> slopes(const Terms<V>& sums, const Row<V>&, V scale,
                                          const Args& args) {
    const Angle<V> a = angle(sums, args);
    const V special = a.cosine - a.cosine;
    if constexpr (Args::is_safe) {
      const V inverse = V(1) / a.norms;
      const V of_p = a.cosine * (sums.values[0] * inverse * inverse) * scale;
      // Not numbers, where a float would lose digits.
      return {{ordinary_slope(defined(sums, of_p) + special),
               ordinary_slope(defined(sums, scale * inverse) + special)}};
    } else {
      return {{defined(sums, a.cosine / sums.values[1] * scale) + special,
               defined(sums, scale / a.norms) + special}};
    }
  }
  template <class V, class Args>
  static SIMDLOSS_INLINE V gradient(V t, V p, V, const Row<V>&, const Slopes<V>& s, const Args&) {
    return fnma(t, s.values[1], p * s.values[0]);
  }

 private:
  template <class V>
  static SIMDLOSS_INLINE V limited(V cosine) {
    return max(min(cosine, V(1)), V(-1));
  }
  // x, but 0 if t or p is 0; not a number if the sums are none.
  template <class V>
  static SIMDLOSS_INLINE V defined(const Terms<V>& sums, V x) {
    const V special = sums.values[2] - sums.values[2];
    return keep(sums.values[0] > V(0), keep(sums.values[1] > V(0), x)) + special;
  }
};

// Circle loss: see circle.hpp.
// Source: keras.losses.circle.
struct Circle : SpecialLoss {
  static constexpr const char* name = "circle";
  static constexpr Target target = Target::kPairs;
  static constexpr ParamInfo params[] = {
      {"gamma", 80.0}, {"margin", 0.4}, {"remove_diagonal", 1.0, 0.0, 1.0, false, true}};
  static constexpr int n_params = 3;
};

}  // namespace simdloss
