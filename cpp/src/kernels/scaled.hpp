// SPDX-License-Identifier: Apache-2.0
#pragma once

// [Scaled numbers] Sums of exponentials whose exponents differ by thousands, as (hi + lo)
// 2^exponent: hi + lo is an unevaluated sum, its exponent an integer in a double. Terms are aligned
// by exact powers of two, so no maximum must be known and nothing overflows or underflows; what a
// sum rounds off goes to lo, so only the exponentials themselves are rounded. Lanes whose hi is 0
// have the exponent -Limits<double>::kMax, the least there is.

#include "kernels/abi.hpp"
#include "simd/add_exactly.hpp"
#include "simd/exp.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class V>
struct Scaled {
  V hi;
  V lo;
  V exponent;
};

// 2^d for integers -700 <= d <= 700, 0 below: the rest of the sum is then so much larger that the
// loss does not see it. Anything above 700; 0 for NaN.
template <class V>
SIMDLOSS_INLINE V power_of_two(V d) {
  const V shifted = d + V(ExpConstants<double>::kRound + 1023.0);
  return keep(d >= V(-700.0), V::from_bits(shift_left<52>(to_bits(shifted))));
}

// a + b. A NaN in b.exponent is ignored, so b.hi must be NaN then.
template <class V>
SIMDLOSS_INLINE Scaled<V> operator+(const Scaled<V>& a, const Scaled<V>& b) {
  const V exponent = max(a.exponent, b.exponent);
  const V scale_a = power_of_two(a.exponent - exponent);
  const V scale_b = power_of_two(b.exponent - exponent);
  V hi = a.hi * scale_a;
  const V error = add_exactly(hi, b.hi * scale_b);
  return {hi, fma(a.lo, scale_a, b.lo * scale_b) + error, exponent};
}

// The same, where b has no lo.
template <class V>
SIMDLOSS_INLINE Scaled<V> plus_rounded(const Scaled<V>& a, V b_hi, V b_exponent) {
  const V exponent = max(a.exponent, b_exponent);
  const V scale = power_of_two(a.exponent - exponent);
  V hi = a.hi * scale;
  const V error = add_exactly(hi, b_hi * power_of_two(b_exponent - exponent));
  return {hi, fma(a.lo, scale, error), exponent};
}

// e^x = mantissa 2^exponent with 0.7 < mantissa < 1.5 for all finite x: e^-inf has the mantissa 0,
// e^inf the mantissa inf, NaN stays. Max error of the mantissa: 0.92 ULP for |x| < 2^10, and beyond
// it less than x rounded once.
template <class V>
struct ScaledExp {
  V mantissa;
  V exponent;
};
template <class V>
SIMDLOSS_INLINE ScaledExp<V> scaled_exp_of_far(V x) {  // from 2^51 on, x log2 e is an integer
  const auto finite = abs(x) < V(Limits<double>::kInfinity);
  return {select(finite, V(1), max(x, V(0))),
          min(max(x * V(ExpConstants<double>::kLog2E), V(-Limits<double>::kMax)),
              V(Limits<double>::kMax))};
}
template <class V>
SIMDLOSS_INLINE ScaledExp<V> scaled_exp(V x) {
  using C = ExpConstants<double>;
  const ExpReduction<V> reduced = exp_reduce(x);
  const V r = fnma(reduced.k, V(C::kLn2Low), reduced.high);
  const V mantissa = fma(r, fma(r, exp_polynomial(r, r * r), V(1)), V(1));
  const auto regular = abs(x) < V(0x1p50);
  const ScaledExp<V> far = scaled_exp_of_far(x);
  return {select(regular, mantissa, far.mantissa), select(regular, reduced.k, far.exponent)};
}

// a q, where q's mantissa is at least 0.7 or 0.
template <class V>
SIMDLOSS_INLINE Scaled<V> operator*(const Scaled<V>& a, const ScaledExp<V>& q) {
  const V hi = a.hi * q.mantissa;
  const V lo = fma(a.lo, q.mantissa, product_error(a.hi, q.mantissa, hi));
  return {hi, lo, max(a.exponent + q.exponent, V(-Limits<double>::kMax))};
}

// x 2^d for integers d, rounded where that is subnormal; as large as can be from d = 700 on.
template <class V>
SIMDLOSS_INLINE V times_power_of_two(V x, V d) {
  const V first = min(max(d, V(-700.0)), V(700.0));
  const V rest = min(d, V(700.0)) - first;
  return (x * power_of_two(first)) * power_of_two(rest);
}

// e^(x + x_low) = (hi + lo) 2^exponent, otherwise as scaled_exp: so exact that products of thousands
// of them are as good as rounded once. Max error: 2^-63 + |x| 2^-96 of the value, for |x_low| <=
// 2^-53 |x|.
template <class V>
struct ScaledExpPair {
  V hi;
  V lo;
  V exponent;
};

// c + r s for pairs, where |c| > |r s|.
template <class V>
SIMDLOSS_INLINE void horner_step(V r, V r_low, double c, double c_low, V& s, V& s_low) {
  const V product = r * s;
  const V rest = fma(r, s_low, fma(r_low, s, product_error(r, s, product)));
  s = V(c) + product;
  s_low = ((V(c) - s) + product) + (rest + V(c_low));
}

template <class V>
SIMDLOSS_INLINE ScaledExpPair<V> scaled_exp_pair(V x, V x_low) {
  using C = ExpConstants<double>;
  const ExpReduction<V> reduced = exp_reduce(x);
  // x - product is exact; without fused operations reduced.high is not.
  const V product = reduced.k * V(C::kLn2High);
  const V error = product_error(reduced.k, V(C::kLn2High), product);
  V r = x - product;
  const V r_low = add_exactly(r, fnma(reduced.k, V(C::kLn2Low), x_low) - error);
  // The Taylor series, of which what follows r^16 / 16! is below 2^-74; from r^4 / 4! on in double.
  V s = polynomial(r, r * r, 0x1.5555555555555p-5, 0x1.1111111111111p-7, 0x1.6c16c16c16c17p-10,
                   0x1.a01a01a01a01ap-13, 0x1.a01a01a01a01ap-16, 0x1.71de3a556c734p-19,
                   0x1.27e4fb7789f5cp-22, 0x1.ae64567f544e4p-26, 0x1.1eed8eff8d898p-29,
                   0x1.6124613a86d09p-33, 0x1.93974a8c07c9dp-37, 0x1.ae7f3e733b81fp-41,
                   0x1.ae7f3e733b81fp-45);
  V s_low(0.0);
  horner_step(r, r_low, 0x1.5555555555555p-3, 0x1.5555555555555p-57, s, s_low);
  horner_step(r, r_low, 0.5, 0.0, s, s_low);
  horner_step(r, r_low, 1.0, 0.0, s, s_low);
  horner_step(r, r_low, 1.0, 0.0, s, s_low);
  const auto regular = abs(x) < V(0x1p50);
  const ScaledExp<V> far = scaled_exp_of_far(x);
  return {select(regular, s, far.mantissa), keep(regular, s_low),
          select(regular, reduced.k, far.exponent)};
}

template <class V>
SIMDLOSS_INLINE Scaled<V> operator*(const Scaled<V>& a, const ScaledExpPair<V>& q) {
  const V hi = a.hi * q.hi;
  const V lo = fma(a.lo, q.hi, fma(a.hi, q.lo, product_error(a.hi, q.hi, hi)));
  return {hi, lo, max(a.exponent + q.exponent, V(-Limits<double>::kMax))};
}

// 1 / (hi + lo) as such a pair, for positive hi.
template <class V>
struct Inverse {
  V hi;
  V lo;
};
template <class V>
SIMDLOSS_INLINE Inverse<V> inverse(V hi, V lo) {
  const V quotient = V(1) / hi;
  const V product = quotient * hi;
  const V missing = (V(1) - product) - product_error(quotient, hi, product);
  return {quotient, quotient * fnma(quotient, lo, missing)};
}

// Elements of a ScaledArray from i on.
template <class V>
SIMDLOSS_INLINE Scaled<V> load_scaled(const ScaledArray& from, std::int64_t i) {
  return {V::load(from.hi + i), V::load(from.lo + i), V::load(from.exponent + i)};
}
template <class V>
SIMDLOSS_INLINE void store_scaled(const Scaled<V>& x, const ScaledArray& to, std::int64_t i) {
  x.hi.store(to.hi + i);
  x.lo.store(to.lo + i);
  x.exponent.store(to.exponent + i);
}

}  // namespace simdloss
