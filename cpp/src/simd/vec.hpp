// SPDX-License-Identifier: Apache-2.0
#pragma once

// The vector type that every formula and kernel is written on: Vec<T, Isa>, T = float or double.
//
// clang-format off
// [Closed list of operations] Vec (vec_front.hpp, over the Backend of a vec_<isa>.hpp) provides
// exactly what follows and nothing else does. Every operation is correctly rounded or exact, so
// all ISAs but `Baseline` (which has no fused multiply-add) give the same bits.
//
//   V::kWidth                       lanes (float/double): 1 scalar, 8/4 AVX2, 16/8 AVX-512, 4/2 NEON
//   V::Element, V::Mask, V::Bits    T; one truth value per lane; one integer of T's size per lane
//   V()                             uninitialised;  V(T x) the same value in every lane
//   V::load(p), x.store(p)          kWidth elements, no alignment assumed
//   V::load_first(p, n)             lanes below n from memory, the others +0; 0 <= n <= kWidth; reads
//   x.store_first(p, n)             and writes nothing beyond n elements
//   V::load_float16(p), load_bfloat16(p), and both as _first(p, n)   (float only) exact widening
//   V::load_float(p), load_float_first(p, n)                         (double only) exact widening
//   x.store_float16(p), store_bfloat16(p), and both as _first(p, n)  (float only) to nearest even,
//   x.store_float(p)                                                 (double only) past the largest
//   V::load_double(p)                                                (float only) number to infinity,
//                                   subnormals as they are; NaN stays NaN
//   V::load_columns(p, stride, n, to)   rows of kColumns<T> elements, `stride` bytes apart, to as
//                                   many vectors: element j of row i to to[j * kWidth + i]; rows
//                                   from n <= kWidth on are not read and give +0
//   V::store_columns(from, p, stride, n)   the reverse; rows from n on are not written
//   V::kStreams                     whether there are, and only then:
//   x.stream(p), V::end_streams()   store past the caches at a multiple of the vector's size, and
//                                   what makes it visible in order to who sees later stores
//   x + y, x - y, x * y, x / y, -x, sqrt(x)
//   fma(x, y, z) = x y + z,  fnma(x, y, z) = z - x y         one rounding (two in Baseline)
//   product_error(x, y, xy) = x y - fl(x y), exact barring overflow/underflow, for xy = x * y
//   abs(x), copysign(magnitude, sign)
//   mantissa(x)                     m with x = 2^e m, 3/4 <= m < 3/2, for normal, finite x > 0; NaN
//                                   stays; elsewhere any number, another one on each ISA
//   max(x, bound) = x < bound ? bound : x,  min(x, bound) = x > bound ? bound : x
//                                   a NaN in x stays; a NaN in bound is ignored
//   x < y, x <= y, x > y, x >= y, x == y, is_nan(x)    -> Mask; false where a side is NaN
//   m & n, m | n, !m, any(m), all(m)
//   select(m, x, y) = m ? x : y per lane;  keep(m, x) = m ? x : +0
//   keep_first(x, n)                lanes below n, else +0
//   select_first(x, n, y)           lanes below n of x, else y's
//   to_bits(x), V::from_bits(b)     reinterpret
//   Bits: Bits(n) the same in every lane; a + b, a - b (wrapping), a & b, a | b; for 0 < k < its bits
//         shift_left<k>(b), shift_right<k>(b) (logical), shift_right_arithmetic<k>(b)
//   V::lookup(table, b)             (float only) table[b & 7] for a table of 8 numbers in memory
//   V::from_int(b)                  signed lanes of magnitude < 2^31, converted exactly or rounded
//   widen_part<i>(x)                (float only) the i-th Vec<double, Isa>::kWidth lanes, in double
//   lower<n>(x)                     (double only) lane i + n of x in lane i for i < n, where 2 n is
//                                   a power of two and at most kWidth; the other lanes are any
//   even_blocks<n>(x, y)            (double only) blocks of n lanes, for n as above, in turns from x
//   odd_blocks<n>(x, y)             and y: the even ones of each, or the odd ones, from the 0th on
//   first_lane(x)                   (double only) lane 0 as a double
//   max_lane(x)                     the largest lane; of zeros of both signs any; no lane is NaN
//   count_first(m, n)               how many of the first n lanes are set
// clang-format on
//
// min and max of a signed zero pair return x. Lanes never interact but in lower(), the blocks,
// max_lane() and count_first().

#include <cstdint>
#include <limits>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
#define SIMDLOSS_INLINE inline  // forced inlining would make these builds many times larger
#define SIMDLOSS_INLINE_LAMBDA
#elif defined(_MSC_VER) && !defined(__clang__)
#define SIMDLOSS_INLINE __forceinline
#define SIMDLOSS_INLINE_LAMBDA [[msvc::forceinline]]
#else
#define SIMDLOSS_INLINE inline __attribute__((always_inline))
#define SIMDLOSS_INLINE_LAMBDA __attribute__((always_inline))
#endif

namespace simdloss {

// Instruction sets, as tags. Everything compiled with ISA flags is templated on one of these, so
// that no two ISA objects ever define the same symbol: see [One exported symbol per ISA].
namespace isa {
struct Scalar {};    // reference: correctly rounded scalar operations, any machine
struct Baseline {};  // x86 without FMA: the same formulas with x y + z rounded twice
struct Avx2 {};      // x86 with AVX2, FMA and F16C
struct Avx512 {};    // x86 with AVX-512 F, BW, DQ, VL
struct Neon {};      // AArch64
}  // namespace isa

template <class T, class Isa>
struct Vec;

// The unsigned integer type with T's size.
template <class T>
struct BitsOf;
template <>
struct BitsOf<float> {
  using type = std::uint32_t;
};
template <>
struct BitsOf<double> {
  using type = std::uint64_t;
};

// Elements of a row that are transposed at once: 16 bytes of them.
template <class T>
inline constexpr int kColumns = 16 / static_cast<int>(sizeof(T));

// Constants, because the functions of std::numeric_limits would be code that carries no tag.
template <class T>
struct Limits {
  static constexpr T kMin = std::numeric_limits<T>::min();  // smallest normal number
  static constexpr T kMax = std::numeric_limits<T>::max();
  static constexpr T kInfinity = std::numeric_limits<T>::infinity();
  static constexpr T kNan = std::numeric_limits<T>::quiet_NaN();
};

// Found by lookup alone: clang 14 takes shift_left<k>(b) for a template only if it knows one of
// that name, and those that are called are friends of the operand.
template <int kCount>
void shift_left();
template <int kCount>
void shift_right();
template <int kCount>
void shift_right_arithmetic();

}  // namespace simdloss
