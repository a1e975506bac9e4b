// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every operation of vec_ops.hpp should give, in plain C++ that shares no code with Vec, and
// the numbers to ask it for.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "simd/vec.hpp"

namespace simdloss::test {

template <class T>
using Word = typename BitsOf<T>::type;

template <class T>
Word<T> word_of(T x) {
  Word<T> word;
  std::memcpy(&word, &x, sizeof word);
  return word;
}

template <class T>
T value_of(Word<T> word) {
  T x;
  std::memcpy(&x, &word, sizeof x);
  return x;
}

// What an operation should give: a number, a truth value (as 1 or 0) or, exactly, bits.
template <class T>
struct Expected {
  Word<T> word;
  bool is_number;

  Expected(T number) : word(word_of(number)), is_number(true) {}
  Expected(bool truth) : Expected(T(truth)) {}
  Expected(Word<T> bits) : word(bits), is_number(false) {}
};

// Where Dekker's product, all that Baseline has, is exact.
inline bool has_exact_split_product(double x, double y) {
  const double xy = std::fabs(x * y);
  const bool is_zero = x == 0 || y == 0;
  return std::fabs(x) <= 0x1p1022 && std::fabs(y) <= 0x1p1022 && xy <= 0x1p1022 &&
         (is_zero || xy >= 0x1p-968);
}

template <class T>
struct Oracle {
  const char* name;
  std::function<Expected<T>(T, T, T)> value;
};

template <class T>
std::vector<Oracle<T>> oracles(bool has_fma) {
  using W = Word<T>;
  using Signed = std::make_signed_t<W>;
  constexpr int bits = 8 * sizeof(T);
  const auto w = [](T x) { return word_of(x); };
  const auto s = [](T x) { return static_cast<Signed>(word_of(x)); };
  const auto as_word = [](Signed x) { return static_cast<W>(x); };
  return {
      {"V(c)", [](T, T, T) { return T(0.1); }},
      {"x + y", [](T x, T y, T) { return x + y; }},
      {"x - y", [](T x, T y, T) { return x - y; }},
      {"x * y", [](T x, T y, T) { return x * y; }},
      {"x / y", [](T x, T y, T) { return x / y; }},
      {"-x", [](T x, T, T) { return -x; }},
      {"sqrt", [](T x, T, T) { return std::sqrt(x); }},
      {"fma", [=](T x, T y, T z) { return has_fma ? std::fma(x, y, z) : x * y + z; }},
      {"fnma", [=](T x, T y, T z) { return has_fma ? std::fma(-x, y, z) : z - x * y; }},
      {"product_error", [](T x, T y, T) { return std::fma(x, y, -(x * y)); }},
      {"abs", [](T x, T, T) { return std::fabs(x); }},
      {"copysign", [](T x, T y, T) { return std::copysign(x, y); }},
      {"mantissa of normal",
       [](T x, T, T) {
         using Limits = std::numeric_limits<T>;
         int exponent = 0;
         const T f = std::frexp(
             std::isnan(x) ? x : std::clamp(std::fabs(x), Limits::min(), Limits::max()), &exponent);
         return f < T(0.75) ? 2 * f : f;
       }},
      {"max", [](T x, T y, T) { return std::isless(x, y) ? y : x; }},
      {"min", [](T x, T y, T) { return std::isgreater(x, y) ? y : x; }},
      {"x < y", [](T x, T y, T) { return std::isless(x, y); }},
      {"x <= y", [](T x, T y, T) { return std::islessequal(x, y); }},
      {"x > y", [](T x, T y, T) { return std::isgreater(x, y); }},
      {"x >= y", [](T x, T y, T) { return std::isgreaterequal(x, y); }},
      {"x == y", [](T x, T y, T) { return x == y; }},
      {"is_nan", [](T x, T, T) { return bool(std::isnan(x)); }},
      {"m & n", [](T x, T y, T z) { return x < y && y < z; }},
      {"m | n", [](T x, T y, T z) { return x < y || y < z; }},
      {"!m", [](T x, T y, T) { return !(x < y); }},
      {"select", [](T x, T y, T z) { return x < y ? z : x; }},
      {"keep", [](T x, T y, T z) { return x < y ? z : T(0); }},
      {"to_bits, from_bits", [=](T x, T, T) { return w(x); }},
      {"Bits(n)", [](T, T, T) { return W(0x89ABCDEFU); }},
      {"a + b", [=](T x, T y, T) { return W(w(x) + w(y)); }},
      {"a - b", [=](T x, T y, T) { return W(w(x) - w(y)); }},
      {"a & b", [=](T x, T y, T) { return W(w(x) & w(y)); }},
      {"a | b", [=](T x, T y, T) { return W(w(x) | w(y)); }},
      {"shift_left<1>", [=](T x, T, T) { return W(w(x) << 1); }},
      {"shift_left<13>", [=](T x, T, T) { return W(w(x) << 13); }},
      {"shift_left<max>", [=](T x, T, T) { return W(w(x) << (bits - 1)); }},
      {"shift_right<1>", [=](T x, T, T) { return W(w(x) >> 1); }},
      {"shift_right<13>", [=](T x, T, T) { return W(w(x) >> 13); }},
      {"shift_right<max>", [=](T x, T, T) { return W(w(x) >> (bits - 1)); }},
      {"shift_right_arithmetic<1>", [=](T x, T, T) { return as_word(s(x) >> 1); }},
      {"shift_right_arithmetic<13>", [=](T x, T, T) { return as_word(s(x) >> 13); }},
      {"shift_right_arithmetic<max>", [=](T x, T, T) { return as_word(s(x) >> (bits - 1)); }},
      {"from_int of large", [=](T x, T, T) { return static_cast<T>(s(x) >> (bits - 31)); }},
      {"from_int of small", [=](T x, T, T) { return static_cast<T>(s(x) >> (bits - 9)); }},
      {"lookup (float only)",
       [=](T x, T, T) {
         return sizeof(T) == sizeof(float) ? static_cast<T>(s(x) & 7) + T(0.5) : x;
       }},
  };
}

template <class T>
std::vector<T> special_values() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values = {T(0),
                           T(0.5),
                           T(1),
                           T(2),
                           T(3),
                           T(1) + Limits::epsilon(),
                           T(1) - Limits::epsilon() / 2,
                           T(0.1),
                           Limits::denorm_min(),
                           Limits::min() - Limits::denorm_min(),
                           Limits::min(),
                           std::sqrt(Limits::min()),
                           std::sqrt(Limits::max()),
                           Limits::max(),
                           Limits::infinity(),
                           Limits::quiet_NaN()};
  const std::size_t n = values.size();
  for (std::size_t i = 0; i < n; ++i) values.push_back(-values[i]);
  return values;
}

template <class T>
struct Triples {
  std::vector<T> x, y, z;

  void add(T a, T b, T c) {
    x.push_back(a);
    y.push_back(b);
    z.push_back(c);
  }
};

template <class T>
Triples<T> input_triples() {
  Triples<T> result;
  const std::vector<T> special = special_values<T>();
  for (const T x : special) {
    for (const T y : special) {
      for (const T z : special) result.add(x, y, z);
    }
  }
  std::mt19937_64 random(20240229);
  const auto any_bits = [&] { return value_of<T>(static_cast<Word<T>>(random())); };
  // Magnitudes near 1, where sums round and cancel and few products leave the range.
  const auto near_one = [&] {
    const T x = std::ldexp(T(random() >> 11), static_cast<int>(random() % 16) - 60);
    return random() % 2 == 0 ? x : -x;
  };
  for (int i = 0; i < 4000; ++i) {
    result.add(any_bits(), any_bits(), any_bits());
    result.add(any_bits(), near_one(), special[random() % special.size()]);
    result.add(near_one(), near_one(), near_one());
    const T x = near_one();
    const T y = near_one();
    result.add(x, y, -(x * y));  // the sum is the rounding error alone
    result.add(x, std::nextafter(x, T(0)), -(x * x));
    result.add(x, x, y);
  }
  while (result.x.size() % 16 != 0) result.add(T(0), T(0), T(0));
  return result;
}

inline double decoded_float16(std::uint16_t word) {
  const int exponent = word >> 10 & 31;
  const int fraction = word & 1023;
  const double sign = word >> 15 != 0 ? -1.0 : 1.0;
  if (exponent == 31) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

inline double decoded_bfloat16(std::uint16_t word) {
  return static_cast<double>(value_of<float>(static_cast<std::uint32_t>(word) << 16));
}

// x in a format of that many exponent and fraction bits. NaN becomes a quiet one of the same sign.
inline std::uint16_t encoded_half(double x, int exponent_bits, int fraction_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int infinity = ((1 << exponent_bits) - 1) << fraction_bits;
  const int sign = std::signbit(x) ? 0x8000 : 0;
  const double magnitude = std::fabs(x);
  int word = 0;
  if (std::isnan(x)) {
    word = infinity | 1 << (fraction_bits - 1);
  } else if (magnitude >= std::ldexp(1.0, bias + 1)) {
    word = infinity;
  } else if (magnitude > 0) {
    const int exponent = std::max(std::ilogb(magnitude), 1 - bias);
    // In units of the last place; the mode of std::nearbyint is to nearest even.
    const double units = std::nearbyint(std::ldexp(magnitude, fraction_bits - exponent));
    word = ((exponent + bias - 1) << fraction_bits) + static_cast<int>(units);
  }
  return static_cast<std::uint16_t>(sign | word);
}

// What all instruction sets make of a float NaN: what fits of it, and the bit that makes it quiet.
inline std::uint16_t encoded_float16(float x) {
  const std::uint16_t fraction = std::isnan(x) ? word_of(x) >> 13 & 0x3FF : 0;
  return encoded_half(static_cast<double>(x), 5, 10) | fraction;
}
inline std::uint16_t encoded_bfloat16(float x) {
  const std::uint16_t fraction = std::isnan(x) ? word_of(x) >> 16 & 0x7F : 0;
  return encoded_half(static_cast<double>(x), 8, 7) | fraction;
}

// All numbers of a 16-bit format, NaN and infinity too, and what lies halfway between two of them;
// and of each of these its neighbours in T. float has room for all of them.
template <class T, class Decode>
std::vector<double> rounding_edges(Decode decode) {
  std::vector<double> edges;
  const T infinity = std::numeric_limits<T>::infinity();
  for (int word = 0; word < 0x10000; ++word) {
    const double x = decode(static_cast<std::uint16_t>(word));
    if (!std::isfinite(x)) {
      edges.push_back(x);
      continue;
    }
    double next = decode(static_cast<std::uint16_t>(word + 1));
    // The number after the largest, were there one.
    if (std::isinf(next)) next = x + (x - decode(static_cast<std::uint16_t>(word - 1)));
    for (const double edge : {x, x + (next - x) / 2}) {
      for (const T towards : {static_cast<T>(edge), -infinity, infinity}) {
        edges.push_back(static_cast<double>(std::nextafter(static_cast<T>(edge), towards)));
      }
    }
  }
  return edges;
}

}  // namespace simdloss::test
