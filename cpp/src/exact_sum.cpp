// SPDX-License-Identifier: Apache-2.0
#include "simdloss/exact_sum.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "rounded_mean.hpp"

namespace simdloss {
namespace {

using Limb = std::uint64_t;
constexpr int kLimbs = ExactSum::kLimbs;
constexpr int kLimbBits = 64;
constexpr int kUnitExponent = -1074;  // of the lowest bit of a sum
constexpr Limb kTopBit = Limb{1} << 63;

// The bits of a double. Its magnitude, if finite, is fraction * 2^(kUnitExponent + shift).
struct Decoded {
  bool negative;
  bool finite;
  bool nan;
  int shift;
  Limb fraction;
};

inline Decoded decode(double x) noexcept {
  constexpr int fraction_bits = 52;
  constexpr Limb hidden_bit = Limb{1} << fraction_bits;
  const Limb bits = std::bit_cast<Limb>(x);
  const int exponent = static_cast<int>(bits >> fraction_bits) & 0x7ff;
  const Limb stored = bits & (hidden_bit - 1);
  Decoded d;
  d.negative = bits >= kTopBit;
  d.finite = exponent != 0x7ff;
  d.nan = !d.finite && stored != 0;
  d.shift = exponent == 0 ? 0 : exponent - 1;
  d.fraction = exponent == 0 ? stored : stored + hidden_bit;
  return d;
}

// The pair high * 2^64 + low. Portable, because neither C++ nor every compiler has a wide integer.
struct Wide {
  Limb high;
  Limb low;
};

inline Wide multiply(Limb a, Limb b) noexcept {
  constexpr Limb mask = 0xffffffff;
  const Limb low = (a & mask) * (b & mask);
  const Limb middle1 = (a >> 32) * (b & mask) + (low >> 32);
  const Limb middle2 = (a & mask) * (b >> 32) + (middle1 & mask);
  return {(a >> 32) * (b >> 32) + (middle1 >> 32) + (middle2 >> 32),
          (middle2 << 32) | (low & mask)};
}

// limb += addend + carry; returns the new carry. A carry is 0 or 1.
inline Limb add_to(Limb& limb, Limb addend, Limb carry) noexcept {
  const Limb partial = limb + addend;
  limb = partial + carry;
  return static_cast<Limb>(partial < addend) | static_cast<Limb>(limb < carry);
}

// floor(x / divisor) for a divisor with its top bit set and x.high < divisor: two digits of Knuth's
// algorithm D (TAOCP 2, 4.3.1) in base 2^32. Wrapping is intended.
Limb divide(Wide x, Limb divisor) noexcept {
  constexpr Limb base = Limb{1} << 32;
  const Limb d1 = divisor >> 32;
  const Limb d0 = divisor & (base - 1);
  Limb rest = x.high;
  Limb quotient = 0;
  for (const Limb next : {x.low >> 32, x.low & (base - 1)}) {
    Limb digit = rest / d1;
    Limb r = rest % d1;
    while (digit * d0 > r * base + next) {
      --digit;
      r += d1;
      if (r >= base) break;
    }
    rest = rest * base + next - digit * divisor;
    quotient = quotient * base + digit;
  }
  return quotient;
}

// A natural number times 2^exponent, without zero limbs at either end; size 0 is zero.
struct Natural {
  static constexpr int kMaxSize = kLimbs + 1;
  int size = 0;
  int exponent = 0;
  Limb limbs[kMaxSize];  // the first `size`, least significant first

  Limb at(int i) const noexcept { return i >= 0 && i < size ? limbs[i] : 0; }
  int leading_zeros() const noexcept { return std::countl_zero(limbs[size - 1]); }
  // The exponent of the highest bit.
  int top_exponent() const noexcept { return exponent + size * kLimbBits - 1 - leading_zeros(); }

  // Copies the highest limbs, shifted so that the first of them has `zeros` leading zeros (0 or 1):
  // out[n - 1] is the highest of n. Returns whether a bit was lost.
  bool top(int zeros, int n, Limb* out) const noexcept {
    int shift = leading_zeros() - zeros;
    int source = size - 1;
    if (shift < 0) {
      shift += kLimbBits;
      ++source;
    }
    for (int i = n - 1; i >= 0; --i, --source) {
      out[i] = at(source) << shift;
      if (shift != 0) out[i] |= at(source - 1) >> (kLimbBits - shift);
    }
    // Limb 0 is not zero, so if it lies lower than what was cut, something was lost.
    return source > 0 || (at(source) << shift) != 0;
  }
};

bool is_negative(const ExactSum& sum) noexcept { return sum.limbs()[kLimbs - 1] >= kTopBit; }

// |x| * factor for the two's complement number in `n` limbs, in units of 2^exponent.
Natural magnitude(const Limb* limbs, int n, int exponent, std::uint64_t factor) noexcept {
  const Limb sign = limbs[n - 1] >= kTopBit ? ~Limb{0} : 0;
  Natural result;
  int low = 0;
  while (low < n && limbs[low] == 0) ++low;
  if (low == n || factor == 0) return result;
  int high = n - 1;
  while (high > low && limbs[high] == sign) --high;
  result.exponent = exponent + low * kLimbBits;
  Limb negation = sign & 1;  // -x is ~x + 1; the carry ends at the lowest limb, which is not zero
  Limb carry = 0;
  for (int i = low; i <= high; ++i) {
    const Limb limb = (limbs[i] ^ sign) + negation;
    negation = 0;
    const Wide product = multiply(limb, factor);
    const Limb digit = product.low + carry;
    carry = product.high + (digit < carry ? 1 : 0);
    result.limbs[result.size++] = digit;
  }
  if (carry != 0) result.limbs[result.size++] = carry;
  int zeros = 0;  // the factor may have moved the lowest limb's bits out of it
  while (result.limbs[zeros] == 0) ++zeros;
  if (zeros > 0) {
    result.size -= zeros;
    result.exponent += zeros * kLimbBits;
    for (int i = 0; i < result.size; ++i) result.limbs[i] = result.limbs[i + zeros];
  }
  return result;
}

// |sum| * factor, of the finite part.
Natural magnitude(const ExactSum& sum, std::uint64_t factor) noexcept {
  return magnitude(sum.limbs().data(), kLimbs, kUnitExponent, factor);
}

// A positive number to be rounded: top / 2^63 * 2^exponent, the highest bit of `top` being set,
// and a bit more if `sticky`.
struct Unrounded {
  Limb top;
  int exponent;
  bool sticky;
};

struct Format {
  int precision;
  int min_exponent;  // of normal numbers
  int max_exponent;
};

Format format_of(DType dtype) noexcept {
  switch (dtype) {
    case DType::kFloat16:
      return {11, -14, 15};
    case DType::kBFloat16:
      return {8, -126, 127};
    case DType::kFloat32:
      return {24, -126, 127};
    default:
      return {53, -1022, 1023};
  }
}

double infinity(bool negative) noexcept {
  constexpr double inf = std::numeric_limits<double>::infinity();
  return negative ? -inf : inf;
}

// To nearest, ties to even. By integer operations only, so no rounding or denormal mode of the
// caller's matters.
double round_to(Format format, Unrounded x, bool negative) noexcept {
  const int missing = format.min_exponent - x.exponent;  // bits that a subnormal lacks
  const int kept = missing > 0 ? format.precision - missing : format.precision;
  if (kept < 0) return 0.0;
  Limb digits = kept == 0 ? 0 : x.top >> (kLimbBits - kept);
  const Limb rest = x.top << kept;
  if (rest > kTopBit || (rest == kTopBit && (x.sticky || (digits & 1) != 0))) ++digits;
  if (digits == 0) return 0.0;

  const int unit = x.exponent - kept + 1;  // digits * 2^unit is the result
  const int zeros = std::countl_zero(digits);
  const int exponent = unit + kLimbBits - 1 - zeros;
  if (exponent > format.max_exponent) return infinity(negative);
  constexpr int fraction_bits = 52;
  // The hidden bit of a normal number adds 1 to the exponent field.
  const Limb bits = exponent >= -1022 ? (static_cast<Limb>(exponent + 1022) << fraction_bits) +
                                            (digits << zeros >> (kLimbBits - 1 - fraction_bits))
                                      : digits << (unit - kUnitExponent);
  return std::bit_cast<double>(negative ? bits | kTopBit : bits);
}

// n / d. One digit of Knuth's algorithm D in base 2^64: with the highest bit of d set and n scaled
// to one limb more than d and a leading zero, 2^62 <= floor(n / d) < 2^64; what is left only
// matters as being zero or not.
Unrounded divide(const Natural& n, const Natural& d) noexcept {
  const int size = d.size;
  Limb divisor[Natural::kMaxSize];
  Limb rest[Natural::kMaxSize + 1];
  d.top(0, size, divisor);
  bool sticky = n.top(1, size + 1, rest);
  // By the highest limb of d alone the digit is at most 2 too large.
  Limb digit = divide(Wide{rest[size], rest[size - 1]}, divisor[size - 1]);
  Limb carry = 0;
  for (int i = 0; i < size; ++i) {
    const Wide product = multiply(digit, divisor[i]);
    const Limb subtrahend = product.low + carry;
    carry = product.high + (subtrahend < carry ? 1 : 0) + (rest[i] < subtrahend ? 1 : 0);
    rest[i] -= subtrahend;
  }
  rest[size] -= carry;
  while (rest[size] != 0) {  // negative: rest < divisor <= 2^(64 size) otherwise
    --digit;
    carry = 0;
    for (int i = 0; i < size; ++i) carry = add_to(rest[i], divisor[i], carry);
    rest[size] += carry;
  }
  for (int i = 0; i < size; ++i) sticky = sticky || rest[i] != 0;
  const int zeros = std::countl_zero(digit);
  return {digit << zeros, n.top_exponent() - d.top_exponent() - zeros, sticky};
}

// Adds x * 2^shift to a number in `n` limbs, or subtracts it.
inline void accumulate(Limb* limbs, int n, int shift, Wide x, bool negative) noexcept {
  const int offset = shift % kLimbBits;
  const int complement =
      kLimbBits - 1 - offset;  // x >> 1 >> complement: a shift by 64 is undefined
  const Limb middle = x.high << offset | x.low >> 1 >> complement;
  // -x is ~x + 1, with the sign in every limb above. Those change nothing once the carry into them
  // equals the sign bit.
  const Limb sign = negative ? ~Limb{0} : 0;
  Limb* limb = limbs + shift / kLimbBits;
  Limb carry = sign & 1;
  carry = add_to(*limb++, (x.low << offset) ^ sign, carry);
  carry = add_to(*limb++, middle ^ sign, carry);
  carry = add_to(*limb++, (x.high >> 1 >> complement) ^ sign, carry);
  while (carry != (sign & 1) && limb != limbs + n) carry = add_to(*limb++, sign, carry);
}

double rounded(double normal, Format format) noexcept {
  const Decoded x = decode(normal);
  constexpr int fraction_bits = 52;
  const Unrounded exact{x.fraction << (kLimbBits - 1 - fraction_bits),
                        x.shift + fraction_bits + kUnitExponent, false};
  return round_to(format, exact, x.negative);
}

// rounded_mean() to a type with fewer bits, where arithmetic of doubles can tell, whatever their rounding
// mode: where all that they may be off by rounds to the same number.
std::optional<double> mean_of_doubles(const double (&terms)[kMeanTerms], std::uint64_t count,
                                      Format format) noexcept {
  double sum = 0;
  double size = 0;
  for (int i = kMeanTerms - 1; i >= 0; --i) {
    sum += terms[i];
    size += std::abs(terms[i]);
  }
  const auto divisor = static_cast<double>(count);
  const double mean = sum / divisor;
  if (!(std::abs(mean) >= 0x1p-900)) return std::nullopt;
  // Two additions, a conversion, a division and the end of the interval are off by 2^-52 each.
  const double error = size / divisor * 0x1p-49;
  const double low = rounded(mean - error, format);
  const double high = rounded(mean + error, format);
  if (low != high) return std::nullopt;
  return low;
}

}  // namespace

void ExactSum::add(double x) noexcept {
  const Decoded d = decode(x);
  if (d.finite) {
    accumulate(limbs_.data(), kLimbs, d.shift, Wide{0, d.fraction}, d.negative);
  } else {
    add_multiple(x, 1);
  }
}

void ExactSum::add_multiple(double x, std::uint64_t count) noexcept {
  const Decoded d = decode(x);
  if (d.finite) {
    accumulate(limbs_.data(), kLimbs, d.shift, multiply(d.fraction, count), d.negative);
  } else if (d.nan) {
    nans += count;
  } else {
    (d.negative ? negative_infinities : positive_infinities) += count;
  }
}

void ExactSum::merge(const ExactSum& other) noexcept {
  Limb carry = 0;
  for (std::size_t i = 0; i < limbs_.size(); ++i) {
    carry = add_to(limbs_[i], other.limbs_[i], carry);
  }
  positive_infinities += other.positive_infinities;
  negative_infinities += other.negative_infinities;
  nans += other.nans;
}

bool ExactSum::operator==(const ExactSum& other) const noexcept {
  return limbs_ == other.limbs_ && positive_infinities == other.positive_infinities &&
         negative_infinities == other.negative_infinities && nans == other.nans;
}

bool ExactSum::is_finite() const noexcept {
  return positive_infinities == 0 && negative_infinities == 0 && nans == 0;
}

bool ExactSum::is_zero() const noexcept {
  Limb all = 0;
  for (const Limb limb : limbs_) all |= limb;
  return all == 0 && is_finite();
}

double ExactSum::value(DType dtype) const noexcept {
  if (nans != 0 || (positive_infinities != 0 && negative_infinities != 0)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (!is_finite()) return infinity(negative_infinities != 0);
  const Natural n = magnitude(*this, 1);
  if (n.size == 0) return 0.0;
  Unrounded x;
  x.sticky = n.top(0, 1, &x.top);
  x.exponent = n.top_exponent();
  return round_to(format_of(dtype), x, is_negative(*this));
}

double rounded_mean(const double (&terms)[kMeanTerms], std::uint64_t count, DType dtype) noexcept {
  const Format format = format_of(dtype);
  if (dtype != DType::kFloat64) {
    if (const auto mean = mean_of_doubles(terms, count, format)) return *mean;
  }
  Decoded decoded[kMeanTerms];
  int lowest = std::numeric_limits<int>::max();
  for (int i = 0; i < kMeanTerms; ++i) {
    decoded[i] = decode(terms[i]);
    if (decoded[i].fraction != 0) lowest = std::min(lowest, decoded[i].shift);
  }
  const int base = lowest / kLimbBits * kLimbBits;
  // Each term reaches into three limbs, the first of the highest one being the fourth.
  constexpr int n_limbs = 3 + kMeanTermBits / kLimbBits;
  Limb limbs[n_limbs] = {};
  for (const Decoded& d : decoded) {
    if (d.fraction == 0) continue;
    accumulate(limbs, n_limbs, d.shift - base, Wide{0, d.fraction}, d.negative);
  }
  const Natural sum = magnitude(limbs, n_limbs, kUnitExponent + base, 1);
  if (sum.size == 0) return 0.0;
  Natural divisor;
  divisor.size = 1;
  divisor.limbs[0] = count;
  return round_to(format, divide(sum, divisor), limbs[n_limbs - 1] >= kTopBit);
}

double rounded_ratio(const ExactSum& numerator, std::uint64_t factor, const ExactSum& denominator,
                     std::uint64_t divisor, DType dtype) noexcept {
  if (!numerator.is_finite() || !denominator.is_finite()) {
    // Only the kind of each side matters, and a finite sum beyond the range of double stays finite.
    const double n = numerator.is_finite() ? 1.0 : numerator.value();
    const double d =
        denominator.is_finite() ? (is_negative(denominator) ? -1.0 : 1.0) : denominator.value();
    const double ratio = n * static_cast<double>(factor) / d;
    return ratio == 0.0 ? 0.0 : ratio;
  }
  const Natural n = magnitude(numerator, factor);
  if (n.size == 0) return 0.0;
  const Natural d = magnitude(denominator, divisor);
  const bool negative = is_negative(numerator) != is_negative(denominator);
  return round_to(format_of(dtype), divide(n, d), negative);
}

}  // namespace simdloss
