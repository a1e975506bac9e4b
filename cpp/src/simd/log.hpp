// SPDX-License-Identifier: Apache-2.0
#pragma once

// log and log1p, written once for every vector type. Built on [Closed list of operations] only.

#include <limits>

#include "simd/exp.hpp"
#include "simd/polynomial.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class T>
struct LogConstants;

template <>
struct LogConstants<float> {
  using Word = std::uint32_t;
  static constexpr Word kSqrtHalf = 0x3f3504f3;  // bits of sqrt(1/2)
  static constexpr Word kOne = 0x3f800000;
  static constexpr Word kFour = 0x40800000;
  static constexpr Word kMantissa = 0x007fffff;
  static constexpr float kTwoToScale = 0x1p24F;
  static constexpr float kScale = 24;
};

template <>
struct LogConstants<double> {
  using Word = std::uint64_t;
  static constexpr Word kSqrtHalf = 0x3fe6a09e667f3bcd;
  static constexpr Word kOne = 0x3ff0000000000000;
  static constexpr Word kFour = 0x4010000000000000;
  static constexpr Word kMantissa = 0x000fffffffffffff;
  static constexpr double kTwoToScale = 0x1p54;
  static constexpr double kScale = 54;
};

// log1p(m) - m + m^2 / 2 for sqrt(1/2) - 1 <= m <= sqrt(2) - 1, m2 = m^2.
//
// float: m^3 q(m) (minimax.py log: error 0.05 ULP of log1p(m)).
// double: with s = m / (2 + m), z = s^2: s (m^2 / 2 + z q(z)), from log1p(m) = 2 s + s z q(z)
// (minimax.py log_quotient: 0.006 ULP).
template <class V>
SIMDLOSS_INLINE V log1p_tail(V m, V m2) {
  if constexpr (sizeof(typename V::Element) == 4) {
    return m2 * m *
           polynomial(m, m2, 0.3333333F, -0.25000823F, 0.20001261F, -0.16623336F, 0.14200957F,
                      -0.13159475F, 0.12766297F, -0.076417886F);
  } else {
    const V s = m / (V(2) + m);
    const V z = s * s;
    const V q = polynomial(z, z * z, 0.6666666666666734, 0.39999999999416935, 0.28571428741935734,
                           0.22222198615662714, 0.18183562284204466, 0.15314099157882824,
                           0.14795495493944286);
    return s * fma(m2, V(0.5), z * q);
  }
}

// e ln 2 + log1p(m), for an integer e with |e| <= 1100 and m as above. What e ln 2 + m loses is
// carried to the last addition.
template <class V>
SIMDLOSS_INLINE V log_of_parts(V e, V m) {
  using T = typename V::Element;
  using C = ExpConstants<T>;
  const V sum = fma(e, V(C::kLn2High), m);
  const V lost = fma(e, V(C::kLn2High), -sum) + m;
  const V bend = fnma(m * V(T(0.5)), m, log1p_tail(m, m * m));
  return sum + (lost + fma(e, V(C::kLn2Low), bend));
}

// ln x for normal, finite x > 0; anything elsewhere.
// x = 2^e (1 + m) with 1 + m in [sqrt(1/2), sqrt(2)).
template <class V>
SIMDLOSS_INLINE V log_in_range(V x, V e_offset) {
  using C = LogConstants<typename V::Element>;
  using Bits = typename V::Bits;
  const Bits bits = to_bits(x) - Bits(C::kSqrtHalf);
  const Bits e = shift_right_arithmetic<ExpConstants<typename V::Element>::kExponentShift>(bits);
  const V m = V::from_bits((bits & Bits(C::kMantissa)) + Bits(C::kSqrtHalf)) - V(1);
  return log_of_parts(V::from_int(e) + e_offset, m);
}

// ln x for all x: 0 -> -inf, negative -> NaN, inf -> inf, NaN stays.
template <class V>
SIMDLOSS_INLINE V log(V x) {
  using T = typename V::Element;
  using C = LogConstants<T>;
  using Limits = std::numeric_limits<T>;
  const auto subnormal = x < V(Limits::min());
  const V normal = select(subnormal, x * V(C::kTwoToScale), x);
  V result = log_in_range(normal, keep(subnormal, V(-C::kScale)));
  result = select(x < V(Limits::infinity()), result, x);
  return select(x > V(0), result,
                select(x == V(0), V(-Limits::infinity()), V(Limits::quiet_NaN())));
}

// ln(1 + x) for all x: relative accuracy down to subnormal x, -1 -> -inf, x < -1 -> NaN,
// inf -> inf, NaN stays. log1p(-0) = +0.
//
// e comes from the rounded 1 + x, but m = x 2^-e + (2^-e - 1) from x, with one rounding.
template <class V>
SIMDLOSS_INLINE V log1p(V x) {
  using T = typename V::Element;
  using C = LogConstants<T>;
  using Bits = typename V::Bits;
  using Limits = std::numeric_limits<T>;
  const Bits bits = to_bits(V(1) + x) - Bits(C::kSqrtHalf);
  const Bits e = shift_right_arithmetic<ExpConstants<T>::kExponentShift>(bits);
  // 2^-e by way of 2^(2 - e): e may be 128 (1024), and 2^-128 is subnormal.
  const Bits exponent = bits - (bits & Bits(C::kMantissa));
  const V scale = V::from_bits(Bits(C::kFour) - exponent) * V(T(0.25));
  const V m = fma(x, scale, scale - V(1));
  V result = log_of_parts(V::from_int(e), m);
  result = select(x < V(Limits::infinity()), result, x);
  return select(x > V(-1), result,
                select(x == V(-1), V(-Limits::infinity()), V(Limits::quiet_NaN())));
}

// ln(1 + t) for 0 <= t <= 1; NaN stays.
//
// float: t + t^2 q(t) (minimax.py log1p_unit: 0.04 ULP). double: as log1p_tail, for
// 0 <= m <= 1 (minimax.py log1p_unit_quotient: 0.006 ULP).
template <class V>
SIMDLOSS_INLINE V log1p_unit(V t) {
  if constexpr (sizeof(typename V::Element) == 4) {
    const V t2 = t * t;
    const V q = polynomial(t, t2, -0.4999993F, 0.33330464F, -0.24958019F, 0.19692102F, -0.15344882F,
                           0.10661137F, -0.05745743F, 0.020086432F, -0.0032905359F);
    return fma(t2, q, t);
  } else {
    const V s = t / (V(2) + t);
    const V z = s * s;
    const V q =
        polynomial(z, z * z, 0.6666666666666631, 0.40000000000155905, 0.2857142854801175,
                   0.22222223960618653, 0.181817442216256, 0.15386554107618675, 0.13301043544248745,
                   0.12105581331987345, 0.083421053515085, 0.17015219096810705);
    const V half = t * V(0.5);
    return t + fnma(half, t, s * fma(z, q, half * t));
  }
}

}  // namespace simdloss
