// SPDX-License-Identifier: Apache-2.0
// CtcLosses::gradients: against the sum over all paths, a lattice in long double and differences of
// the loss; the same bits on every instruction set, for any split, layout and dtype; where there is
// no derivative.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "calls.hpp"
#include "ctc.hpp"
#include "ctc_oracle.hpp"
#include "each_isa.hpp"
#include "guarded_page.hpp"
#include "half.hpp"

using namespace simdloss;
using namespace simdloss::test;
using namespace simdloss::test::ctc;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> ones(std::int64_t n) {
  return std::vector<double>(static_cast<std::size_t>(n), 1.0);
}

struct Result {
  std::vector<double> losses;
  std::vector<double> gradient;
  BadIds bad;
};

Result gradient_of(const ArrayView& ids, const ArrayView& logits, const std::vector<double>& scales,
                   const KernelTable& table = active_table(), std::int64_t step = 1 << 20) {
  const CtcLosses ctc(ids, logits, table);
  const std::int64_t n = ctc.samples();
  Result result{std::vector<double>(static_cast<std::size_t>(n), -1.0), {}, {}};
  result.gradient.assign(static_cast<std::size_t>(n * logits.shape[1] * logits.shape[2]), 77.0);
  const MutableArrayView out{result.gradient.data(), DType::kFloat64, 3, logits.shape, nullptr};
  for (std::int64_t i = 0; i < n; i += step) {
    ctc.gradients(i, std::min(step, n - i), scales.data() + i, result.losses.data() + i, out,
                  result.bad);
  }
  return result;
}

std::vector<double> gradient_of(const std::vector<std::int64_t>& ids, const Logits& logits) {
  return gradient_of(ids_of(ids, 1).view(), logits.view(), {1.0}).gradient;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), 8 * a.size()) == 0);
}

std::vector<std::int64_t> random_ids(std::int64_t n, std::int64_t classes, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < n; ++i) {
    ids.push_back(1 + static_cast<std::int64_t>(random() % static_cast<unsigned>(classes - 1)));
  }
  return ids;
}

}  // namespace

TEST_CASE("the sum over all paths") {
  for_each_isa([](const KernelTable&) {
    unsigned seed = 0;
    for (const std::int64_t time : {1, 2, 3, 5, 6}) {
      for (const std::vector<std::int64_t>& ids : {std::vector<std::int64_t>{},
                                                   {1},
                                                   {2},
                                                   {1, 2},
                                                   {1, 1},
                                                   {2, 1, 2},
                                                   {1, 1, 2},
                                                   {2, 2, 2},
                                                   {1, 2, 1, 2}}) {
        CAPTURE(time);
        CAPTURE(ids.size());
        const Logits logits = random_logits({1, time, 3}, 2.0, ++seed);
        CHECK(all_paths(ids, logits).worst(gradient_of(ids, logits)) <= 4);
      }
    }
  });
}

TEST_CASE("many time steps, every instruction set the same bits") {
  struct Case {
    std::int64_t time, labels, classes;
    double scale;
  };
  // Several segments, one, few alignments, one alignment, hardly any time; large logits.
  for (const Case& c : {Case{2000, 40, 12, 1.0}, Case{150, 30, 100, 3.0}, Case{64, 50, 9, 5.0},
                        Case{300, 170, 5, 300.0}, Case{8, 3, 4, 1e3}, Case{2000, 8, 5, 2000.0}}) {
    CAPTURE(c.time);
    CAPTURE(c.labels);
    const Logits logits = random_logits({1, c.time, c.classes}, c.scale, 4);
    const Ids ids = ids_of(random_ids(c.labels, c.classes, 5), 1);
    const Expected expected = lattice(ids.values, logits);
    const Result scalar = gradient_of(ids.view(), logits.view(), {-0.7}, scalar_kernels());
    const double worst = expected.worst(scalar.gradient, -0.7);
    MESSAGE("T ", c.time, ", L ", c.labels, ": error ", worst, " u (softmax + probability)");
    CHECK(worst <= 4);
    for_each_isa([&](const KernelTable& table) {
      const Result result = gradient_of(ids.view(), logits.view(), {-0.7}, table);
      if (table.isa == Isa::kBaseline) {
        CHECK(expected.worst(result.gradient, -0.7) <= 4);
      } else {
        CHECK(same_bits(result.gradient, scalar.gradient));
        CHECK(same_bits(result.losses, scalar.losses));
      }
    });
  }
}

TEST_CASE("impossible classes, and logits so far apart that all but one path vanish") {
  std::mt19937_64 random(6);
  Logits logits = random_logits({1, 400, 6}, 3.0, 7);
  for (double& x : logits.values) {
    if (random() % 4 == 0) x -= 1e4;
  }
  for (std::size_t t = 0; t < 400; ++t) {
    if (random() % 3 == 0) logits.values[6 * t + 1 + random() % 5] = -kInfinity;
  }
  const std::vector<std::int64_t> ids = random_ids(50, 6, 8);
  const double worst = lattice(ids, logits).worst(gradient_of(ids, logits));
  MESSAGE("error ", worst, " u (softmax + probability)");
  CHECK(worst <= 4);
}

TEST_CASE("logits near the largest numbers give numbers") {
  for (const double largest : {1e15, 1e30, 1e300, std::numeric_limits<double>::max()}) {
    Logits logits = random_logits({1, 50, 4}, 1.0, 9);
    for (double& x : logits.values) x = std::clamp(x, -1.0, 1.0) * largest;
    for (const double x : gradient_of({1, 2, 2, 3}, logits)) CHECK(std::abs(x) <= 1);
  }
}

TEST_CASE("blanks between labels are differentiated as the loss has them") {
  const std::vector<std::int64_t> row{0, 2, 0, 3, 3};  // three nonzero: the labels are 0, 2, 0
  Logits logits = random_logits({1, 9, 5}, 1.5, 10);
  const std::vector<double> gradient = gradient_of(row, logits);
  CHECK(lattice({0, 2, 0}, logits).worst(gradient) <= 4);
  const auto loss_at = [&](std::size_t i, double h) {
    Logits moved = logits;
    moved.values[i] += h;
    return gradient_of(ids_of(row, 1).view(), moved.view(), {1.0}).losses[0];
  };
  constexpr double h = 1e-3;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double difference =
        (8 * (loss_at(i, h) - loss_at(i, -h)) - (loss_at(i, 2 * h) - loss_at(i, -2 * h))) /
        (12 * h);
    CHECK(gradient[i] == doctest::Approx(difference).epsilon(1e-9));
  }
}

TEST_CASE("losses are those of compute(), in any split of the batch") {
  const Logits logits = random_logits({7, 20, 5}, 2.0, 11);
  std::vector<std::int64_t> values(7 * 4);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i * i % 5);
  const Ids ids = ids_of(values, 7);
  const std::vector<double> scales{1, 0.1, -3, 1e-3, 2, 1e10, 7};
  const Result expected = gradient_of(ids.view(), logits.view(), scales);
  for (const std::int64_t step : {1, 2, 5}) {
    const Result result = gradient_of(ids.view(), logits.view(), scales, active_table(), step);
    CHECK(same_bits(result.gradient, expected.gradient));
    CHECK(same_bits(result.losses, expected.losses));
  }
  const CtcLosses ctc(ids.view(), logits.view(), active_table());
  std::vector<double> losses(7);
  BadIds bad;
  ctc.compute(0, 7, nullptr, losses.data(), bad);
  CHECK(same_bits(losses, expected.losses));
}

TEST_CASE("samples of scale 0 are not looked at, and bad labels are NaN") {
  Logits logits = random_logits({4, 6, 3}, 1.0, 12);
  const Ids good = ids_of({1, 2, 1, 1, 2, 0, 2, 1}, 4);
  const Result expected = gradient_of(good.view(), logits.view(), ones(4));
  Ids ids = good;
  ids.values[2] = 9;
  ids.values[4] = -1;
  std::fill_n(logits.values.begin() + 18, 18, kNan);
  Result result = gradient_of(ids.view(), logits.view(), {1, 0, 0, 1});
  CHECK(result.bad.count == 0);
  for (std::size_t i = 0; i < 72; ++i) {
    const bool skipped = i >= 18 && i < 54;
    CHECK(result.gradient[i] == (skipped ? 0.0 : expected.gradient[i]));
  }
  CHECK(result.losses[1] == 0.0);
  result = gradient_of(ids.view(), logits.view(), ones(4));
  CHECK(result.bad.count == 2);
  CHECK(result.bad.first == 2);
  for (std::size_t i = 18; i < 54; ++i) CHECK(std::isnan(result.gradient[i]));
}

TEST_CASE("no alignment: 0, whatever the logits") {
  Logits logits = random_logits({1, 3, 4}, 1.0, 13);
  const std::vector<double> zeros(12, 0.0);
  logits.values[4] = kNan;
  CHECK(same_bits(gradient_of({1, 1, 2}, logits), zeros));
  for (const double x : gradient_of({1, 1}, logits)) CHECK(std::isnan(x));
  logits.values[4] = 0;
  for (std::size_t t = 0; t < 3; ++t) logits.values[t * 4 + 2] = -kInfinity;
  CHECK(same_bits(gradient_of({1, 2}, logits), zeros));
  const std::vector<double> possible = gradient_of({1, 3}, logits);
  CHECK(lattice({1, 3}, logits).worst(possible) <= 4);
  for (std::size_t t = 0; t < 3; ++t) CHECK(possible[t * 4 + 2] == 0.0);
  logits.values[1] = kInfinity;
  for (std::size_t c = 0; c < 4; ++c) CHECK(gradient_of({1, 3}, logits)[c] == 0.0);
  CHECK(same_bits(gradient_of({3}, logits), zeros));
}

TEST_CASE("no labels, no time steps, no samples") {
  const Logits logits = random_logits({1, 5, 3}, 1.0, 14);
  CHECK(lattice({}, logits).worst(gradient_of({}, logits)) <= 4);
  CHECK(same_bits(gradient_of({0, 0}, logits), gradient_of({}, logits)));
  const Logits no_time{{0.0}, {1, 0, 3}};
  const Result result = gradient_of(ids_of({1}, 1).view(), no_time.view(), {1.0});
  CHECK(result.losses[0] == kInfinity);
  CHECK(result.gradient.empty());
  const Ids no_ids{{0}, {0, 3}, {}, DType::kInt64};
  const Logits none{{0.0}, {0, 2, 3}};
  CHECK(gradient_of(no_ids.view(), none.view(), {}).losses.empty());
}

TEST_CASE("more classes than a tile") {
  for_each_isa([](const KernelTable&) {
    for (const std::int64_t classes : {2, 15, 16, 17, 511, 513, 1030}) {
      CAPTURE(classes);
      const Logits logits = random_logits({1, 9, classes}, 2.0, 15);
      const std::vector<std::int64_t> ids{classes - 1, classes / 2, classes - 1};
      CHECK(lattice(ids, logits).worst(gradient_of(ids, logits)) <= 4);
    }
  });
}

TEST_CASE("any layout of logits and output, and every dtype of both") {
  Logits logits = random_logits({2, 7, 5}, 2.0, 16);
  Array<float> floats{{logits.values.begin(), logits.values.end()}, logits.shape};
  logits.values.assign(floats.values.begin(), floats.values.end());
  const Ids ids = ids_of({1, 3, 3, 4, 4, 0}, 2);
  const std::vector<double> scales{0.25, 3};
  const std::vector<double> expected = gradient_of(ids.view(), logits.view(), scales).gradient;
  CHECK(same_bits(gradient_of(ids.view(), floats.view(), scales).gradient, expected));

  // Classes first, time backwards, an element between any two.
  std::vector<double> room(3 * 2 * 7 * 5, 5.0);
  const std::int64_t strides[3] = {8 * 2 * 7, -16, 8 * 2 * 14};
  double* const first = room.data() + 2 * 6;
  for (const DType dtype : {DType::kFloat64, DType::kFloat32, DType::kFloat16, DType::kBFloat16}) {
    CAPTURE(dtype_name(dtype));
    std::fill(room.begin(), room.end(), 5.0);
    const CtcLosses ctc(ids.view(), floats.view(), active_table());
    BadIds bad;
    ctc.gradients(0, 2, scales.data(), nullptr, {first, dtype, 3, logits.shape.data(), strides},
                  bad);
    for (std::size_t i = 0; i < room.size(); ++i) {
      if (i % 2 == 1) CHECK(room[i] == 5.0);
    }
    for (std::int64_t i = 0; i < 70; ++i) {
      const char* const at = reinterpret_cast<const char*>(first) + i / 35 * strides[0] +
                             i / 5 % 7 * strides[1] + i % 5 * strides[2];
      const double x = expected[static_cast<std::size_t>(i)];
      std::uint16_t half;
      float single;
      double stored;
      std::memcpy(&half, at, 2);
      std::memcpy(&single, at, 4);
      std::memcpy(&stored, at, 8);
      if (dtype == DType::kFloat64) CHECK(stored == x);
      if (dtype == DType::kFloat32) CHECK(single == static_cast<float>(x));
      if (dtype == DType::kFloat16) CHECK(half == double_to_float16(x));
      if (dtype == DType::kBFloat16) CHECK(half == double_to_bfloat16(x));
    }
  }
}

TEST_CASE("nothing outside the arrays is touched") {
  GuardedPage page;
  GuardedPage out_page;
  for_each_isa([&](const KernelTable& table) {
    for (const int classes : {1, 3, 8, 17}) {
      const int n = 2 * 3 * classes;
      for (const bool at_end : {false, true}) {
        auto* const logits = at_end ? page.last<float>(n) : page.first<float>();
        auto* const out = at_end ? out_page.last<float>(n) : out_page.first<float>();
        for (int i = 0; i < n; ++i) logits[i] = static_cast<float>(i % 5);
        std::vector<std::int64_t> values(4);
        for (std::size_t i = 0; i < 4; ++i) values[i] = static_cast<std::int64_t>(i) % classes;
        const Ids ids = ids_of(values, 2);
        const std::int64_t shape[3] = {2, 3, classes};
        const CtcLosses ctc(ids.view(), {logits, DType::kFloat32, 3, shape, nullptr}, table);
        const std::vector<double> scales = ones(2);
        BadIds bad;
        ctc.gradients(0, 2, scales.data(), nullptr, {out, DType::kFloat32, 3, shape, nullptr}, bad);
        for (int i = 0; i < n; ++i) CHECK(std::isfinite(out[i]));
      }
    }
  });
}
