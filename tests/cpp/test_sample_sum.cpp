// SPDX-License-Identifier: Apache-2.0
// The add_samples kernels of every instruction set: exact for any mix of samples and weights.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

#include "big_rational.hpp"
#include "each_isa.hpp"
#include "kernels/abi.hpp"
#include "rounded_mean.hpp"
#include "sample_sum_state.hpp"
#include "simdloss/exact_sum.hpp"

using namespace simdloss;
using namespace simdloss::test;

namespace {

using Random = std::mt19937_64;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <class T>
const TypeKernels& kernels_of(const KernelTable& table) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return table.f32;
  } else {
    return table.f64;
  }
}

// What the sum is defined to be; ExactSum::add() is tested by itself.
template <class T>
ExactSum defined_sum(const std::vector<T>& losses, const double* weights) {
  ExactSum sum;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    if (weights == nullptr) {
      sum.add(double{losses[i]});
    } else if (weights[i] != 0) {
      sum.add(weights[i] * double{losses[i]});
    }
  }
  return sum;
}

// Whether the windows hold all; if so they must give the means that `sum`, which they are flushed
// to, does.
bool check_means(SampleSum& scratch, const ExactSum& sum) {
  double totals[kWindows];
  const bool are_all = window_totals(scratch, totals);
  flush_samples(scratch);
  if (!are_all) return false;
  ExactSum one;
  one.add(1.0);
  for (const std::uint64_t count : {std::uint64_t{1}, std::uint64_t{3}, std::uint64_t{640},
                                    std::uint64_t{999983}, ~std::uint64_t{0}}) {
    for (const DType dtype :
         {DType::kFloat16, DType::kBFloat16, DType::kFloat32, DType::kFloat64}) {
      const double mean = rounded_mean(totals, count, dtype);
      CHECK(std::bit_cast<std::uint64_t>(mean) ==
            std::bit_cast<std::uint64_t>(rounded_ratio(sum, 1, one, count, dtype)));
    }
  }
  return true;
}

// The kernel's sum, in tiles of up to `tile` samples.
template <class T>
ExactSum kernel_sum(const KernelTable& table, const std::vector<T>& losses, const double* weights,
                    std::size_t tile) {
  ExactSum sum;
  SampleSum scratch;
  begin_samples(scratch, sum);
  for (std::size_t i = 0; i < losses.size(); i += tile) {
    const std::size_t n = std::min(tile, losses.size() - i);
    kernels_of<T>(table).add_samples(losses.data() + i, weights == nullptr ? nullptr : weights + i,
                                     static_cast<std::int64_t>(n), scratch);
  }
  check_means(scratch, sum);
  return sum;
}

template <class T>
void check(const std::vector<T>& losses, const double* weights = nullptr) {
  const ExactSum expected = defined_sum(losses, weights);
  for_each_isa([&](const KernelTable& table) {
    CHECK(kernel_sum(table, losses, weights, losses.size() + 1) == expected);
    CHECK(kernel_sum(table, losses, weights, 1024) == expected);
    CHECK(kernel_sum(table, losses, weights, 37) == expected);
  });
}

// Of either sign if `is_signed`, in [2^low, 2^(high + 1)), every exponent equally likely.
double between_powers(Random& random, int low, int high, bool is_signed) {
  const double fraction = std::ldexp(static_cast<double>(random() >> 11), -53) + 1;
  const int exponent = std::uniform_int_distribution<int>(low, high)(random);
  return std::ldexp(is_signed && random() % 2 == 0 ? -fraction : fraction, exponent);
}

template <class T>
std::vector<T> draw(std::size_t n, Random& random, int low, int high, bool is_signed = true) {
  std::vector<T> values(n);
  for (T& x : values) x = static_cast<T>(between_powers(random, low, high, is_signed));
  return values;
}

template <class T, class Bits>
std::vector<T> any_bits(std::size_t n, Random& random) {
  std::vector<T> values(n);
  for (T& x : values) x = std::bit_cast<T>(static_cast<Bits>(random()));
  return values;
}

}  // namespace

TEST_CASE("every length up to a few groups") {
  Random random(1);
  for (std::size_t n = 0; n < 70; ++n) {
    const auto weights = draw<double>(n, random, -10, 3);
    const auto floats = draw<float>(n, random, -30, 10);
    const auto doubles = draw<double>(n, random, -30, 10);
    check(floats);
    check(doubles);
    check(floats, weights.data());
    check(doubles, weights.data());
  }
}

TEST_CASE("nothing beyond the samples is read") {
  const std::vector<float> floats(40, std::numeric_limits<float>::quiet_NaN());
  const std::vector<double> weights(40, kNan);
  for_each_isa([&](const KernelTable& table) {
    for (std::int64_t n = 0; n < 35; ++n) {
      std::vector<float> losses = floats;
      std::vector<double> scales = weights;
      for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) losses[i] = 3, scales[i] = 0.5;
      ExactSum sum;
      SampleSum scratch;
      begin_samples(scratch, sum);
      table.f32.add_samples(losses.data(), nullptr, n, scratch);
      table.f32.add_samples(losses.data(), scales.data(), n, scratch);
      table.f64.add_samples(scales.data(), nullptr, n, scratch);
      flush_samples(scratch);
      CHECK(sum.value() == 5.0 * static_cast<double>(n));
    }
  });
}

TEST_CASE("any magnitudes, where the windows stand and elsewhere") {
  Random random(2);
  const struct {
    int low, high;
  } ranges[] = {{-40, 15}, {-67, 15},   {-52, -50}, {14, 17},     {-41, -39}, {-30, 40},
                {20, 24},  {-140, 120}, {-90, -60}, {-149, -130}, {100, 127}, {0, 0}};
  for (const auto& range : ranges) {
    check(draw<float>(5000, random, range.low, range.high));
    check(draw<float>(5000, random, range.low, range.high, false));
    check(draw<double>(5000, random, range.low, range.high));
    const auto weights = draw<double>(5000, random, -20, 20);
    check(draw<float>(5000, random, range.low, range.high), weights.data());
    check(draw<double>(5000, random, range.low, range.high), weights.data());
  }
  for (const auto& range : {std::pair{-1074, -1040}, std::pair{-1074, -1000}, std::pair{-960, -850},
                            std::pair{940, 1023}}) {
    check(draw<double>(5000, random, range.first, range.second));
    check(draw<double>(5000, random, range.first, range.second, false));
  }
}

TEST_CASE("any bits at all, NaNs and infinities included") {
  Random random(3);
  const auto weights = any_bits<double, std::uint64_t>(3000, random);
  check(any_bits<float, std::uint32_t>(3000, random));
  check(any_bits<double, std::uint64_t>(3000, random));
  check(any_bits<float, std::uint32_t>(3000, random), weights.data());
  check(any_bits<double, std::uint64_t>(3000, random), weights.data());
}

TEST_CASE("the windows take the most that they can without rounding") {
  // Enough samples to fill every lane several times, all rounded in the same direction.
  const std::size_t n = 49999;
  std::vector<double> samples = {std::nextafter(0x1p16, 0),
                                 -std::nextafter(0x1p16, 0),
                                 0x1p-1 + 0x1p-24,            // leaves the most for window 1, 2^-24
                                 0x1p15 + 0x1p-24 - 0x1p-37,  //
                                 0x1p-30 + 0x1p-64,           // leaves the most for window 2, 2^-64
                                 -0x1p-12 - 0x1p-24 - 0x1p-64,  //
                                 0x1p-24,
                                 0x1.fffffffffffffp-25,
                                 0x1p-51,
                                 0x1p-40};
  for (int k = 12; k < 25; ++k) samples.push_back(std::ldexp(1.0, k) + 0x1p-23);
  // A sample just too small for the windows, among them: of floats, of doubles.
  const double small_float = 0x1p-42 + 0x1p-65;
  const double small_double = 0x1p-53 + 0x1p-105;
  for (const double x : samples) {
    CAPTURE(x);
    std::vector<double> doubles(n, x);
    std::vector<float> floats(n, static_cast<float>(x));
    ExactSum expected;
    ExactSum expected_floats;
    expected.add_multiple(x, n - 1);
    expected_floats.add_multiple(double{floats[0]}, n - 1);
    doubles[5] = small_double;
    floats[5] = static_cast<float>(small_float);
    expected.add(small_double);
    expected_floats.add(small_float);
    for_each_isa([&](const KernelTable& table) {
      for (const std::size_t tile : {n, std::size_t{1024}, std::size_t{13}}) {
        CHECK(kernel_sum(table, doubles, nullptr, tile) == expected);
        CHECK(kernel_sum(table, floats, nullptr, tile) == expected_floats);
      }
    });
  }
}

TEST_CASE("a few ordinary samples stay in the windows, others do not") {
  Random random(7);
  const auto stay = [](const auto& losses) {
    bool all = true;
    for_each_isa([&](const KernelTable& table) {
      ExactSum sum;
      SampleSum scratch;
      begin_samples(scratch, sum);
      kernels_of<typename std::decay_t<decltype(losses)>::value_type>(table).add_samples(
          losses.data(), nullptr, static_cast<std::int64_t>(losses.size()), scratch);
      const bool stayed = check_means(scratch, sum);
      all = all && stayed;
    });
    return all;
  };
  for (std::size_t n = 0; n < 600; n += 7) {
    CHECK(stay(draw<float>(n, random, -39, 14)));
    CHECK(stay(draw<double>(n, random, -50, 14)));
  }
  CHECK(stay(std::vector<double>{1.0, -1.0}));
  CHECK(stay(std::vector<double>{0x1p15, 0x1p-51, -0x1p-51 - 0x1p-103}));
  CHECK_FALSE(stay(std::vector<float>{1.0f, 0x1p-50f}));
  CHECK_FALSE(stay(std::vector<float>{1.0f, 0x1p16f}));
  CHECK_FALSE(stay(std::vector<double>{1.0, kInfinity}));
  CHECK_FALSE(stay(std::vector<double>{1.0, kNan}));
}

TEST_CASE("samples that were flushed are missed in the windows") {
  for_each_isa([&](const KernelTable& table) {
    ExactSum sum;
    SampleSum scratch;
    begin_samples(scratch, sum);
    const std::vector<float> losses(40, 0.75f);
    table.f32.add_samples(losses.data(), nullptr, 40, scratch);
    flush_samples(scratch);
    table.f32.add_samples(losses.data(), nullptr, 40, scratch);
    double totals[kWindows];
    CHECK_FALSE(window_totals(scratch, totals));
    flush_samples(scratch);
    CHECK(sum.value() == 60.0);
  });
}

TEST_CASE("a weight of 0 skips its sample, whatever the loss") {
  for (const double bad : {kNan, kInfinity, -kInfinity, 1e300}) {
    for (std::size_t at = 0; at < 40; ++at) {
      std::vector<double> losses(40, 1.5);
      std::vector<double> weights(40, 2.0);
      losses[at] = bad;
      weights[at] = at % 2 == 0 ? 0.0 : -0.0;
      ExactSum expected;
      expected.add_multiple(3.0, 39);
      for_each_isa([&](const KernelTable& table) {
        CHECK(kernel_sum(table, losses, weights.data(), 64) == expected);
      });
    }
  }
  // Any other weight does not.
  check(std::vector<double>{kInfinity, 0.0, 1.0, 2.0},
        std::vector<double>{1, kInfinity, kNan, -1}.data());
}

TEST_CASE("a weighted sample is rounded once, to double") {
  Random random(4);
  const auto losses = draw<double>(2000, random, -1000, 1000);
  const auto weights = draw<double>(2000, random, -1000, 1000);
  check(losses, weights.data());
  check(std::vector<float>{0.1f, 3.0f}, std::vector<double>{0.1, 1.0 / 3}.data());
}

TEST_CASE("zeros add nothing") {
  check(std::vector<float>(1000, -0.0f));
  check(std::vector<double>(1000, 0.0));
  Random random(5);
  auto losses = draw<float>(4000, random, -60, 30);
  for (float& x : losses) {
    if (random() % 3 == 0) x = 0;
  }
  check(losses);
}

TEST_CASE("a scratch may be flushed at any time and take floats and doubles") {
  Random random(6);
  for_each_isa([&](const KernelTable& table) {
    ExactSum sum;
    ExactSum expected;
    SampleSum scratch;
    begin_samples(scratch, sum);
    for (int call = 0; call < 300; ++call) {
      const int middle = std::uniform_int_distribution<int>(-100, 90)(random);
      const std::size_t n = random() % 300;
      const auto floats = draw<float>(n, random, middle - 20, middle + 20);
      const auto doubles = draw<double>(n, random, middle - 20, middle + 20);
      const auto length = static_cast<std::int64_t>(n);
      if (call % 3 == 0) table.f32.add_samples(floats.data(), nullptr, length, scratch);
      if (call % 3 == 1) table.f64.add_samples(doubles.data(), nullptr, length, scratch);
      if (call % 3 == 2) table.f32.add_samples(floats.data(), doubles.data(), length, scratch);
      expected.merge(call % 3 == 1 ? defined_sum(doubles, nullptr)
                                   : defined_sum(floats, call % 3 == 0 ? nullptr : doubles.data()));
      if (random() % 10 == 0) flush_samples(scratch);
    }
    flush_samples(scratch);
    CHECK(sum == expected);
    flush_samples(scratch);
    CHECK(sum == expected);
  });
}

TEST_CASE("a million samples against integers of any size") {
  Random random(7);
  std::vector<float> losses(1000000);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const double u = std::ldexp(static_cast<double>(random() >> 11), -53);
    losses[i] = static_cast<float>(i % 1000 == 0 ? 1e8 * u : u * u * u * u);
  }
  oracle::BigInt expected;
  for (const float x : losses) expected += oracle::exact(double{x});
  for_each_isa([&](const KernelTable& table) {
    const double value = kernel_sum(table, losses, nullptr, losses.size()).value();
    CHECK(oracle::is_nearest(value, expected, oracle::exact(1.0), oracle::kDouble));
  });
  check(losses);
}
