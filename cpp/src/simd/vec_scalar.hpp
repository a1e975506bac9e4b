// SPDX-License-Identifier: Apache-2.0
#pragma once

// One-lane vectors: isa::Scalar, the reference for the other backends, and isa::Baseline. Loops
// over them are left to the compiler's vectoriser, which changes no bit.

#include <cstdint>

#include "simd/vec.hpp"
#include "simd/vec_front.hpp"

namespace simdloss {

// What Scalar and Baseline do differently.
template <class Isa>
struct OneLaneProduct;

template <>
struct OneLaneProduct<isa::Scalar> {
  static SIMDLOSS_INLINE float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
  static SIMDLOSS_INLINE double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }
  template <class T>
  static SIMDLOSS_INLINE T error(T x, T y, T xy) {
    return fma(x, y, -xy);
  }
};

template <>
struct OneLaneProduct<isa::Baseline> {
  template <class T>
  static SIMDLOSS_INLINE T fma(T x, T y, T z) {
    return x * y + z;
  }

  // The product of two floats is exact in double, and so is its distance to xy.
  static SIMDLOSS_INLINE float error(float x, float y, float xy) {
    return static_cast<float>(double{x} * double{y} - double{xy});
  }
  // Dekker's product. high() leaves 26 significant bits in each half, so the four partial products
  // and the partial sums are exact if none overflows and x y is 0 or at least 2^-968 (2^-1074, the
  // smallest double, times 2^106). Rounding the bits instead of Veltkamp's multiplication does not
  // overflow for large x.
  static SIMDLOSS_INLINE double error(double x, double y, double xy) {
    const double x_high = high(x);
    const double x_low = x - x_high;
    const double y_high = high(y);
    const double y_low = y - y_high;
    return ((x_high * y_high - xy) + x_high * y_low + x_low * y_high) + x_low * y_low;
  }

 private:
  static SIMDLOSS_INLINE double high(double x) {
    constexpr std::uint64_t half_step = std::uint64_t{1} << 26;
    const std::uint64_t word = __builtin_bit_cast(std::uint64_t, x);
    return __builtin_bit_cast(double, (word + half_step) & ~(2 * half_step - 1));
  }
};

template <class Isa>
inline constexpr bool kHasOneLane = false;
template <>
inline constexpr bool kHasOneLane<isa::Scalar> = true;
template <>
inline constexpr bool kHasOneLane<isa::Baseline> = true;

template <class T, class Isa>
requires kHasOneLane<Isa>
struct Backend<T, Isa> {
  using Word = typename BitsOf<T>::type;
  using Reg = T;
  using MaskReg = bool;
  using BitsReg = Word;
  static constexpr int kWidth = 1;
  static constexpr bool kStreams = false;
  static constexpr bool kHasMantissa = false;
  static constexpr Word kSign = Word{1} << (8 * sizeof(Word) - 1);

  static SIMDLOSS_INLINE T set(T x) { return x; }
  static SIMDLOSS_INLINE T load(const T* p) { return load_as<T>(p); }
  static SIMDLOSS_INLINE T load_first(const T* p, std::int64_t n) { return n > 0 ? load(p) : T(0); }
  static SIMDLOSS_INLINE void store(T* p, T x) { __builtin_memcpy(p, &x, sizeof x); }
  static SIMDLOSS_INLINE void store_first(T* p, std::int64_t n, T x) {
    if (n > 0) store(p, x);
  }

  static SIMDLOSS_INLINE float load_float16(const std::uint16_t* p) {
    const std::uint32_t word = load_as<std::uint16_t>(p);
    const std::uint32_t magnitude = word & 0x7FFF;
    // Exponents are moved from bias 15 to bias 127, and from 31 to 255 for infinity and NaN.
    const std::uint32_t bias = magnitude < 0x7C00 ? (127 - 15) << 23 : (255 - 31) << 23;
    const float normal = __builtin_bit_cast(float, (magnitude << 13) + bias);
    const float subnormal = static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24F;
    const float result = magnitude < 0x0400 ? subnormal : normal;
    return __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, result) | (word & 0x8000)
                                                                                     << 16);
  }
  static SIMDLOSS_INLINE float load_float16_first(const std::uint16_t* p, std::int64_t n) {
    return n > 0 ? load_float16(p) : 0.0F;
  }
  static SIMDLOSS_INLINE float load_bfloat16(const std::uint16_t* p) {
    return __builtin_bit_cast(float, std::uint32_t{load_as<std::uint16_t>(p)} << 16);
  }
  static SIMDLOSS_INLINE float load_bfloat16_first(const std::uint16_t* p, std::int64_t n) {
    return n > 0 ? load_bfloat16(p) : 0.0F;
  }
  static SIMDLOSS_INLINE double load_float(const float* p) { return load_as<float>(p); }
  static SIMDLOSS_INLINE double load_float_first(const float* p, std::int64_t n) {
    return n > 0 ? load_float(p) : 0.0;
  }

  static SIMDLOSS_INLINE void store_float16(std::uint16_t* p, float x) {
    const std::uint32_t word = __builtin_bit_cast(std::uint32_t, x);
    const std::uint32_t magnitude = word & 0x7FFFFFFF;
    // Adds half a unit in the last place that stays, less what keeps a tie even; a carry goes into
    // the exponent, up to infinity.
    const std::uint32_t normal =
        (magnitude - ((127 - 15) << 23) + 0xFFF + (magnitude >> 13 & 1)) >> 13;
    // The last place of numbers near 0.5 is the smallest subnormal, 2^-24.
    const std::uint32_t subnormal =
        __builtin_bit_cast(std::uint32_t, __builtin_bit_cast(float, magnitude) + 0.5F) - 0x3F000000;
    const std::uint32_t nan = 0x7E00 | (magnitude >> 13 & 0x3FF);
    const std::uint32_t large = magnitude > 0x7F800000 ? nan : 0x7C00;
    const std::uint32_t finite = magnitude < 0x38800000 ? subnormal : normal;
    store_as(p, static_cast<std::uint16_t>((magnitude < 0x47800000 ? finite : large) |
                                           (word >> 16 & 0x8000)));
  }
  static SIMDLOSS_INLINE void store_float16_first(std::uint16_t* p, std::int64_t n, float x) {
    if (n > 0) store_float16(p, x);
  }
  static SIMDLOSS_INLINE void store_bfloat16(std::uint16_t* p, float x) {
    const std::uint32_t word = __builtin_bit_cast(std::uint32_t, x);
    const std::uint32_t rounded = word + 0x7FFF + (word >> 16 & 1);
    store_as(p, static_cast<std::uint16_t>((is_nan(x) ? word | 0x400000 : rounded) >> 16));
  }
  static SIMDLOSS_INLINE void store_bfloat16_first(std::uint16_t* p, std::int64_t n, float x) {
    if (n > 0) store_bfloat16(p, x);
  }
  static SIMDLOSS_INLINE void store_float(float* p, double x) {
    store_as(p, static_cast<float>(x));
  }
  template <class Rows>
  static SIMDLOSS_INLINE void load_columns(const Rows& rows, T* to) {
    __builtin_memcpy(to, rows[0], 16);
  }
  template <class Rows>
  static SIMDLOSS_INLINE void store_columns(const T* from, const Rows& rows) {
    __builtin_memcpy(rows[0], from, 16);
  }

  static SIMDLOSS_INLINE T add(T x, T y) { return x + y; }
  static SIMDLOSS_INLINE T sub(T x, T y) { return x - y; }
  static SIMDLOSS_INLINE T mul(T x, T y) { return x * y; }
  static SIMDLOSS_INLINE T div(T x, T y) { return x / y; }
  static SIMDLOSS_INLINE T neg(T x) { return -x; }
  // Selections, because compilers do not vectorise loads at computed addresses.
  static SIMDLOSS_INLINE T lookup(const T* table, Word b) {
    T x = table[0];
    for (Word i = 1; i < 8; ++i) x = (b & 7) == i ? table[i] : x;
    return x;
  }
  static SIMDLOSS_INLINE T first_lane(T x) { return x; }
  static SIMDLOSS_INLINE T max_lane(T x) { return x; }
  static SIMDLOSS_INLINE T sqrt(T x) {
    if constexpr (sizeof(T) == 4) {
      return __builtin_sqrtf(x);
    } else {
      return __builtin_sqrt(x);
    }
  }
  static SIMDLOSS_INLINE T fma(T x, T y, T z) { return OneLaneProduct<Isa>::fma(x, y, z); }
  static SIMDLOSS_INLINE T fnma(T x, T y, T z) { return OneLaneProduct<Isa>::fma(-x, y, z); }
  static SIMDLOSS_INLINE T product_error(T x, T y, T xy) {
    return OneLaneProduct<Isa>::error(x, y, xy);
  }

  static SIMDLOSS_INLINE T abs(T x) { return from_bits(Word(to_bits(x) & ~kSign)); }
  static SIMDLOSS_INLINE T copysign(T magnitude, T sign) {
    return from_bits((to_bits(magnitude) & ~kSign) | (to_bits(sign) & kSign));
  }
  static SIMDLOSS_INLINE T max(T x, T bound) { return x < bound ? bound : x; }
  static SIMDLOSS_INLINE T min(T x, T bound) { return x > bound ? bound : x; }

  static SIMDLOSS_INLINE bool lt(T x, T y) { return x < y; }
  static SIMDLOSS_INLINE bool le(T x, T y) { return x <= y; }
  static SIMDLOSS_INLINE bool eq(T x, T y) { return x == y; }
  static SIMDLOSS_INLINE bool is_nan(T x) { return x != x; }
  static SIMDLOSS_INLINE bool mask_and(bool m, bool n) { return m & n; }
  static SIMDLOSS_INLINE bool mask_or(bool m, bool n) { return m | n; }
  static SIMDLOSS_INLINE bool mask_not(bool m) { return !m; }
  static SIMDLOSS_INLINE bool any(bool m) { return m; }
  static SIMDLOSS_INLINE bool all(bool m) { return m; }
  static SIMDLOSS_INLINE bool first(std::int64_t n) { return n > 0; }
  static SIMDLOSS_INLINE int count_first(bool m, std::int64_t n) { return m && n > 0 ? 1 : 0; }
  static SIMDLOSS_INLINE T select(bool m, T x, T y) { return m ? x : y; }
  static SIMDLOSS_INLINE T keep(bool m, T x) { return m ? x : T(0); }

  static SIMDLOSS_INLINE Word to_bits(T x) { return __builtin_bit_cast(Word, x); }
  static SIMDLOSS_INLINE T from_bits(Word b) { return __builtin_bit_cast(T, b); }
  static SIMDLOSS_INLINE Word bits_set(Word word) { return word; }
  static SIMDLOSS_INLINE Word bits_add(Word a, Word b) { return a + b; }
  static SIMDLOSS_INLINE Word bits_sub(Word a, Word b) { return a - b; }
  static SIMDLOSS_INLINE Word bits_and(Word a, Word b) { return a & b; }
  static SIMDLOSS_INLINE Word bits_or(Word a, Word b) { return a | b; }
  template <int kCount>
  static SIMDLOSS_INLINE Word shift_left(Word b) {
    return b << kCount;
  }
  template <int kCount>
  static SIMDLOSS_INLINE Word shift_right(Word b) {
    return b >> kCount;
  }
  template <int kCount>
  static SIMDLOSS_INLINE Word shift_right_arithmetic(Word b) {
    constexpr Word shifted_sign = kSign >> kCount;
    return ((b >> kCount) ^ shifted_sign) - shifted_sign;
  }
  // Through 32 bits: SSE2 has no vector conversion from 64.
  static SIMDLOSS_INLINE T from_int(Word b) {
    return static_cast<T>(static_cast<std::int32_t>(static_cast<std::uint32_t>(b)));
  }

  static SIMDLOSS_INLINE float load_double(const double* p) {
    return static_cast<float>(load_as<double>(p));
  }
  template <int kPart>
  static SIMDLOSS_INLINE double widen_part(float x) {
    return x;
  }

 private:
  template <class Stored>
  static SIMDLOSS_INLINE Stored load_as(const Stored* p) {
    Stored x;
    __builtin_memcpy(&x, p, sizeof x);
    return x;
  }
  template <class Stored>
  static SIMDLOSS_INLINE void store_as(Stored* p, Stored x) {
    __builtin_memcpy(p, &x, sizeof x);
  }
};

}  // namespace simdloss
