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
  static constexpr Word kOne = 0x3f800000;
  static constexpr Word kFour = 0x40800000;
  static constexpr float kTwoToScale = 0x1p24F;
  static constexpr Word kScale = 24U << 23U;  // where an exponent is in a number
};

template <>
struct LogConstants<double> {
  using Word = std::uint64_t;
  static constexpr Word kOne = 0x3ff0000000000000;
  static constexpr Word kFour = 0x4010000000000000;
  static constexpr double kTwoToScale = 0x1p54;
  static constexpr Word kScale = Word(54) << 52U;
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

// x = 2^e base, base = 1 + m, for normal, finite x > 0; NaN stays NaN in `base`; anything elsewhere.
template <class V>
struct LogParts {
  typename V::Bits e;  // where an exponent is in a number
  V base;
};
template <class V>
SIMDLOSS_INLINE LogParts<V> log_parts(V x) {
  const V base = mantissa(x);
  return {to_bits(x) - to_bits(base), base};
}
template <class V>
SIMDLOSS_INLINE V exponent(const LogParts<V>& parts) {
  constexpr int shift = ExpConstants<typename V::Element>::kExponentShift;
  return V::from_int(shift_right_arithmetic<shift>(parts.e));
}

// Those of x / kTwoToScale where `scaled`.
template <class V>
SIMDLOSS_INLINE LogParts<V> scaled_down(const LogParts<V>& parts, typename V::Mask scaled) {
  using Bits = typename V::Bits;
  const V scale = V::from_bits(Bits(LogConstants<typename V::Element>::kScale));
  return {parts.e - to_bits(keep(scaled, scale)), parts.base};
}

// ln x for normal, finite x > 0 as an unevaluated sum, with a max error of 0.48 ULP before it is
// rounded; NaN stays; anything elsewhere.
template <class V>
SIMDLOSS_INLINE LogPair<V> log_regular_pair(V x) {
  const LogParts<V> parts = log_parts(x);
  return log_of_parts(exponent(parts), parts.base - V(1));
}

// c0[i] + c1[i] x + ... + c4[i] x^4, with x2 = x^2. For V in float.
template <class Table, class V>
SIMDLOSS_INLINE V polynomial_by_table(V x, V x2, typename V::Bits i) {
  const V low = fma(V::lookup(Table::c1, i), x, V::lookup(Table::c0, i));
  const V high = fma(V::lookup(Table::c3, i), x, V::lookup(Table::c2, i));
  return fma(fma(V::lookup(Table::c4, i), x2, high), x2, low);
}

// q(m) with log1p(m) = m + m^2 q(m), of other coefficients for each value i of the first three digits
// of 1 + m: from 1 + i / 8 on for i < 4, from 1/2 + i / 16 on for i >= 4 (float).
// minimax.py log_eighths: error 0.007 ULP of log1p(m).
template <class V>
struct LogTable {
  static constexpr int kShift = 20;  // brings these digits to the end of a number
  static constexpr float c0[8] = {-0.4999999F, -0.4999858F,  -0.49987558F, -0.49954548F,
                                  -0.5002075F, -0.50002724F, -0.5000015F,  -0.5F};
  static constexpr float c1[8] = {0.3333234F,  0.3329245F,  0.3312024F,  0.3277073F,
                                  0.32873732F, 0.33247173F, 0.33325157F, 0.33333296F};
  static constexpr float c2[8] = {-0.24963786F, -0.24527901F, -0.2350656F,  -0.22110818F,
                                  -0.28985855F, -0.2606982F,  -0.25175235F, -0.25004306F};
  static constexpr float c3[8] = {0.19415352F, 0.17222102F, 0.14495267F, 0.120036595F,
                                  0.03395572F, 0.13569357F, 0.18181095F, 0.19832258F};
  static constexpr float c4[8] = {-0.122249104F, -0.07923294F, -0.051579863F, -0.034804124F,
                                  -0.47990465F,  -0.34606096F, -0.25584432F,  -0.19346352F};
};

// e ln 2 + log1p(m), for 1 + m = base but for its rounding. For V in float. The float next to ln 2
// is so near that e ln 2 needs no second one; here it is ln 2 times 2^-23.
template <class V>
SIMDLOSS_INLINE V log_by_table(const LogParts<V>& parts, V m) {
  using Table = LogTable<V>;
  const V m2 = m * m;
  const V q = polynomial_by_table<Table>(m, m2, shift_right<Table::kShift>(to_bits(parts.base)));
  return fma(V::from_int(parts.e), V(0x1.62e43p-24F), fma(m2, q, m));
}

// 2^-e for |e| < 127 (1023).
template <class V>
SIMDLOSS_INLINE V inverse_power(const LogParts<V>& parts) {
  using C = LogConstants<typename V::Element>;
  return V::from_bits(typename V::Bits(C::kOne) - parts.e);
}

// ln x for normal, finite x > 0; NaN stays; anything elsewhere. The cheap form of log, with the same
// bits. Max error: 0.98 ULP (Baseline 1.15 float, 1.05 double).
template <class V>
SIMDLOSS_INLINE V log_regular(V x) {
  if constexpr (sizeof(typename V::Element) == sizeof(float)) {
    const LogParts<V> parts = log_parts(x);
    return log_by_table(parts, parts.base - V(1));
  } else {
    return rounded(log_regular_pair(x));
  }
}

// ln x for all x: 0 -> -inf, negative -> NaN, inf -> inf, NaN stays.
// Max error: 0.98 ULP (Baseline 1.15 float, 1.05 double).
template <class V>
SIMDLOSS_INLINE V log(V x) {
  using T = typename V::Element;
  using C = LogConstants<T>;
  const auto subnormal = x < V(Limits<T>::kMin);
  const auto finite = x < V(Limits<T>::kInfinity);
  if constexpr (V::kWidth > 1 && sizeof(T) == sizeof(float)) {
    if (all(finite & !subnormal)) return log_regular(x);
  }
  const LogParts<V> parts =
      scaled_down(log_parts(select(subnormal, x * V(C::kTwoToScale), x)), subnormal);
  V result;
  if constexpr (sizeof(T) == sizeof(float)) {
    result = log_by_table(parts, parts.base - V(1));
  } else {
    result = rounded(log_of_parts(exponent(parts), parts.base - V(1)));
  }
  result = select(finite, result, x);
  return select(x > V(0), result, select(x == V(0), V(-Limits<T>::kInfinity), V(Limits<T>::kNan)));
}

// ln(1 + x) = e ln 2 + log1p(m). e comes from the rounded 1 + x, but m = x 2^-e + (2^-e - 1) from
// x, with at most one rounding: none unless x is so large that the 1 hardly counts. 2^-e is made by
// way of 2^(headroom - e), as it is subnormal for the largest e.
template <class V>
SIMDLOSS_INLINE LogPair<V> log1p_in_range(V x, typename V::Bits two_to_headroom,
                                          V two_to_minus_headroom) {
  const LogParts<V> parts = log_parts(V(1) + x);
  const V scale = V::from_bits(two_to_headroom - parts.e) * two_to_minus_headroom;
  return log_of_parts(exponent(parts), fma(x, scale, scale - V(1)));
}

// ln(1 + x) for -1 < x < 2^126 (2^1022) as an unevaluated sum, with a max error of 0.48 ULP before
// it is rounded; NaN stays; anything elsewhere.
template <class V>
SIMDLOSS_INLINE LogPair<V> log1p_regular_pair(V x) {
  return log1p_in_range(x, typename V::Bits(LogConstants<typename V::Element>::kOne), V(1));
}

// log_regular(x) where `direct`, log1p_regular(-x) elsewhere, for normal x < 1: at the cost of one.
// For V in float.
template <class V>
SIMDLOSS_INLINE V log_regular_or_complement(typename V::Mask direct, V x) {
  const LogParts<V> parts = log_parts(select(direct, x, V(1) - x));
  const V scale = inverse_power(parts);
  const V m = fma(select(direct, x, -x), scale, select(direct, V(0), scale) - V(1));
  return log_by_table(parts, m);
}

// ln(1 + x) for -1 < x < 2^126 (2^1022); NaN stays; anything elsewhere. The cheap form of log1p; in
// double with the same bits. Max error: 1.3 ULP float, 0.98 double (Baseline 1.05).
template <class V>
SIMDLOSS_INLINE V log1p_regular(V x) {
  if constexpr (sizeof(typename V::Element) == sizeof(float)) {
    const LogParts<V> parts = log_parts(V(1) + x);
    const V scale = inverse_power(parts);
    return log_by_table(parts, fma(x, scale, scale - V(1)));
  } else {
    return rounded(log1p_regular_pair(x));
  }
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

// log1p() for x >= 0 and results that count as floats: relative error below 2^-33, half as many
// operations; inf -> inf, NaN stays. For V in double, below 2^1022.
//
// e ln 2 + m + m^2 q(m), minimax.py log1p_short.
template <class V>
SIMDLOSS_INLINE V short_log1p(V x) {
  static_assert(sizeof(typename V::Element) == sizeof(double));
  const LogParts<V> parts = log_parts(V(1) + x);
  const V scale = inverse_power(parts);
  const V m = fma(x, scale, scale - V(1));
  const V m2 = m * m;
  const V q = polynomial(m, m2, -0.49999999809620044, 0.3333333002096819, -0.25000037212019244,
                         0.2000042914819712, -0.16665271555541014, 0.14267496520978953,
                         -0.12499285118606193, 0.11405656488134144, -0.10581475053118061,
                         0.08004728210427657, -0.03125063367560908);
  const V result = fma(exponent(parts), V(0x1.62e42fefa39efp-1), fma(m2, q, m));
  return select(x < V(Limits<double>::kInfinity), result, x);
}

// q(t) with log1p(t) = t + t^2 q(t), of other coefficients next to each t = i / 7 (float).
// minimax.py log1p_sevenths: error 0.02 ULP.
template <class V>
struct Log1pTable {
  static constexpr float c0[8] = {-0.5F,        -0.4999962F,  -0.49991456F, -0.4995811F,
                                  -0.49883297F, -0.49757397F, -0.4957726F,  -0.4940541F};
  static constexpr float c1[8] = {0.33333287F, 0.3331804F, 0.331725F,   0.3280322F,
                                  0.322067F,   0.3142392F, 0.30506682F, 0.29753417F};
  static constexpr float c2[8] = {-0.24995254F, -0.24761115F, -0.23767789F, -0.22221607F,
                                  -0.20430377F, -0.18600576F, -0.1684612F,  -0.15607122F};
  static constexpr float c3[8] = {0.19832969F, 0.18152878F, 0.15072323F,  0.12171019F,
                                  0.09770278F, 0.07864355F, 0.063702926F, 0.05463946F};
  static constexpr float c4[8] = {-0.14170577F,  -0.09297099F,  -0.05633374F,  -0.0357492F,
                                  -0.023631932F, -0.016168341F, -0.011388973F, -0.008901121F};
};

// ln(1 + t) for 0 <= t <= 1; NaN stays. Max error: 1.15 ULP float, 0.9 double (Baseline 1.55, 1.25).
//
// double: t + t v(t - 1/2) (minimax.py log1p_unit: error 0.04 ULP). Around 1/2 the terms of v fall
// like 3^-n, so that little is lost in its sum.
template <class V>
SIMDLOSS_INLINE V log1p_unit(V t) {
  using T = typename V::Element;
  if constexpr (sizeof(T) == 4) {
    const auto i = to_bits(fma(t, V(7), V(ExpConstants<float>::kRound)));  // in the last bits
    const V t2 = t * t;
    return fma(t2, polynomial_by_table<Log1pTable<V>>(t, t2, i), t);
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
