// SPDX-License-Identifier: Apache-2.0
// ExactSum and rounded_ratio() against integers of any size. The oracle is big_rational.hpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "big_rational.hpp"
#include "simdloss/exact_sum.hpp"

using namespace simdloss;
using oracle::BigInt;

namespace {

using Random = std::mt19937_64;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kMax = std::numeric_limits<double>::max();
constexpr double kTiny = std::numeric_limits<double>::denorm_min();

struct TestFormat {
  DType dtype;
  oracle::Format format;
};
constexpr TestFormat kFormats[] = {{DType::kFloat16, oracle::kHalf},
                                   {DType::kBFloat16, oracle::kBfloat},
                                   {DType::kFloat32, oracle::kSingle},
                                   {DType::kFloat64, oracle::kDouble}};

// The finite part as the oracle's integer.
BigInt finite_part(const ExactSum& sum) {
  const auto& limbs = sum.limbs();
  BigInt result;
  for (int i = 0; i < ExactSum::kLimbs; ++i) {
    result += BigInt(limbs[static_cast<std::size_t>(i)]) << (64 * i);
  }
  if (limbs.back() >> 63 != 0) result += -(BigInt(1) << (64 * ExactSum::kLimbs));
  return result << (-1074 - oracle::kUnitExponent);
}

BigInt exact_total(const std::vector<double>& values) {
  BigInt total;
  for (const double x : values) total += oracle::exact(x);
  return total;
}

ExactSum sum_of(const std::vector<double>& values) {
  ExactSum sum;
  for (const double x : values) sum.add(x);
  return sum;
}

// Any finite bit pattern: all exponents are equally likely, subnormals included.
double any_finite(Random& random) {
  for (;;) {
    const auto x = std::bit_cast<double>(random());
    if (std::isfinite(x)) return x;
  }
}

// Of either sign, with an exponent in [low, high].
double between_powers(Random& random, int low, int high) {
  const double fraction = std::ldexp(static_cast<double>(random() >> 11), -53) + 1;
  const int exponent = std::uniform_int_distribution<int>(low, high)(random);
  return std::ldexp(random() % 2 == 0 ? fraction : -fraction, exponent);
}

std::vector<double> many(int n, Random& random, double (*draw)(Random&)) {
  std::vector<double> values(static_cast<std::size_t>(n));
  for (double& x : values) x = draw(random);
  return values;
}

// Long runs of zeros and ones, where carries and the division's corrections happen.
std::uint64_t extreme_limb(Random& random) {
  constexpr std::uint64_t top = std::uint64_t{1} << 63;
  const std::uint64_t limbs[] = {0,
                                 0,
                                 1,
                                 top - 1,
                                 top,
                                 top + 1,
                                 ~std::uint64_t{0} - 1,
                                 ~std::uint64_t{0},
                                 std::uint64_t{1} << 32,
                                 random()};
  return limbs[random() % std::size(limbs)];
}

// A sum whose magnitude has up to `max_size` consecutive extreme limbs, at least one of them not 0.
ExactSum extreme_sum(Random& random, int max_size, int lowest, int highest) {
  ExactSum sum;
  const int size = 1 + static_cast<int>(random() % static_cast<unsigned>(max_size));
  const int first = std::uniform_int_distribution<int>(lowest, highest)(random);
  for (int i = first; i < first + size && i < ExactSum::kLimbs - 1; ++i) {
    sum.limbs()[static_cast<std::size_t>(i)] = extreme_limb(random);
  }
  if (sum.is_zero()) sum.add(1.0);
  if (random() % 2 == 0) {
    ExactSum negative;
    bool borrow = false;
    for (std::size_t i = 0; i < sum.limbs().size(); ++i) {
      const std::uint64_t limb = sum.limbs()[i];
      negative.limbs()[i] = 0 - limb - (borrow ? 1 : 0);
      borrow = borrow || limb != 0;
    }
    return negative;
  }
  return sum;
}

bool ratio_is_nearest(const ExactSum& numerator, std::uint64_t factor, const ExactSum& denominator,
                      std::uint64_t divisor, const TestFormat& f) {
  const double result = rounded_ratio(numerator, factor, denominator, divisor, f.dtype);
  return oracle::is_nearest(result, finite_part(numerator) * BigInt(factor),
                            finite_part(denominator) * BigInt(divisor), f.format);
}

}  // namespace

TEST_CASE("the oracle knows the four formats") {
  const BigInt one(1);
  const BigInt three(3);
  CHECK(oracle::is_nearest(1.0 / 3, one, three, oracle::kDouble));
  CHECK_FALSE(oracle::is_nearest(std::nextafter(1.0 / 3, 1), one, three, oracle::kDouble));
  CHECK_FALSE(oracle::is_nearest(std::nextafter(1.0 / 3, 0), one, three, oracle::kDouble));
  CHECK(oracle::is_nearest(double{1.0f / 3}, one, three, oracle::kSingle));
  CHECK_FALSE(oracle::is_nearest(1.0 / 3, one, three, oracle::kSingle));
  CHECK(oracle::is_nearest(0x1.554p-2, one, three, oracle::kHalf));
  CHECK(oracle::is_nearest(0x1.56p-2, one, three, oracle::kBfloat));
  CHECK(oracle::is_nearest(-kTiny, -one, BigInt(1) << 1074, oracle::kDouble));
  CHECK(oracle::is_nearest(0.0, -one, BigInt(1) << 1075, oracle::kDouble));
  CHECK_FALSE(oracle::is_nearest(-0.0, -one, BigInt(1) << 1075, oracle::kDouble));
  CHECK(oracle::is_nearest(65504, BigInt(65519), one, oracle::kHalf));
  CHECK(oracle::is_nearest(kInfinity, BigInt(65520), one, oracle::kHalf));
  CHECK_FALSE(oracle::is_nearest(kInfinity, BigInt(65519), one, oracle::kHalf));
}

TEST_CASE("add() is exact at every magnitude") {
  Random random(1);
  ExactSum sum;
  BigInt expected;
  for (int i = 0; i < 20000; ++i) {
    const double x = any_finite(random);
    sum.add(x);
    expected += oracle::exact(x);
    if (i % 97 == 0) REQUIRE(finite_part(sum) == expected);
  }
  CHECK(finite_part(sum) == expected);
  for (const double x : {kMax, -kMax, kTiny, -kTiny, 0.0, -0.0, 0x1p-1022, -0x1p-1022}) {
    CHECK(finite_part(sum_of({x})) == oracle::exact(x));
  }
}

TEST_CASE("carries and borrows run through all limbs and back") {
  ExactSum sum;
  sum.add(-kTiny);
  for (const std::uint64_t limb : sum.limbs()) CHECK(limb == ~std::uint64_t{0});
  sum.add(kTiny);
  CHECK(sum == ExactSum());
  for (int i = 0; i < 5; ++i) sum.add(kMax);
  sum.add(-kTiny);
  CHECK(finite_part(sum) == exact_total({kMax, kMax, kMax, kMax, kMax, -kTiny}));
  for (int i = 0; i < 5; ++i) sum.add(-kMax);
  CHECK(sum.value() == -kTiny);
}

TEST_CASE("no order or grouping changes a bit") {
  Random random(2);
  std::vector<double> values = many(3000, random, any_finite);
  const ExactSum expected = sum_of(values);
  for (int trial = 0; trial < 20; ++trial) {
    std::shuffle(values.begin(), values.end(), random);
    std::vector<ExactSum> parts(1 + random() % 8);
    for (const double x : values) parts[random() % parts.size()].add(x);
    std::shuffle(parts.begin(), parts.end(), random);
    ExactSum sum;
    for (const ExactSum& part : parts) sum.merge(part);
    CHECK(sum == expected);
  }
}

TEST_CASE("what cancels is exactly zero") {
  Random random(3);
  std::vector<double> values = many(2000, random, any_finite);
  const std::size_t n = values.size();
  for (std::size_t i = 0; i < n; ++i) values.push_back(-values[i]);
  std::shuffle(values.begin(), values.end(), random);
  const ExactSum sum = sum_of(values);
  CHECK(sum.is_zero());
  CHECK(sum == ExactSum());
  CHECK_FALSE(std::signbit(sum.value()));
}

TEST_CASE("add_multiple() is repeated addition") {
  Random random(4);
  for (int i = 0; i < 500; ++i) {
    const double x = any_finite(random);
    const std::uint64_t count = random() >> (random() % 64);
    ExactSum sum;
    sum.add_multiple(x, count);
    REQUIRE(finite_part(sum) == oracle::exact(x) * BigInt(count));
  }
  ExactSum sum;
  sum.add_multiple(kMax, std::uint64_t{1} << 63);
  CHECK(sum.value() == kInfinity);  // rounded: the sum itself is finite
  CHECK(sum.is_finite());
  sum.add_multiple(-kMax, std::uint64_t{1} << 63);
  CHECK(sum.is_zero());
  sum.add_multiple(kNan, 0);
  CHECK(sum.is_finite());
}

TEST_CASE("infinities and NaNs are counted and follow IEEE arithmetic") {
  ExactSum sum;
  sum.add(1.0);
  sum.add(kInfinity);
  sum.add_multiple(kInfinity, 2);
  CHECK(sum.positive_infinities == 3);
  CHECK(finite_part(sum) == oracle::exact(1.0));
  CHECK(sum.value() == kInfinity);
  CHECK_FALSE(sum.is_zero());
  CHECK_FALSE(sum.is_finite());
  CHECK(sum_of({-kInfinity, 3.0}).value() == -kInfinity);
  CHECK(std::isnan(sum_of({-kInfinity, kInfinity}).value()));
  CHECK(std::isnan(sum_of({kNan, kInfinity}).value()));
  CHECK(sum_of({-kNan, 2.0}).nans == 1);

  ExactSum other = sum_of({-kInfinity, kNan});
  other.merge(sum);
  CHECK(other.positive_infinities == 3);
  CHECK(other.negative_infinities == 1);
  CHECK(other.nans == 1);
  CHECK(other != sum);
}

TEST_CASE("value() rounds once, ties to even") {
  CHECK(sum_of({1, 0x1p-53}).value() == 1);
  CHECK(sum_of({1, 0x1p-53, kTiny}).value() == 1 + 0x1p-52);
  CHECK(sum_of({1, 0x1p-53, -kTiny}).value() == 1);
  CHECK(sum_of({1, 0x1p-52, 0x1p-53}).value() == 1 + 0x1p-51);
  CHECK(sum_of({-1, -0x1p-52, -0x1p-53}).value() == -1 - 0x1p-51);
  CHECK(sum_of({1, -0x1p-54}).value() == 1);
  CHECK(sum_of({1, -0x1p-54, -kTiny}).value() == 1 - 0x1p-53);
  CHECK(sum_of({kMax, 0x1p969}).value() == kMax);
  CHECK(sum_of({kMax, 0x1p970}).value() == kInfinity);
  CHECK(sum_of({kMax, 0x1p970, -kTiny}).value() == kMax);
  CHECK(sum_of({kMax, kMax, -kMax}).value() == kMax);
  CHECK(sum_of({-kMax, -kMax}).value() == -kInfinity);
  CHECK(sum_of({0x1p-1022, -kTiny}).value() == 0x1p-1022 - kTiny);
  CHECK(sum_of({kTiny, kTiny, kTiny}).value() == 3 * kTiny);
  CHECK(sum_of({0.1, 0.2, -0.3}).value() == 0x1p-55);

  // Rounded twice, by way of double, each of these would go the other way.
  CHECK(sum_of({1, 0x1p-24, 0x1p-60}).value(DType::kFloat32) == 1 + 0x1p-23);
  CHECK(sum_of({1, 0x1p-11, 0x1p-60}).value(DType::kFloat16) == 1 + 0x1p-10);
  CHECK(sum_of({1, 0x1p-8, 0x1p-60}).value(DType::kBFloat16) == 1 + 0x1p-7);
  CHECK(sum_of({65504, 16}).value(DType::kFloat16) == kInfinity);
  CHECK(sum_of({65504, 16, -kTiny}).value(DType::kFloat16) == 65504);
  CHECK(sum_of({0x1p-25}).value(DType::kFloat16) == 0);
  CHECK(sum_of({-0x1p-25, -kTiny}).value(DType::kFloat16) == -0x1p-24);
  CHECK_FALSE(std::signbit(sum_of({-0x1p-25}).value(DType::kFloat16)));
}

TEST_CASE("value() is the nearest number of each dtype") {
  Random random(5);
  for (const TestFormat& f : kFormats) {
    const BigInt one = oracle::exact(1.0);
    for (int i = 0; i < 3000; ++i) {
      ExactSum sum;
      if (i % 3 == 0) {
        sum = extreme_sum(random, 4, 0, ExactSum::kLimbs - 2);
      } else {
        // Around the subnormals and the largest numbers of the format too.
        const int range[] = {f.format.min_exponent, 0, f.format.max_exponent};
        const int middle = range[random() % 3];
        const int low = std::max(middle - f.format.precision - 3, -1074);
        const int high = std::min(middle + 2, 1023);
        for (int k = 0; k < 3; ++k) sum.add(between_powers(random, low, high));
      }
      REQUIRE(oracle::is_nearest(sum.value(f.dtype), finite_part(sum), one, f.format));
    }
  }
}

TEST_CASE("rounded_ratio() of a mean is the nearest number of each dtype") {
  Random random(6);
  for (const TestFormat& f : kFormats) {
    for (int i = 0; i < 2000; ++i) {
      const std::uint64_t n = 1 + (random() >> (random() % 64));
      const std::uint64_t m = 1 + (random() >> (random() % 64));
      ExactSum count;
      count.add_multiple(1.0, m);
      ExactSum sum;
      const int top = f.format.max_exponent;
      for (int k = 0; k < 3; ++k) {
        sum.add(between_powers(random, std::max(-top - 40, -1074), std::min(top + 60, 1023)));
      }
      REQUIRE(ratio_is_nearest(sum, 1, count, 1, f));
      REQUIRE(ratio_is_nearest(sum, m, count, n, f));
      REQUIRE(ratio_is_nearest(sum, n, count, n, f));
    }
  }
}

TEST_CASE("rounded_ratio() of any two sums is the nearest number of each dtype") {
  Random random(7);
  for (const TestFormat& f : kFormats) {
    for (int i = 0; i < 2000; ++i) {
      const ExactSum wide = sum_of(many(4, random, any_finite));
      const ExactSum weights = sum_of(many(4, random, any_finite));
      REQUIRE(ratio_is_nearest(wide, random(), weights, 1 + random() / 2, f));
      // Of like size, so that neither overflows nor underflows.
      const ExactSum a = extreme_sum(random, 5, 10, 12);
      const ExactSum b = extreme_sum(random, 5, 10, 12);
      REQUIRE(ratio_is_nearest(a, 1, b, 1, f));
      REQUIRE(
          ratio_is_nearest(a, 1 + extreme_limb(random) / 2, b, 1 + extreme_limb(random) / 2, f));
    }
  }
}

TEST_CASE("rounded_ratio() at ties, limits and signs") {
  Random random(8);
  for (const TestFormat& f : kFormats) {
    const oracle::Format& format = f.format;
    for (int i = 0; i < 1000; ++i) {
      // A tie, (digits + 1/2) * 2^unit, times a denominator; then one unit to either side of it.
      const int lowest = format.min_exponent - format.precision + 1;
      const int highest = format.max_exponent - format.precision + 1;
      const int units[] = {lowest, std::min(highest, 900),
                           std::uniform_int_distribution<int>(std::max(lowest, -900),
                                                              std::min(highest, 900))(random)};
      const int unit = units[random() % 3];
      std::uint64_t digits = random() >> (64 - format.precision);
      if (unit > lowest) digits |= std::uint64_t{1} << (format.precision - 1);
      if (i == 0) digits = (std::uint64_t{1} << format.precision) - 1;
      ExactSum denominator;
      const std::uint64_t d = 1 + (random() >> (12 + random() % 50));
      // unit - 1 + scale >= -1074 keeps the numerator a sum of doubles.
      const double scale = unit - 1 < -1020 ? 0x1p60 : 1.0;
      denominator.add_multiple(scale, d);
      ExactSum numerator;
      numerator.add_multiple(std::ldexp(scale, unit - 1) * static_cast<double>(2 * digits + 1), d);
      const double tie = rounded_ratio(numerator, 1, denominator, 1, f.dtype);
      const double even = std::ldexp(static_cast<double>(digits + digits % 2), unit);
      if (even <= std::ldexp(2 - std::ldexp(1.0, 1 - format.precision), format.max_exponent)) {
        REQUIRE(tie == even);
      } else {
        REQUIRE(tie == kInfinity);
      }
      REQUIRE(ratio_is_nearest(numerator, 1, denominator, 1, f));
      const std::uint64_t power = std::uint64_t{1} << (random() % 64);
      REQUIRE(rounded_ratio(numerator, power, denominator, power, f.dtype) == tie);
      REQUIRE(ratio_is_nearest(numerator, power, denominator, 1, f));
      for (const double side : {kTiny, -kTiny}) {
        ExactSum beside = numerator;
        beside.add(side);
        REQUIRE(ratio_is_nearest(beside, 1, denominator, 1, f));
      }
    }
  }
  const ExactSum one = sum_of({1});
  CHECK(rounded_ratio(sum_of({-3}), 1, sum_of({-2}), 1, DType::kFloat64) == 1.5);
  CHECK(rounded_ratio(sum_of({3}), 1, sum_of({-2}), 1, DType::kFloat64) == -1.5);
  CHECK(rounded_ratio(sum_of({-3}), 1, sum_of({2}), 1, DType::kFloat16) == -1.5);
  CHECK_FALSE(std::signbit(rounded_ratio(ExactSum(), 1, sum_of({-2}), 1, DType::kFloat32)));
  CHECK_FALSE(std::signbit(rounded_ratio(sum_of({-1}), 0, one, 1, DType::kFloat32)));
  CHECK_FALSE(std::signbit(rounded_ratio(sum_of({-kTiny}), 1, one, 3, DType::kFloat64)));
  CHECK(rounded_ratio(sum_of({kTiny}), 1, sum_of({kMax}), 1, DType::kFloat64) == 0);
  CHECK(rounded_ratio(sum_of({-kMax}), 1, sum_of({kTiny}), 1, DType::kFloat64) == -kInfinity);
  // A tie whose factor empties the lowest limb, which then is no reason to round up.
  const std::uint64_t d = (std::uint64_t{1} << 40) + 1;
  ExactSum tie;
  tie.add_multiple(0x1p38, d);
  tie.add_multiple(0x1p-15, d);
  ExactSum denominator;
  denominator.add_multiple(0x1p-50, d);
  CHECK(rounded_ratio(tie, std::uint64_t{1} << 63, denominator, 1, DType::kFloat64) == 0x1p151);
  ExactSum huge;
  huge.add_multiple(kMax, 1000);
  CHECK(rounded_ratio(huge, 1, one, 1000, DType::kFloat64) == kMax);
}

TEST_CASE("rounded_ratio() where the estimated quotient is 2 too large") {
  // With d = 2^127 + 2^64 - 1: n = q d + 2^126 for q = 2^64 - 1025, just below a midpoint between
  // doubles, while floor(n / 2^127) = q + 2 is above it.
  const std::uint64_t q = 0 - std::uint64_t{1025};
  for (std::size_t first = 0; first < 30; ++first) {
    ExactSum n;
    ExactSum d;
    d.limbs()[first] = ~std::uint64_t{0};
    d.limbs()[first + 1] = std::uint64_t{1} << 63;
    n.limbs()[first] = 1025;
    n.limbs()[first + 1] = 0xbffffffffffffbfe;
    n.limbs()[first + 2] = 0x7ffffffffffffe00;
    BigInt expected = finite_part(d) * BigInt(q);
    expected += BigInt(1) << (126 + 64 * static_cast<int>(first) - 1074 - oracle::kUnitExponent);
    REQUIRE(finite_part(n) == expected);
    for (const TestFormat& f : kFormats) CHECK(ratio_is_nearest(n, 1, d, 1, f));
  }
}

TEST_CASE("rounded_ratio() of sums that are not finite") {
  const auto ratio = [](std::vector<double> n, std::vector<double> d) {
    return rounded_ratio(sum_of(n), 1, sum_of(d), 1, DType::kFloat32);
  };
  CHECK(ratio({kInfinity, 1}, {2}) == kInfinity);
  CHECK(ratio({kInfinity}, {-2}) == -kInfinity);
  CHECK(ratio({-kInfinity}, {-kTiny}) == kInfinity);
  CHECK(ratio({1}, {kInfinity}) == 0);
  CHECK_FALSE(std::signbit(ratio({-1}, {kInfinity})));
  CHECK(ratio({kMax, kMax}, {-kInfinity}) == 0);
  CHECK(std::isnan(ratio({kInfinity}, {kInfinity})));
  CHECK(std::isnan(ratio({kInfinity, -kInfinity}, {1})));
  CHECK(std::isnan(ratio({kNan}, {1})));
  CHECK(std::isnan(ratio({0}, {kNan})));
}
