// SPDX-License-Identifier: Apache-2.0
#pragma once

// The inputs of test_math.cpp, the same numbers on every machine.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#include "simd/vec.hpp"

namespace simdloss::test {

template <class T>
using Word = typename BitsOf<T>::type;

template <class T>
Word<T> word_of(T x) {
  Word<T> word;
  std::memcpy(&word, &x, sizeof x);
  return word;
}
template <class T>
T value_of(Word<T> word) {
  T x;
  std::memcpy(&x, &word, sizeof x);
  return x;
}

// splitmix64: the same numbers everywhere.
class Random {
 public:
  std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  // In [-1, 1), with 53 digits.
  double symmetric() { return std::ldexp(static_cast<double>(bits() >> 11), -52) - 1; }

 private:
  std::uint64_t state_ = 1;
};

// x and the `count` numbers on either side of it.
template <class T>
void add_neighbours(T x, int count, std::vector<T>& points) {
  const auto word = static_cast<Word<T>>(word_of(x) - static_cast<Word<T>>(count));
  for (int i = 0; i <= 2 * count; ++i) {
    points.push_back(value_of<T>(static_cast<Word<T>>(word + static_cast<Word<T>>(i))));
  }
}

enum class Density { kSparse, kDense };

// Without optimization, with a sanitizer or under an emulator a dense sweep takes ten minutes.
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !defined(SIMDLOSS_EMULATED)
inline constexpr Density kAffordable = Density::kDense;
#else
inline constexpr Density kAffordable = Density::kSparse;
#endif

// Bit patterns all over the type (every exponent, NaN), numbers of ordinary size more densely, and
// the surroundings of every place where a reduction changes. Dense: more than four million numbers;
// sparse: half a million.
template <class T>
std::vector<T> sweep(Density density) {
  using Limits = std::numeric_limits<T>;
  Random random;
  std::vector<T> points;
  const int log2_patterns = density == Density::kDense ? 21 : 17;
  const int low_bits = 8 * static_cast<int>(sizeof(T)) - log2_patterns;
  for (std::uint64_t i = 0; i < (1U << log2_patterns); ++i) {
    const std::uint64_t low = random.bits() & ((std::uint64_t{1} << low_bits) - 1);
    points.push_back(value_of<T>(static_cast<Word<T>>((i << low_bits) | low)));
  }
  for (const double scale : {1.0, 4.0, 128.0, 800.0}) {
    for (int i = 0; i < (1 << (log2_patterns - 2)); ++i) {
      points.push_back(static_cast<T>(scale * random.symmetric()));
    }
  }
  for (int k = -1080; k <= 1080; ++k) {
    // exp's k changes at odd multiples of ln(2) / 2; log_cosh takes exp(-2 |x|).
    add_neighbours(static_cast<T>((k + 0.5) * 0.6931471805599453), 8, points);
    add_neighbours(static_cast<T>((k + 0.5) * 0.6931471805599453 / 2), 8, points);
  }
  for (int e = Limits::min_exponent; e < Limits::max_exponent; ++e) {
    for (const double mantissa : {0.5, 0.75}) {
      const T x = std::ldexp(static_cast<T>(mantissa), e);
      add_neighbours(x, 8, points);
      add_neighbours(x - 1, 8, points);
    }
  }
  if constexpr (sizeof(T) == sizeof(float)) {  // whose tables have more entries
    for (int k = -1020; k <= 1020; ++k) {
      add_neighbours(static_cast<T>((k + 0.5) * 0.6931471805599453 / 8), 4, points);
    }
    for (int e = Limits::min_exponent; e < Limits::max_exponent; ++e) {
      for (const int sixteenths : {9, 10, 11, 13, 14, 15}) {
        const T x = std::ldexp(static_cast<T>(sixteenths), e - 4);
        add_neighbours(x, 4, points);
        add_neighbours(x - 1, 4, points);
      }
    }
    for (int i = 0; i < 7; ++i) add_neighbours(static_cast<T>((i + 0.5) / 7), 8, points);
  }
  const T log_min = static_cast<T>((Limits::min_exponent - 1) * 0.6931471805599453);
  const T log_max = static_cast<T>(Limits::max_exponent * 0.6931471805599453);
  for (const T x : {T(1), log_min, log_max, log_min / 2, log_max / 2}) {
    add_neighbours(x, 64, points);
    add_neighbours(-x, 64, points);
  }
  for (const T x : {T(0), Limits::denorm_min(), Limits::min(), Limits::max(), Limits::infinity(),
                    Limits::quiet_NaN()}) {
    points.push_back(x);
    points.push_back(-x);
  }
  while (points.size() % 16 != 0) points.push_back(T(0));
  return points;
}

template <class T>
inline constexpr const char* kTypeName = sizeof(T) == 4 ? "float" : "double";

// The largest error, and where.
template <class T>
struct Worst {
  double ulp = 0;
  T x = 0;

  void add(double error, T input) {
    if (!(error <= ulp)) {
      ulp = error;
      x = input;
    }
  }
  void print(const char* isa, const char* function) const {
    std::printf("%-9s %-7s %-24s worst %.4f ULP at %.17g\n", isa, kTypeName<T>, function, ulp,
                static_cast<double>(x));
  }
};

// Bases for pow with their rests of up to an ULP: all magnitudes, and near 1.
template <class T>
struct Bases {
  std::vector<T> x, rest;

  explicit Bases(int n) {
    using Limits = std::numeric_limits<T>;
    Random random;
    for (int i = 0; i < n; ++i) {
      T base = static_cast<T>(1 + random.symmetric());
      if (i % 4 == 1) base = value_of<T>(static_cast<Word<T>>(random.bits() << 1) >> 1);
      if (i % 4 == 2) base = static_cast<T>(1 + std::ldexp(random.symmetric(), -(i / 4) % 60));
      const T tail = static_cast<T>(random.symmetric()) * base * Limits::epsilon();
      x.push_back(base);
      rest.push_back(std::isfinite(base) ? tail : T(0));
    }
    for (const T base : {T(0), T(1), Limits::min(), Limits::denorm_min(), Limits::max(),
                         Limits::infinity(), Limits::quiet_NaN(), T(-1)}) {
      x.push_back(base);
      rest.push_back(T(0));
    }
    while (x.size() % 16 != 0) {
      x.push_back(T(0.5));
      rest.push_back(T(0));
    }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(x.size()); }
};

}  // namespace simdloss::test
