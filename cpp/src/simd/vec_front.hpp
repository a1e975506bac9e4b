// SPDX-License-Identifier: Apache-2.0
#pragma once

// The front of every vector type: Vec, Mask and Bits with the names of [Closed list of operations]
// in vec.hpp, for all instruction sets. Each forwards to one function of Backend<T, Isa>, which
// the vec_<isa>.hpp headers specialise with the ISA's registers and instructions.

#include <cstdint>

#include "simd/vec.hpp"

namespace simdloss {

// Registers (Reg, MaskReg, BitsReg), kWidth, and static functions on them.
template <class T, class Isa>
struct Backend;

// Memory for a part of a vector, where the ISA has no masked load or store.
template <class Element, int kWidth, class Isa>
struct PartInMemory {
  Element values[kWidth];

  // The first n elements at p, then zeros.
  static SIMDLOSS_INLINE PartInMemory read(const Element* p, std::int64_t n) {
    PartInMemory part = {};
    for (int i = 0; i < kWidth; ++i) {
      if (i < n) __builtin_memcpy(part.values + i, p + i, sizeof(Element));
    }
    return part;
  }
  SIMDLOSS_INLINE void write(Element* p, std::int64_t n) const {
    for (int i = 0; i < kWidth; ++i) {
      if (i < n) __builtin_memcpy(p + i, values + i, sizeof(Element));
    }
  }
};

// The rows of load_columns() and store_columns(). The missing ones are 16 bytes of their own.
template <class Byte, class Isa>
struct RowsOfColumns {
  Byte* first;
  std::int64_t stride;
  std::int64_t n;
  alignas(16) mutable char missing[16] = {};

  SIMDLOSS_INLINE Byte* operator[](int i) const { return i < n ? first + i * stride : missing; }
};

// Transposes 4 x 4 elements in every 16 bytes. Op::zip_low(x, y) alternates the lower 2 elements of
// x and y, zip_high the upper 2.
template <class Op, class Reg>
SIMDLOSS_INLINE void transpose_quads(Reg (&x)[4]) {
  const Reg even_low = Op::zip_low(x[0], x[2]);
  const Reg even_high = Op::zip_high(x[0], x[2]);
  const Reg odd_low = Op::zip_low(x[1], x[3]);
  const Reg odd_high = Op::zip_high(x[1], x[3]);
  x[0] = Op::zip_low(even_low, odd_low);
  x[1] = Op::zip_high(even_low, odd_low);
  x[2] = Op::zip_low(even_high, odd_high);
  x[3] = Op::zip_high(even_high, odd_high);
}

template <class T, class Isa>
struct VecMask {
  using Op = Backend<T, Isa>;
  typename Op::MaskReg reg;

  static SIMDLOSS_INLINE VecMask of(typename Op::MaskReg reg) {
    VecMask m;
    m.reg = reg;
    return m;
  }

  friend SIMDLOSS_INLINE VecMask operator&(VecMask m, VecMask n) {
    return of(Op::mask_and(m.reg, n.reg));
  }
  friend SIMDLOSS_INLINE VecMask operator|(VecMask m, VecMask n) {
    return of(Op::mask_or(m.reg, n.reg));
  }
  friend SIMDLOSS_INLINE VecMask operator!(VecMask m) { return of(Op::mask_not(m.reg)); }
  friend SIMDLOSS_INLINE bool any(VecMask m) { return Op::any(m.reg); }
  friend SIMDLOSS_INLINE bool all(VecMask m) { return Op::all(m.reg); }
  friend SIMDLOSS_INLINE int count_first(VecMask m, std::int64_t n) {
    return Op::count_first(m.reg, n);
  }
};

template <class T, class Isa>
struct VecBits {
  using Op = Backend<T, Isa>;
  using Word = typename BitsOf<T>::type;
  typename Op::BitsReg reg;

  VecBits() = default;
  SIMDLOSS_INLINE explicit VecBits(Word word) : reg(Op::bits_set(word)) {}
  static SIMDLOSS_INLINE VecBits of(typename Op::BitsReg reg) {
    VecBits b;
    b.reg = reg;
    return b;
  }

  friend SIMDLOSS_INLINE VecBits operator+(VecBits a, VecBits b) {
    return of(Op::bits_add(a.reg, b.reg));
  }
  friend SIMDLOSS_INLINE VecBits operator-(VecBits a, VecBits b) {
    return of(Op::bits_sub(a.reg, b.reg));
  }
  friend SIMDLOSS_INLINE VecBits operator&(VecBits a, VecBits b) {
    return of(Op::bits_and(a.reg, b.reg));
  }
  friend SIMDLOSS_INLINE VecBits operator|(VecBits a, VecBits b) {
    return of(Op::bits_or(a.reg, b.reg));
  }
  // 0 < kCount < the bits of a Word, in all three.
  template <int kCount>
  friend SIMDLOSS_INLINE VecBits shift_left(VecBits b) {
    return of(Op::template shift_left<kCount>(b.reg));
  }
  template <int kCount>
  friend SIMDLOSS_INLINE VecBits shift_right(VecBits b) {
    return of(Op::template shift_right<kCount>(b.reg));
  }
  template <int kCount>
  friend SIMDLOSS_INLINE VecBits shift_right_arithmetic(VecBits b) {
    return of(Op::template shift_right_arithmetic<kCount>(b.reg));
  }
};

template <class T, class Isa>
struct Vec {
  using Op = Backend<T, Isa>;
  using Element = T;
  using Mask = VecMask<T, Isa>;
  using Bits = VecBits<T, Isa>;
  static constexpr int kWidth = Op::kWidth;
  static constexpr bool kStreams = Op::kStreams;

  typename Op::Reg reg;

  Vec() = default;
  SIMDLOSS_INLINE explicit Vec(T x) : reg(Op::set(x)) {}
  static SIMDLOSS_INLINE Vec of(typename Op::Reg reg) {
    Vec x;
    x.reg = reg;
    return x;
  }

  static SIMDLOSS_INLINE Vec load(const T* p) { return of(Op::load(p)); }
  static SIMDLOSS_INLINE Vec load_first(const T* p, std::int64_t n) {
    return of(Op::load_first(p, n));
  }
  SIMDLOSS_INLINE void store(T* p) const { Op::store(p, reg); }
  SIMDLOSS_INLINE void store_first(T* p, std::int64_t n) const { Op::store_first(p, n, reg); }

  static SIMDLOSS_INLINE Vec load_float16(const std::uint16_t* p) {
    return of(Op::load_float16(p));
  }
  static SIMDLOSS_INLINE Vec load_float16_first(const std::uint16_t* p, std::int64_t n) {
    return of(Op::load_float16_first(p, n));
  }
  static SIMDLOSS_INLINE Vec load_bfloat16(const std::uint16_t* p) {
    return of(Op::load_bfloat16(p));
  }
  static SIMDLOSS_INLINE Vec load_bfloat16_first(const std::uint16_t* p, std::int64_t n) {
    return of(Op::load_bfloat16_first(p, n));
  }
  static SIMDLOSS_INLINE Vec load_double(const double* p) { return of(Op::load_double(p)); }
  static SIMDLOSS_INLINE Vec load_float(const float* p) { return of(Op::load_float(p)); }
  static SIMDLOSS_INLINE Vec load_float_first(const float* p, std::int64_t n) {
    return of(Op::load_float_first(p, n));
  }

  SIMDLOSS_INLINE void store_float16(std::uint16_t* p) const { Op::store_float16(p, reg); }
  SIMDLOSS_INLINE void store_float16_first(std::uint16_t* p, std::int64_t n) const {
    Op::store_float16_first(p, n, reg);
  }
  SIMDLOSS_INLINE void store_bfloat16(std::uint16_t* p) const { Op::store_bfloat16(p, reg); }
  SIMDLOSS_INLINE void store_bfloat16_first(std::uint16_t* p, std::int64_t n) const {
    Op::store_bfloat16_first(p, n, reg);
  }
  SIMDLOSS_INLINE void store_float(float* p) const { Op::store_float(p, reg); }

  using RowsToRead = RowsOfColumns<const char, Isa>;
  using RowsToWrite = RowsOfColumns<char, Isa>;
  static SIMDLOSS_INLINE void load_columns(const char* p, std::int64_t stride, std::int64_t n,
                                           T* to) {
    Op::load_columns(RowsToRead{p, stride, n}, to);
  }
  static SIMDLOSS_INLINE void store_columns(const T* from, char* p, std::int64_t stride,
                                            std::int64_t n) {
    Op::store_columns(from, RowsToWrite{p, stride, n});
  }

  SIMDLOSS_INLINE void stream(T* p) const { Op::stream(p, reg); }
  static SIMDLOSS_INLINE void end_streams() { Op::end_streams(); }

  friend SIMDLOSS_INLINE Vec operator+(Vec x, Vec y) { return of(Op::add(x.reg, y.reg)); }
  friend SIMDLOSS_INLINE Vec operator-(Vec x, Vec y) { return of(Op::sub(x.reg, y.reg)); }
  friend SIMDLOSS_INLINE Vec operator*(Vec x, Vec y) { return of(Op::mul(x.reg, y.reg)); }
  friend SIMDLOSS_INLINE Vec operator/(Vec x, Vec y) { return of(Op::div(x.reg, y.reg)); }
  friend SIMDLOSS_INLINE Vec operator-(Vec x) { return of(Op::neg(x.reg)); }
  friend SIMDLOSS_INLINE Vec sqrt(Vec x) { return of(Op::sqrt(x.reg)); }
  friend SIMDLOSS_INLINE Vec fma(Vec x, Vec y, Vec z) { return of(Op::fma(x.reg, y.reg, z.reg)); }
  friend SIMDLOSS_INLINE Vec fnma(Vec x, Vec y, Vec z) { return of(Op::fnma(x.reg, y.reg, z.reg)); }
  friend SIMDLOSS_INLINE Vec product_error(Vec x, Vec y, Vec xy) {
    return of(Op::product_error(x.reg, y.reg, xy.reg));
  }

  friend SIMDLOSS_INLINE Vec mantissa(Vec x) {
    if constexpr (Op::kHasMantissa) {
      return of(Op::mantissa(x.reg));
    } else {  // takes off what the bits exceed those of 3/4 by, in whole steps of the exponent
      const Bits bits = to_bits(x);
      const Bits above = bits - to_bits(Vec(T(0.75)));
      const Vec m = from_bits(bits - (above & to_bits(Vec(-Limits<T>::kInfinity))));
      return fma(x, Vec(T(0)), m);  // NaN for NaN
    }
  }
  friend SIMDLOSS_INLINE Vec abs(Vec x) { return of(Op::abs(x.reg)); }
  friend SIMDLOSS_INLINE Vec copysign(Vec magnitude, Vec sign) {
    return of(Op::copysign(magnitude.reg, sign.reg));
  }
  friend SIMDLOSS_INLINE Vec max(Vec x, Vec bound) { return of(Op::max(x.reg, bound.reg)); }
  friend SIMDLOSS_INLINE Vec min(Vec x, Vec bound) { return of(Op::min(x.reg, bound.reg)); }

  friend SIMDLOSS_INLINE Mask operator<(Vec x, Vec y) { return Mask::of(Op::lt(x.reg, y.reg)); }
  friend SIMDLOSS_INLINE Mask operator<=(Vec x, Vec y) { return Mask::of(Op::le(x.reg, y.reg)); }
  friend SIMDLOSS_INLINE Mask operator>(Vec x, Vec y) { return Mask::of(Op::lt(y.reg, x.reg)); }
  friend SIMDLOSS_INLINE Mask operator>=(Vec x, Vec y) { return Mask::of(Op::le(y.reg, x.reg)); }
  friend SIMDLOSS_INLINE Mask operator==(Vec x, Vec y) { return Mask::of(Op::eq(x.reg, y.reg)); }
  friend SIMDLOSS_INLINE Mask is_nan(Vec x) { return Mask::of(Op::is_nan(x.reg)); }

  friend SIMDLOSS_INLINE Vec select(Mask m, Vec x, Vec y) {
    return of(Op::select(m.reg, x.reg, y.reg));
  }
  friend SIMDLOSS_INLINE Vec keep(Mask m, Vec x) { return of(Op::keep(m.reg, x.reg)); }
  friend SIMDLOSS_INLINE Vec keep_first(Vec x, std::int64_t n) {
    return of(Op::keep(Op::first(n), x.reg));
  }

  friend SIMDLOSS_INLINE Vec select_first(Vec x, std::int64_t n, Vec y) {
    return of(Op::select(Op::first(n), x.reg, y.reg));
  }

  friend SIMDLOSS_INLINE Bits to_bits(Vec x) { return Bits::of(Op::to_bits(x.reg)); }
  static SIMDLOSS_INLINE Vec from_bits(Bits b) { return of(Op::from_bits(b.reg)); }
  static SIMDLOSS_INLINE Vec lookup(const T* table, Bits b) { return of(Op::lookup(table, b.reg)); }
  static SIMDLOSS_INLINE Vec from_int(Bits b) { return of(Op::from_int(b.reg)); }

  template <int kPart>
  friend SIMDLOSS_INLINE Vec<double, Isa> widen_part(Vec x) {
    return Vec<double, Isa>::of(Op::template widen_part<kPart>(x.reg));
  }
  template <int kLanes>
  friend SIMDLOSS_INLINE Vec lower(Vec x) {
    return of(Op::template lower<kLanes>(x.reg));
  }
  template <int kLanes>
  friend SIMDLOSS_INLINE Vec even_blocks(Vec x, Vec y) {
    return of(Op::template even_blocks<kLanes>(x.reg, y.reg));
  }
  template <int kLanes>
  friend SIMDLOSS_INLINE Vec odd_blocks(Vec x, Vec y) {
    return of(Op::template odd_blocks<kLanes>(x.reg, y.reg));
  }
  friend SIMDLOSS_INLINE T first_lane(Vec x) { return Op::first_lane(x.reg); }
  friend SIMDLOSS_INLINE T max_lane(Vec x) { return Op::max_lane(x.reg); }
};

}  // namespace simdloss
