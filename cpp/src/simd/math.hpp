// SPDX-License-Identifier: Apache-2.0
#pragma once

// Elementary functions for the loss formulas, written once for every vector type:
//   exp.hpp   exp, exp_nonpositive, expm1   log.hpp   log, log1p, log1p_unit
//   pow.hpp   pow, pow_int                  here      softplus, sigmoid, log_cosh, tanh
// and short_..., which are exact enough for floats but made in double.
// Branches are for speed only: every lane's result depends on that lane alone.
//
// [Stated errors] "Max error" stands for float and double, all inputs, and every instruction set
// but Baseline, whose error follows in brackets where it is larger. An ULP is the distance of
// numbers of the type at the true value. tests/cpp/math_oracle.hpp holds the same numbers, as
// bounds of test_math.cpp; docs/math-accuracy.md has what all 2^32 floats show.

#include "simd/exp.hpp"
#include "simd/log.hpp"
#include "simd/polynomial.hpp"
#include "simd/pow.hpp"
#include "simd/vec.hpp"

namespace simdloss {

// e^-|x|; 0 where that is below the smallest normal number, and for NaN.
// Max error: 0.62 ULP float, 0.92 double (Baseline 0.85, 1.25).
template <class V>
SIMDLOSS_INLINE V exp_of_minus_abs(V x) {
  return exp_nonpositive_or_zero(copysign(x, V(typename V::Element(-0.0))));
}

// ln(1 + e^-|x|), what softplus(x) and softplus(-x) share:
//   softplus(x) = max(x, 0) + softplus_tail(x), softplus(-x) = max(-x, 0) + softplus_tail(x).
// 0 where e^-|x| is below the smallest normal number, and for NaN (which max(x, 0) keeps).
// Max error: 1.75 ULP (Baseline 2.15 float, 2.0 double). It is near that where ln(1 + e^-|x|)
// is just below a power of 2 and e^-|x| just above, and then 1.75 * 2^-24 (2^-53) of the result.
template <class V>
SIMDLOSS_INLINE V softplus_tail(V x) {
  return log1p_unit(exp_of_minus_abs(x));
}

// ln(1 + e^x) for all x: softplus(inf) = inf, softplus(-inf) = 0, NaN stays; 0 where e^x is below
// the smallest normal number. Max error: 1.85 ULP float, 1.75 double (Baseline 2.25, 2.0).
template <class V>
SIMDLOSS_INLINE V softplus(V x) {
  return max(x, V(0)) + softplus_tail(x);
}

// 1 / (1 + e^-x) for all x; 0 where the true value is below the smallest normal number; NaN stays.
// The complement is sigmoid(-x), with as small a relative error. Max error: 2.5 ULP.
template <class V>
SIMDLOSS_INLINE V sigmoid(V x) {
  const V e = exp_nonpositive(-abs(x));
  return select(x > V(0), V(1), e) / (V(1) + e);
}

// sigmoid(x) and sigmoid(-x) as unevaluated sums of a rounded value and a rest.
template <class V>
struct SigmoidPair {
  V value;
  V value_rest;
  V complement;
  V complement_rest;
};

// For all x, as sigmoid, given e = e^-|x|. The rests leave only the relative error that e comes
// with, at most 1.4 * 2^-24 or 2^-53 (Baseline 1.8), times 1 / (1 + e) for the smaller and e / (1 +
// e) for the larger of the two. Value plus rest, rounded: max error 1.6 ULP (Baseline 1.75).
template <class V>
SIMDLOSS_INLINE SigmoidPair<V> sigmoid_pair(V x, V e) {
  const V sum = V(1) + e;
  const V sum_rest = (V(1) - sum) + e;
  const V larger = V(1) / sum;
  // 1 - larger (sum + sum_rest), which larger_rest makes up for.
  const V product = larger * sum;
  const V missing = (V(1) - product) - product_error(larger, sum, product);
  const V larger_rest = larger * fnma(larger, sum_rest, missing);
  const V smaller = e * larger;
  const V smaller_rest = fma(e, larger_rest, product_error(e, larger, smaller));
  const auto positive = x > V(0);
  return {select(positive, larger, smaller), select(positive, larger_rest, smaller_rest),
          select(positive, smaller, larger), select(positive, smaller_rest, larger_rest)};
}

// ln cosh x for all x, given t = e^(-2 |x|) or 0 (for NaN too): relative accuracy down to x^2 / 2
// near 0, inf for +-inf, NaN stays. Max error: 1.1 ULP (Baseline 1.15).
//
// |x| < 1: x^2 / 2 + x^4 q(x^2) (minimax.py log_cosh: 0.005 ULP float, 0.04 double).
// Otherwise |x| - ln 2 + log1p(t), log1p(t) = t + t^2 q(t)
// (minimax.py log_cosh_tail: 0.007 ULP float, 0.05 double of the result).
template <class V>
SIMDLOSS_INLINE V log_cosh(V x, V t) {
  using T = typename V::Element;
  const V magnitude = abs(x);
  const V z = x * x;
  const V z2 = z * z;
  const V t2 = t * t;
  V near_zero;
  V tail;
  V ln2;
  V ln2_low;
  if constexpr (sizeof(T) == 4) {
    near_zero = polynomial(z, z2, -0.08333331F, 0.022221662F, -0.0067408234F, 0.0021639366F,
                           -0.0006830113F, 0.00017867233F, -2.6292659e-5F);
    tail = polynomial(t, t2, -0.49999237F, 0.33295324F, -0.24325679F, 0.14764042F);
    ln2 = V(0x1.62e43p-1F);
    ln2_low = V(-0x1.05c61p-29F);
  } else {
    near_zero = polynomial(z, z2, -0.08333333333333194, 0.02222222222209373, -0.006746031741871861,
                           0.0021869487853744783, -0.0007386022947400809, 0.0002565763456994052,
                           -9.097121666502764e-5, 3.272219238432595e-5, -1.1827985318219812e-5,
                           4.1928947198341124e-6, -1.377359593923803e-6, 3.781966073121451e-7,
                           -7.347474662574083e-8, 7.252415786884761e-9);
    tail = polynomial(t, t2, -0.49999999999846423, 0.3333333330613323, -0.24999998077765706,
                      0.19999927052790178, -0.16664998371861534, 0.14261511666371166,
                      -0.12273949853902823, 0.09773544494123824, -0.05247755605077269);
    ln2 = V(0x1.62e42fefa39efp-1);
    ln2_low = V(0x1.abc9e3b39803fp-56);
  }
  const V half_rest = product_error(x, x, z) * V(T(0.5));
  const V small = fma(z, V(T(0.5)), fma(z2, near_zero, half_rest));
  const V large = (magnitude - ln2) + (fma(t2, tail, t) - ln2_low);
  return select(magnitude < V(1), small, large);
}

// tanh x for all x, given t = e^(-2 |x|) or 0 (for NaN too): relative accuracy near 0, +-1 for +-inf,
// NaN stays. Max error: 1.6 ULP (Baseline 1.7).
//
// |x| < 5/8: x + x^3 q(x^2) (minimax.py tanh: 0.04 ULP float, 0.05 double); otherwise
// (1 - t) / (1 + t).
template <class V>
SIMDLOSS_INLINE V tanh(V x, V t) {
  using T = typename V::Element;
  const V z = x * x;
  V near_zero;
  if constexpr (sizeof(T) == 4) {
    near_zero =
        polynomial(z, z * z, -0.3333328F, 0.1333141F, -0.053737268F, 0.020631723F, -0.0056973468F);
  } else {
    near_zero = polynomial(z, z * z, -0.33333333333332854, 0.1333333333326195, -0.05396825393121116,
                           0.021869487574957696, -0.008863220989391844, 0.0035919890776810706,
                           -0.0014549584283101115, 0.0005863151839698952, -0.0002285616611234133,
                           7.714164829179172e-5, -1.6071314687465175e-5);
  }
  const V small = fma(x * z, near_zero, x);
  const V large = copysign((V(1) - t) / (V(1) + t), x);
  return select(abs(x) >= V(T(0.625)), large, small);  // NaN is small
}

// -1, 0 or 1; NaN stays.
template <class V>
SIMDLOSS_INLINE V sign(V x) {
  return select(abs(x) > V(0), copysign(V(1), x), x);
}

// The power of two that brings x, not 0, nearest above 1: 1 / 2^floor(log2 |x|), kept so far from
// T's ends that its inverse is normal too. For V in double.
template <class T, class V>
SIMDLOSS_INLINE V inverse_power_of_two(V x) {
  constexpr double limit = sizeof(T) == sizeof(float) ? 0x1p126 : 0x1p1021;
  const V power = V::from_bits(to_bits(x) & typename V::Bits(0x7FF0000000000000U));
  return V(1) / min(max(power, V(1 / limit)), V(limit));
}

// 0, or NaN where x may have overflowed: a row to be computed again, see [Rescue]. Wide numbers do
// not overflow.
template <class V>
SIMDLOSS_INLINE V zero_if_safe(V x) {
  return x - x;
}

// x, or NaN where a float cannot hold it with all its digits. For V in double.
template <class V>
SIMDLOSS_INLINE V ordinary_slope(V x) {
  const V magnitude = abs(x);
  const auto ordinary =
      (magnitude == V(0)) | ((magnitude > V(0x1p-120)) & (magnitude < V(0x1p120)));
  return select(ordinary, x, V(Limits<double>::kNan));
}

// Whether a sum of squares in double has neither overflowed nor lost terms to underflow.
template <class V>
SIMDLOSS_INLINE typename V::Mask is_ordinary_square(V x) {
  return (x > V(0x1p-900)) & (x < V(0x1p1000));
}

}  // namespace simdloss
