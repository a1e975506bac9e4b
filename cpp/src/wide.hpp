// SPDX-License-Identifier: Apache-2.0
#pragma once

// Wide: one double with a 64-bit exponent and 0 * inf = 0, offering the operations that formulas
// use. With it a loss is evaluated where float or double overflows on the way. See [Rescue].

#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "simd/math.hpp"
#include "simd/vec_scalar.hpp"

namespace simdloss {

// significand * 2^exponent with 1 <= |significand| < 2; zero, infinity and NaN have exponent 0.
class Wide {
 public:
  using Element = double;

  Wide() = default;
  explicit Wide(double x) : Wide(normalized(x, 0)) {}

  // Rounded to double: overflow gives infinity.
  double value() const {
    constexpr std::int64_t limit = 5000;
    const std::int64_t e = exponent_ > limit ? limit : exponent_ < -limit ? -limit : exponent_;
    return std::ldexp(significand_, static_cast<int>(e));
  }
  static Wide scaled(double x, std::int64_t exponent) { return normalized(x, exponent); }
  double significand() const { return significand_; }
  std::int64_t exponent() const { return exponent_; }
  bool is_finite() const { return std::isfinite(significand_); }
  // Whether value() is exact up to the sign of zero.
  bool fits_double() const { return !is_finite() || (exponent_ > -1000 && exponent_ < 1000); }

  friend Wide operator-(Wide x) {
    x.significand_ = -x.significand_;
    return x;
  }
  friend Wide operator+(Wide x, Wide y) {
    if (!x.is_finite() || !y.is_finite()) return Wide(x.plain() + y.plain());
    if (x.significand_ == 0) return y;
    if (y.significand_ == 0) return x;
    if (x.exponent_ < y.exponent_) return y + x;
    const std::int64_t gap = x.exponent_ - y.exponent_;
    if (gap > 200) return x;
    return normalized(x.significand_ + std::ldexp(y.significand_, -static_cast<int>(gap)),
                      x.exponent_);
  }
  friend Wide operator-(Wide x, Wide y) { return x + -y; }
  friend Wide operator*(Wide x, Wide y) {
    const bool zero = (x.significand_ == 0 && !std::isnan(y.significand_)) ||
                      (y.significand_ == 0 && !std::isnan(x.significand_));
    if (zero) return Wide(0.0);
    return normalized(x.significand_ * y.significand_, x.exponent_ + y.exponent_);
  }
  friend Wide operator/(Wide x, Wide y) {
    return normalized(x.significand_ / y.significand_, x.exponent_ - y.exponent_);
  }
  // Rounded once wherever the rounding matters.
  friend Wide fma(Wide x, Wide y, Wide z) {
    const Wide product = x * y;
    if (!product.is_finite() || !z.is_finite() || product.significand_ == 0) return product + z;
    const std::int64_t scale = x.exponent_ + y.exponent_;
    if (z.significand_ == 0 || std::llabs(z.exponent_ - scale) > 200) return product + z;
    const double aligned = std::ldexp(z.significand_, static_cast<int>(z.exponent_ - scale));
    return normalized(std::fma(x.significand_, y.significand_, aligned), scale);
  }
  friend Wide fnma(Wide x, Wide y, Wide z) { return fma(-x, y, z); }
  friend Wide product_error(Wide x, Wide y, Wide xy) { return fma(x, y, -xy); }

  friend Wide abs(Wide x) { return x.significand_ < 0 ? -x : x; }
  friend Wide copysign(Wide magnitude, Wide sign) {
    return std::signbit(magnitude.significand_) == std::signbit(sign.significand_) ? magnitude
                                                                                   : -magnitude;
  }
  friend bool operator<(Wide x, Wide y) {
    if (!x.is_finite() || !y.is_finite()) return x.plain() < y.plain();
    return (x - y).significand_ < 0;
  }
  friend bool operator==(Wide x, Wide y) {
    return x.significand_ == y.significand_ && x.exponent_ == y.exponent_;
  }
  friend bool operator>(Wide x, Wide y) { return y < x; }
  friend bool operator<=(Wide x, Wide y) { return x < y || x == y; }
  friend bool operator>=(Wide x, Wide y) { return y <= x; }
  friend bool is_nan(Wide x) { return std::isnan(x.significand_); }
  friend Wide max(Wide x, Wide bound) { return x < bound ? bound : x; }
  friend Wide min(Wide x, Wide bound) { return bound < x ? bound : x; }
  friend Wide select(bool mask, Wide x, Wide y) { return mask ? x : y; }
  friend Wide keep(bool mask, Wide x) { return mask ? x : Wide(0.0); }

 private:
  static Wide normalized(double x, std::int64_t exponent) {
    Wide result;
    result.significand_ = x;
    result.exponent_ = 0;
    if (x == 0 || !std::isfinite(x)) return result;
    int shift;
    result.significand_ = 2 * std::frexp(x, &shift);
    result.exponent_ = exponent + shift - 1;
    return result;
  }
  // A double that compares and adds with infinities as this does.
  double plain() const { return significand_; }

  double significand_;
  std::int64_t exponent_;
};

// The scalar double version of a function, applied where its argument is an ordinary double.
template <class F>
Wide in_double(F f, Wide x) {
  return Wide(f(Vec<double, isa::Scalar>(x.value())).reg);
}

inline constexpr double kLn2 = 0.693147180559945309417;

inline Wide log(Wide x) {
  if (x.fits_double()) return in_double([](auto v) { return log(v); }, x);
  return log(Wide(x.significand())) + Wide(static_cast<double>(x.exponent()) * kLn2);
}
inline Wide log1p(Wide x) {
  if (x.fits_double()) return in_double([](auto v) { return log1p(v); }, x);
  return x.exponent() > 0 ? log(x) : x;
}
inline Wide sqrt(Wide x) {
  if (!x.is_finite() || x.significand() < 0) return Wide(std::sqrt(x.significand()));
  const std::int64_t half = x.exponent() >> 1;  // rounds down
  const double odd = static_cast<double>(x.exponent() - 2 * half);
  return Wide::scaled(std::sqrt(x.significand() * (1 + odd)), half);
}
inline Wide log_regular(Wide x) { return log(x); }
inline Wide log1p_regular(Wide x) { return log1p(x); }
inline LogPair<Wide> log_regular_pair(Wide x) {
  if (!x.fits_double()) return {log(x), Wide(0.0)};
  const auto log = log_regular_pair(Vec<double, isa::Scalar>(x.value()));
  return {Wide(log.value.reg), Wide(log.rest.reg)};
}
inline LogPair<Wide> log1p_regular_pair(Wide x) {
  if (!x.fits_double()) return {log1p(x), Wide(0.0)};
  const auto log = log1p_regular_pair(Vec<double, isa::Scalar>(x.value()));
  return {Wide(log.value.reg), Wide(log.rest.reg)};
}
inline LogPair<Wide> log1p_pair(Wide x) {
  if (!x.fits_double()) return {log1p(x), Wide(0.0)};
  const auto log = log1p_pair(Vec<double, isa::Scalar>(x.value()));
  return {Wide(log.value.reg), Wide(log.rest.reg)};
}
inline Wide log1p_unit(Wide x) {
  return in_double([](auto v) { return log1p_unit(v); }, x);
}
inline Wide exp_nonpositive_or_zero(Wide x) {
  return in_double([](auto v) { return exp_nonpositive_or_zero(v); }, x);
}
inline Wide exp_nonpositive(Wide x) {
  return in_double([](auto v) { return exp_nonpositive(v); }, x);
}
inline Wide exp_over_power_of_two(Wide x, Wide power) {
  using V = Vec<double, isa::Scalar>;
  return Wide(exp_over_power_of_two(V(x.value()), V(power.value())).reg);
}
inline Wide power_of_two_over_exp(Wide x, Wide power) {
  using V = Vec<double, isa::Scalar>;
  return Wide(power_of_two_over_exp(V(x.value()), V(power.value())).reg);
}
inline Wide expm1(Wide x) {
  if (x.is_finite() && x.exponent() < -200) return x;
  return in_double([](auto v) { return expm1(v); }, x);
}
template <class T>
Wide inverse_power_of_two(Wide) {
  return Wide(1.0);  // a sum of any size is in range
}
inline Wide zero_if_safe(Wide) { return Wide(0.0); }
inline Wide ordinary_slope(Wide x) { return x; }
inline bool is_ordinary_square(Wide) { return true; }
inline Wide log_cosh(Wide x, Wide e) {
  using V = Vec<double, isa::Scalar>;
  if (x.fits_double()) return Wide(log_cosh(V(x.value()), V(e.value())).reg);
  return x.exponent() > 0 ? abs(x) - Wide(kLn2) : Wide(0.5) * x * x;
}
inline Wide tanh(Wide x, Wide e) {
  using V = Vec<double, isa::Scalar>;
  if (x.fits_double()) return Wide(tanh(V(x.value()), V(e.value())).reg);
  return x.exponent() > 0 ? copysign(Wide(1.0), x) : x;
}
inline SigmoidPair<Wide> sigmoid_pair(Wide x, Wide e) {
  using V = Vec<double, isa::Scalar>;
  const auto pair = sigmoid_pair(V(x.value()), V(e.value()));
  return {Wide(pair.value.reg), Wide(pair.value_rest.reg), Wide(pair.complement.reg),
          Wide(pair.complement_rest.reg)};
}
inline Wide pow(Wide base, Wide base_rest, Wide y) {
  using V = Vec<double, isa::Scalar>;
  return Wide(pow(V(base.value()), V(base_rest.value()), V(y.value())).reg);
}

}  // namespace simdloss
