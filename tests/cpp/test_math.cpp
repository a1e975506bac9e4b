// SPDX-License-Identifier: Apache-2.0

// The elementary functions of simd/math.hpp: errors within what their comments state, special
// values, and the same bits on every instruction set that runs here and on every machine.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "math_isas.hpp"
#include "math_oracle.hpp"
#include "math_sweep.hpp"
#include "simdloss/runtime.hpp"

namespace simdloss::test {
namespace {

// A number for a result, the same for all NaNs.
template <class T>
Word<T> canonical(T x) {
  return word_of(std::isnan(x) ? std::numeric_limits<T>::quiet_NaN() : x);
}

// Errors of the reference and of Baseline; the bits of the others against the reference.
template <class T>
void check_errors() {
  REQUIRE_MESSAGE(kHasWider<T>, "no type here is wide enough to measure errors in ", kTypeName<T>);
  const std::vector<T> points = sweep<T>(kAffordable);
  const auto n = static_cast<std::int64_t>(points.size());
  std::vector<T> results(points.size()), reference(points.size());
  std::vector<Wider<T>> exact(points.size());
  const std::vector<MathOfIsa> isas = math_isas();
  for (int f = 0; f < MathFunctions<T>::kCount; ++f) {
    const Expectation<T>& expected = expectations<T>()[f];
    for (std::size_t i = 0; i < points.size(); ++i) exact[i] = expected.value(points[i]);
    isas[0].of<T>().unary[f].run(points.data(), n, reference.data());
    for (const MathOfIsa& isa : isas) {
      const UnaryFunction<T>& function = isa.of<T>().unary[f];
      REQUIRE(std::strcmp(function.name, expected.name) == 0);
      function.run(points.data(), n, results.data());
      Worst<T> worst;
      std::size_t n_in_domain = 0, n_different = 0;
      for (std::size_t i = 0; i < points.size(); ++i) {
        if (!expected.in_domain(points[i])) continue;
        ++n_in_domain;
        if (isa.isa == Isa::kScalar || isa.isa == Isa::kBaseline) {
          worst.add(ulp_error<T>(results[i], exact[i]), points[i]);
        } else {
          n_different += canonical(results[i]) != canonical(reference[i]);
        }
      }
      CHECK(n_in_domain > points.size() / 10);
      CHECK_MESSAGE(n_different == 0, function.name, " ", isa_name(isa.isa));
      const double bound = isa.isa == Isa::kBaseline ? expected.max_ulp_baseline : expected.max_ulp;
      CHECK_MESSAGE(worst.ulp <= bound, function.name, " ", isa_name(isa.isa));
      if (worst.ulp > 0) worst.print(isa_name(isa.isa), function.name);
    }
  }
}

TEST_CASE("errors are within the stated bounds: float") { check_errors<float>(); }
TEST_CASE("errors are within the stated bounds: double") { check_errors<double>(); }

constexpr double kPowers[] = {0, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, 5, 7.3, 64};
constexpr int kIntegerPowers[] = {0, 1, 2, 3, 5, 8, 13, 63, 64};

// A hash (FNV-1a, by words) of the results of each function.
template <class T>
class Hashes {
 public:
  void add(const std::string& name, const std::vector<T>& results, std::int64_t n) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (std::int64_t i = 0; i < n; ++i) {
      hash = (hash ^ canonical(results[static_cast<std::size_t>(i)])) * 0x100000001b3U;
    }
    rows_.emplace_back(name, hash);
  }
  const std::vector<std::pair<std::string, std::uint64_t>>& rows() const { return rows_; }
  std::uint64_t of_all() const {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const auto& row : rows_) hash = (hash ^ row.second) * 0x100000001b3U;
    return hash;
  }

 private:
  std::vector<std::pair<std::string, std::uint64_t>> rows_;
};

template <class T>
Hashes<T> hashes_of(const MathFunctions<T>& functions) {
  const std::vector<T> points = sweep<T>(Density::kSparse);
  const auto n = static_cast<std::int64_t>(points.size());
  std::vector<T> results(4 * points.size());
  Hashes<T> hashes;
  for (int f = 0; f < MathFunctions<T>::kCount; ++f) {
    functions.unary[f].run(points.data(), n, results.data());
    for (std::size_t i = 0; i < points.size(); ++i) {
      // Outside its domain a function may return anything.
      if (!expectations<T>()[f].in_domain(points[i])) results[i] = 0;
    }
    hashes.add(functions.unary[f].name, results, n);
  }
  functions.sigmoid_pair(points.data(), n, results.data());
  hashes.add("sigmoid_pair", results, 4 * n);
  const Bases<T> bases(20000);
  for (const double y : kPowers) {
    functions.pow(bases.x.data(), bases.rest.data(), static_cast<T>(y), bases.size(),
                  results.data());
    hashes.add("pow " + std::to_string(y), results, bases.size());
  }
  for (const int k : kIntegerPowers) {
    functions.pow_int(bases.x.data(), k, bases.size(), results.data());
    hashes.add("pow_int " + std::to_string(k), results, bases.size());
    functions.pow_int_with_rest(bases.x.data(), bases.rest.data(), k, bases.size(), results.data());
    hashes.add("pow_int with a rest " + std::to_string(k), results, bases.size());
  }
  return hashes;
}

template <class T>
void check_bits(std::uint64_t expected) {
  const std::vector<MathOfIsa> isas = math_isas();
  const Hashes<T> reference = hashes_of<T>(isas[0].of<T>());
  std::printf("%s: hash of all results 0x%016llx\n", kTypeName<T>,
              static_cast<unsigned long long>(reference.of_all()));
  CHECK(reference.of_all() == expected);
  for (const MathOfIsa& isa : isas) {
    if (isa.isa == Isa::kScalar || isa.isa == Isa::kBaseline) continue;
    const Hashes<T> hashes = hashes_of<T>(isa.of<T>());
    REQUIRE(hashes.rows().size() == reference.rows().size());
    for (std::size_t i = 0; i < hashes.rows().size(); ++i) {
      CHECK_MESSAGE(hashes.rows()[i].second == reference.rows()[i].second, isa_name(isa.isa), " ",
                    hashes.rows()[i].first);
    }
  }
}

// The numbers change with every bit of the functions, and with nothing else.
TEST_CASE("same bits on all instruction sets and machines: float") {
  check_bits<float>(0x8413ed6d2dc09542U);
}
TEST_CASE("same bits on all instruction sets and machines: double") {
  check_bits<double>(0x0009ad8d1eb6628eU);
}

template <class T>
void check_pow() {
  REQUIRE(kHasWider<T>);
  using W = Wider<T>;
  using Limits = std::numeric_limits<T>;
  const Bases<T> bases(200000);
  std::vector<T> results(bases.x.size());
  for (const MathOfIsa& isa : math_isas()) {
    if (isa.isa != Isa::kScalar && isa.isa != Isa::kBaseline) continue;
    Worst<T> worst;
    for (const double power : kPowers) {
      const T y = static_cast<T>(power);
      isa.of<T>().pow(bases.x.data(), bases.rest.data(), y, bases.size(), results.data());
      for (std::size_t i = 0; i < bases.x.size(); ++i) {
        if (!(bases.x[i] > 0)) continue;
        const W base = W(bases.x[i]) + W(bases.rest[i]);
        const W exact = std::pow(base, W(y));
        // Near the ends, the result may already count as out of range.
        if (exact < W(Limits::min()) * W(1.00001) && results[i] == 0) continue;
        if (exact > W(Limits::max()) * W(0.99999) && std::isinf(results[i])) continue;
        const double log_size = static_cast<double>(std::fabs(y * std::log(base)));
        worst.add(ulp_error<T>(results[i], exact) - kPowUlpPerLog * log_size, bases.x[i]);
      }
    }
    worst.print(isa_name(isa.isa), "pow - 0.35 |y ln x|");
    CHECK(worst.ulp <= kPowUlp);
  }
}
TEST_CASE("pow is within its bound: float") { check_pow<float>(); }
TEST_CASE("pow is within its bound: double") { check_pow<double>(); }

template <class T>
void check_pow_int() {
  REQUIRE(kHasWider<T>);
  using W = Wider<T>;
  using Limits = std::numeric_limits<T>;
  const Bases<T> bases(200000);
  std::vector<T> results(bases.x.size());
  for (const MathOfIsa& isa : math_isas()) {
    if (isa.isa != Isa::kScalar && isa.isa != Isa::kBaseline) continue;
    Worst<T> worst, worst_with_rest;
    for (const int k : kIntegerPowers) {
      const auto in_range = [](W exact) {
        // Rests and squares on the way lose digits to underflow below.
        return exact == 0 ||
               (exact > W(Limits::min()) / W(Limits::epsilon()) && exact < W(Limits::max()) / 2);
      };
      isa.of<T>().pow_int(bases.x.data(), k, bases.size(), results.data());
      for (std::size_t i = 0; i < bases.x.size(); ++i) {
        const W exact = std::pow(W(bases.x[i]), W(k));
        // k - 1 roundings to a relative 2^-24 (2^-53), which is at most an ULP each.
        if (in_range(exact)) {
          worst.add(ulp_error<T>(results[i], exact) / std::max(k - 1, 1), bases.x[i]);
        }
      }
      isa.of<T>().pow_int_with_rest(bases.x.data(), bases.rest.data(), k, bases.size(),
                                    results.data());
      for (std::size_t i = 0; i < bases.x.size(); ++i) {
        const W exact = std::pow(W(bases.x[i]) + W(bases.rest[i]), W(k));
        if (in_range(exact)) worst_with_rest.add(ulp_error<T>(results[i], exact), bases.x[i]);
      }
    }
    worst.print(isa_name(isa.isa), "pow_int / (n - 1)");
    CHECK(worst.ulp <= 1);
    worst_with_rest.print(isa_name(isa.isa), "pow_int with a rest");
    CHECK(worst_with_rest.ulp <= kPowIntWithRestUlp<T>);
  }
}
TEST_CASE("pow_int is within its bounds: float") { check_pow_int<float>(); }
TEST_CASE("pow_int is within its bounds: double") { check_pow_int<double>(); }

// The values and rests of sigmoid_pair together have the error of e = e^-|x| only, which is
// kExpRelative u, in the share that e has in them.
template <class T>
void check_sigmoid_rests() {
  REQUIRE(kHasWider<T>);
  using W = Wider<T>;
  const W u = W(std::numeric_limits<T>::epsilon()) / 2;
  const std::vector<T> points = sweep<T>(kAffordable);
  const std::size_t n = points.size();
  std::vector<T> results(4 * n);
  for (const MathOfIsa& isa : math_isas()) {
    if (isa.isa != Isa::kScalar && isa.isa != Isa::kBaseline) continue;
    isa.of<T>().sigmoid_pair(points.data(), static_cast<std::int64_t>(n), results.data());
    Worst<T> worst;
    for (std::size_t i = 0; i < n; ++i) {
      const W x = points[i];
      // Rests of numbers this small are subnormal.
      if (!(std::fabs(x) < (sizeof(T) == 4 ? 70 : 670))) continue;
      const W e = std::exp(-std::fabs(x));
      const W larger = 1 / (1 + e);
      const W smaller = e / (1 + e);
      const W value = W(results[i]) + W(results[n + i]);
      const W complement = W(results[2 * n + i]) + W(results[3 * n + i]);
      const W error_of_larger = std::fabs((x > 0 ? value : complement) / larger - 1);
      const W error_of_smaller = std::fabs((x > 0 ? complement : value) / smaller - 1);
      worst.add(static_cast<double>(error_of_larger / u / (smaller + W(0.01))), points[i]);
      worst.add(static_cast<double>(error_of_smaller / u / (larger + W(0.01))), points[i]);
    }
    worst.print(isa_name(isa.isa), "sigmoid_pair's e, in u");
    CHECK(worst.ulp <= (isa.isa == Isa::kBaseline ? 1.8 : kExpRelative));
  }
}
TEST_CASE("the rests of sigmoid_pair: float") { check_sigmoid_rests<float>(); }
TEST_CASE("the rests of sigmoid_pair: double") { check_sigmoid_rests<double>(); }

template <class T>
T value_at(const MathFunctions<T>& functions, const char* name, T x) {
  for (const UnaryFunction<T>& function : functions.unary) {
    if (std::strcmp(function.name, name) != 0) continue;
    const std::vector<T> inputs(16, x);
    std::vector<T> results(16);
    function.run(inputs.data(), 16, results.data());
    return results[0];
  }
  FAIL("no function ", name);
  return 0;
}

template <class T>
void check_special_values() {
  using Limits = std::numeric_limits<T>;
  constexpr T inf = Limits::infinity(), nan = Limits::quiet_NaN(), tiny = Limits::denorm_min();
  struct Row {
    const char* function;
    T x, expected;
  };
  const Row rows[] = {
      {"exp_nonpositive", 0, 1},
      {"exp_nonpositive", T(-0.0), 1},
      {"exp_nonpositive", -inf, 0},
      {"exp_nonpositive", -Limits::max(), 0},
      {"exp", 0, 1},
      {"exp", T(-0.0), 1},
      {"exp", -tiny, 1},
      {"exp", -inf, 0},
      {"exp", Limits::max(), inf},
      {"exp", inf, inf},
      {"expm1", 0, 0},
      {"expm1", tiny, tiny},
      {"expm1", -tiny, -tiny},
      {"expm1", -inf, -1},
      {"expm1", Limits::lowest(), -1},
      {"expm1", Limits::max(), inf},
      {"expm1", inf, inf},
      {"log_regular", 1, 0},
      {"log", 1, 0},
      {"log", 0, -inf},
      {"log", T(-0.0), -inf},
      {"log", -1, nan},
      {"log", -tiny, nan},
      {"log", -inf, nan},
      {"log", inf, inf},
      {"log1p", 0, 0},
      {"log1p", T(-0.0), 0},
      {"log1p", tiny, tiny},
      {"log1p", -tiny, -tiny},
      {"log1p", Limits::min(), Limits::min()},
      {"log1p", -1, -inf},
      {"log1p", -2, nan},
      {"log1p", -inf, nan},
      {"log1p", inf, inf},
      {"log1p_regular", 0, 0},
      {"log1p_regular", tiny, tiny},
      {"log1p_unit", 0, 0},
      {"log1p_unit", tiny, tiny},
      {"softplus_tail", inf, 0},
      {"softplus_tail", -inf, 0},
      {"softplus_tail", nan, 0},
      {"softplus_tail", Limits::max(), 0},
      {"softplus", inf, inf},
      {"softplus", -inf, 0},
      {"softplus", Limits::max(), Limits::max()},
      {"softplus", -Limits::max(), 0},
      {"sigmoid", 0, T(0.5)},
      {"sigmoid", inf, 1},
      {"sigmoid", -inf, 0},
      {"sigmoid", Limits::max(), 1},
      {"sigmoid_pair value", inf, 1},
      {"sigmoid_pair value", -inf, 0},
      {"sigmoid_pair complement", inf, 1},
      {"sigmoid_pair complement", -inf, 0},
      {"log_cosh", 0, 0},
      {"log_cosh", T(-0.0), 0},
      {"log_cosh", tiny, 0},
      {"log_cosh", inf, inf},
      {"log_cosh", -inf, inf},
      {"log_cosh", Limits::max(), Limits::max()},
  };
  for (const MathOfIsa& isa : math_isas()) {
    for (const Row& row : rows) {
      CHECK_MESSAGE(
          canonical(value_at(isa.of<T>(), row.function, row.x)) == canonical(row.expected),
          isa_name(isa.isa), " ", row.function, " at ", row.x);
    }
    // NaN stays, whatever its sign and payload.
    for (const Word<T> payload : {Word<T>(0), Word<T>(1), Word<T>(0x1ff), Word<T>(0x3fffff)}) {
      for (const T x :
           {value_of<T>(word_of(nan) | payload), value_of<T>(word_of(-nan) | payload)}) {
        for (const UnaryFunction<T>& function : isa.of<T>().unary) {
          if (std::strcmp(function.name, "softplus_tail") == 0) continue;
          CHECK_MESSAGE(std::isnan(value_at(isa.of<T>(), function.name, x)), function.name);
        }
      }
    }
  }
}
TEST_CASE("special values: float") { check_special_values<float>(); }
TEST_CASE("special values: double") { check_special_values<double>(); }

template <class T>
void check_special_powers() {
  using Limits = std::numeric_limits<T>;
  constexpr T inf = Limits::infinity(), nan = Limits::quiet_NaN();
  struct Row {
    T x, y, expected;
  };
  const Row rows[] = {
      {0, 0, 1},
      {0, T(0.5), 0},
      {T(-0.0), 2, 0},
      {1, T(2.5), 1},
      {inf, 0, 1},
      {inf, 2, inf},
      {nan, 0, nan},
      {nan, 2, nan},
      {-1, T(0.5), nan},
      {T(0.25), T(0.5), T(0.5)},
      {4, T(0.5), 2},
      {1, 0, 1},
      {T(0.5), inf, 0},
      {Limits::max(), 2, inf},
      {Limits::min(), 2, 0},
  };
  for (const MathOfIsa& isa : math_isas()) {
    for (const Row& row : rows) {
      const std::vector<T> x(16, row.x), rest(16, T(0));
      std::vector<T> results(16);
      isa.of<T>().pow(x.data(), rest.data(), row.y, 16, results.data());
      CHECK_MESSAGE(canonical(results[0]) == canonical(row.expected), isa_name(isa.isa), " ", row.x,
                    "^", row.y);
      const int k = std::isinf(row.y) ? 64 : static_cast<int>(row.y);
      if (T(k) != row.y) continue;
      const T expected = k == 0 ? T(1) : row.expected;  // 1 also for NaN
      isa.of<T>().pow_int(x.data(), k, 16, results.data());
      CHECK_MESSAGE(canonical(results[0]) == canonical(expected), row.x, "^", k);
      isa.of<T>().pow_int_with_rest(x.data(), rest.data(), k, 16, results.data());
      CHECK_MESSAGE(canonical(results[0]) == canonical(expected), row.x, "^", k);
    }
  }
}
TEST_CASE("special powers: float") { check_special_powers<float>(); }
TEST_CASE("special powers: double") { check_special_powers<double>(); }

}  // namespace
}  // namespace simdloss::test
