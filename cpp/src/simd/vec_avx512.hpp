// SPDX-License-Identifier: Apache-2.0
#pragma once

// Vectors of 16 floats or 8 doubles: AVX-512 F, BW, DQ and VL. A mask is one bit per lane.

#include <immintrin.h>

#include <cstdint>

#include "simd/vec.hpp"
#include "simd/vec_front.hpp"

namespace simdloss {

// What does not depend on the lanes' width.
template <class Mask, class Isa>
struct Avx512Words {
  using MaskReg = Mask;
  using BitsReg = __m512i;
  static constexpr Mask kAll = static_cast<Mask>(-1);

  static SIMDLOSS_INLINE Mask mask_and(Mask m, Mask n) { return static_cast<Mask>(m & n); }
  static SIMDLOSS_INLINE Mask mask_or(Mask m, Mask n) { return static_cast<Mask>(m | n); }
  static SIMDLOSS_INLINE Mask mask_not(Mask m) { return static_cast<Mask>(~m); }
  static SIMDLOSS_INLINE bool any(Mask m) { return m != 0; }
  static SIMDLOSS_INLINE bool all(Mask m) { return m == kAll; }
  static SIMDLOSS_INLINE Mask first(std::int64_t n) { return static_cast<Mask>((1U << n) - 1U); }
  static SIMDLOSS_INLINE int count_first(Mask m, std::int64_t n) {
    return __builtin_popcount(static_cast<unsigned>(m & first(n)));
  }
  static SIMDLOSS_INLINE __m512i bits_and(__m512i a, __m512i b) { return _mm512_and_si512(a, b); }
  static SIMDLOSS_INLINE __m512i bits_or(__m512i a, __m512i b) { return _mm512_or_si512(a, b); }
  static constexpr bool kStreams = true;
  static constexpr bool kHasMantissa = true;
  static SIMDLOSS_INLINE void end_streams() { _mm_sfence(); }

 protected:
  // Rows i, i + kStep, i + 2 kStep and i + 3 kStep, 16 bytes of each.
  template <int kStep, class Rows>
  static SIMDLOSS_INLINE __m512 load_quarters(const Rows& rows, int i) {
    __m512 x = _mm512_castps128_ps512(load_quad(rows[i]));
    x = _mm512_insertf32x4(x, load_quad(rows[i + kStep]), 1);
    x = _mm512_insertf32x4(x, load_quad(rows[i + 2 * kStep]), 2);
    return _mm512_insertf32x4(x, load_quad(rows[i + 3 * kStep]), 3);
  }
  template <int kStep, class Rows>
  static SIMDLOSS_INLINE void store_quarters(const Rows& rows, int i, __m512 x) {
    store_quad(rows[i], _mm512_castps512_ps128(x));
    store_quad(rows[i + kStep], _mm512_extractf32x4_ps(x, 1));
    store_quad(rows[i + 2 * kStep], _mm512_extractf32x4_ps(x, 2));
    store_quad(rows[i + 3 * kStep], _mm512_extractf32x4_ps(x, 3));
  }
  static SIMDLOSS_INLINE __m128 load_quad(const char* p) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(p));
  }
  static SIMDLOSS_INLINE void store_quad(char* p, __m128 x) {
    _mm_storeu_ps(reinterpret_cast<float*>(p), x);
  }
};

// Truth table of the ternary logic instruction for: a ? b : c, per bit.
inline constexpr int kBitSelect = 0xCA;

template <>
struct Backend<float, isa::Avx512> : Avx512Words<__mmask16, isa::Avx512> {
  using Reg = __m512;
  static constexpr int kWidth = 16;

  static SIMDLOSS_INLINE __m512 set(float x) { return _mm512_set1_ps(x); }
  static SIMDLOSS_INLINE __m512 load(const float* p) { return _mm512_loadu_ps(p); }
  static SIMDLOSS_INLINE __m512 load_first(const float* p, std::int64_t n) {
    return _mm512_maskz_loadu_ps(first(n), p);
  }
  static SIMDLOSS_INLINE void store(float* p, __m512 x) { _mm512_storeu_ps(p, x); }
  static SIMDLOSS_INLINE void stream(float* p, __m512 x) { _mm512_stream_ps(p, x); }
  static SIMDLOSS_INLINE void store_first(float* p, std::int64_t n, __m512 x) {
    _mm512_mask_storeu_ps(p, first(n), x);
  }
  static SIMDLOSS_INLINE __m512 load_float16(const std::uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_epi16(p));
  }
  static SIMDLOSS_INLINE __m512 load_float16_first(const std::uint16_t* p, std::int64_t n) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(n), p));
  }
  static SIMDLOSS_INLINE __m512 load_bfloat16(const std::uint16_t* p) {
    return widen_bfloat16(_mm256_loadu_epi16(p));
  }
  static SIMDLOSS_INLINE __m512 load_bfloat16_first(const std::uint16_t* p, std::int64_t n) {
    return widen_bfloat16(_mm256_maskz_loadu_epi16(first(n), p));
  }
  static SIMDLOSS_INLINE void store_float16(std::uint16_t* p, __m512 x) {
    _mm256_storeu_epi16(p, narrow_float16(x));
  }
  static SIMDLOSS_INLINE void store_float16_first(std::uint16_t* p, std::int64_t n, __m512 x) {
    _mm256_mask_storeu_epi16(p, first(n), narrow_float16(x));
  }
  static SIMDLOSS_INLINE void store_bfloat16(std::uint16_t* p, __m512 x) {
    _mm256_storeu_epi16(p, narrow_bfloat16(x));
  }
  static SIMDLOSS_INLINE void store_bfloat16_first(std::uint16_t* p, std::int64_t n, __m512 x) {
    _mm256_mask_storeu_epi16(p, first(n), narrow_bfloat16(x));
  }

  static SIMDLOSS_INLINE __m512 zip_low(__m512 x, __m512 y) { return _mm512_unpacklo_ps(x, y); }
  static SIMDLOSS_INLINE __m512 zip_high(__m512 x, __m512 y) { return _mm512_unpackhi_ps(x, y); }
  template <class Rows>
  static SIMDLOSS_INLINE void load_columns(const Rows& rows, float* to) {
    __m512 x[4] = {load_quarters<4>(rows, 0), load_quarters<4>(rows, 1), load_quarters<4>(rows, 2),
                   load_quarters<4>(rows, 3)};
    transpose_quads<Backend>(x);
    store(to, x[0]);
    store(to + kWidth, x[1]);
    store(to + 2 * kWidth, x[2]);
    store(to + 3 * kWidth, x[3]);
  }
  template <class Rows>
  static SIMDLOSS_INLINE void store_columns(const float* from, const Rows& rows) {
    __m512 x[4] = {load(from), load(from + kWidth), load(from + 2 * kWidth),
                   load(from + 3 * kWidth)};
    transpose_quads<Backend>(x);
    store_quarters<4>(rows, 0, x[0]);
    store_quarters<4>(rows, 1, x[1]);
    store_quarters<4>(rows, 2, x[2]);
    store_quarters<4>(rows, 3, x[3]);
  }

  static SIMDLOSS_INLINE float max_lane(__m512 x) { return _mm512_reduce_max_ps(x); }
  static SIMDLOSS_INLINE __m512 add(__m512 x, __m512 y) { return _mm512_add_ps(x, y); }
  static SIMDLOSS_INLINE __m512 sub(__m512 x, __m512 y) { return _mm512_sub_ps(x, y); }
  static SIMDLOSS_INLINE __m512 mul(__m512 x, __m512 y) { return _mm512_mul_ps(x, y); }
  static SIMDLOSS_INLINE __m512 div(__m512 x, __m512 y) { return _mm512_div_ps(x, y); }
  static SIMDLOSS_INLINE __m512 neg(__m512 x) { return -x; }  // which goes into fma instructions
  static SIMDLOSS_INLINE __m512 sqrt(__m512 x) { return _mm512_sqrt_ps(x); }
  static SIMDLOSS_INLINE __m512 fma(__m512 x, __m512 y, __m512 z) {
    return _mm512_fmadd_ps(x, y, z);
  }
  static SIMDLOSS_INLINE __m512 fnma(__m512 x, __m512 y, __m512 z) {
    return _mm512_fnmadd_ps(x, y, z);
  }
  static SIMDLOSS_INLINE __m512 product_error(__m512 x, __m512 y, __m512 xy) {
    return _mm512_fmsub_ps(x, y, xy);
  }

  static SIMDLOSS_INLINE __m512 mantissa(__m512 x) {
    return _mm512_getmant_ps(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
  }
  static SIMDLOSS_INLINE __m512 abs(__m512 x) { return _mm512_andnot_ps(set(-0.0F), x); }
  static SIMDLOSS_INLINE __m512 copysign(__m512 magnitude, __m512 sign) {
    return from_bits(_mm512_ternarylogic_epi32(to_bits(set(-0.0F)), to_bits(sign),
                                               to_bits(magnitude), kBitSelect));
  }
  // The instructions return the second operand on NaN and for a pair of zeros.
  static SIMDLOSS_INLINE __m512 max(__m512 x, __m512 bound) { return _mm512_max_ps(bound, x); }
  static SIMDLOSS_INLINE __m512 min(__m512 x, __m512 bound) { return _mm512_min_ps(bound, x); }

  static SIMDLOSS_INLINE __mmask16 lt(__m512 x, __m512 y) {
    return _mm512_cmp_ps_mask(x, y, _CMP_LT_OQ);
  }
  static SIMDLOSS_INLINE __mmask16 le(__m512 x, __m512 y) {
    return _mm512_cmp_ps_mask(x, y, _CMP_LE_OQ);
  }
  static SIMDLOSS_INLINE __mmask16 eq(__m512 x, __m512 y) {
    return _mm512_cmp_ps_mask(x, y, _CMP_EQ_OQ);
  }
  static SIMDLOSS_INLINE __mmask16 is_nan(__m512 x) {
    return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  }
  static SIMDLOSS_INLINE __m512 select(__mmask16 m, __m512 x, __m512 y) {
    return _mm512_mask_blend_ps(m, y, x);
  }
  static SIMDLOSS_INLINE __m512 keep(__mmask16 m, __m512 x) { return _mm512_maskz_mov_ps(m, x); }

  static SIMDLOSS_INLINE __m512i to_bits(__m512 x) { return _mm512_castps_si512(x); }
  static SIMDLOSS_INLINE __m512 from_bits(__m512i b) { return _mm512_castsi512_ps(b); }
  static SIMDLOSS_INLINE __m512i bits_set(std::uint32_t word) {
    return _mm512_set1_epi32(static_cast<int>(word));
  }
  static SIMDLOSS_INLINE __m512i bits_add(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
  static SIMDLOSS_INLINE __m512i bits_sub(__m512i a, __m512i b) { return _mm512_sub_epi32(a, b); }
  template <int kCount>
  static SIMDLOSS_INLINE __m512i shift_left(__m512i b) {
    return _mm512_slli_epi32(b, kCount);
  }
  template <int kCount>
  static SIMDLOSS_INLINE __m512i shift_right(__m512i b) {
    return _mm512_srli_epi32(b, kCount);
  }
  template <int kCount>
  static SIMDLOSS_INLINE __m512i shift_right_arithmetic(__m512i b) {
    return _mm512_srai_epi32(b, kCount);
  }
  static SIMDLOSS_INLINE __m512 lookup(const float* table, __m512i b) {
    // Not a broadcast, which would be made anew for each vector; this is a constant.
    const __m512 twice = _mm512_setr_ps(table[0], table[1], table[2], table[3], table[4], table[5],
                                        table[6], table[7], table[0], table[1], table[2], table[3],
                                        table[4], table[5], table[6], table[7]);
    return _mm512_permutexvar_ps(b, twice);
  }
  static SIMDLOSS_INLINE __m512 from_int(__m512i b) { return _mm512_cvtepi32_ps(b); }

  static SIMDLOSS_INLINE __m512 load_double(const double* p) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(_mm512_loadu_pd(p))),
                              _mm512_cvtpd_ps(_mm512_loadu_pd(p + 8)), 1);
  }
  template <int kPart>
  static SIMDLOSS_INLINE __m512d widen_part(__m512 x) {
    return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, kPart));
  }

 private:
  static SIMDLOSS_INLINE __m512 widen_bfloat16(__m256i words) {
    return from_bits(shift_left<16>(_mm512_cvtepu16_epi32(words)));
  }
  static SIMDLOSS_INLINE __m256i narrow_float16(__m512 x) {
    return _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  // As in Backend<float, isa::Scalar>. The instruction for it would take subnormals for zeros.
  static SIMDLOSS_INLINE __m256i narrow_bfloat16(__m512 x) {
    const __m512i word = to_bits(x);
    const __m512i odd = bits_and(shift_right<16>(word), bits_set(1));
    const __m512i rounded = bits_add(bits_add(word, bits_set(0x7FFF)), odd);
    const __m512i quiet = bits_or(word, bits_set(0x400000));
    return _mm512_cvtepi32_epi16(
        shift_right<16>(_mm512_mask_blend_epi32(is_nan(x), rounded, quiet)));
  }
};

template <>
struct Backend<double, isa::Avx512> : Avx512Words<__mmask8, isa::Avx512> {
  using Reg = __m512d;
  static constexpr int kWidth = 8;

  static SIMDLOSS_INLINE __m512d set(double x) { return _mm512_set1_pd(x); }
  static SIMDLOSS_INLINE __m512d load(const double* p) { return _mm512_loadu_pd(p); }
  static SIMDLOSS_INLINE __m512d load_first(const double* p, std::int64_t n) {
    return _mm512_maskz_loadu_pd(first(n), p);
  }
  static SIMDLOSS_INLINE void store(double* p, __m512d x) { _mm512_storeu_pd(p, x); }
  static SIMDLOSS_INLINE void stream(double* p, __m512d x) { _mm512_stream_pd(p, x); }
  static SIMDLOSS_INLINE void store_first(double* p, std::int64_t n, __m512d x) {
    _mm512_mask_storeu_pd(p, first(n), x);
  }
  static SIMDLOSS_INLINE __m512d load_float(const float* p) {
    return _mm512_cvtps_pd(_mm256_loadu_ps(p));
  }
  static SIMDLOSS_INLINE __m512d load_float_first(const float* p, std::int64_t n) {
    return _mm512_cvtps_pd(_mm256_maskz_loadu_ps(first(n), p));
  }
  static SIMDLOSS_INLINE void store_float(float* p, __m512d x) {
    _mm256_storeu_ps(p, _mm512_cvtpd_ps(x));
  }

  static SIMDLOSS_INLINE __m512d zip_low(__m512d x, __m512d y) { return _mm512_unpacklo_pd(x, y); }
  static SIMDLOSS_INLINE __m512d zip_high(__m512d x, __m512d y) { return _mm512_unpackhi_pd(x, y); }
  static SIMDLOSS_INLINE __m256 zip_low(__m256 x, __m256 y) { return _mm256_unpacklo_ps(x, y); }
  static SIMDLOSS_INLINE __m256 zip_high(__m256 x, __m256 y) { return _mm256_unpackhi_ps(x, y); }
  template <class Rows>
  static SIMDLOSS_INLINE void load_columns(const Rows& rows, double* to) {
    const __m512d x = _mm512_castps_pd(load_quarters<2>(rows, 0));
    const __m512d y = _mm512_castps_pd(load_quarters<2>(rows, 1));
    store(to, zip_low(x, y));
    store(to + kWidth, zip_high(x, y));
  }
  template <class Rows>
  static SIMDLOSS_INLINE void store_columns(const double* from, const Rows& rows) {
    const __m512d x = load(from);
    const __m512d y = load(from + kWidth);
    store_quarters<2>(rows, 0, _mm512_castpd_ps(zip_low(x, y)));
    store_quarters<2>(rows, 1, _mm512_castpd_ps(zip_high(x, y)));
  }

  static SIMDLOSS_INLINE __m512d add(__m512d x, __m512d y) { return _mm512_add_pd(x, y); }
  static SIMDLOSS_INLINE __m512d sub(__m512d x, __m512d y) { return _mm512_sub_pd(x, y); }
  static SIMDLOSS_INLINE __m512d mul(__m512d x, __m512d y) { return _mm512_mul_pd(x, y); }
  static SIMDLOSS_INLINE __m512d div(__m512d x, __m512d y) { return _mm512_div_pd(x, y); }
  static SIMDLOSS_INLINE __m512d neg(__m512d x) { return -x; }
  static SIMDLOSS_INLINE __m512d sqrt(__m512d x) { return _mm512_sqrt_pd(x); }
  static SIMDLOSS_INLINE __m512d fma(__m512d x, __m512d y, __m512d z) {
    return _mm512_fmadd_pd(x, y, z);
  }
  static SIMDLOSS_INLINE __m512d fnma(__m512d x, __m512d y, __m512d z) {
    return _mm512_fnmadd_pd(x, y, z);
  }
  static SIMDLOSS_INLINE __m512d product_error(__m512d x, __m512d y, __m512d xy) {
    return _mm512_fmsub_pd(x, y, xy);
  }

  static SIMDLOSS_INLINE __m512d mantissa(__m512d x) {
    return _mm512_getmant_pd(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
  }
  static SIMDLOSS_INLINE __m512d abs(__m512d x) { return _mm512_andnot_pd(set(-0.0), x); }
  static SIMDLOSS_INLINE __m512d copysign(__m512d magnitude, __m512d sign) {
    return from_bits(_mm512_ternarylogic_epi64(to_bits(set(-0.0)), to_bits(sign),
                                               to_bits(magnitude), kBitSelect));
  }
  // The instructions return the second operand on NaN and for a pair of zeros.
  static SIMDLOSS_INLINE __m512d max(__m512d x, __m512d bound) { return _mm512_max_pd(bound, x); }
  static SIMDLOSS_INLINE __m512d min(__m512d x, __m512d bound) { return _mm512_min_pd(bound, x); }

  static SIMDLOSS_INLINE __mmask8 lt(__m512d x, __m512d y) {
    return _mm512_cmp_pd_mask(x, y, _CMP_LT_OQ);
  }
  static SIMDLOSS_INLINE __mmask8 le(__m512d x, __m512d y) {
    return _mm512_cmp_pd_mask(x, y, _CMP_LE_OQ);
  }
  static SIMDLOSS_INLINE __mmask8 eq(__m512d x, __m512d y) {
    return _mm512_cmp_pd_mask(x, y, _CMP_EQ_OQ);
  }
  static SIMDLOSS_INLINE __mmask8 is_nan(__m512d x) {
    return _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q);
  }
  static SIMDLOSS_INLINE __m512d select(__mmask8 m, __m512d x, __m512d y) {
    return _mm512_mask_blend_pd(m, y, x);
  }
  static SIMDLOSS_INLINE __m512d keep(__mmask8 m, __m512d x) { return _mm512_maskz_mov_pd(m, x); }

  static SIMDLOSS_INLINE __m512i to_bits(__m512d x) { return _mm512_castpd_si512(x); }
  static SIMDLOSS_INLINE __m512d from_bits(__m512i b) { return _mm512_castsi512_pd(b); }
  static SIMDLOSS_INLINE __m512i bits_set(std::uint64_t word) {
    return _mm512_set1_epi64(static_cast<std::int64_t>(word));
  }
  static SIMDLOSS_INLINE __m512i bits_add(__m512i a, __m512i b) { return _mm512_add_epi64(a, b); }
  static SIMDLOSS_INLINE __m512i bits_sub(__m512i a, __m512i b) { return _mm512_sub_epi64(a, b); }
  template <int kCount>
  static SIMDLOSS_INLINE __m512i shift_left(__m512i b) {
    return _mm512_slli_epi64(b, kCount);
  }
  template <int kCount>
  static SIMDLOSS_INLINE __m512i shift_right(__m512i b) {
    return _mm512_srli_epi64(b, kCount);
  }
  template <int kCount>
  static SIMDLOSS_INLINE __m512i shift_right_arithmetic(__m512i b) {
    return _mm512_srai_epi64(b, kCount);
  }
  static SIMDLOSS_INLINE __m512d from_int(__m512i b) { return _mm512_cvtepi64_pd(b); }

  template <int kLanes>
  static SIMDLOSS_INLINE __m512d lower(__m512d x) {
    if constexpr (kLanes == 4) {
      return _mm512_castpd256_pd512(_mm512_extractf64x4_pd(x, 1));
    } else if constexpr (kLanes == 2) {
      return _mm512_castpd128_pd512(_mm512_extractf64x2_pd(x, 1));
    } else {
      return _mm512_unpackhi_pd(x, x);
    }
  }
  template <int kLanes>
  static SIMDLOSS_INLINE __m512d even_blocks(__m512d x, __m512d y) {
    if constexpr (kLanes == 4) {
      return _mm512_shuffle_f64x2(x, y, 0x44);
    } else if constexpr (kLanes == 2) {
      return _mm512_permutex2var_pd(x, _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), y);
    } else {
      return _mm512_unpacklo_pd(x, y);
    }
  }
  template <int kLanes>
  static SIMDLOSS_INLINE __m512d odd_blocks(__m512d x, __m512d y) {
    if constexpr (kLanes == 4) {
      return _mm512_shuffle_f64x2(x, y, 0xEE);
    } else if constexpr (kLanes == 2) {
      return _mm512_permutex2var_pd(x, _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15), y);
    } else {
      return _mm512_unpackhi_pd(x, y);
    }
  }
  static SIMDLOSS_INLINE double first_lane(__m512d x) { return _mm512_cvtsd_f64(x); }
  static SIMDLOSS_INLINE double max_lane(__m512d x) { return _mm512_reduce_max_pd(x); }
};

}  // namespace simdloss
