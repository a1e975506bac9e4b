// SPDX-License-Identifier: Apache-2.0
// circle.hpp: against the definition in long double, on every instruction set, for any layout,
// dtype and split of the queries.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "calls.hpp"
#include "circle.hpp"
#include "circle_oracle.hpp"
#include "each_isa.hpp"
#include "guarded_page.hpp"

using namespace simdloss;
using namespace simdloss::test;
using namespace simdloss::test::circle;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> losses_of(const Side& queries, const Side& references,
                              const CircleOptions& options = {},
                              const KernelTable& table = active_table()) {
  const CircleLosses circle(queries.labels.view(), queries.rows.view(), references.labels.view(),
                            references.rows.view(), options, table);
  CHECK(circle.bad_labels().count == 0);
  std::vector<double> losses(static_cast<std::size_t>(circle.queries()), -1.0);
  circle.compute(0, circle.queries(), nullptr, losses.data());
  return losses;
}

std::vector<long double> defined(const Side& queries, const Side& references,
                                 const CircleOptions& options) {
  std::vector<long double> losses;
  const long double margin = options.margin;
  for (std::int64_t i = 0; i < queries.n(); ++i) {
    long double sums[2] = {0, 0};
    for (std::int64_t j = 0; j < references.n(); ++j) {
      long double s = 0;
      for (std::int64_t k = 0; k < queries.d(); ++k) {
        s += static_cast<long double>(queries.at(i, k)) * references.at(j, k);
      }
      const long double d = std::max(1 - s, 0.0L);
      const auto q = static_cast<std::size_t>(i);
      const auto r = static_cast<std::size_t>(j);
      if (queries.labels.values[q] != references.labels.values[r]) {
        sums[1] += std::exp(options.gamma * std::max(1 + margin - d, 0.0L) * (1 - margin - d));
      } else if (!(options.remove_diagonal && i == j)) {
        sums[0] += std::exp(-options.gamma * std::max(margin + d, 0.0L) * (margin - d));
      }
    }
    losses.push_back(std::log1p(sums[0] * sums[1]));
  }
  return losses;
}

void check_close(const std::vector<double>& losses, const std::vector<long double>& expected,
                 const CircleOptions& options) {
  REQUIRE(losses.size() == expected.size());
  const double factor = 4 + 4 * std::abs(options.gamma) * (1 + options.margin);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    CAPTURE(i);
    const auto error = static_cast<double>(std::abs(losses[i] - expected[i]));
    CHECK(error <= factor * 0x1p-53 * static_cast<double>(std::max(expected[i], 1e-300L)));
  }
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), 8 * a.size()) == 0;
}

}  // namespace

TEST_CASE("the definition, for any number of queries, references and components") {
  for (const std::int64_t n : {1, 7, 8, 9, 40}) {
    for (const std::int64_t m : {1, 15, 16, 17, 50}) {
      for (const std::int64_t d : {1, 2, 63, 64, 65, 200}) {
        for (const bool remove_diagonal : {false, true}) {
          CAPTURE(n);
          CAPTURE(m);
          CAPTURE(d);
          const Side queries = random_side(n, d, 3, 1);
          const Side references = random_side(m, d, 3, 2);
          for (const CircleOptions& options :
               {CircleOptions{80, 0.4, remove_diagonal}, CircleOptions{2, 0.25, remove_diagonal}}) {
            const auto expected = defined(queries, references, options);
            for_each_isa([&](const KernelTable& table) {
              check_close(losses_of(queries, references, options, table), expected, options);
            });
          }
        }
      }
    }
  }
}

TEST_CASE("other gammas and margins") {
  const Side side = random_side(30, 5, 3, 3);
  for (const CircleOptions options : {CircleOptions{0, 0.4}, CircleOptions{-3, 0.4},
                                      CircleOptions{5, -0.5}, CircleOptions{5, 1.5}}) {
    check_close(losses_of(side, side, options), defined(side, side, options),
                {std::abs(options.gamma), std::abs(options.margin)});
  }
  const std::vector<double> huge = losses_of(side, side, {1e300, 0.4});
  for (const double loss : huge) CHECK(loss > 1e299);
}

TEST_CASE("no positive or no negative pair: 0") {
  const Side one_class = side_of({5, 5, 5}, {1, 0, 0, 1, 0.6, 0.8});
  CHECK(losses_of(one_class, one_class) == std::vector<double>{0, 0, 0});
  const Side all_classes = side_of({1, 2, 3}, {1, 0, 0, 1, 0.6, 0.8});
  CHECK(losses_of(all_classes, all_classes) == std::vector<double>{0, 0, 0});
  CHECK(losses_of(all_classes, all_classes, {80, 0.4, false})[0] > 0);
  const Side none = side_of({}, {});
  CHECK(losses_of(none, side_of({1}, {1})).empty());
  CHECK(losses_of(side_of({1, 2}, {kNan, 1}), none) == std::vector<double>{0, 0});
}

TEST_CASE("NaN in a query or in any reference") {
  Side queries = random_side(3, 4, 1, 4);
  const Side references = random_side(20, 4, 1, 5);
  queries.at(1, 2) = kNan;
  std::vector<double> losses = losses_of(queries, references);
  CHECK(losses[0] == 0.0);
  CHECK(std::isnan(losses[1]));
  CHECK(losses[2] == 0.0);
  // Even of the pair that does not take part.
  losses = losses_of(queries, queries);
  for (const double loss : losses) CHECK(std::isnan(loss));
}

TEST_CASE("infinite distances") {
  const Side queries = side_of({0}, {1});
  CHECK(losses_of(queries, side_of({0, 1}, {-kInfinity, 0.5}), {80, 0.4, false})[0] == kInfinity);
  CHECK(losses_of(queries, side_of({0, 1}, {1, -kInfinity}), {1, 0.4, false})[0] ==
        losses_of(queries, side_of({0, 1}, {1, -1e9}), {1, 0.4, false})[0]);
  CHECK(losses_of(queries, side_of({0, 1}, {1, kInfinity}), {1, 0.4, false})[0] ==
        losses_of(queries, side_of({0, 1}, {1, 1}), {1, 0.4, false})[0]);
}

TEST_CASE("every instruction set the same bits, in any split of the queries") {
  const Side side = random_side(600, 70, 5, 6);
  const std::vector<double> expected = losses_of(side, side, {}, scalar_kernels());
  for_each_isa([&](const KernelTable& table) {
    const std::vector<double> losses = losses_of(side, side, {}, table);
    if (table.isa == Isa::kBaseline) {
      for (std::size_t i = 0; i < losses.size(); ++i) {
        CHECK(losses[i] == doctest::Approx(expected[i]).epsilon(1e-13));
      }
      return;
    }
    CHECK(same_bits(losses, expected));
    const CircleLosses circle(side.labels.view(), side.rows.view(), side.labels.view(),
                              side.rows.view(), {}, table);
    for (const std::int64_t step : {37, 256, 600}) {
      std::vector<double> parts(600);
      for (std::int64_t i = 0; i < 600; i += step) {
        circle.compute(i, std::min<std::int64_t>(step, 600 - i), nullptr, parts.data() + i);
      }
      CHECK(same_bits(parts, expected));
    }
  });
}

TEST_CASE("queries of weight 0 are references still") {
  const Side side = random_side(20, 6, 3, 7);
  const std::vector<double> expected = losses_of(side, side);
  const CircleLosses circle(side.labels.view(), side.rows.view(), side.labels.view(),
                            side.rows.view(), {}, active_table());
  std::vector<double> weights(20, 1.0);
  weights[0] = weights[7] = weights[19] = 0;
  std::vector<double> losses(20, -1.0);
  circle.compute(0, 20, weights.data(), losses.data());
  for (std::size_t i = 0; i < 20; ++i) CHECK(losses[i] == (weights[i] == 0 ? 0.0 : expected[i]));
}

TEST_CASE("more components than the queries of a block have room for") {
  const Side side = random_side(20, 5000, 3, 8);
  check_close(losses_of(side, side), defined(side, side, {}), {});
}

TEST_CASE("any layout and dtype") {
  const Side side = random_side(11, 6, 3, 9);
  Array<float> floats{{side.rows.values.begin(), side.rows.values.end()}, side.rows.shape};
  Side widened = side;
  widened.rows.values.assign(floats.values.begin(), floats.values.end());
  const std::vector<double> expected = losses_of(widened, widened);
  Array<std::uint8_t> bytes{{}, {11}, {}, DType::kUInt8};
  Array<double> label_floats{{}, {11}};
  for (const std::int64_t id : side.labels.values) {
    bytes.values.push_back(static_cast<std::uint8_t>(id));
    label_floats.values.push_back(static_cast<double>(id));
  }
  Array<float> transposed{std::vector<float>(66), {11, 6}, {-4, 44}};
  for (std::size_t i = 0; i < 11; ++i) {
    for (std::size_t k = 0; k < 6; ++k) {
      transposed.values[k * 11 + 10 - i] = floats.values[i * 6 + k];
    }
  }
  ArrayView backwards = transposed.view();
  backwards.data = transposed.values.data() + 10;
  const CircleLosses circle(bytes.view(), backwards, label_floats.view(), floats.view(), {},
                            active_table());
  std::vector<double> losses(11);
  circle.compute(0, 11, nullptr, losses.data());
  CHECK(same_bits(losses, expected));
}

TEST_CASE("ids are exact") {
  // Three that are one double, and two that are one int64.
  const std::int64_t large = (std::int64_t{1} << 62) + 1;
  const Side side = side_of({large, large + 1, large, -large}, {1, 1, 1, 1});
  const Side small = side_of({1, 2, 1, 3}, {1, 1, 1, 1});
  CHECK(losses_of(side, side) == losses_of(small, small));
  const Array<std::uint64_t> unsigned_ids{
      {UINT64_MAX, UINT64_MAX - 1, 1, 7}, {4}, {}, DType::kUInt64};
  const Array<std::int64_t> signed_ids{{-1, -2, 1, 8}, {4}, {}, DType::kInt64};
  const ArrayView rows = small.rows.view();
  const CircleLosses circle(unsigned_ids.view(), rows, signed_ids.view(), rows, {80, 0.4, false},
                            active_table());
  double losses[4];
  circle.compute(0, 4, nullptr, losses);
  CHECK(losses[0] == 0);
  CHECK(losses[1] == 0);
  CHECK(losses[2] > 0);
  CHECK(losses[3] == 0);
}

TEST_CASE("labels that are no integers are recorded") {
  const Side side = random_side(4, 2, 2, 10);
  const Array<double> labels{{1, 0.5, kNan, 1e300}, {4}};
  const CircleLosses circle(side.labels.view(), side.rows.view(), labels.view(), side.rows.view(),
                            {}, active_table());
  CHECK(circle.bad_labels().count == 0);
  CHECK(circle.bad_ref_labels().count == 3);
  CHECK(circle.bad_ref_labels().first == 1);
  CHECK(circle.bad_ref_labels().value == "0.5");
}

TEST_CASE("nothing outside the arrays is read") {
  GuardedPage page;
  GuardedPage id_page;
  for_each_isa([&](const KernelTable& table) {
    for (const int d : {1, 3, 7}) {
      constexpr int n = 19;
      for (const bool at_end : {false, true}) {
        auto* const rows = at_end ? page.last<float>(n * d) : page.first<float>();
        auto* const ids = at_end ? id_page.last<std::int32_t>(n) : id_page.first<std::int32_t>();
        for (int i = 0; i < n * d; ++i) rows[i] = 0.1F * static_cast<float>(i % 7);
        for (int i = 0; i < n; ++i) ids[i] = i % 3;
        const std::int64_t shape[2] = {n, d};
        const ArrayView labels{ids, DType::kInt32, 1, shape, nullptr};
        const ArrayView embeddings{rows, DType::kFloat32, 2, shape, nullptr};
        const CircleLosses circle(labels, embeddings, labels, embeddings, {}, table);
        double losses[n];
        circle.compute(0, n, nullptr, losses);
        for (const double loss : losses) CHECK(loss > 0);
      }
    }
  });
}

TEST_CASE("shapes that do not fit") {
  const Side a = random_side(3, 4, 2, 11);
  const Side b = random_side(5, 4, 2, 12);
  const Side c = random_side(5, 6, 2, 13);
  const auto make = [](const ArrayView& labels, const ArrayView& rows, const ArrayView& ref_labels,
                       const ArrayView& ref_rows) {
    return CircleLosses(labels, rows, ref_labels, ref_rows, {}, active_table());
  };
  CHECK_NOTHROW(make(a.labels.view(), a.rows.view(), b.labels.view(), b.rows.view()));
  CHECK_THROWS_AS(make(b.labels.view(), a.rows.view(), b.labels.view(), b.rows.view()), Error);
  CHECK_THROWS_AS(make(a.labels.view(), a.rows.view(), a.labels.view(), b.rows.view()), Error);
  CHECK_THROWS_AS(make(a.labels.view(), a.rows.view(), c.labels.view(), c.rows.view()), Error);
  CHECK_THROWS_AS(make(a.rows.view(), a.rows.view(), b.labels.view(), b.rows.view()), Error);
}
