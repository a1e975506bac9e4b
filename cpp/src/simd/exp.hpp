// SPDX-License-Identifier: Apache-2.0
#pragma once

// exp and expm1, written once for every vector type. Built on [Closed list of operations] only; errors are
// those of [Stated errors] in math.hpp.

#include "simd/polynomial.hpp"
#include "simd/vec.hpp"

namespace simdloss {

// kLn2High + kLn2Low = ln 2; kLn2High has so few digits that its product with any exponent is
// exact. kRound + x, for |x| < 2^21 (2^50), leaves round(x) in the low bits.
template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
  static constexpr float kLn2High = 0x1.62e4p-1F;
  static constexpr float kLn2Low = 0x1.7f7d1cp-20F;
  static constexpr float kLog2E = 0x1.715476p0F;
  static constexpr float kRound = 0x1.8p23F;
  static constexpr float kLowest = -0x1.5d589ep6F;  // e^x is at least the smallest normal number
  static constexpr float kHighest = 0x1.62e42ep6F;  // e^x is finite
  static constexpr int kExponentShift = 23;
};

template <>
struct ExpConstants<double> {
  static constexpr double kLn2High = 0x1.62e42fefa38p-1;
  static constexpr double kLn2Low = 0x1.ef35793c7673p-45;
  static constexpr double kLog2E = 0x1.71547652b82fep0;
  static constexpr double kRound = 0x1.8p52;
  static constexpr double kLowest = -0x1.6232bdd7abcd2p9;
  static constexpr double kHighest = 0x1.62e42fefa39efp9;
  static constexpr int kExponentShift = 52;
  static constexpr double kShortLn2 = 0x1.62e42fefap-1;  // |k| < 2^17
  static constexpr double kLn2Rest = 0x1.cf79abc9e3b3ap-40;
};

// q(r) with e^r = 1 + r + r^2 q(r) for |r| <= ln 2 / 2.
// minimax.py exp: error 0.03 ULP (float), 0.02 ULP (double) of e^r.
template <class V>
SIMDLOSS_INLINE V exp_polynomial(V r, V r2) {
  if constexpr (sizeof(typename V::Element) == 4) {
    return polynomial_of_pairs(r, r2, 0.49999994F, 0.16666521F, 0.041668274F, 0.008368686F,
                               0.0013820136F);
  } else {
    return polynomial(r, r2, 0.5000000000000011, 0.16666666666666446, 0.04166666666652752,
                      0.00833333333347741, 0.0013888888944177202, 0.00019841269537459024,
                      2.4801492601611024e-5, 2.75575622357471e-6, 2.7630414333701646e-7,
                      2.5006976759027715e-8);
  }
}

// x = k ln 2 + r, with round(x log2 e) = k also in the low bits of `shifted`. high = x - k kLn2High
// is exact.
template <class V>
struct ExpReduction {
  V shifted;
  V k;
  V high;
};
template <class V>
SIMDLOSS_INLINE ExpReduction<V> exp_reduce(V x) {
  using C = ExpConstants<typename V::Element>;
  const V shifted = fma(x, V(C::kLog2E), V(C::kRound));
  const V k = shifted - V(C::kRound);
  return {shifted, k, fnma(k, V(C::kLn2High), x)};
}

// 2^k times the mantissa, by integer addition to the exponent bits.
template <class V>
SIMDLOSS_INLINE V exp_scale(V mantissa, V shifted) {
  constexpr int shift = ExpConstants<typename V::Element>::kExponentShift;
  return V::from_bits(to_bits(mantissa) + shift_left<shift>(to_bits(shifted)));
}

// powers[i] has the bits of 2^(i / 8) less i << kShift: with i = k mod 8, adding k << kShift gives
// those of 2^(k / 8). rests[i] is what the rounding of that lost, as a part of it.
template <class V>
struct ExpTable {
  static constexpr float kEighthsOfLog2E = 0x1.715476p3F;
  static constexpr float kLn2EighthHigh = 0x1.62ep-4F;  // its product with any |k| < 2^12 is exact
  static constexpr float kLn2EighthLow = 0x1.0bfbe8p-18F;
  static constexpr int kShift = ExpConstants<float>::kExponentShift - 3;
  static constexpr float powers[8] = {1.0F,           0x1.f72b84p-1F, 0x1.f06fep-1F,
                                      0x1.ebfdaep-1F, 0x1.ea09e6p-1F, 0x1.eace54p-1F,
                                      0x1.ee89fap-1F, 0x1.f5818ep-1F};
  static constexpr float rests[8] = {0.0F,           -1.19921575e-8F, 3.193418e-8F,
                                     -3.099072e-8F,  1.7114271e-8F,   5.233334e-9F,
                                     -1.4719605e-8F, -6.1282597e-9F};
};

// e^x / 2^power for anchor = kRound - 8 power. NaN stays; anything far below the smallest normal
// number, or from infinity on. For V in float.
//
// With k = round(8 x log2 e), 2^(k / 8 - power) (1 + r + r^2 q(r)) (minimax.py exp_eighth: error
// 0.002 ULP). `shifted` is k + anchor.
template <class V>
struct TableExp {
  V value;
  V shifted;
};
template <class V>
SIMDLOSS_INLINE TableExp<V> exp_by_table(V x, V anchor) {
  using Table = ExpTable<V>;
  const V shifted = fma(x, V(Table::kEighthsOfLog2E), anchor);
  const V k = shifted - anchor;
  const V r = fnma(k, V(Table::kLn2EighthLow), fnma(k, V(Table::kLn2EighthHigh), x));
  const V r2 = r * r;
  const V q = polynomial_of_pairs(r, r2, 0.5F, 0.16668023F, 0.041667193F);
  const auto bits = to_bits(shifted);
  const V power =
      V::from_bits(to_bits(V::lookup(Table::powers, bits)) + shift_left<Table::kShift>(bits));
  const V rest = V::lookup(Table::rests, bits);
  return {fma(power, fma(r2, q, r + rest), power), shifted};
}

// e^x for kLowest <= x <= kHighest; anything elsewhere. In double 2^k (1 + r (1 + r q(r))).
template <class V>
SIMDLOSS_INLINE V exp_in_range(V x) {
  using C = ExpConstants<typename V::Element>;
  if constexpr (sizeof(typename V::Element) == sizeof(float)) {
    return exp_by_table(x, V(C::kRound)).value;
  } else {
    const ExpReduction<V> reduced = exp_reduce(x);
    const V r = fnma(reduced.k, V(C::kLn2Low), reduced.high);
    const V q = exp_polynomial(r, r * r);
    return exp_scale(fma(r, fma(r, q, V(1)), V(1)), reduced.shifted);
  }
}

// 2^k (1 + high + low + r^2 q(r)) for r = high + low, with what 1 + high loses carried to the last
// addition.
template <class V>
SIMDLOSS_INLINE V exp_of_parts(V high, V low, V shifted) {
  const V r = high + low;
  const V r2 = r * r;
  const V sum = V(1) + high;
  const V lost = ((V(1) - sum) + high) + low;
  return exp_scale(sum + fma(r2, exp_polynomial(r, r2), lost), shifted);
}

// e^(x + x_low) for x in the same range and |x_low| <= 2^-10; anything elsewhere.
template <class V>
SIMDLOSS_INLINE V exp_in_range(V x, V x_low) {
  using C = ExpConstants<typename V::Element>;
  const ExpReduction<V> reduced = exp_reduce(x);
  return exp_of_parts(reduced.high, fnma(reduced.k, V(C::kLn2Low), x_low), reduced.shifted);
}

// e^x for x <= 0; 0 where e^x is below the smallest normal number, and where x is NaN.
// Max error: 0.62 ULP float, 0.92 double (Baseline 0.85, 1.25).
template <class V>
SIMDLOSS_INLINE V exp_nonpositive_or_zero(V x) {
  using C = ExpConstants<typename V::Element>;
  return keep(x >= V(C::kLowest), exp_in_range(x));
}

// The same, but NaN stays; e^-inf = 0. Max error: as above.
template <class V>
SIMDLOSS_INLINE V exp_nonpositive(V x) {
  using C = ExpConstants<typename V::Element>;
  return select(x >= V(C::kLowest), exp_in_range(x), max(x, V(0)));
}

// round(x log2 e), for |x| < 2^21.
template <class V>
SIMDLOSS_INLINE V exponent_of_exp(V x) {
  using C = ExpConstants<typename V::Element>;
  return fma(x, V(C::kLog2E), V(C::kRound)) - V(C::kRound);
}

// e^x / 2^power for an integer power and x <= 2^8 (2^11 in double), where the result is below 4;
// NaN stays. 0 where that is below the smallest normal number (in float 4 % below), and for -inf.
// Max error: 0.62 ULP float, 0.72 double (Baseline 1.1, 0.75).
template <class V>
SIMDLOSS_INLINE V exp_over_power_of_two(V x, V power) {
  using T = typename V::Element;
  using C = ExpConstants<T>;
  constexpr T least = std::numeric_limits<T>::min_exponent - 1;
  if constexpr (sizeof(T) == sizeof(float)) {
    const TableExp<V> e = exp_by_table(x, fnma(V(8), power, V(C::kRound)));
    return keep(!(e.shifted < V(C::kRound + 8 * least)), e.value);
  } else {
    const V anchor = V(C::kRound) - power;
    const V shifted = fma(x, V(C::kLog2E), anchor);
    const V k = shifted - anchor;
    const V result =
        exp_of_parts(fnma(k, V(C::kShortLn2), x), fnma(k, V(C::kLn2Rest), V(0)), shifted);
    const auto normal = (shifted >= V(C::kRound + least)) & (result >= V(Limits<T>::kMin));
    return select(normal, result, keep(is_nan(x), x));
  }
}

// exp_over_power_of_two() for results that count as floats: relative error below 2^-32, half as many
// operations. Anything for x = inf. For V in double.
//
// 2^k (1 + r + r^2 q(r)), minimax.py exp_short. The product with 2^k keeps NaN whatever its bits.
template <class V>
SIMDLOSS_INLINE V short_exp_over_power_of_two(V x, V power) {
  static_assert(sizeof(typename V::Element) == sizeof(double));
  using C = ExpConstants<double>;
  constexpr int bias = std::numeric_limits<double>::max_exponent - 1;
  const V anchor = V(C::kRound + bias) - power;
  const V shifted = fma(x, V(C::kLog2E), anchor);
  const V r = fnma(shifted - anchor, V(C::kLn2High), x);
  const V r2 = r * r;
  const V q = polynomial(r, r2, 0.500000006803843, 0.1666666586460085, 0.04166629363314935,
                         0.00833349767392932, 0.0013944758596821435, 0.00019790243300867334);
  const V scale = V::from_bits(shift_left<C::kExponentShift>(to_bits(shifted)));
  const V result = fma(r2, q, V(1) + r) * scale;
  return keep(!(shifted <= V(C::kRound)), result);
}

// 2^power / e^x for power = exponent_of_exp(x). For V in double. Max error: 0.72 ULP (Baseline 0.75).
template <class V>
SIMDLOSS_INLINE V power_of_two_over_exp(V x, V power) {
  using C = ExpConstants<double>;
  const V high = fnma(power, V(C::kShortLn2), x);
  return exp_in_range(-high, power * V(C::kLn2Rest));
}

// e^x for all x; 0 where e^x is below the smallest normal number, e^-inf = 0, e^inf = inf, NaN
// stays.
// Max error: 0.72 ULP (Baseline 0.75).
template <class V>
SIMDLOSS_INLINE V exp(V x) {
  using T = typename V::Element;
  using C = ExpConstants<T>;
  const V in_range = exp_in_range(x, V(0));
  const V result = select(x >= V(C::kLowest), in_range, max(x, V(0)));
  return select(x > V(C::kHighest), V(Limits<T>::kInfinity), result);
}

// e^x - 1 for all x: small relative error down to subnormal x; -1 for -inf, inf for inf, NaN stays.
// Max error: 1.3 ULP.
//
// 2^k (r + r^2 q(r)) + (2^k - 1), where 2^k is not so far from 1 that it would hide the rest.
template <class V>
SIMDLOSS_INLINE V expm1(V x) {
  using C = ExpConstants<typename V::Element>;
  const ExpReduction<V> reduced = exp_reduce(x);
  const V low = fnma(reduced.k, V(C::kLn2Low), V(0));
  const V r = reduced.high + low;
  const V r2 = r * r;
  const V tail = fma(r2, exp_polynomial(r, r2), low);
  const V scale = exp_scale(V(1), reduced.shifted);
  const V near_zero = fma(scale, tail, fma(scale, reduced.high, scale - V(1)));
  return select(abs(x) < V(40), near_zero, exp(x) - V(1));
}

}  // namespace simdloss
