// SPDX-License-Identifier: Apache-2.0
#pragma once

// Powers, written once for every vector type. Built on [Closed list of operations] only; errors are
// those of [Stated errors] in math.hpp.

#include "simd/exp.hpp"
#include "simd/log.hpp"
#include "simd/vec.hpp"

namespace simdloss {

// (high, low) = (high + low)^2, without the square of low.
template <class V>
SIMDLOSS_INLINE void square_with_rest(V& high, V& low) {
  const V product = high * high;
  low = fma(high + high, low, product_error(high, high, product));
  high = product;
}

// base^n for 0 <= n <= 64, by repeated squaring. pow_int(x, 0) = 1, also for NaN.
// Max error: n - 1 ULP (n - 1 roundings), and none for n < 2.
template <class V>
SIMDLOSS_INLINE V pow_int(V base, int n) {
  V result = (n & 1) != 0 ? base : V(1);
  for (n >>= 1; n > 0; n >>= 1) {
    base = base * base;
    if ((n & 1) != 0) result = result * base;
  }
  return result;
}

// (base_high + base_low)^n for |base_low| <= ulp(base_high), 0 <= n <= 64, by repeated squaring
// with the rests carried along. pow_int(x, 0) = 1, also for NaN.
// Max error: 0.51 ULP, for results from 2^24 (2^53) times the smallest normal number on.
template <class V>
SIMDLOSS_INLINE V pow_int(V base_high, V base_low, int n) {
  if (n == 0) return V(1);
  for (; (n & 1) == 0; n >>= 1) square_with_rest(base_high, base_low);
  V high = base_high;
  V low = base_low;
  for (n >>= 1; n > 0; n >>= 1) {
    square_with_rest(base_high, base_low);
    if ((n & 1) == 0) continue;
    const V product = high * base_high;
    low = fma(high, base_low, fma(low, base_high, product_error(high, base_high, product)));
    high = product;
  }
  // The rest of an infinite product is NaN.
  return select(abs(high) < V(Limits<typename V::Element>::kInfinity), high + low, high);
}

// (base_high + base_low)^y for |base_low| <= ulp(base_high), base_high >= 0, y >= 0.
// x^0 = 1, 0^y = 0 and inf^y = inf for y > 0; NaN for a negative or NaN base. 0 where the result
// is below the smallest normal number. Max error: 0.65 + 0.35 |y ln base| ULP.
//
// e^(y ln base), with ln base as high + low: e ln 2 + m - m^2 / 2 without loss, the rest of the
// series in working precision.
template <class V>
SIMDLOSS_INLINE V pow(V base_high, V base_low, V y) {
  using T = typename V::Element;
  using E = ExpConstants<T>;
  using L = LogConstants<T>;
  // Scaled up so far that 2^(2 - e) below is finite.
  const auto tiny = base_high < V(4 * Limits<T>::kMin);
  const V x = select(tiny, base_high * V(L::kTwoToScale), base_high);
  const V x_low = select(tiny, base_low * V(L::kTwoToScale), base_low);
  const LogParts<V> parts = log_parts(x);
  const V e = exponent(scaled_down(parts, tiny));
  const V m = parts.base - V(1);
  // 2^-e by way of 2^(2 - e), as in log1p.
  const V scale = V::from_bits(typename V::Bits(L::kFour) - parts.e) * V(T(0.25));
  const V m_low = x_low * scale;

  // ln base = log_high + log_low.
  const V m2 = m * m;
  const V half = m2 * V(T(0.5));
  const V with_e = fma(e, V(E::kLn2High), m);
  const V with_square = with_e - half;
  V log_low = fma(e, V(E::kLn2High), -with_e) + m;
  log_low = log_low + ((with_e - with_square) - half);
  log_low = fnma(product_error(m, m, m2), V(T(0.5)), log_low);
  log_low = fma(e, V(E::kLn2Low), log_low);
  // m_low / (1 + m), within 4 % of |log1p(m)| m_low.
  const V slope = m * fma(m, fma(m, V(T(0.65)), V(-1)), V(1));
  log_low = log_low + fnma(slope, m_low, m_low);
  if constexpr (sizeof(T) == 4) {
    log_low = fma(m2 * m, log_polynomial(m, m2), log_low);
  } else {
    const LogQuotient<V> quotient = log_quotient(m, m2);
    log_low = fma(quotient.s, quotient.sum, log_low);
  }
  const V log_high = with_square + log_low;
  log_low = (with_square - log_high) + log_low;

  const V product = y * log_high;
  const V product_low = fma(y, log_low, product_error(y, log_high, product));
  V result = keep(product > V(E::kLowest), exp_in_range(product, product_low));
  result = select(product >= V(E::kHighest), V(Limits<T>::kInfinity), result);
  const auto regular = (base_high > V(0)) & (base_high < V(Limits<T>::kInfinity));
  result = select(regular, result, select(y == V(0), V(1), abs(base_high)));
  return select(base_high >= V(0), result, V(Limits<T>::kNan));
}

}  // namespace simdloss
