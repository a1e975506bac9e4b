// SPDX-License-Identifier: Apache-2.0
#pragma once

// The oracle of the exact sums: integers of any size, slow and obvious, and a test of correct
// rounding that divides nothing. Shares no code with the library.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace oracle {

// Sign and magnitude, 32 bits a digit, least significant first, without leading zeros.
class BigInt {
 public:
  BigInt() = default;
  explicit BigInt(std::uint64_t n)
      : digits_{static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(n >> 32)} {
    trim();
  }

  bool is_zero() const { return digits_.empty(); }
  bool negative() const { return negative_; }

  BigInt abs() const {
    BigInt result = *this;
    result.negative_ = false;
    return result;
  }
  BigInt operator-() const {
    BigInt result = *this;
    result.negative_ = !negative_ && !is_zero();
    return result;
  }

  BigInt operator<<(int n) const {
    BigInt result;
    const auto words = static_cast<std::size_t>(n / 32);
    result.digits_.assign(digits_.size() + words + 1, 0);
    for (std::size_t i = 0; i < digits_.size(); ++i) {
      const std::uint64_t shifted = std::uint64_t{digits_[i]} << (n % 32);
      result.digits_[i + words] |= static_cast<std::uint32_t>(shifted);
      result.digits_[i + words + 1] |= static_cast<std::uint32_t>(shifted >> 32);
    }
    result.negative_ = negative_;
    result.trim();
    return result;
  }

  friend BigInt operator*(const BigInt& a, const BigInt& b) {
    BigInt result;
    result.digits_.assign(a.digits_.size() + b.digits_.size(), 0);
    for (std::size_t i = 0; i < a.digits_.size(); ++i) {
      std::uint64_t carry = 0;
      for (std::size_t j = 0; j < b.digits_.size(); ++j) {
        carry += result.digits_[i + j] + std::uint64_t{a.digits_[i]} * b.digits_[j];
        result.digits_[i + j] = static_cast<std::uint32_t>(carry);
        carry >>= 32;
      }
      result.digits_[i + b.digits_.size()] = static_cast<std::uint32_t>(carry);
    }
    result.negative_ = a.negative_ != b.negative_;
    result.trim();
    return result;
  }

  BigInt& operator+=(const BigInt& other) {
    if (negative_ == other.negative_) {
      add_magnitude(other);
    } else if (compare_magnitudes(*this, other) >= 0) {
      subtract_magnitude(other);
    } else {
      BigInt result = other;
      result.subtract_magnitude(*this);
      *this = result;
    }
    trim();
    return *this;
  }

  friend int compare(const BigInt& a, const BigInt& b) {
    if (a.negative_ != b.negative_) return a.negative_ ? -1 : 1;
    const int magnitudes = compare_magnitudes(a, b);
    return a.negative_ ? -magnitudes : magnitudes;
  }
  friend bool operator==(const BigInt& a, const BigInt& b) { return compare(a, b) == 0; }

 private:
  void trim() {
    while (!digits_.empty() && digits_.back() == 0) digits_.pop_back();
    if (digits_.empty()) negative_ = false;
  }

  static int compare_magnitudes(const BigInt& a, const BigInt& b) {
    if (a.digits_.size() != b.digits_.size()) return a.digits_.size() < b.digits_.size() ? -1 : 1;
    for (std::size_t i = a.digits_.size(); i-- > 0;) {
      if (a.digits_[i] != b.digits_[i]) return a.digits_[i] < b.digits_[i] ? -1 : 1;
    }
    return 0;
  }

  void add_magnitude(const BigInt& other) {
    digits_.resize(std::max(digits_.size(), other.digits_.size()) + 1, 0);
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < digits_.size(); ++i) {
      carry += digits_[i];
      if (i < other.digits_.size()) carry += other.digits_[i];
      digits_[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }

  void subtract_magnitude(const BigInt& smaller) {
    std::int64_t borrow = 0;
    for (std::size_t i = 0; i < digits_.size(); ++i) {
      borrow += digits_[i];
      if (i < smaller.digits_.size()) borrow -= smaller.digits_[i];
      digits_[i] = static_cast<std::uint32_t>(borrow);
      borrow >>= 32;
    }
  }

  bool negative_ = false;
  std::vector<std::uint32_t> digits_;
};

// Unit of the integers that stand for doubles, their sums and the midpoints between them.
constexpr int kUnitExponent = -1080;

// A finite double, exactly.
inline BigInt exact(double x) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(x), &exponent);  // in [0.5, 1)
  const auto digits = static_cast<std::uint64_t>(std::ldexp(fraction, 53));
  // Low zero bits make up for an exponent below the unit: a subnormal has enough of them.
  int shift = exponent - 53 - kUnitExponent;
  std::uint64_t kept = digits;
  for (; shift < 0; ++shift) kept >>= 1;
  const BigInt result = BigInt(kept) << shift;
  return std::signbit(x) ? -result : result;
}

// A binary floating-point format.
struct Format {
  int precision;
  int min_exponent;
  int max_exponent;
};
inline constexpr Format kHalf{11, -14, 15};
inline constexpr Format kBfloat{8, -126, 127};
inline constexpr Format kSingle{24, -126, 127};
inline constexpr Format kDouble{53, -1022, 1023};

// Whether `result` is numerator / denominator rounded to nearest, ties to even: whether the
// quotient lies between the midpoints to the neighbours of |result|. Zero must be +0.
inline bool is_nearest(double result, const BigInt& numerator, const BigInt& denominator,
                       const Format& format) {
  if (result == 0 ? std::signbit(result)
                  : std::signbit(result) != (numerator.negative() != denominator.negative())) {
    return false;
  }
  // sign(quotient - midpoint), for a midpoint of at least 2^kUnitExponent's resolution.
  const auto above = [&](const BigInt& midpoint) {
    return compare(numerator.abs() << -kUnitExponent, midpoint * denominator.abs());
  };
  const double size = std::fabs(result);
  const int p = format.precision;
  if (std::isinf(size)) {  // at least the largest number and half of its last bit
    const BigInt limit = BigInt((std::uint64_t{1} << (p + 1)) - 1)
                         << (format.max_exponent - p - kUnitExponent);
    return above(limit) >= 0;
  }
  const int exponent =
      size == 0 ? format.min_exponent : std::max(std::ilogb(size), format.min_exponent);
  const int last = exponent - p + 1;  // exponent of the last bit
  const double digits = std::ldexp(size, -last);
  if (digits != std::floor(digits) || exponent > format.max_exponent) return false;
  const bool even = std::fmod(digits, 2) == 0;
  const bool at_binade = digits == std::ldexp(1.0, p - 1) && exponent > format.min_exponent;

  BigInt upper = exact(size);
  upper += BigInt(1) << (last - 1 - kUnitExponent);
  const int to_upper = above(upper);
  if (to_upper > 0 || (to_upper == 0 && !even)) return false;
  if (size == 0) return true;
  BigInt lower = exact(size);
  lower += -(BigInt(1) << (last - (at_binade ? 2 : 1) - kUnitExponent));
  const int to_lower = above(lower);
  return to_lower > 0 || (to_lower == 0 && even);
}

}  // namespace oracle
