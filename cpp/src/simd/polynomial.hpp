// SPDX-License-Identifier: Apache-2.0
#pragma once

// Polynomials with constant coefficients, lowest power first. Coefficients come from
// cpp/tools/minimax.py.

#include "simd/vec.hpp"

namespace simdloss {

// c0 + c2 x2 + c4 x2^2 + ...: every second coefficient.
template <class V>
SIMDLOSS_INLINE V polynomial_even(V, typename V::Element c0) {
  return V(c0);
}
template <class V>
SIMDLOSS_INLINE V polynomial_even(V, typename V::Element c0, typename V::Element) {
  return V(c0);
}
template <class V, class... Rest>
SIMDLOSS_INLINE V polynomial_even(V x2, typename V::Element c0, typename V::Element,
                                  typename V::Element c2, Rest... rest) {
  return fma(polynomial_even(x2, c2, rest...), x2, V(c0));
}

// c0 + c1 x + c2 x^2 + ..., with x2 = x^2. Even and odd powers are two independent chains, which
// halves the latency; as many operations as Horner's scheme.
template <class V, class... Rest>
SIMDLOSS_INLINE V polynomial(V x, V x2, typename V::Element c0, typename V::Element c1,
                             Rest... rest) {
  return fma(polynomial_even(x2, c1, rest...), x, polynomial_even(x2, c0, c1, rest...));
}

// The same, with pairs of neighbours as the coefficients of a polynomial in x2: as many operations,
// one less of them one after the other, but more alive at a time. For short polynomials.
template <class V>
SIMDLOSS_INLINE V polynomial_of_pairs(V, V, typename V::Element c0) {
  return V(c0);
}
template <class V, class... Rest>
SIMDLOSS_INLINE V polynomial_of_pairs(V x, V x2, typename V::Element c0, typename V::Element c1,
                                      Rest... rest) {
  const V pair = fma(V(c1), x, V(c0));
  if constexpr (sizeof...(rest) == 0) {
    return pair;
  } else {
    return fma(polynomial_of_pairs(x, x2, rest...), x2, pair);
  }
}

// As polynomial(), with the last two steps one after the other, which rounds less where the first
// terms are the largest.
template <class V, class... Rest>
SIMDLOSS_INLINE V polynomial_ending_slowly(V x, V x2, typename V::Element c0,
                                           typename V::Element c1, Rest... rest) {
  return fma(fma(polynomial(x, x2, rest...), x, V(c1)), x, V(c0));
}

}  // namespace simdloss
