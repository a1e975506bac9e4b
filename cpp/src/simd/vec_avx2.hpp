// SPDX-License-Identifier: Apache-2.0
#pragma once

// Vectors of 8 floats or 4 doubles: AVX2 with FMA and F16C. A mask is a lane of all ones or zeros.

#include <immintrin.h>

#include <cstdint>

#include "simd/vec.hpp"
#include "simd/vec_front.hpp"

namespace simdloss {

// What does not depend on the lanes' width.
template <class Isa>
struct Avx2Words {
  using MaskReg = __m256i;
  using BitsReg = __m256i;

  static SIMDLOSS_INLINE __m256i mask_and(__m256i m, __m256i n) { return _mm256_and_si256(m, n); }
  static SIMDLOSS_INLINE __m256i mask_or(__m256i m, __m256i n) { return _mm256_or_si256(m, n); }
  static SIMDLOSS_INLINE __m256i mask_not(__m256i m) {
    return _mm256_xor_si256(m, _mm256_set1_epi32(-1));
  }
  static SIMDLOSS_INLINE bool any(__m256i m) { return _mm256_movemask_epi8(m) != 0; }
  static SIMDLOSS_INLINE bool all(__m256i m) { return _mm256_movemask_epi8(m) == -1; }
  static SIMDLOSS_INLINE __m256i bits_and(__m256i a, __m256i b) { return _mm256_and_si256(a, b); }
  static SIMDLOSS_INLINE __m256i bits_or(__m256i a, __m256i b) { return _mm256_or_si256(a, b); }
  static constexpr bool kStreams = true;
  static constexpr bool kHasMantissa = false;
  static SIMDLOSS_INLINE void end_streams() { _mm_sfence(); }

 protected:
  static SIMDLOSS_INLINE __m256 load_halves(const char* low, const char* high) {
    return _mm256_set_m128(load_quad(high), load_quad(low));
  }
  static SIMDLOSS_INLINE void store_halves(char* low, char* high, __m256 x) {
    store_quad(low, _mm256_castps256_ps128(x));
    store_quad(high, _mm256_extractf128_ps(x, 1));
  }
  static SIMDLOSS_INLINE __m128 load_quad(const char* p) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(p));
  }
  static SIMDLOSS_INLINE void store_quad(char* p, __m128 x) {
    _mm_storeu_ps(reinterpret_cast<float*>(p), x);
  }
};

template <>
struct Backend<float, isa::Avx2> : Avx2Words<isa::Avx2> {
  using Reg = __m256;
  static constexpr int kWidth = 8;

  static SIMDLOSS_INLINE __m256 set(float x) { return _mm256_set1_ps(x); }
  static SIMDLOSS_INLINE __m256 load(const float* p) { return _mm256_loadu_ps(p); }
  static SIMDLOSS_INLINE __m256 load_first(const float* p, std::int64_t n) {
    return _mm256_maskload_ps(p, first(n));
  }
  static SIMDLOSS_INLINE void store(float* p, __m256 x) { _mm256_storeu_ps(p, x); }
  static SIMDLOSS_INLINE void stream(float* p, __m256 x) { _mm256_stream_ps(p, x); }
  static SIMDLOSS_INLINE void store_first(float* p, std::int64_t n, __m256 x) {
    _mm256_maskstore_ps(p, first(n), x);
  }
  static SIMDLOSS_INLINE __m256 load_float16(const std::uint16_t* p) {
    return _mm256_cvtph_ps(load_words(p));
  }
  static SIMDLOSS_INLINE __m256 load_float16_first(const std::uint16_t* p, std::int64_t n) {
    return load_float16(Words::read(p, n).values);
  }
  static SIMDLOSS_INLINE __m256 load_bfloat16(const std::uint16_t* p) {
    return from_bits(shift_left<16>(_mm256_cvtepu16_epi32(load_words(p))));
  }
  static SIMDLOSS_INLINE __m256 load_bfloat16_first(const std::uint16_t* p, std::int64_t n) {
    return load_bfloat16(Words::read(p, n).values);
  }
  static SIMDLOSS_INLINE void store_float16(std::uint16_t* p, __m256 x) {
    store_words(p, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static SIMDLOSS_INLINE void store_float16_first(std::uint16_t* p, std::int64_t n, __m256 x) {
    Words part;
    store_float16(part.values, x);
    part.write(p, n);
  }
  // As in Backend<float, isa::Scalar>.
  static SIMDLOSS_INLINE void store_bfloat16(std::uint16_t* p, __m256 x) {
    const __m256i word = to_bits(x);
    const __m256i odd = bits_and(shift_right<16>(word), bits_set(1));
    const __m256i rounded = bits_add(bits_add(word, bits_set(0x7FFF)), odd);
    const __m256i quiet = bits_or(word, bits_set(0x400000));
    const __m256i high = shift_right<16>(_mm256_blendv_epi8(rounded, quiet, is_nan(x)));
    store_words(p,
                _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1)));
  }
  static SIMDLOSS_INLINE void store_bfloat16_first(std::uint16_t* p, std::int64_t n, __m256 x) {
    Words part;
    store_bfloat16(part.values, x);
    part.write(p, n);
  }

  static SIMDLOSS_INLINE __m256 zip_low(__m256 x, __m256 y) { return _mm256_unpacklo_ps(x, y); }
  static SIMDLOSS_INLINE __m256 zip_high(__m256 x, __m256 y) { return _mm256_unpackhi_ps(x, y); }
  template <class Rows>
  static SIMDLOSS_INLINE void load_columns(const Rows& rows, float* to) {
    __m256 x[4] = {load_halves(rows[0], rows[4]), load_halves(rows[1], rows[5]),
                   load_halves(rows[2], rows[6]), load_halves(rows[3], rows[7])};
    transpose_quads<Backend>(x);
    store(to, x[0]);
    store(to + kWidth, x[1]);
    store(to + 2 * kWidth, x[2]);
    store(to + 3 * kWidth, x[3]);
  }
  template <class Rows>
  static SIMDLOSS_INLINE void store_columns(const float* from, const Rows& rows) {
    __m256 x[4] = {load(from), load(from + kWidth), load(from + 2 * kWidth),
                   load(from + 3 * kWidth)};
    transpose_quads<Backend>(x);
    store_halves(rows[0], rows[4], x[0]);
    store_halves(rows[1], rows[5], x[1]);
    store_halves(rows[2], rows[6], x[2]);
    store_halves(rows[3], rows[7], x[3]);
  }

  static SIMDLOSS_INLINE float max_lane(__m256 x) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
  static SIMDLOSS_INLINE int count_first(__m256i m, std::int64_t n) {
    return __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(from_bits(m))) &
                              ((1U << n) - 1U));
  }
  static SIMDLOSS_INLINE __m256 add(__m256 x, __m256 y) { return _mm256_add_ps(x, y); }
  static SIMDLOSS_INLINE __m256 sub(__m256 x, __m256 y) { return _mm256_sub_ps(x, y); }
  static SIMDLOSS_INLINE __m256 mul(__m256 x, __m256 y) { return _mm256_mul_ps(x, y); }
  static SIMDLOSS_INLINE __m256 div(__m256 x, __m256 y) { return _mm256_div_ps(x, y); }
  static SIMDLOSS_INLINE __m256 neg(__m256 x) { return _mm256_xor_ps(x, set(-0.0F)); }
  static SIMDLOSS_INLINE __m256 sqrt(__m256 x) { return _mm256_sqrt_ps(x); }
  static SIMDLOSS_INLINE __m256 fma(__m256 x, __m256 y, __m256 z) {
    return _mm256_fmadd_ps(x, y, z);
  }
  static SIMDLOSS_INLINE __m256 fnma(__m256 x, __m256 y, __m256 z) {
    return _mm256_fnmadd_ps(x, y, z);
  }
  static SIMDLOSS_INLINE __m256 product_error(__m256 x, __m256 y, __m256 xy) {
    return _mm256_fmsub_ps(x, y, xy);
  }

  static SIMDLOSS_INLINE __m256 abs(__m256 x) { return _mm256_andnot_ps(set(-0.0F), x); }
  static SIMDLOSS_INLINE __m256 copysign(__m256 magnitude, __m256 sign) {
    return _mm256_or_ps(abs(magnitude), _mm256_and_ps(set(-0.0F), sign));
  }
  // The instructions return the second operand on NaN and for a pair of zeros.
  static SIMDLOSS_INLINE __m256 max(__m256 x, __m256 bound) { return _mm256_max_ps(bound, x); }
  static SIMDLOSS_INLINE __m256 min(__m256 x, __m256 bound) { return _mm256_min_ps(bound, x); }

  static SIMDLOSS_INLINE __m256i lt(__m256 x, __m256 y) { return compare<_CMP_LT_OQ>(x, y); }
  static SIMDLOSS_INLINE __m256i le(__m256 x, __m256 y) { return compare<_CMP_LE_OQ>(x, y); }
  static SIMDLOSS_INLINE __m256i eq(__m256 x, __m256 y) { return compare<_CMP_EQ_OQ>(x, y); }
  static SIMDLOSS_INLINE __m256i is_nan(__m256 x) { return compare<_CMP_UNORD_Q>(x, x); }
  static SIMDLOSS_INLINE __m256i first(std::int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static SIMDLOSS_INLINE __m256 select(__m256i m, __m256 x, __m256 y) {
    return _mm256_blendv_ps(y, x, from_bits(m));
  }
  static SIMDLOSS_INLINE __m256 keep(__m256i m, __m256 x) { return _mm256_and_ps(from_bits(m), x); }

  static SIMDLOSS_INLINE __m256i to_bits(__m256 x) { return _mm256_castps_si256(x); }
  static SIMDLOSS_INLINE __m256 from_bits(__m256i b) { return _mm256_castsi256_ps(b); }
  static SIMDLOSS_INLINE __m256i bits_set(std::uint32_t word) {
    return _mm256_set1_epi32(static_cast<int>(word));
  }
  static SIMDLOSS_INLINE __m256i bits_add(__m256i a, __m256i b) { return _mm256_add_epi32(a, b); }
  static SIMDLOSS_INLINE __m256i bits_sub(__m256i a, __m256i b) { return _mm256_sub_epi32(a, b); }
  template <int kCount>
  static SIMDLOSS_INLINE __m256i shift_left(__m256i b) {
    return _mm256_slli_epi32(b, kCount);
  }
  template <int kCount>
  static SIMDLOSS_INLINE __m256i shift_right(__m256i b) {
    return _mm256_srli_epi32(b, kCount);
  }
  template <int kCount>
  static SIMDLOSS_INLINE __m256i shift_right_arithmetic(__m256i b) {
    return _mm256_srai_epi32(b, kCount);
  }
  static SIMDLOSS_INLINE __m256 lookup(const float* table, __m256i b) {
    return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), b);
  }
  static SIMDLOSS_INLINE __m256 from_int(__m256i b) { return _mm256_cvtepi32_ps(b); }

  static SIMDLOSS_INLINE __m256 load_double(const double* p) {
    return _mm256_set_m128(_mm256_cvtpd_ps(_mm256_loadu_pd(p + 4)),
                           _mm256_cvtpd_ps(_mm256_loadu_pd(p)));
  }
  template <int kPart>
  static SIMDLOSS_INLINE __m256d widen_part(__m256 x) {
    return _mm256_cvtps_pd(_mm256_extractf128_ps(x, kPart));
  }

 private:
  using Words = PartInMemory<std::uint16_t, kWidth, isa::Avx2>;

  static SIMDLOSS_INLINE __m128i load_words(const std::uint16_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  }
  static SIMDLOSS_INLINE void store_words(std::uint16_t* p, __m128i words) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), words);
  }
  template <int kPredicate>
  static SIMDLOSS_INLINE __m256i compare(__m256 x, __m256 y) {
    return _mm256_castps_si256(_mm256_cmp_ps(x, y, kPredicate));
  }
};

template <>
struct Backend<double, isa::Avx2> : Avx2Words<isa::Avx2> {
  using Reg = __m256d;
  static constexpr int kWidth = 4;

  static SIMDLOSS_INLINE __m256d set(double x) { return _mm256_set1_pd(x); }
  static SIMDLOSS_INLINE __m256d load(const double* p) { return _mm256_loadu_pd(p); }
  static SIMDLOSS_INLINE __m256d load_first(const double* p, std::int64_t n) {
    return _mm256_maskload_pd(p, first(n));
  }
  static SIMDLOSS_INLINE void store(double* p, __m256d x) { _mm256_storeu_pd(p, x); }
  static SIMDLOSS_INLINE void stream(double* p, __m256d x) { _mm256_stream_pd(p, x); }
  static SIMDLOSS_INLINE void store_first(double* p, std::int64_t n, __m256d x) {
    _mm256_maskstore_pd(p, first(n), x);
  }
  static SIMDLOSS_INLINE __m256d load_float(const float* p) {
    return _mm256_cvtps_pd(_mm_loadu_ps(p));
  }
  static SIMDLOSS_INLINE __m256d load_float_first(const float* p, std::int64_t n) {
    return _mm256_cvtps_pd(_mm_maskload_ps(p, first_floats(n)));
  }
  static SIMDLOSS_INLINE void store_float(float* p, __m256d x) {
    _mm_storeu_ps(p, _mm256_cvtpd_ps(x));
  }

  static SIMDLOSS_INLINE __m256d zip_low(__m256d x, __m256d y) { return _mm256_unpacklo_pd(x, y); }
  static SIMDLOSS_INLINE __m256d zip_high(__m256d x, __m256d y) { return _mm256_unpackhi_pd(x, y); }
  static SIMDLOSS_INLINE __m128 zip_low(__m128 x, __m128 y) { return _mm_unpacklo_ps(x, y); }
  static SIMDLOSS_INLINE __m128 zip_high(__m128 x, __m128 y) { return _mm_unpackhi_ps(x, y); }
  template <class Rows>
  static SIMDLOSS_INLINE void load_columns(const Rows& rows, double* to) {
    const __m256d x = _mm256_castps_pd(load_halves(rows[0], rows[2]));
    const __m256d y = _mm256_castps_pd(load_halves(rows[1], rows[3]));
    store(to, zip_low(x, y));
    store(to + kWidth, zip_high(x, y));
  }
  template <class Rows>
  static SIMDLOSS_INLINE void store_columns(const double* from, const Rows& rows) {
    const __m256d x = load(from);
    const __m256d y = load(from + kWidth);
    store_halves(rows[0], rows[2], _mm256_castpd_ps(zip_low(x, y)));
    store_halves(rows[1], rows[3], _mm256_castpd_ps(zip_high(x, y)));
  }

  static SIMDLOSS_INLINE __m256d add(__m256d x, __m256d y) { return _mm256_add_pd(x, y); }
  static SIMDLOSS_INLINE __m256d sub(__m256d x, __m256d y) { return _mm256_sub_pd(x, y); }
  static SIMDLOSS_INLINE __m256d mul(__m256d x, __m256d y) { return _mm256_mul_pd(x, y); }
  static SIMDLOSS_INLINE __m256d div(__m256d x, __m256d y) { return _mm256_div_pd(x, y); }
  static SIMDLOSS_INLINE __m256d neg(__m256d x) { return _mm256_xor_pd(x, set(-0.0)); }
  static SIMDLOSS_INLINE __m256d sqrt(__m256d x) { return _mm256_sqrt_pd(x); }
  static SIMDLOSS_INLINE __m256d fma(__m256d x, __m256d y, __m256d z) {
    return _mm256_fmadd_pd(x, y, z);
  }
  static SIMDLOSS_INLINE __m256d fnma(__m256d x, __m256d y, __m256d z) {
    return _mm256_fnmadd_pd(x, y, z);
  }
  static SIMDLOSS_INLINE __m256d product_error(__m256d x, __m256d y, __m256d xy) {
    return _mm256_fmsub_pd(x, y, xy);
  }

  static SIMDLOSS_INLINE __m256d abs(__m256d x) { return _mm256_andnot_pd(set(-0.0), x); }
  static SIMDLOSS_INLINE __m256d copysign(__m256d magnitude, __m256d sign) {
    return _mm256_or_pd(abs(magnitude), _mm256_and_pd(set(-0.0), sign));
  }
  // The instructions return the second operand on NaN and for a pair of zeros.
  static SIMDLOSS_INLINE __m256d max(__m256d x, __m256d bound) { return _mm256_max_pd(bound, x); }
  static SIMDLOSS_INLINE __m256d min(__m256d x, __m256d bound) { return _mm256_min_pd(bound, x); }

  static SIMDLOSS_INLINE __m256i lt(__m256d x, __m256d y) { return compare<_CMP_LT_OQ>(x, y); }
  static SIMDLOSS_INLINE __m256i le(__m256d x, __m256d y) { return compare<_CMP_LE_OQ>(x, y); }
  static SIMDLOSS_INLINE __m256i eq(__m256d x, __m256d y) { return compare<_CMP_EQ_OQ>(x, y); }
  static SIMDLOSS_INLINE __m256i is_nan(__m256d x) { return compare<_CMP_UNORD_Q>(x, x); }
  static SIMDLOSS_INLINE __m256i first(std::int64_t n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
  }
  static SIMDLOSS_INLINE __m256d select(__m256i m, __m256d x, __m256d y) {
    return _mm256_blendv_pd(y, x, from_bits(m));
  }
  static SIMDLOSS_INLINE __m256d keep(__m256i m, __m256d x) {
    return _mm256_and_pd(from_bits(m), x);
  }

  static SIMDLOSS_INLINE __m256i to_bits(__m256d x) { return _mm256_castpd_si256(x); }
  static SIMDLOSS_INLINE __m256d from_bits(__m256i b) { return _mm256_castsi256_pd(b); }
  static SIMDLOSS_INLINE __m256i bits_set(std::uint64_t word) {
    return _mm256_set1_epi64x(static_cast<std::int64_t>(word));
  }
  static SIMDLOSS_INLINE __m256i bits_add(__m256i a, __m256i b) { return _mm256_add_epi64(a, b); }
  static SIMDLOSS_INLINE __m256i bits_sub(__m256i a, __m256i b) { return _mm256_sub_epi64(a, b); }
  template <int kCount>
  static SIMDLOSS_INLINE __m256i shift_left(__m256i b) {
    return _mm256_slli_epi64(b, kCount);
  }
  template <int kCount>
  static SIMDLOSS_INLINE __m256i shift_right(__m256i b) {
    return _mm256_srli_epi64(b, kCount);
  }
  // A logical shift, whose result is then extended from the shifted sign bit.
  template <int kCount>
  static SIMDLOSS_INLINE __m256i shift_right_arithmetic(__m256i b) {
    const __m256i sign = bits_set(std::uint64_t{1} << (63 - kCount));
    return bits_sub(_mm256_xor_si256(shift_right<kCount>(b), sign), sign);
  }
  // Adds the integer to the last place of 1.5 2^52, which keeps room for both signs.
  static SIMDLOSS_INLINE __m256d from_int(__m256i b) {
    const __m256d anchor = set(0x1.8p52);
    return sub(from_bits(bits_add(b, to_bits(anchor))), anchor);
  }

  template <int kLanes>
  static SIMDLOSS_INLINE __m256d lower(__m256d x) {
    if constexpr (kLanes == 2) {
      return _mm256_castpd128_pd256(_mm256_extractf128_pd(x, 1));
    } else {
      return _mm256_unpackhi_pd(x, x);
    }
  }
  template <int kLanes>
  static SIMDLOSS_INLINE __m256d even_blocks(__m256d x, __m256d y) {
    return kLanes == 2 ? _mm256_permute2f128_pd(x, y, 0x20) : _mm256_unpacklo_pd(x, y);
  }
  template <int kLanes>
  static SIMDLOSS_INLINE __m256d odd_blocks(__m256d x, __m256d y) {
    return kLanes == 2 ? _mm256_permute2f128_pd(x, y, 0x31) : _mm256_unpackhi_pd(x, y);
  }
  static SIMDLOSS_INLINE double first_lane(__m256d x) { return _mm256_cvtsd_f64(x); }
  static SIMDLOSS_INLINE double max_lane(__m256d x) {
    const __m128d two = _mm_max_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
    return _mm_cvtsd_f64(_mm_max_sd(two, _mm_unpackhi_pd(two, two)));
  }
  static SIMDLOSS_INLINE int count_first(__m256i m, std::int64_t n) {
    return __builtin_popcount(static_cast<unsigned>(_mm256_movemask_pd(from_bits(m))) &
                              ((1U << n) - 1U));
  }

 private:
  static SIMDLOSS_INLINE __m128i first_floats(std::int64_t n) {
    return _mm_cmpgt_epi32(_mm_set1_epi32(static_cast<int>(n)), _mm_setr_epi32(0, 1, 2, 3));
  }
  template <int kPredicate>
  static SIMDLOSS_INLINE __m256i compare(__m256d x, __m256d y) {
    return _mm256_castpd_si256(_mm256_cmp_pd(x, y, kPredicate));
  }
};

}  // namespace simdloss
