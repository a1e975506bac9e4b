// SPDX-License-Identifier: Apache-2.0
#pragma once

// float16 and bfloat16 one element at a time. Widening is exact; narrowing rounds once, to nearest
// even, straight from double.

#include <bit>
#include <cstdint>

#include "simd/vec_scalar.hpp"

namespace simdloss {

inline float float16_to_float(std::uint16_t bits) {
  return Vec<float, isa::Scalar>::load_float16(&bits).reg;
}

inline float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

// The narrow format has kExponentBits and kFractionBits; the rest follows IEEE 754.
template <int kExponentBits, int kFractionBits>
std::uint16_t double_to_half(double x) {
  constexpr int bias = (1 << (kExponentBits - 1)) - 1;
  constexpr std::uint64_t infinity = ((std::uint64_t{1} << kExponentBits) - 1) << kFractionBits;
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  const std::uint64_t sign = bits >> 63 << (kExponentBits + kFractionBits);
  const int exponent = static_cast<int>(bits >> 52 & 0x7FF) - 1023;
  std::uint64_t fraction = bits & ((std::uint64_t{1} << 52) - 1);
  if (exponent == 1024) {  // infinity or NaN
    const std::uint64_t quiet = fraction != 0 ? std::uint64_t{1} << (kFractionBits - 1) : 0;
    return static_cast<std::uint16_t>(sign | infinity | quiet);
  }
  if (exponent > bias) return static_cast<std::uint16_t>(sign | infinity);
  if (exponent < -bias - kFractionBits) return static_cast<std::uint16_t>(sign);
  // Significand and how much of it goes; subnormals lose more.
  fraction |= std::uint64_t{1} << 52;
  const int missing = exponent < 1 - bias ? 1 - bias - exponent : 0;
  const int shift = 52 - kFractionBits + missing;
  const std::uint64_t kept = fraction >> shift;
  const std::uint64_t lost = fraction & ((std::uint64_t{1} << shift) - 1);
  const std::uint64_t tie = std::uint64_t{1} << (shift - 1);
  const std::uint64_t up = lost > tie || (lost == tie && (kept & 1) != 0) ? 1 : 0;
  // A carry out of the fraction raises the exponent, up to infinity, as it should.
  const std::uint64_t base =
      missing > 0 ? 0 : static_cast<std::uint64_t>(exponent + bias - 1) << kFractionBits;
  return static_cast<std::uint16_t>(sign | (base + kept + up));
}

inline std::uint16_t double_to_float16(double x) { return double_to_half<5, 10>(x); }
inline std::uint16_t double_to_bfloat16(double x) { return double_to_half<8, 7>(x); }

}  // namespace simdloss
