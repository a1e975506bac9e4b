// SPDX-License-Identifier: Apache-2.0
#pragma once

// Vectors of 4 floats or 2 doubles: AArch64 Advanced SIMD. A mask is a lane of all ones or zeros.

#include <arm_neon.h>

#include <cstdint>

#include "simd/vec.hpp"
#include "simd/vec_front.hpp"

namespace simdloss {

template <>
struct Backend<float, isa::Neon> {
  using Reg = float32x4_t;
  using MaskReg = uint32x4_t;
  using BitsReg = uint32x4_t;
  static constexpr int kWidth = 4;
  static constexpr bool kStreams = false;
  static constexpr bool kHasMantissa = false;

  static SIMDLOSS_INLINE float32x4_t set(float x) { return vdupq_n_f32(x); }
  static SIMDLOSS_INLINE float32x4_t load(const float* p) { return vld1q_f32(p); }
  static SIMDLOSS_INLINE float32x4_t load_first(const float* p, std::int64_t n) {
    return load(Part<float>::read(p, n).values);
  }
  static SIMDLOSS_INLINE void store(float* p, float32x4_t x) { vst1q_f32(p, x); }
  static SIMDLOSS_INLINE void store_first(float* p, std::int64_t n, float32x4_t x) {
    Part<float> part;
    store(part.values, x);
    part.write(p, n);
  }
  static SIMDLOSS_INLINE float32x4_t load_float16(const std::uint16_t* p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
  }
  static SIMDLOSS_INLINE float32x4_t load_float16_first(const std::uint16_t* p, std::int64_t n) {
    return load_float16(Part<std::uint16_t>::read(p, n).values);
  }
  static SIMDLOSS_INLINE float32x4_t load_bfloat16(const std::uint16_t* p) {
    return from_bits(vshll_n_u16(vld1_u16(p), 16));
  }
  static SIMDLOSS_INLINE float32x4_t load_bfloat16_first(const std::uint16_t* p, std::int64_t n) {
    return load_bfloat16(Part<std::uint16_t>::read(p, n).values);
  }
  static SIMDLOSS_INLINE void store_float16(std::uint16_t* p, float32x4_t x) {
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x)));
  }
  static SIMDLOSS_INLINE void store_float16_first(std::uint16_t* p, std::int64_t n, float32x4_t x) {
    Part<std::uint16_t> part;
    store_float16(part.values, x);
    part.write(p, n);
  }
  // As in Backend<float, isa::Scalar>.
  static SIMDLOSS_INLINE void store_bfloat16(std::uint16_t* p, float32x4_t x) {
    const uint32x4_t word = to_bits(x);
    const uint32x4_t odd = bits_and(shift_right<16>(word), bits_set(1));
    const uint32x4_t rounded = bits_add(bits_add(word, bits_set(0x7FFF)), odd);
    const uint32x4_t quiet = bits_or(word, bits_set(0x400000));
    vst1_u16(p, vshrn_n_u32(vbslq_u32(is_nan(x), quiet, rounded), 16));
  }
  static SIMDLOSS_INLINE void store_bfloat16_first(std::uint16_t* p, std::int64_t n,
                                                   float32x4_t x) {
    Part<std::uint16_t> part;
    store_bfloat16(part.values, x);
    part.write(p, n);
  }

  static SIMDLOSS_INLINE float32x4_t zip_low(float32x4_t x, float32x4_t y) {
    return vzip1q_f32(x, y);
  }
  static SIMDLOSS_INLINE float32x4_t zip_high(float32x4_t x, float32x4_t y) {
    return vzip2q_f32(x, y);
  }
  template <class Rows>
  static SIMDLOSS_INLINE void load_columns(const Rows& rows, float* to) {
    float32x4_t x[4] = {load(reinterpret_cast<const float*>(rows[0])),
                        load(reinterpret_cast<const float*>(rows[1])),
                        load(reinterpret_cast<const float*>(rows[2])),
                        load(reinterpret_cast<const float*>(rows[3]))};
    transpose_quads<Backend>(x);
    store(to, x[0]);
    store(to + kWidth, x[1]);
    store(to + 2 * kWidth, x[2]);
    store(to + 3 * kWidth, x[3]);
  }
  template <class Rows>
  static SIMDLOSS_INLINE void store_columns(const float* from, const Rows& rows) {
    float32x4_t x[4] = {load(from), load(from + kWidth), load(from + 2 * kWidth),
                        load(from + 3 * kWidth)};
    transpose_quads<Backend>(x);
    store(reinterpret_cast<float*>(rows[0]), x[0]);
    store(reinterpret_cast<float*>(rows[1]), x[1]);
    store(reinterpret_cast<float*>(rows[2]), x[2]);
    store(reinterpret_cast<float*>(rows[3]), x[3]);
  }

  static SIMDLOSS_INLINE float32x4_t add(float32x4_t x, float32x4_t y) { return vaddq_f32(x, y); }
  static SIMDLOSS_INLINE float32x4_t sub(float32x4_t x, float32x4_t y) { return vsubq_f32(x, y); }
  static SIMDLOSS_INLINE float32x4_t mul(float32x4_t x, float32x4_t y) { return vmulq_f32(x, y); }
  static SIMDLOSS_INLINE float32x4_t div(float32x4_t x, float32x4_t y) { return vdivq_f32(x, y); }
  static SIMDLOSS_INLINE float32x4_t neg(float32x4_t x) { return vnegq_f32(x); }
  static SIMDLOSS_INLINE float32x4_t sqrt(float32x4_t x) { return vsqrtq_f32(x); }
  static SIMDLOSS_INLINE float32x4_t fma(float32x4_t x, float32x4_t y, float32x4_t z) {
    return vfmaq_f32(z, x, y);
  }
  static SIMDLOSS_INLINE float32x4_t fnma(float32x4_t x, float32x4_t y, float32x4_t z) {
    return vfmsq_f32(z, x, y);
  }
  static SIMDLOSS_INLINE float32x4_t product_error(float32x4_t x, float32x4_t y, float32x4_t xy) {
    return fma(x, y, neg(xy));
  }

  static SIMDLOSS_INLINE float32x4_t abs(float32x4_t x) { return vabsq_f32(x); }
  static SIMDLOSS_INLINE float32x4_t copysign(float32x4_t magnitude, float32x4_t sign) {
    return vbslq_f32(to_bits(set(-0.0F)), sign, magnitude);
  }
  // Not vmaxq and vminq, which return NaN for a NaN on either side.
  static SIMDLOSS_INLINE float32x4_t max(float32x4_t x, float32x4_t bound) {
    return select(lt(x, bound), bound, x);
  }
  static SIMDLOSS_INLINE float32x4_t min(float32x4_t x, float32x4_t bound) {
    return select(lt(bound, x), bound, x);
  }

  static SIMDLOSS_INLINE uint32x4_t lt(float32x4_t x, float32x4_t y) { return vcltq_f32(x, y); }
  static SIMDLOSS_INLINE uint32x4_t le(float32x4_t x, float32x4_t y) { return vcleq_f32(x, y); }
  static SIMDLOSS_INLINE uint32x4_t eq(float32x4_t x, float32x4_t y) { return vceqq_f32(x, y); }
  static SIMDLOSS_INLINE uint32x4_t is_nan(float32x4_t x) { return mask_not(eq(x, x)); }
  static SIMDLOSS_INLINE uint32x4_t mask_and(uint32x4_t m, uint32x4_t n) { return vandq_u32(m, n); }
  static SIMDLOSS_INLINE uint32x4_t mask_or(uint32x4_t m, uint32x4_t n) { return vorrq_u32(m, n); }
  static SIMDLOSS_INLINE uint32x4_t mask_not(uint32x4_t m) { return vmvnq_u32(m); }
  static SIMDLOSS_INLINE bool any(uint32x4_t m) { return vmaxvq_u32(m) != 0; }
  static SIMDLOSS_INLINE bool all(uint32x4_t m) { return vminvq_u32(m) != 0; }
  static SIMDLOSS_INLINE uint32x4_t first(std::int64_t n) {
    const int32x4_t lane = {0, 1, 2, 3};
    return vcltq_s32(lane, vdupq_n_s32(static_cast<std::int32_t>(n)));
  }
  static SIMDLOSS_INLINE int count_first(uint32x4_t m, std::int64_t n) {
    return static_cast<int>(vaddvq_u32(vshrq_n_u32(vandq_u32(m, first(n)), 31)));
  }
  static SIMDLOSS_INLINE float max_lane(float32x4_t x) { return vmaxvq_f32(x); }
  static SIMDLOSS_INLINE float32x4_t select(uint32x4_t m, float32x4_t x, float32x4_t y) {
    return vbslq_f32(m, x, y);
  }
  static SIMDLOSS_INLINE float32x4_t keep(uint32x4_t m, float32x4_t x) {
    return from_bits(bits_and(m, to_bits(x)));
  }

  static SIMDLOSS_INLINE uint32x4_t to_bits(float32x4_t x) { return vreinterpretq_u32_f32(x); }
  static SIMDLOSS_INLINE float32x4_t from_bits(uint32x4_t b) { return vreinterpretq_f32_u32(b); }
  static SIMDLOSS_INLINE uint32x4_t bits_set(std::uint32_t word) { return vdupq_n_u32(word); }
  static SIMDLOSS_INLINE uint32x4_t bits_add(uint32x4_t a, uint32x4_t b) { return vaddq_u32(a, b); }
  static SIMDLOSS_INLINE uint32x4_t bits_sub(uint32x4_t a, uint32x4_t b) { return vsubq_u32(a, b); }
  static SIMDLOSS_INLINE uint32x4_t bits_and(uint32x4_t a, uint32x4_t b) { return vandq_u32(a, b); }
  static SIMDLOSS_INLINE uint32x4_t bits_or(uint32x4_t a, uint32x4_t b) { return vorrq_u32(a, b); }
  template <int kCount>
  static SIMDLOSS_INLINE uint32x4_t shift_left(uint32x4_t b) {
    return vshlq_n_u32(b, kCount);
  }
  template <int kCount>
  static SIMDLOSS_INLINE uint32x4_t shift_right(uint32x4_t b) {
    return vshrq_n_u32(b, kCount);
  }
  template <int kCount>
  static SIMDLOSS_INLINE uint32x4_t shift_right_arithmetic(uint32x4_t b) {
    return vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(b), kCount));
  }
  static SIMDLOSS_INLINE float32x4_t lookup(const float* table, uint32x4_t b) {
    // The four byte positions of entry i are 4 i, 4 i + 1, ...
    const uint32x4_t entry = bits_and(b, bits_set(7));
    const uint32x4_t bytes = vmlaq_u32(bits_set(0x03020100), entry, bits_set(0x04040404));
    const uint8x16x2_t entries = {vreinterpretq_u8_f32(load(table)),
                                  vreinterpretq_u8_f32(load(table + 4))};
    return vreinterpretq_f32_u8(vqtbl2q_u8(entries, vreinterpretq_u8_u32(bytes)));
  }
  static SIMDLOSS_INLINE float32x4_t from_int(uint32x4_t b) {
    return vcvtq_f32_s32(vreinterpretq_s32_u32(b));
  }

  static SIMDLOSS_INLINE float32x4_t load_double(const double* p) {
    return vcvt_high_f32_f64(vcvt_f32_f64(vld1q_f64(p)), vld1q_f64(p + 2));
  }
  template <int kPart>
  static SIMDLOSS_INLINE float64x2_t widen_part(float32x4_t x) {
    return kPart == 0 ? vcvt_f64_f32(vget_low_f32(x)) : vcvt_high_f64_f32(x);
  }

 private:
  template <class Element>
  using Part = PartInMemory<Element, kWidth, isa::Neon>;
};

template <>
struct Backend<double, isa::Neon> {
  using Reg = float64x2_t;
  using MaskReg = uint64x2_t;
  using BitsReg = uint64x2_t;
  static constexpr int kWidth = 2;
  static constexpr bool kStreams = false;
  static constexpr bool kHasMantissa = false;

  static SIMDLOSS_INLINE float64x2_t set(double x) { return vdupq_n_f64(x); }
  static SIMDLOSS_INLINE float64x2_t load(const double* p) { return vld1q_f64(p); }
  static SIMDLOSS_INLINE float64x2_t load_first(const double* p, std::int64_t n) {
    return load(Part<double>::read(p, n).values);
  }
  static SIMDLOSS_INLINE void store(double* p, float64x2_t x) { vst1q_f64(p, x); }
  static SIMDLOSS_INLINE void store_first(double* p, std::int64_t n, float64x2_t x) {
    Part<double> part;
    store(part.values, x);
    part.write(p, n);
  }
  static SIMDLOSS_INLINE float64x2_t load_float(const float* p) {
    return vcvt_f64_f32(vld1_f32(p));
  }
  static SIMDLOSS_INLINE float64x2_t load_float_first(const float* p, std::int64_t n) {
    return load_float(Part<float>::read(p, n).values);
  }
  static SIMDLOSS_INLINE void store_float(float* p, float64x2_t x) { vst1_f32(p, vcvt_f32_f64(x)); }

  static SIMDLOSS_INLINE float64x2_t zip_low(float64x2_t x, float64x2_t y) {
    return vzip1q_f64(x, y);
  }
  static SIMDLOSS_INLINE float64x2_t zip_high(float64x2_t x, float64x2_t y) {
    return vzip2q_f64(x, y);
  }
  template <class Rows>
  static SIMDLOSS_INLINE void load_columns(const Rows& rows, double* to) {
    const float64x2_t x = load(reinterpret_cast<const double*>(rows[0]));
    const float64x2_t y = load(reinterpret_cast<const double*>(rows[1]));
    store(to, zip_low(x, y));
    store(to + kWidth, zip_high(x, y));
  }
  template <class Rows>
  static SIMDLOSS_INLINE void store_columns(const double* from, const Rows& rows) {
    const float64x2_t x = load(from);
    const float64x2_t y = load(from + kWidth);
    store(reinterpret_cast<double*>(rows[0]), zip_low(x, y));
    store(reinterpret_cast<double*>(rows[1]), zip_high(x, y));
  }

  static SIMDLOSS_INLINE float64x2_t add(float64x2_t x, float64x2_t y) { return vaddq_f64(x, y); }
  static SIMDLOSS_INLINE float64x2_t sub(float64x2_t x, float64x2_t y) { return vsubq_f64(x, y); }
  static SIMDLOSS_INLINE float64x2_t mul(float64x2_t x, float64x2_t y) { return vmulq_f64(x, y); }
  static SIMDLOSS_INLINE float64x2_t div(float64x2_t x, float64x2_t y) { return vdivq_f64(x, y); }
  static SIMDLOSS_INLINE float64x2_t neg(float64x2_t x) { return vnegq_f64(x); }
  static SIMDLOSS_INLINE float64x2_t sqrt(float64x2_t x) { return vsqrtq_f64(x); }
  static SIMDLOSS_INLINE float64x2_t fma(float64x2_t x, float64x2_t y, float64x2_t z) {
    return vfmaq_f64(z, x, y);
  }
  static SIMDLOSS_INLINE float64x2_t fnma(float64x2_t x, float64x2_t y, float64x2_t z) {
    return vfmsq_f64(z, x, y);
  }
  static SIMDLOSS_INLINE float64x2_t product_error(float64x2_t x, float64x2_t y, float64x2_t xy) {
    return fma(x, y, neg(xy));
  }

  static SIMDLOSS_INLINE float64x2_t abs(float64x2_t x) { return vabsq_f64(x); }
  static SIMDLOSS_INLINE float64x2_t copysign(float64x2_t magnitude, float64x2_t sign) {
    return vbslq_f64(to_bits(set(-0.0)), sign, magnitude);
  }
  // Not vmaxq and vminq, which return NaN for a NaN on either side.
  static SIMDLOSS_INLINE float64x2_t max(float64x2_t x, float64x2_t bound) {
    return select(lt(x, bound), bound, x);
  }
  static SIMDLOSS_INLINE float64x2_t min(float64x2_t x, float64x2_t bound) {
    return select(lt(bound, x), bound, x);
  }

  static SIMDLOSS_INLINE uint64x2_t lt(float64x2_t x, float64x2_t y) { return vcltq_f64(x, y); }
  static SIMDLOSS_INLINE uint64x2_t le(float64x2_t x, float64x2_t y) { return vcleq_f64(x, y); }
  static SIMDLOSS_INLINE uint64x2_t eq(float64x2_t x, float64x2_t y) { return vceqq_f64(x, y); }
  static SIMDLOSS_INLINE uint64x2_t is_nan(float64x2_t x) { return mask_not(eq(x, x)); }
  static SIMDLOSS_INLINE uint64x2_t mask_and(uint64x2_t m, uint64x2_t n) { return vandq_u64(m, n); }
  static SIMDLOSS_INLINE uint64x2_t mask_or(uint64x2_t m, uint64x2_t n) { return vorrq_u64(m, n); }
  static SIMDLOSS_INLINE uint64x2_t mask_not(uint64x2_t m) {
    return veorq_u64(m, bits_set(~std::uint64_t{0}));
  }
  static SIMDLOSS_INLINE bool any(uint64x2_t m) {
    return vmaxvq_u32(vreinterpretq_u32_u64(m)) != 0;
  }
  static SIMDLOSS_INLINE bool all(uint64x2_t m) {
    return vminvq_u32(vreinterpretq_u32_u64(m)) != 0;
  }
  static SIMDLOSS_INLINE uint64x2_t first(std::int64_t n) {
    const int64x2_t lane = {0, 1};
    return vcltq_s64(lane, vdupq_n_s64(n));
  }
  static SIMDLOSS_INLINE int count_first(uint64x2_t m, std::int64_t n) {
    return static_cast<int>(vaddvq_u64(vshrq_n_u64(vandq_u64(m, first(n)), 63)));
  }
  static SIMDLOSS_INLINE double max_lane(float64x2_t x) { return vmaxvq_f64(x); }
  static SIMDLOSS_INLINE float64x2_t select(uint64x2_t m, float64x2_t x, float64x2_t y) {
    return vbslq_f64(m, x, y);
  }
  static SIMDLOSS_INLINE float64x2_t keep(uint64x2_t m, float64x2_t x) {
    return from_bits(bits_and(m, to_bits(x)));
  }

  static SIMDLOSS_INLINE uint64x2_t to_bits(float64x2_t x) { return vreinterpretq_u64_f64(x); }
  static SIMDLOSS_INLINE float64x2_t from_bits(uint64x2_t b) { return vreinterpretq_f64_u64(b); }
  static SIMDLOSS_INLINE uint64x2_t bits_set(std::uint64_t word) { return vdupq_n_u64(word); }
  static SIMDLOSS_INLINE uint64x2_t bits_add(uint64x2_t a, uint64x2_t b) { return vaddq_u64(a, b); }
  static SIMDLOSS_INLINE uint64x2_t bits_sub(uint64x2_t a, uint64x2_t b) { return vsubq_u64(a, b); }
  static SIMDLOSS_INLINE uint64x2_t bits_and(uint64x2_t a, uint64x2_t b) { return vandq_u64(a, b); }
  static SIMDLOSS_INLINE uint64x2_t bits_or(uint64x2_t a, uint64x2_t b) { return vorrq_u64(a, b); }
  template <int kCount>
  static SIMDLOSS_INLINE uint64x2_t shift_left(uint64x2_t b) {
    return vshlq_n_u64(b, kCount);
  }
  template <int kCount>
  static SIMDLOSS_INLINE uint64x2_t shift_right(uint64x2_t b) {
    return vshrq_n_u64(b, kCount);
  }
  template <int kCount>
  static SIMDLOSS_INLINE uint64x2_t shift_right_arithmetic(uint64x2_t b) {
    return vreinterpretq_u64_s64(vshrq_n_s64(vreinterpretq_s64_u64(b), kCount));
  }
  static SIMDLOSS_INLINE float64x2_t from_int(uint64x2_t b) {
    return vcvtq_f64_s64(vreinterpretq_s64_u64(b));
  }

  template <int kLanes>
  static SIMDLOSS_INLINE float64x2_t lower(float64x2_t x) {
    return vdupq_laneq_f64(x, 1);
  }
  template <int kLanes>
  static SIMDLOSS_INLINE float64x2_t even_blocks(float64x2_t x, float64x2_t y) {
    return vzip1q_f64(x, y);
  }
  template <int kLanes>
  static SIMDLOSS_INLINE float64x2_t odd_blocks(float64x2_t x, float64x2_t y) {
    return vzip2q_f64(x, y);
  }
  static SIMDLOSS_INLINE double first_lane(float64x2_t x) { return vgetq_lane_f64(x, 0); }

 private:
  template <class Element>
  using Part = PartInMemory<Element, kWidth, isa::Neon>;
};

}  // namespace simdloss
