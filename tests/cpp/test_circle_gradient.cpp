// SPDX-License-Identifier: Apache-2.0
// CircleLosses::gradients: against Keras's formula differentiated step by step in long double, and
// differences of the loss; the same bits on every instruction set, for any split, layout and dtype.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "calls.hpp"
#include "circle.hpp"
#include "circle_oracle.hpp"
#include "each_isa.hpp"
#include "guarded_page.hpp"
#include "half.hpp"

using namespace simdloss;
using namespace simdloss::test;
using namespace simdloss::test::circle;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> random_scales(std::int64_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> scales;
  for (std::int64_t i = 0; i < n; ++i) scales.push_back(normal(random));
  return scales;
}

CircleOptions self(double gamma = 80, double margin = 0.4, bool remove_diagonal = true) {
  return {gamma, margin, remove_diagonal, true};
}

struct Result {
  std::vector<double> losses;
  std::vector<double> gradient;
};

Result gradient_of(const Side& queries, const Side& references, const CircleOptions& options,
                   const std::vector<double>& scales, const KernelTable& table = active_table(),
                   std::int64_t step = 1 << 20) {
  const CircleLosses circle(queries.labels.view(), queries.rows.view(), references.labels.view(),
                            references.rows.view(), options, table);
  const std::int64_t n = circle.queries();
  Result result{std::vector<double>(static_cast<std::size_t>(n), -1.0),
                std::vector<double>(queries.rows.values.size(), 77.0)};
  CircleStatistics statistics(n);
  const MutableArrayView out{result.gradient.data(), DType::kFloat64, 2, queries.rows.shape.data(),
                             nullptr};
  for (std::int64_t i = 0; i < n; i += step) {
    circle.compute(i, std::min(step, n - i), scales.data() + i, result.losses.data() + i,
                   &statistics);
  }
  for (std::int64_t i = 0; i < n; i += step) {
    circle.gradients(i, std::min(step, n - i), scales.data(), statistics, out);
  }
  return result;
}

// The largest error on any instruction set, as a part of the bound, for random scales.
double worst_error(const Side& queries, const Side& references, const CircleOptions& options,
                   unsigned seed) {
  const std::vector<double> scales = random_scales(queries.n(), seed);
  const Expected expected = differentiated(queries, references, options, scales);
  double worst = 0;
  for_each_isa([&](const KernelTable& table) {
    const Result result = gradient_of(queries, references, options, scales, table);
    const double error = expected.worst(result.gradient, options);
    CHECK(error <= 1);
    worst = std::max(worst, error);
  });
  return worst;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), 8 * a.size()) == 0);
}

}  // namespace

TEST_CASE("the derivative of the definition, for any number of queries and components") {
  double worst = 0;
  for (const std::int64_t n : {1, 7, 9, 40}) {
    for (const std::int64_t m : {1, 15, 16, 17, 50}) {
      for (const std::int64_t d : {1, 2, 8, 65, 200}) {
        for (const CircleOptions& options :
             {CircleOptions{80, 0.4, true}, CircleOptions{2, 0.25, false}}) {
          CAPTURE(n);
          CAPTURE(m);
          CAPTURE(d);
          const Side queries = random_side(n, d, 3, 1);
          const Side references = random_side(m, d, 3, 2);
          worst = std::max(worst, worst_error(queries, references, options, 3));
        }
      }
    }
  }
  MESSAGE("error ", worst, " of the bound");
}

TEST_CASE("references that are the queries count in both roles") {
  double worst = 0;
  for (const std::int64_t n : {1, 2, 16, 33, 300}) {
    for (const CircleOptions& options :
         {self(), self(2, 0.25, false), self(0, 0.4), self(-3, 0.4), self(5, -0.5), self(5, 1.5)}) {
      CAPTURE(n);
      CAPTURE(options.gamma);
      const Side side = random_side(n, 6, 4, 4);
      worst = std::max(worst, worst_error(side, side, options, 5));
    }
  }
  MESSAGE("error ", worst, " of the bound");
}

TEST_CASE("differences of the loss") {
  const std::vector<double> scales = random_scales(12, 6);
  const auto loss_of = [&](const Side& side, const Side& references, const CircleOptions& options) {
    const Expected expected = differentiated(side, references, options, scales);
    long double sum = 0;
    for (std::size_t i = 0; i < 12; ++i) sum += scales[i] * expected.loss[i];
    return sum;
  };
  for (const CircleOptions& options : {self(5, 0.3), self(3, 0.25), CircleOptions{4, 0.4}}) {
    Side side = random_side(12, 5, 3, 7);
    const Side other = random_side(20, 5, 3, 8);
    const auto loss = [&] {
      return loss_of(side, options.references_are_queries ? side : other, options);
    };
    const Result result =
        gradient_of(side, options.references_are_queries ? side : other, options, scales);
    constexpr double h = 0x1p-12;
    for (std::size_t i = 0; i < side.rows.values.size(); ++i) {
      double& x = side.rows.values[i];
      const double old = x;
      const auto loss_at = [&](double offset) {
        x = old + offset;
        const long double y = loss();
        x = old;
        return y;
      };
      const long double difference =
          (8 * (loss_at(h) - loss_at(-h)) - (loss_at(2 * h) - loss_at(-2 * h))) / (12 * h);
      CHECK(std::abs(result.gradient[i] - difference) < 1e-8);
    }
  }
}

TEST_CASE("other labels for the references") {
  Side side = random_side(40, 5, 3, 9);
  // A query is a pair of another class with itself now, and at s = 1 that has two derivatives.
  for (double& x : side.rows.values) x *= 0.9;
  Side references = side;
  for (std::int64_t& label : references.labels.values) label = (label + 1) % 3;
  const std::vector<double> scales = random_scales(40, 10);
  const Result result = gradient_of(side, references, self(3), scales);
  CHECK(differentiated(side, references, self(3), scales).worst(result.gradient, self(3)) <= 1);
}

TEST_CASE("ties have half of the derivative of a maximum, as in torch") {
  // Similarities of exactly 1: of the query with a reference of its class and with another.
  const Side query = side_of({0}, {1, 0});
  const Side references = side_of({0, 1, 1}, {0.6, 0.8, 1, 0, 2, 0});
  const CircleOptions options{1, 0.25, false};
  const Result result = gradient_of(query, references, options, {1.0});
  CHECK(differentiated(query, references, options, {1.0}).worst(result.gradient, options) <= 1);
  // max(1 + margin - d, 0) and, for a negative margin, max(margin + d, 0) at 0.
  const Side far = side_of({0, 1, 1}, {0.5, 1, -0.25, 1, 0.5, 2});
  CHECK(differentiated(query, far, options, {1.0})
            .worst(gradient_of(query, far, options, {1.0}).gradient, options) <= 1);
  const CircleOptions negative{1, -0.5, false};
  const Expected expected = differentiated(query, far, negative, {1.0});
  CHECK(expected.gradient[0] != 0);
  CHECK(expected.worst(gradient_of(query, far, negative, {1.0}).gradient, negative) <= 1);
}

TEST_CASE("every instruction set the same bits, in any split of the queries") {
  const Side side = random_side(600, 70, 5, 11);
  const std::vector<double> scales = random_scales(600, 12);
  const Result expected = gradient_of(side, side, self(), scales, scalar_kernels());
  const Expected truth = differentiated(side, side, self(), scales);
  for_each_isa([&](const KernelTable& table) {
    const Result result = gradient_of(side, side, self(), scales, table);
    CHECK(truth.worst(result.gradient, self()) <= 1);
    if (table.isa == Isa::kBaseline) return;
    CHECK(same_bits(result.gradient, expected.gradient));
    for (const std::int64_t step : {37, 256, 600}) {
      const Result parts = gradient_of(side, side, self(), scales, table, step);
      CHECK(same_bits(parts.gradient, expected.gradient));
      CHECK(same_bits(parts.losses, expected.losses));
    }
  });
}

TEST_CASE("more components than the queries of a block have room for") {
  const Side side = random_side(20, 5000, 3, 13);
  const std::vector<double> scales = random_scales(20, 14);
  const Result result = gradient_of(side, side, self(), scales);
  CHECK(differentiated(side, side, self(), scales).worst(result.gradient, self()) <= 1);
}

TEST_CASE("gammas so large that sums overflow, and so small that they vanish") {
  const Side side = random_side(30, 4, 3, 15);
  const std::vector<double> ones(30, 1.0);
  for (const double gamma : {1e4, 1e10, 1e300, -1e4, 1e-300}) {
    CAPTURE(gamma);
    for (const double x : gradient_of(side, side, self(gamma), ones).gradient) {
      CHECK(std::isfinite(x));
    }
  }
  // One pair of each kind: the shares are 1, whatever e^exponent is.
  const Side query = side_of({0}, {0.6, 0.8});
  const Side references = side_of({0, 1}, {0, 1, 0.8, 0.6});
  const Result result = gradient_of(query, references, {1e6, 0.4, false}, {1.0});
  // d = 0.2 and s = 0.96: -2 gamma d (0, 1) + 2 gamma s (0.8, 0.6).
  CHECK(result.gradient[0] == doctest::Approx(2e6 * 0.96 * 0.8).epsilon(1e-12));
  CHECK(result.gradient[1] == doctest::Approx(2e6 * (0.96 * 0.6 - 0.2)).epsilon(1e-12));
}

TEST_CASE("no pairs of one kind, no references, no queries: 0") {
  const Side one_class = side_of({5, 5, 5}, {1, 0, 0, 1, 0.6, 0.8});
  const std::vector<double> zeros(6, 0.0);
  CHECK(same_bits(gradient_of(one_class, one_class, self(), {1, 1, 1}).gradient, zeros));
  const Side all_classes = side_of({1, 2, 3}, {1, 0, 0, 1, 0.6, 0.8});
  CHECK(same_bits(gradient_of(all_classes, all_classes, self(), {1, 1, 1}).gradient, zeros));
  const Side none{{{}, {0}, {}, DType::kInt64}, {{}, {0, 2}}};
  CHECK(same_bits(gradient_of(one_class, none, {}, {1, 1, 1}).gradient, zeros));
  CHECK(gradient_of(none, one_class, {}, {}).gradient.empty());
}

TEST_CASE("queries of scale 0") {
  Side queries = random_side(20, 6, 3, 16);
  const Side references = random_side(25, 6, 3, 17);
  std::vector<double> scales = random_scales(20, 18);
  scales[0] = scales[7] = scales[19] = 0;
  // Not looked at where they are queries alone.
  const Result expected = gradient_of(queries, references, {}, scales);
  CHECK(differentiated(queries, references, {}, scales).worst(expected.gradient, {}) <= 1);
  for (std::size_t k = 0; k < 6; ++k) queries.rows.values[7 * 6 + k] = kNan;
  CHECK(same_bits(gradient_of(queries, references, {}, scales).gradient, expected.gradient));
  for (std::size_t k = 0; k < 6; ++k) CHECK(expected.gradient[7 * 6 + k] == 0.0);
  // References of the others still.
  const Result both = gradient_of(references, references, self(), std::vector<double>(25, 0.0));
  for (const double x : both.gradient) CHECK(x == 0.0);
  scales.resize(25, 0.0);
  const Result some = gradient_of(references, references, self(), scales);
  CHECK(differentiated(references, references, self(), scales).worst(some.gradient, self()) <= 1);
  CHECK(some.gradient[0] != 0.0);
  Side nan = references;
  nan.rows.values[3] = kNan;
  const Result none = gradient_of(nan, nan, self(), std::vector<double>(25, 0.0));
  for (const double x : none.gradient) CHECK(x == 0.0);
}

TEST_CASE("NaN in a query or in a reference") {
  Side queries = random_side(3, 4, 1, 19);
  Side references = random_side(20, 4, 2, 20);
  queries.rows.values[6] = kNan;
  const std::vector<double> ones(20, 1.0);
  Result result = gradient_of(queries, references, {}, ones);
  for (std::size_t i = 0; i < 12; ++i) CHECK(std::isnan(result.gradient[i]) == (i / 4 == 1));
  for (const double x : gradient_of(queries, queries, self(), ones).gradient) {
    CHECK(std::isnan(x));
  }
  references.rows.values[79] = kNan;
  for (const double x : gradient_of(queries, references, {}, ones).gradient) CHECK(std::isnan(x));
}

TEST_CASE("any layout and dtype") {
  const Side side = random_side(11, 6, 3, 21);
  const std::vector<double> scales = random_scales(11, 22);
  const std::vector<double> expected = gradient_of(side, side, self(), scales).gradient;
  // Columns first, rows backwards, an element between any two.
  std::vector<double> room(2 * 66, 5.0);
  const std::int64_t strides[2] = {-16, 8 * 22};
  double* const first = room.data() + 20;
  const CircleLosses circle(side.labels.view(), side.rows.view(), side.labels.view(),
                            side.rows.view(), self(), active_table());
  CircleStatistics statistics(11);
  std::vector<double> losses(11);
  circle.compute(0, 11, nullptr, losses.data(), &statistics);
  for (const DType dtype : {DType::kFloat64, DType::kFloat32, DType::kFloat16, DType::kBFloat16}) {
    CAPTURE(dtype_name(dtype));
    std::fill(room.begin(), room.end(), 5.0);
    circle.gradients(0, 11, scales.data(), statistics,
                     {first, dtype, 2, side.rows.shape.data(), strides});
    for (std::size_t i = 1; i < room.size(); i += 2) CHECK(room[i] == 5.0);
    for (std::int64_t i = 0; i < 66; ++i) {
      const char* const at =
          reinterpret_cast<const char*>(first) + i / 6 * strides[0] + i % 6 * strides[1];
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
    for (const int d : {1, 3, 7, 8}) {
      constexpr int n = 19;
      for (const bool at_end : {false, true}) {
        auto* const rows = at_end ? page.last<float>(n * d) : page.first<float>();
        auto* const out = at_end ? out_page.last<float>(n * d) : out_page.first<float>();
        std::vector<std::int32_t> ids(n);
        for (int i = 0; i < n * d; ++i) rows[i] = 0.1F * static_cast<float>(i % 7);
        for (int i = 0; i < n; ++i) ids[static_cast<std::size_t>(i)] = i % 3;
        const std::int64_t shape[2] = {n, d};
        const ArrayView labels{ids.data(), DType::kInt32, 1, shape, nullptr};
        const ArrayView embeddings{rows, DType::kFloat32, 2, shape, nullptr};
        const CircleLosses circle(labels, embeddings, labels, embeddings, self(), table);
        CircleStatistics statistics(n);
        const std::vector<double> scales(n, 1.0);
        std::vector<double> losses(n);
        circle.compute(0, n, nullptr, losses.data(), &statistics);
        circle.gradients(0, n, scales.data(), statistics,
                         {out, DType::kFloat32, 2, shape, nullptr});
        for (int i = 0; i < n * d; ++i) CHECK(std::isfinite(out[i]));
      }
    }
  });
}
