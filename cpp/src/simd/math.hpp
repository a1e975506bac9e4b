// SPDX-License-Identifier: Apache-2.0
#pragma once

// Elementary functions for the loss formulas, written once for every vector type:
//   exp.hpp   exp, exp_nonpositive          log.hpp   log, log1p, log1p_unit
//   pow.hpp   pow, pow_int                  here      softplus, sigmoid, log_cosh
// No branch depends on a lane, so every lane's result depends on that lane alone.

#include "simd/exp.hpp"
#include "simd/log.hpp"
#include "simd/polynomial.hpp"
#include "simd/pow.hpp"
#include "simd/vec.hpp"

namespace simdloss {

// ln(1 + e^-|x|), what softplus(x) and softplus(-x) share:
//   softplus(x) = max(x, 0) + softplus_tail(x), softplus(-x) = max(-x, 0) + softplus_tail(x).
// 0 where e^-|x| is below the smallest normal number, and for NaN (which max(x, 0) keeps).
template <class V>
SIMDLOSS_INLINE V softplus_tail(V x) {
  return log1p_unit(exp_nonpositive_or_zero(-abs(x)));
}

// ln(1 + e^x) for all x: softplus(inf) = inf, softplus(-inf) = 0, NaN stays.
template <class V>
SIMDLOSS_INLINE V softplus(V x) {
  return max(x, V(0)) + softplus_tail(x);
}

// sigmoid(x) = 1 / (1 + e^-x) and its complement sigmoid(-x), each with small relative error.
template <class V>
struct SigmoidPair {
  V value;
  V complement;
};

// For all x; 0 where the true value is below the smallest normal number; NaN stays.
template <class V>
SIMDLOSS_INLINE SigmoidPair<V> sigmoid_pair(V x) {
  const V e = exp_nonpositive(-abs(x));
  const V sum = V(1) + e;
  const V larger = V(1) / sum;
  const V smaller = e / sum;
  const auto positive = x > V(0);
  return {select(positive, larger, smaller), select(positive, smaller, larger)};
}

// 1 / (1 + e^-x) for all x; 0 where the true value is below the smallest normal number; NaN stays.
template <class V>
SIMDLOSS_INLINE V sigmoid(V x) {
  const V e = exp_nonpositive(-abs(x));
  return select(x > V(0), V(1), e) / (V(1) + e);
}

// ln cosh x for all x: relative accuracy down to x^2 / 2 near 0, inf for +-inf, NaN stays.
//
// |x| < 1: x^2 / 2 + x^4 q(x^2) (minimax.py log_cosh: 0.005 ULP float, 0.04 double).
// Otherwise |x| - ln 2 + log1p(t), t = e^(-2 |x|), log1p(t) = t + t^2 q(t)
// (minimax.py log_cosh_tail: 0.007 ULP float, 0.05 double of the result).
template <class V>
SIMDLOSS_INLINE V log_cosh(V x) {
  using T = typename V::Element;
  const V magnitude = abs(x);
  const V z = x * x;
  const V z2 = z * z;
  const V t = exp_nonpositive_or_zero(magnitude * V(-2));
  const V t2 = t * t;
  V near_zero;
  V tail;
  V ln2;
  V ln2_low;
  if constexpr (sizeof(T) == 4) {
    near_zero = polynomial(z, z2, -0.08333331F, 0.022221662F, -0.0067408234F, 0.0021639368F,
                           -0.0006830122F, 0.0001786734F, -2.6293095e-5F);
    tail = polynomial(t, t2, -0.49999237F, 0.3329532F, -0.24325621F, 0.14763768F);
    ln2 = V(0x1.62e43p-1F);
    ln2_low = V(-0x1.05c61p-29F);
  } else {
    near_zero = polynomial(z, z2, -0.08333333333333194, 0.02222222222209372, -0.0067460317418716,
                           0.00218694878537046, -0.0007386022947057023, 0.00025657634551447055,
                           -9.09712159988064e-5, 3.272219072265427e-5, -1.182798240824563e-5,
                           4.192891149991339e-6, -1.3773565890859183e-6, 3.781949539946943e-7,
                           -7.347421105576094e-8, 7.252338335950179e-9);
    tail = polynomial(t, t2, -0.4999999999984643, 0.3333333330613398, -0.2499999807780452,
                      0.19999927053824856, -0.16664998387644167, 0.14261511808633118,
                      -0.12273950594906714, 0.09773546517745664, -0.05247757770411121);
    ln2 = V(0x1.62e42fefa39efp-1);
    ln2_low = V(0x1.abc9e3b39803fp-56);
  }
  const V small = fma(z2, near_zero, z * V(T(0.5)));
  const V large = (magnitude - ln2) + (fma(t2, tail, t) - ln2_low);
  return select(magnitude < V(1), small, large);
}

}  // namespace simdloss
