// SPDX-License-Identifier: Apache-2.0
#pragma once

// [Scaled numbers] Sums of exponentials whose exponents differ by thousands, as (hi + lo)
// 2^exponent: hi + lo is an unevaluated sum, its exponent an integer in a double. Terms are aligned
// by exact powers of two, so no maximum must be known and nothing overflows or underflows; what a
// sum rounds off goes to lo, so only the exponentials themselves are rounded. Lanes whose hi is 0
// have the exponent -Limits<double>::kMax, the least there is.

#include "kernels/abi.hpp"
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

// sum += x; returns what was rounded off, exactly.
template <class V>
SIMDLOSS_INLINE V add_exactly(V& sum, V x) {
  const V old = sum;
  sum = old + x;
  const V part = sum - old;
  return (old - (sum - part)) + (x - part);
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
SIMDLOSS_INLINE ScaledExp<V> scaled_exp(V x) {
  using C = ExpConstants<double>;
  const ExpReduction<V> reduced = exp_reduce(x);
  const V r = fnma(reduced.k, V(C::kLn2Low), reduced.high);
  const V mantissa = fma(r, fma(r, exp_polynomial(r, r * r), V(1)), V(1));
  // From 2^51 on, x log2 e is an integer.
  const auto regular = abs(x) < V(0x1p50);
  const auto finite = abs(x) < V(Limits<double>::kInfinity);
  const V far = min(max(x * V(C::kLog2E), V(-Limits<double>::kMax)), V(Limits<double>::kMax));
  return {select(regular, mantissa, select(finite, V(1), max(x, V(0)))),
          select(regular, reduced.k, far)};
}

// a q, where q's mantissa is at least 0.7 or 0.
template <class V>
SIMDLOSS_INLINE Scaled<V> operator*(const Scaled<V>& a, const ScaledExp<V>& q) {
  const V hi = a.hi * q.mantissa;
  const V lo = fma(a.lo, q.mantissa, product_error(a.hi, q.mantissa, hi));
  return {hi, lo, max(a.exponent + q.exponent, V(-Limits<double>::kMax))};
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
