// SPDX-License-Identifier: Apache-2.0
#pragma once

// log and log1p, written once for every vector type. Built on [Closed list of operations] only;
// errors are those of [Stated errors] in math.hpp.

#include "simd/exp.hpp"
#include "simd/polynomial.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class T>
struct LogConstants;

template <>
struct LogConstants<float> {
  using Word = std::uint32_t;
  static constexpr Word kThreeQuarters = 0x3f400000;  // bits of 0.75
  static constexpr Word kOne = 0x3f800000;
  static constexpr Word kFour = 0x40800000;
  static constexpr Word kMantissa = 0x007fffff;
  static constexpr float kTwoToScale = 0x1p24F;
  static constexpr float kScale = 24;
};

template <>
struct LogConstants<double> {
  using Word = std::uint64_t;
  static constexpr Word kThreeQuarters = 0x3fe8000000000000;
  static constexpr Word kOne = 0x3ff0000000000000;
  static constexpr Word kFour = 0x4010000000000000;
  static constexpr Word kMantissa = 0x000fffffffffffff;
  static constexpr double kTwoToScale = 0x1p54;
  static constexpr double kScale = 54;
};

// Both functions take ln(2^e (1 + m)) = e ln 2 + log1p(m) with 3/4 <= 1 + m < 3/2. A factor of 2
// costs the same polynomial wherever it starts; this start makes log1p's m = (1 + x) 2^-e - 1
// exact. For e != 0 |m| <= |e ln 2|, so that e ln 2 + m can be summed without loss.

// q(m) with log1p(m) = m - m^2 / 2 + m^3 q(m), -1/4 <= m <= 1/2 (float).
// minimax.py log: error 0.04 ULP of log1p(m).
template <class V>
SIMDLOSS_INLINE V log_polynomial(V m, V m2) {
  return polynomial(m, m2, 0.3333345F, -0.25000104F, 0.1999082F, -0.16646999F, 0.14478321F,
                    -0.13163874F, 0.104688786F, -0.045112055F);
}

// s (m^2 / 2 + z q(z)) = log1p(m) - m + m^2 / 2 with s = m / (2 + m), z = s^2, from log1p(m) =
// 2 s + s z q(z), -1/4 <= m <= 1/2 (double). minimax.py log_quotient: error 0.07 ULP of log1p(m).
template <class V>
struct LogQuotient {
  V s;
  V sum;
};
template <class V>
SIMDLOSS_INLINE LogQuotient<V> log_quotient(V m, V m2) {
  const V s = m / (V(2) + m);
  const V z = s * s;
  const V q = polynomial(z, z * z, 0.6666666666667268, 0.39999999996176544, 0.2857142939287074,
                         0.22222138682325385, 0.18186349247023148, 0.15250315148010202,
                         0.15367273384197783);
  return {s, fma(m2, V(0.5), z * q)};
}

// log1p(m) - m + rest, for m as above.
template <class V>
SIMDLOSS_INLINE V log1p_bend(V m, V rest) {
  const V m2 = m * m;
  if constexpr (sizeof(typename V::Element) == 4) {
    return fma(m2, fma(m, log_polynomial(m, m2), V(-0.5F)), rest);
  } else {
    const LogQuotient<V> quotient = log_quotient(m, m2);
    return fnma(m * V(0.5), m, fma(quotient.s, quotient.sum, rest));
  }
}

// e ln 2 + log1p(m), for an integer e with |e| <= 1100 and m as above. What e ln 2 + m loses is
// carried to the last addition.
template <class V>
struct LogPair {
  V value;  // not rounded to the sum of both
  V rest;   // smaller
};
template <class V>
SIMDLOSS_INLINE LogPair<V> log_of_parts(V e, V m) {
  using C = ExpConstants<typename V::Element>;
  const V sum = fma(e, V(C::kLn2High), m);
  const V lost = fma(e, V(C::kLn2High), -sum) + m;
  return {sum, log1p_bend(m, fma(e, V(C::kLn2Low), lost))};
}
template <class V>
SIMDLOSS_INLINE V rounded(const LogPair<V>& log) {
  return log.value + log.rest;
}

// x = 2^e (1 + m), for normal, finite x > 0; anything elsewhere.
template <class V>
struct LogParts {
  V e;
  V m;
};
template <class V>
SIMDLOSS_INLINE LogParts<V> log_parts(V x) {
  using T = typename V::Element;
  using C = LogConstants<T>;
  using Bits = typename V::Bits;
  const Bits bits = to_bits(x) - Bits(C::kThreeQuarters);
  const Bits e = shift_right_arithmetic<ExpConstants<T>::kExponentShift>(bits);
  const V m = V::from_bits((bits & Bits(C::kMantissa)) + Bits(C::kThreeQuarters)) - V(1);
  return {V::from_int(e), m};
}

// ln x for normal, finite x > 0 as an unevaluated sum, with a max error of 0.48 ULP before it is
// rounded; NaN stays; anything elsewhere.
template <class V>
SIMDLOSS_INLINE LogPair<V> log_regular_pair(V x) {
  const LogParts<V> parts = log_parts(x);
  return log_of_parts(fma(x, V(0), parts.e), parts.m);
}

// The same as a number: the cheap form of log, and the same bits. Max error: 0.98 ULP (Baseline
// 1.05).
template <class V>
SIMDLOSS_INLINE V log_regular(V x) {
  return rounded(log_regular_pair(x));
}

// ln x for all x: 0 -> -inf, negative -> NaN, inf -> inf, NaN stays.
// Max error: 0.98 ULP (Baseline 1.05).
template <class V>
SIMDLOSS_INLINE V log(V x) {
  using T = typename V::Element;
  using C = LogConstants<T>;
  const auto subnormal = x < V(Limits<T>::kMin);
  const auto finite = x < V(Limits<T>::kInfinity);
  if constexpr (V::kWidth > 1 && sizeof(T) == sizeof(float)) {
    if (all(finite & !subnormal)) return log_regular(x);
  }
  const LogParts<V> parts = log_parts(select(subnormal, x * V(C::kTwoToScale), x));
  V result = rounded(log_of_parts(parts.e + keep(subnormal, V(-C::kScale)), parts.m));
  result = select(finite, result, x);
  return select(x > V(0), result, select(x == V(0), V(-Limits<T>::kInfinity), V(Limits<T>::kNan)));
}

// ln(1 + x) = e ln 2 + log1p(m). e comes from the rounded 1 + x, but m = x 2^-e + (2^-e - 1) from
// x, with at most one rounding: none unless x is so large that the 1 hardly counts. 2^-e is made by
// way of 2^(headroom - e), as it is subnormal for the largest e.
template <class V>
SIMDLOSS_INLINE LogPair<V> log1p_in_range(V x, typename V::Bits two_to_headroom,
                                          V two_to_minus_headroom) {
  using T = typename V::Element;
  using C = LogConstants<T>;
  using Bits = typename V::Bits;
  const Bits bits = to_bits(V(1) + x) - Bits(C::kThreeQuarters);
  const Bits e = shift_right_arithmetic<ExpConstants<T>::kExponentShift>(bits);
  const Bits shifted_e = bits - (bits & Bits(C::kMantissa));
  const V scale = V::from_bits(two_to_headroom - shifted_e) * two_to_minus_headroom;
  return log_of_parts(V::from_int(e), fma(x, scale, scale - V(1)));
}

// ln(1 + x) for -1 < x < 2^126 (2^1022) as an unevaluated sum, with a max error of 0.48 ULP before
// it is rounded; NaN stays; anything elsewhere.
template <class V>
SIMDLOSS_INLINE LogPair<V> log1p_regular_pair(V x) {
  return log1p_in_range(x, typename V::Bits(LogConstants<typename V::Element>::kOne), V(1));
}

// The same as a number: the cheap form of log1p, and the same bits. Max error: 0.98 ULP (Baseline
// 1.05).
template <class V>
SIMDLOSS_INLINE V log1p_regular(V x) {
  return rounded(log1p_regular_pair(x));
}

// log_regular(x) where `direct`, log1p_regular(-x) elsewhere, for normal x < 1: at the cost of one.
template <class V>
SIMDLOSS_INLINE V log_regular_or_complement(typename V::Mask direct, V x) {
  using T = typename V::Element;
  using C = LogConstants<T>;
  using Bits = typename V::Bits;
  const Bits bits = to_bits(select(direct, x, V(1) - x)) - Bits(C::kThreeQuarters);
  const Bits e = shift_right_arithmetic<ExpConstants<T>::kExponentShift>(bits);
  const V scale = V::from_bits(Bits(C::kOne) - (bits - (bits & Bits(C::kMantissa))));
  const V m = fma(select(direct, x, -x), scale, select(direct, V(0), scale) - V(1));
  return rounded(log_of_parts(V::from_int(e), m));
}

// ln(1 + x) for x >= 0 as an unevaluated sum, with a max error of 0.48 ULP before it is rounded; the
// rest is 0 if x is infinite; NaN stays.
template <class V>
SIMDLOSS_INLINE LogPair<V> log1p_pair(V x) {
  using T = typename V::Element;
  const LogPair<V> log = log1p_in_range(x, typename V::Bits(LogConstants<T>::kFour), V(T(0.25)));
  const auto finite = x < V(Limits<T>::kInfinity);
  return {select(finite, log.value, x), keep(finite, log.rest)};
}

// ln(1 + x) for all x, with small relative error down to subnormal x; -1 -> -inf, x < -1 -> NaN,
// inf -> inf, NaN stays; log1p(-0) = +0. Max error: 0.98 ULP (Baseline 1.05).
template <class V>
SIMDLOSS_INLINE V log1p(V x) {
  using T = typename V::Element;
  const V result = rounded(log1p_pair(x));
  return select(x > V(-1), result,
                select(x == V(-1), V(-Limits<T>::kInfinity), V(Limits<T>::kNan)));
}

// For t next to i / 4: 1 + t = (1 + r) / scale[i], ln(1 + t) = log[i] + log1p(r). The scales are
// floats near 1 / (1 + i / 4) whose logarithms are floats to 10^-4 ULP.
template <class V>
struct Log1pTable {
  static constexpr float scale[8] = {
      1.0F, 0x1.99a968p-1F, 0x1.5565e2p-1F, 0x1.2498p-1F, 0x1.00040cp-1F, 0, 0, 0};
  static constexpr float log[8] = {
      0.0F, 0x1.c8b076p-3F, 0x1.9f009ap-2F, 0x1.1e7bf6p-1F, 0x1.62dc18p-1F, 0, 0, 0};
};

// ln(1 + t) for 0 <= t <= 1; NaN stays. Max error: 1.25 ULP float, 0.9 double (Baseline 1.4, 1.25).
//
// float: log[i] + r + r^2 q(r), -0.1 <= r <= 0.125 (minimax.py log1p_table: error 0.09 ULP).
// double: t + t v(t - 1/2) (minimax.py log1p_unit: error 0.04 ULP). Around 1/2 the terms of v fall
// like 3^-n, so that little is lost in its sum.
template <class V>
SIMDLOSS_INLINE V log1p_unit(V t) {
  using T = typename V::Element;
  if constexpr (sizeof(T) == 4) {
    const auto i = to_bits(t + V(0x1.8p21F));  // 4 t, rounded, in the low bits
    const V scale = V::lookup(Log1pTable<V>::scale, i);
    const V r = fma(t, scale, scale - V(1));
    const V r2 = r * r;
    const V q = polynomial(r, r2, -0.4999998F, 0.33332518F, -0.25010145F, 0.20223998F, -0.1589961F);
    return V::lookup(Log1pTable<V>::log, i) + fma(r2, q, r);
  } else {
    const V w = t - V(0.5);
    const V v = polynomial_ending_slowly(
        w, w * w, -0.18906978378367123, -0.28852709909932406, 0.13260975375420225,
        -0.06768864331093963, 0.036611854523184974, -0.020548811920435683, 0.011833792109249034,
        -0.006945394940365389, 0.004136179121360353, -0.002491841712900599, 0.0015153829172237735,
        -0.0009288527290479545, 0.0005730640995378558, -0.00035484680840806827,
        0.0002210833675940206, -0.00014201101217981978, 8.969865919990135e-5, -4.499503599039668e-5,
        2.7593040088844728e-5, -3.822986881489922e-5, 2.4984422308272306e-5);
    return fma(t, v, t);
  }
}

}  // namespace simdloss
