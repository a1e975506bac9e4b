// SPDX-License-Identifier: Apache-2.0

// The elementary functions of simd/math.hpp: errors within what their comments state, special
// values, and the same bits on every instruction set that runs here and on every machine.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "math_ops.hpp"
#include "math_oracle.hpp"
#include "simdloss/runtime.hpp"

namespace simdloss::test {
namespace {

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

struct IsaUnderTest {
  Isa isa;
  MathFunctionsOfIsa functions;

  template <class T>
  const MathFunctions<T>& of() const {
    if constexpr (std::is_same_v<T, float>) {
      return functions.for_float;
    } else {
      return functions.for_double;
    }
  }
};

// The reference first.
std::vector<IsaUnderTest> isas_under_test() {
  std::vector<IsaUnderTest> result = {{Isa::kScalar, math_functions_scalar()}};
  for (const Isa isa : available_isas()) {
    switch (isa) {
      case Isa::kScalar:
        break;
#if defined(SIMDLOSS_HAVE_BASELINE)
      case Isa::kBaseline:
        result.push_back({isa, math_functions_baseline()});
        break;
#endif
#if defined(SIMDLOSS_HAVE_AVX2)
      case Isa::kAvx2:
        result.push_back({isa, math_functions_avx2()});
        break;
#endif
#if defined(SIMDLOSS_HAVE_AVX512)
      case Isa::kAvx512:
        result.push_back({isa, math_functions_avx512()});
        break;
#endif
#if defined(SIMDLOSS_HAVE_NEON)
      case Isa::kNeon:
        result.push_back({isa, math_functions_neon()});
        break;
#endif
      default:
        FAIL("available_isas() names an ISA that this test was not built for: ", isa_name(isa));
    }
  }
  return result;
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

// Some four million numbers: bit patterns all over the type (every exponent, NaN), numbers of
// ordinary size more densely, and the surroundings of every place where a reduction changes.
template <class T>
std::vector<T> sweep() {
  using Limits = std::numeric_limits<T>;
  Random random;
  std::vector<T> points;
  constexpr int log2_patterns = 21;
  constexpr int low_bits = 8 * static_cast<int>(sizeof(T)) - log2_patterns;
  for (std::uint64_t i = 0; i < (1U << log2_patterns); ++i) {
    const std::uint64_t low = random.bits() & ((std::uint64_t{1} << low_bits) - 1);
    points.push_back(value_of<T>(static_cast<Word<T>>((i << low_bits) | low)));
  }
  for (const double scale : {1.0, 4.0, 128.0, 800.0}) {
    for (int i = 0; i < (1 << 19); ++i)
      points.push_back(static_cast<T>(scale * random.symmetric()));
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
constexpr const char* kTypeName = sizeof(T) == 4 ? "float" : "double";

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

template <class T>
void check_errors() {
  REQUIRE_MESSAGE(kHasWider<T>, "no type here is wide enough to measure errors in ", kTypeName<T>);
  const std::vector<T> points = sweep<T>();
  const auto n = static_cast<std::int64_t>(points.size());
  std::vector<T> results(points.size());
  std::vector<Wider<T>> exact(points.size());
  const std::vector<IsaUnderTest> isas = isas_under_test();
  for (int f = 0; f < MathFunctions<T>::kCount; ++f) {
    const Expectation<T>& expected = expectations<T>()[f];
    std::size_t n_in_domain = 0;
    for (std::size_t i = 0; i < points.size(); ++i) exact[i] = expected.value(points[i]);
    for (const IsaUnderTest& isa : isas) {
      // One with fused multiply-add is enough: another test compares their bits.
      if (isa.isa != Isa::kScalar && isa.isa != Isa::kBaseline) continue;
      const UnaryFunction<T>& function = isa.of<T>().unary[f];
      REQUIRE(std::strcmp(function.name, expected.name) == 0);
      function.run(points.data(), n, results.data());
      Worst<T> worst;
      n_in_domain = 0;
      for (std::size_t i = 0; i < points.size(); ++i) {
        if (!expected.in_domain(points[i])) continue;
        ++n_in_domain;
        worst.add(ulp_error<T>(results[i], exact[i]), points[i]);
      }
      worst.print(isa_name(isa.isa), function.name);
      const double bound = isa.isa == Isa::kBaseline ? expected.max_ulp_baseline : expected.max_ulp;
      CHECK_MESSAGE(worst.ulp <= bound, function.name, " ", isa_name(isa.isa));
    }
    CHECK(n_in_domain > 800000);
  }
}

TEST_CASE("errors are within the stated bounds: float") { check_errors<float>(); }
TEST_CASE("errors are within the stated bounds: double") { check_errors<double>(); }

// A number for a result, the same for all NaNs.
template <class T>
Word<T> canonical(T x) {
  return word_of(std::isnan(x) ? std::numeric_limits<T>::quiet_NaN() : x);
}

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

constexpr double kPowers[] = {0, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, 5, 7.3, 64};
constexpr int kIntegerPowers[] = {0, 1, 2, 3, 5, 8, 13, 63, 64};

// Everything that one instruction set computes on the sweep.
template <class T>
std::vector<Word<T>> all_results(const MathFunctions<T>& functions) {
  const std::vector<T> points = sweep<T>();
  const auto n = static_cast<std::int64_t>(points.size());
  std::vector<T> results(4 * points.size());
  std::vector<Word<T>> words;
  const auto keep_words = [&](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      words.push_back(canonical(results[static_cast<std::size_t>(i)]));
    }
  };
  for (int f = 0; f < MathFunctions<T>::kCount; ++f) {
    functions.unary[f].run(points.data(), n, results.data());
    for (std::size_t i = 0; i < points.size(); ++i) {
      // Outside its domain a function may return anything, and not the same everywhere.
      if (!expectations<T>()[f].in_domain(points[i])) results[i] = 0;
    }
    keep_words(n);
  }
  functions.sigmoid_pair(points.data(), n, results.data());
  keep_words(4 * n);
  const Bases<T> bases(20000);
  for (const double y : kPowers) {
    functions.pow(bases.x.data(), bases.rest.data(), static_cast<T>(y), bases.size(),
                  results.data());
    keep_words(bases.size());
  }
  for (const int k : kIntegerPowers) {
    functions.pow_int(bases.x.data(), k, bases.size(), results.data());
    keep_words(bases.size());
    functions.pow_int_with_rest(bases.x.data(), bases.rest.data(), k, bases.size(), results.data());
    keep_words(bases.size());
  }
  return words;
}

template <class T>
std::uint64_t checksum(const std::vector<Word<T>>& words) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const Word<T> word : words) hash = (hash ^ word) * 0x100000001b3U;
  return hash;
}

template <class T>
void check_bits(std::uint64_t expected_checksum) {
  const std::vector<IsaUnderTest> isas = isas_under_test();
  const std::vector<Word<T>> reference = all_results<T>(isas[0].of<T>());
  const std::uint64_t sum = checksum<T>(reference);
  std::printf("%s: checksum of %zu results: 0x%016llx\n", kTypeName<T>, reference.size(),
              static_cast<unsigned long long>(sum));
  CHECK(sum == expected_checksum);
  for (const IsaUnderTest& isa : isas) {
    if (isa.isa == Isa::kScalar || isa.isa == Isa::kBaseline) continue;
    CHECK_MESSAGE(all_results<T>(isa.of<T>()) == reference, isa_name(isa.isa));
  }
}

// The checksums change with the coefficients, and with nothing else.
TEST_CASE("same bits on all instruction sets and machines: float") { check_bits<float>(0); }
TEST_CASE("same bits on all instruction sets and machines: double") { check_bits<double>(0); }

template <class T>
void check_pow() {
  REQUIRE(kHasWider<T>);
  using W = Wider<T>;
  using Limits = std::numeric_limits<T>;
  const Bases<T> bases(200000);
  std::vector<T> results(bases.x.size());
  for (const IsaUnderTest& isa : isas_under_test()) {
    if (isa.isa != Isa::kScalar && isa.isa != Isa::kBaseline) continue;
    const MathFunctions<T>& functions = isa.of<T>();
    Worst<T> worst, worst_excess;
    for (const double power : kPowers) {
      const T y = static_cast<T>(power);
      functions.pow(bases.x.data(), bases.rest.data(), y, bases.size(), results.data());
      for (std::size_t i = 0; i < bases.x.size(); ++i) {
        if (!(bases.x[i] > 0)) continue;
        const W base = W(bases.x[i]) + W(bases.rest[i]);
        const W exact = std::pow(base, W(y));
        // Near the ends, the result may already count as out of range.
        if (exact < W(Limits::min()) * W(1.00001) && results[i] == 0) continue;
        if (exact > W(Limits::max()) * W(0.99999) && std::isinf(results[i])) continue;
        const double error = ulp_error<T>(results[i], exact);
        const double size = static_cast<double>(std::fabs(y * std::log(base)));
        worst.add(error, bases.x[i]);
        worst_excess.add((error - 0.85) / (size + 1e-9), bases.x[i]);
      }
    }
    worst.print(isa_name(isa.isa), "pow");
    worst_excess.print(isa_name(isa.isa), "pow excess");
  }
}
TEST_CASE("pow: float") { check_pow<float>(); }
TEST_CASE("pow: double") { check_pow<double>(); }

}  // namespace
}  // namespace simdloss::test
