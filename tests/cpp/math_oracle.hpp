// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the functions of math_ops.hpp should return: the C library's functions in a wider type,
// double for float and long double for double. Beside each stands the error that simd/*.hpp states.

#include <cfloat>
#include <cmath>
#include <limits>

namespace simdloss::test {

template <class T>
struct WiderType;
template <>
struct WiderType<float> {
  using type = double;
};
template <>
struct WiderType<double> {
  using type = long double;
};
template <class T>
using Wider = typename WiderType<T>::type;

// Whether Wider<T> has digits to spare. long double is 64 bits wide in x86 and 113 in aarch64
// Linux; where it is plain double, errors in double cannot be measured this way.
template <class T>
inline constexpr bool kHasWider =
    std::numeric_limits<Wider<T>>::digits >= std::numeric_limits<T>::digits + 11;

template <class T>
struct Oracle {
  using W = Wider<T>;
  using Limits = std::numeric_limits<T>;

  // 0 below the smallest normal number of T.
  static W flush(W x) { return x < W(Limits::min()) ? W(0) : x; }
  static W exp(W x) { return flush(std::exp(x)); }
  static W expm1(W x) { return std::expm1(x); }
  static W log(W x) { return std::log(x); }
  static W log1p(W x) { return std::log1p(x); }
  static W softplus_tail(W x) { return std::isnan(x) ? W(0) : std::log1p(exp(-std::fabs(x))); }
  static W softplus(W x) { return (x < 0 ? W(0) : x) + softplus_tail(x); }
  static W sigmoid(W x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
  static W log_cosh(W x) {
    const W a = std::fabs(x);
    if (a < 1) {
      const W s = std::sinh(a);
      return std::log1p(s * s) / 2;
    }
    return a + (std::log1p(std::exp(-2 * a)) - W(0.6931471805599453094172321214581765680755L));
  }

  static bool anything(W) { return true; }
  static bool nonpositive(W x) { return !(x > 0); }
  static bool unit(W x) { return std::isnan(x) || (x >= 0 && x <= 1); }
  static bool log_regular(W x) {
    return std::isnan(x) || (x >= W(Limits::min()) && x <= W(Limits::max()));
  }
  static bool log1p_regular(W x) { return std::isnan(x) || (x > -1 && x < W(Limits::max()) / 4); }
};

// In the order of MathFunctions::unary.
template <class T>
struct Expectation {
  const char* name;
  Wider<T> (*value)(Wider<T>);
  bool (*in_domain)(Wider<T>);
  double max_ulp;           // with fused multiply-add
  double max_ulp_baseline;  // without
};

template <class T>
const Expectation<T>* expectations() {
  using O = Oracle<T>;
  constexpr bool is_float = sizeof(T) == sizeof(float);
  static const Expectation<T> rows[] = {
      {"exp_nonpositive", O::exp, O::nonpositive, is_float ? 0.62 : 0.92, is_float ? 0.85 : 1.25},
      {"exp", O::exp, O::anything, 0.72, 0.75},
      {"expm1", O::expm1, O::anything, 1.3, 1.3},
      {"log_regular", O::log, O::log_regular, 0.98, is_float ? 1.15 : 1.05},
      {"log", O::log, O::anything, 0.98, is_float ? 1.15 : 1.05},
      {"log1p_regular", O::log1p, O::log1p_regular, is_float ? 1.3 : 0.98, is_float ? 1.3 : 1.05},
      {"log1p", O::log1p, O::anything, 0.98, 1.05},
      {"log1p_unit", O::log1p, O::unit, is_float ? 1.15 : 0.9, is_float ? 1.55 : 1.25},
      {"softplus_tail", O::softplus_tail, O::anything, 1.75, is_float ? 2.15 : 2.0},
      {"softplus", O::softplus, O::anything, is_float ? 1.85 : 1.75, is_float ? 2.25 : 2.0},
      {"sigmoid", O::sigmoid, O::anything, 2.5, 2.5},
      {"sigmoid_pair value", O::sigmoid, O::anything, 1.6, 1.75},
      {"sigmoid_pair complement", O::sigmoid, O::anything, 1.6, 1.75},
      {"log_cosh", O::log_cosh, O::anything, 1.1, 1.15},
  };
  return rows;
}

// pow: kPowUlp + kPowUlpPerLog |y ln x|.
inline constexpr double kPowUlp = 0.65;
inline constexpr double kPowUlpPerLog = 0.35;
// 0.51, and what long double loses of the base, times 64.
template <class T>
inline constexpr double kPowIntWithRestUlp = sizeof(T) == 4 ? 0.51 : 0.54;
// exp_nonpositive's relative error in units of 2^-24 (2^-53).
inline constexpr double kExpRelative = 1.4;

// |got - exact| in units of the last place of T at `exact`. Infinite where one is NaN and the other
// is not, or one infinite and the other nowhere near.
template <class T>
double ulp_error(T got, Wider<T> exact) {
  using W = Wider<T>;
  using Limits = std::numeric_limits<T>;
  if (std::isnan(exact)) return std::isnan(got) ? 0 : HUGE_VAL;
  if (std::fabs(exact) > W(Limits::max())) {
    return std::isinf(got) && std::signbit(got) == std::signbit(exact) ? 0 : HUGE_VAL;
  }
  if (!std::isfinite(got)) return HUGE_VAL;
  int exponent = 0;
  std::frexp(exact, &exponent);
  const int last = std::max(exponent, Limits::min_exponent) - Limits::digits;
  return static_cast<double>(std::ldexp(std::fabs(W(got) - exact), -last));
}

}  // namespace simdloss::test
