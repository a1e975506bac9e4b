// SPDX-License-Identifier: Apache-2.0

// The functions that give less than those of their name for less, of one instruction set: the others
// have the same bits.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "simd/math.hpp"
#include "simd/vec_scalar.hpp"

namespace simdloss::test {
namespace {

using F = Vec<float, isa::Scalar>;
using D = Vec<double, isa::Scalar>;
constexpr double kInf = std::numeric_limits<double>::infinity();

double short_exp(double x, double power) { return short_exp_over_power_of_two(D(x), D(power)).reg; }

}  // namespace

TEST_CASE("short_exp_over_power_of_two is as exact as floats need") {
  std::mt19937_64 random(3);
  for (const double most : {1.0, 100.0, 700.0, 1491.0}) {
    std::uniform_real_distribution<double> between(-most, most);
    double worst = 0;
    for (int i = 0; i < 100000; ++i) {
      const double x = between(random);
      const double power = std::nearbyint(x / std::log(2.0)) + static_cast<double>(i % 41) - 1;
      const long double exact =
          std::exp(static_cast<long double>(x) - static_cast<long double>(power) * std::log(2.0L));
      const auto error = std::fabs(static_cast<long double>(short_exp(x, power)) / exact - 1);
      worst = std::max(worst, static_cast<double>(error));
    }
    CHECK(worst < 0x1p-32);
    CHECK(worst > 0x1p-40);  // or half of the operations would be for nothing
  }
  CHECK(short_exp(-kInf, 0) == 0);
  CHECK(short_exp(-2000, 0) == 0);
  CHECK(short_exp(-709.5, 0) == 0);  // subnormal
  CHECK(short_exp(-708, 0) > 0);
  CHECK(short_exp(0, 0) == 1);
  CHECK(std::isnan(short_exp(std::nan(""), 0)));
  CHECK(std::isnan(short_exp(std::nan("0x7ffff"), 7)));
}

TEST_CASE("short_log1p is as exact as floats need") {
  const auto f = [](double x) { return short_log1p(D(x)).reg; };
  double worst = 0;
  const auto check = [&](double x) {
    const long double exact = std::log1p(static_cast<long double>(x));
    const auto error = std::fabs(static_cast<long double>(f(x)) / exact - 1);
    worst = std::max(worst, static_cast<double>(error));
  };
  for (int i = 0; i < 400000; ++i) check(std::ldexp(i + 0.5, -19));  // where the polynomial counts
  for (int i = -1074; i < 1022; ++i) {
    check(std::ldexp(1, i));
    check(std::nextafter(std::ldexp(1, i), 0.0) + std::numeric_limits<double>::denorm_min());
    check(std::ldexp(1.7, i));
  }
  CHECK(worst < 0x1p-33);
  CHECK(worst > 0x1p-34);  // or half of the operations would be for nothing
  CHECK(f(0) == 0);
  CHECK(f(-0.0) == 0);
  CHECK(f(std::numeric_limits<double>::denorm_min()) == std::numeric_limits<double>::denorm_min());
  CHECK(f(kInf) == kInf);
  CHECK(std::isnan(f(std::nan(""))));
}

namespace {

template <class Isa>
void check_exp_over_power_of_two(double max_ulp) {
  using W = Vec<float, Isa>;
  const auto f = [](float x, float power) { return exp_over_power_of_two(W(x), W(power)).reg; };
  constexpr double least = std::numeric_limits<float>::min();
  std::mt19937 random(5);
  double worst = 0;
  for (int i = 0; i < 400000; ++i) {
    const float most = random() % 2 == 0 ? 2.0F : 264.0F;
    const float x = std::uniform_real_distribution<float>(-most, most)(random);
    const float power = std::nearbyint(x / std::log(2.0F)) + static_cast<float>(random() % 141) - 1;
    const double exact = std::exp(static_cast<double>(x)) / std::exp2(static_cast<double>(power));
    const double found = f(x, power);
    if (found == 0) {
      CHECK(exact < 1.000001 * least);
      continue;
    }
    int exponent = 0;
    std::frexp(std::max(exact, least), &exponent);
    worst = std::max(worst, std::ldexp(std::fabs(found - exact), 24 - exponent));
    CHECK(exact > 0.95 * least);
  }
  CHECK(worst < max_ulp);
  CHECK(worst > max_ulp - 0.1);  // or the stated error is too large
  const float inf = std::numeric_limits<float>::infinity();
  CHECK(f(0, 0) == 1);
  CHECK(f(-inf, 0) == 0);
  CHECK(f(-1000, 3) == 0);
  CHECK(f(-87.4F, 0) == 0);
  CHECK(f(-87.33F, 0) > 0);
  CHECK(std::isnan(f(std::nanf(""), 0)));
  CHECK(std::isnan(f(std::nanf("0x3fffff"), 7)));
}

}  // namespace

TEST_CASE("exp_over_power_of_two: float") { check_exp_over_power_of_two<isa::Scalar>(0.62); }

TEST_CASE("the table of exp holds powers of two and what their rounding lost") {
  using Table = ExpTable<F>;
  for (std::uint32_t i = 0; i < 8; ++i) {
    const long double exact = std::exp2(static_cast<long double>(i) / 8);
    const float rounded = F::from_bits(to_bits(F(Table::powers[i])) +
                                       F::Bits(i << static_cast<unsigned>(Table::kShift)))
                              .reg;
    CHECK(rounded == static_cast<float>(exact));
    const long double rest = exact / static_cast<long double>(rounded) - 1;
    CHECK(static_cast<double>(Table::rests[i]) ==
          doctest::Approx(static_cast<double>(rest)).epsilon(1e-7));
  }
}

TEST_CASE("log_regular_or_complement has the bits of both logarithms") {
  std::mt19937 random(4);
  std::uniform_real_distribution<float> exponent(-120, 0);
  for (int i = 0; i < 200000; ++i) {
    const float x =
        std::min(std::exp2(exponent(random) / static_cast<float>(1 + i % 30)), 1 - 0x1p-24F);
    const F::Mask direct = F(0) == F(0);
    CHECK(log_regular_or_complement(direct, F(x)).reg == log_regular(F(x)).reg);
    CHECK(log_regular_or_complement(!direct, F(x)).reg == log1p_regular(F(-x)).reg);
  }
  CHECK(std::isnan(log_regular_or_complement(F(0) == F(0), F(std::nanf(""))).reg));
}

}  // namespace simdloss::test
