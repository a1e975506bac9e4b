// SPDX-License-Identifier: Apache-2.0
// ctc.hpp: against the sum over all paths and known values, on every instruction set, for any
// layout, dtype and split of the batch; which ids are refused; what infinite logits give.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
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

std::vector<double> losses_of(const ArrayView& ids, const ArrayView& logits,
                              const KernelTable& table = active_table()) {
  const CtcLosses ctc(ids, logits, table);
  std::vector<double> losses(static_cast<std::size_t>(ctc.samples()), -1.0);
  BadIds bad;
  ctc.compute(0, ctc.samples(), nullptr, losses.data(), bad);
  CHECK(bad.count == 0);
  return losses;
}

double loss_of(const std::vector<std::int64_t>& ids, const Logits& logits) {
  return losses_of(ids_of(ids, 1).view(), logits.view())[0];
}

// The sum over all classes at all time steps that spell `ids`, none of which is 0.
long double brute_force(const std::vector<std::int64_t>& ids, const Logits& logits) {
  const auto time = static_cast<std::size_t>(logits.shape[1]);
  const auto classes = static_cast<std::size_t>(logits.shape[2]);
  std::vector<long double> p(logits.values.begin(), logits.values.end());
  for (std::size_t t = 0; t < time; ++t) {
    long double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) sum += std::exp(p[t * classes + c]);
    for (std::size_t c = 0; c < classes; ++c) {
      p[t * classes + c] = std::exp(p[t * classes + c]) / sum;
    }
  }
  long double total = 0;
  std::vector<std::size_t> path(time, 0);
  for (bool more = true; more;) {
    std::vector<std::int64_t> spelled;
    long double product = 1;
    for (std::size_t t = 0; t < time; ++t) {
      product *= p[t * classes + path[t]];
      if (path[t] != 0 && (t == 0 || path[t] != path[t - 1])) {
        spelled.push_back(static_cast<std::int64_t>(path[t]));
      }
    }
    if (spelled == ids) total += product;
    more = false;
    for (std::size_t t = 0; t < time && !more; ++t) {
      path[t] = (path[t] + 1) % classes;
      more = path[t] != 0;
    }
  }
  return -std::log(total);
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), 8 * a.size()) == 0;
}

}  // namespace

TEST_CASE("the sum over all alignments") {
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
        const auto expected = static_cast<double>(brute_force(ids, logits));
        const double loss = loss_of(ids, logits);
        if (std::isinf(expected)) {
          CHECK(loss == kInfinity);
        } else {
          CHECK(std::abs(loss - expected) <= 4e-16 * std::max(1.0, expected));
        }
      }
    }
  });
}

TEST_CASE("labels are the first of a row, as many as are nonzero") {
  const Logits logits = random_logits({1, 7, 4}, 1.0, 1);
  CHECK(loss_of({1, 2, 0, 0}, logits) == loss_of({1, 2}, logits));
  CHECK(loss_of({1, 2, 0, 3}, logits) == loss_of({1, 2, 0, 3, 0, 0}, logits));
  CHECK(loss_of({0, 0, 2, 3}, logits) == loss_of({0, 0, 1, 1}, logits));
  CHECK(loss_of({0, 0, 2, 3}, logits) != loss_of({2, 3}, logits));
  CHECK(loss_of({0, 0, 0, 0}, logits) == loss_of({}, logits));
}

TEST_CASE("no labels: the blank at every time step") {
  const Logits zeros{std::vector<double>(4 * 5, 0.0), {1, 4, 5}};
  CHECK(loss_of({}, zeros) == doctest::Approx(4 * std::log(5.0)).epsilon(1e-15));
}

TEST_CASE("one label in many equal time steps: one of T (T + 1) / 2 alignments") {
  for (const std::int64_t time : {2000, 30000}) {
    const double zero = 0;
    const std::int64_t shape[3] = {1, time, 100};
    const std::int64_t strides[3] = {0, 0, 0};
    const ArrayView logits{&zero, DType::kFloat64, 3, shape, strides};
    const auto t = static_cast<long double>(time);
    const auto expected = static_cast<double>(t * std::log(100.0L) - std::log(t * (t + 1) / 2));
    for_each_isa([&](const KernelTable& table) {
      const double loss = losses_of(ids_of({5}, 1).view(), logits, table)[0];
      CHECK(std::abs(loss - expected) <= 4e-16 * expected);
    });
  }
}

TEST_CASE("no time steps") {
  const Logits none{{0.0}, {1, 0, 3}};
  CHECK(loss_of({}, none) == 0.0);
  CHECK(loss_of({0, 0}, none) == 0.0);
  CHECK(loss_of({1}, none) == kInfinity);
}

TEST_CASE("no samples") {
  const Ids ids{{0}, {0, 3}, {}, DType::kInt64};
  const Logits logits{{0.0}, {0, 2, 3}};
  CHECK(losses_of(ids.view(), logits.view()).empty());
}

TEST_CASE("no alignment, whatever the logits") {
  Logits logits = random_logits({1, 3, 4}, 1.0, 2);
  CHECK(loss_of({1, 2, 3, 1}, logits) == kInfinity);
  CHECK(loss_of({1, 1, 2}, logits) == kInfinity);
  CHECK(std::isfinite(loss_of({1, 2, 1}, logits)));
  CHECK(std::isfinite(loss_of({1, 1}, logits)));
  logits.values[0] = kNan;
  CHECK(loss_of({1, 1, 2}, logits) == kInfinity);
  CHECK(std::isnan(loss_of({1, 1}, logits)));
}

TEST_CASE("infinite logits count as their limit") {
  Logits logits = random_logits({1, 3, 4}, 1.0, 3);
  const auto set = [&](std::size_t t, std::size_t c, double x) { logits.values[t * 4 + c] = x; };
  set(1, 3, -kInfinity);
  Logits limit = logits;
  limit.values[7] = -1e4;
  CHECK(loss_of({1, 2}, logits) == loss_of({1, 2}, limit));
  CHECK(loss_of({1, 3, 2}, logits) == kInfinity);
  set(0, 1, kInfinity);
  limit.values[1] = 1e4;
  CHECK(loss_of({1, 2}, logits) == loss_of({1, 2}, limit));
  CHECK(loss_of({2}, logits) == kInfinity);
  set(0, 2, kInfinity);
  CHECK(std::isnan(loss_of({1, 2}, logits)));
  const Logits all_lowest{std::vector<double>(4, -kInfinity), {1, 1, 4}};
  CHECK(std::isnan(loss_of({1}, all_lowest)));
  for (const double x : {kInfinity, -kInfinity, 3.0}) {
    const Logits one_class{{x, x}, {1, 2, 1}};
    CHECK(loss_of({}, one_class) == 0.0);
  }
}

TEST_CASE("probabilities far below all doubles") {
  Logits logits{std::vector<double>(50 * 3, 0.0), {1, 50, 3}};
  for (std::size_t t = 0; t < 50; ++t) logits.values[t * 3 + 2] = -1e6;
  // One label costs 1e6 + ln 2 for that time step and ln 2 for each other; 50 places and all
  // longer ones, which are e^-1e6 as likely.
  CHECK(loss_of({2}, logits) ==
        doctest::Approx(1e6 + 50 * std::log(2.0) - std::log(50.0)).epsilon(1e-15));
  for (double& x : logits.values) x = x < 0 ? -1e30 : x;
  CHECK(loss_of({2, 2}, logits) == doctest::Approx(2e30).epsilon(1e-15));
  for (double& x : logits.values) x = x < 0 ? -std::numeric_limits<double>::max() : x;
  CHECK(loss_of({2, 2}, logits) == kInfinity);
}

TEST_CASE("losses near 0 keep their digits") {
  // Label 1 and then the blank, both with the probability 1 / (1 + 2 e^-30).
  Logits logits{{0, 30, 0, 30, 0, 0}, {1, 2, 3}};
  const double all = loss_of({1}, logits);
  const long double e = std::exp(-30.0L);
  const long double p = 1 / (1 + 2 * e);
  // "1 blank", and also "1 1" and "blank 1".
  const long double other = p * p * (e + e * e);
  const auto expected = static_cast<double>(2 * std::log1p(2 * e) - std::log1p(other / (p * p)));
  CHECK(std::abs(all - expected) <= 1e-15 * expected);
}

TEST_CASE("many time steps, every instruction set the same bits") {
  const std::int64_t time = 700;
  const Logits logits = random_logits({3, time, 21}, 3.0, 4);
  std::mt19937_64 random(5);
  std::vector<std::int64_t> values(3 * 100);
  for (auto& id : values) id = static_cast<std::int64_t>(random() % 21);
  const Ids ids = ids_of(values, 3);
  const std::vector<double> expected = losses_of(ids.view(), logits.view(), scalar_kernels());
  for_each_isa([&](const KernelTable& table) {
    const std::vector<double> losses = losses_of(ids.view(), logits.view(), table);
    if (table.isa == Isa::kBaseline) {
      for (std::size_t i = 0; i < 3; ++i) {
        CHECK(losses[i] == doctest::Approx(expected[i]).epsilon(1e-15));
      }
    } else {
      CHECK(same_bits(losses, expected));
    }
  });
}

TEST_CASE("more classes than a tile, in any layout") {
  for_each_isa([](const KernelTable&) {
    for (const std::int64_t classes : {1, 2, 15, 256, 257, 511, 512, 513, 1030}) {
      CAPTURE(classes);
      const std::int64_t time = 9;
      Logits logits = random_logits({2, time, classes}, 2.0, 6);
      const Ids ids = ids_of({classes - 1, classes / 2, 0, classes - 1, 0, classes / 3}, 2);
      const std::vector<double> expected = losses_of(ids.view(), logits.view());
      // Classes first, time backwards.
      Logits other{std::vector<double>(logits.values.size()), logits.shape};
      for (std::int64_t i = 0; i < 2 * time; ++i) {
        for (std::int64_t c = 0; c < classes; ++c) {
          other.values[static_cast<std::size_t>(c * 2 * time + 2 * time - 1 - i)] =
              logits.values[static_cast<std::size_t>(i * classes + c)];
        }
      }
      other.strides = {-8 * time, -8, 16 * time};
      ArrayView view = other.view();
      view.data = other.values.data() + 2 * time - 1;
      CHECK(same_bits(losses_of(ids.view(), view), expected));
    }
  });
}

TEST_CASE("any split of the batch, and samples of weight 0") {
  const Logits logits = random_logits({7, 8, 5}, 2.0, 7);
  std::vector<std::int64_t> values(7 * 3);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i % 4);
  const Ids ids = ids_of(values, 7);
  const std::vector<double> expected = losses_of(ids.view(), logits.view());
  for (const std::int64_t step : {1, 2, 5}) {
    const CtcLosses ctc(ids.view(), logits.view(), active_table());
    std::vector<double> losses(7);
    BadIds bad;
    for (std::int64_t i = 0; i < 7; i += step) {
      ctc.compute(i, std::min<std::int64_t>(step, 7 - i), nullptr, losses.data() + i, bad);
    }
    CHECK(same_bits(losses, expected));
  }
  Ids bad_ids = ids;
  bad_ids.values[3] = 99;
  const CtcLosses ctc(bad_ids.view(), logits.view(), active_table());
  const std::vector<double> weights{1, 0, 2, 1, 0, -1, 1};
  std::vector<double> losses(7, -1.0);
  BadIds bad;
  ctc.compute(0, 7, weights.data(), losses.data(), bad);
  CHECK(bad.count == 0);
  for (std::size_t i = 0; i < 7; ++i) CHECK(losses[i] == (weights[i] == 0 ? 0.0 : expected[i]));
}

TEST_CASE("dtypes of ids and logits") {
  const std::vector<std::int64_t> plain{1, 3, 0, 1};
  const Logits logits{{0, 1, 2, 3, 3, 1, 0, 2, 0.5, 0.25, 4, 1, 1, 1, 0, 2}, {1, 4, 4}};
  const double expected = loss_of(plain, logits);
  const auto check_ids = [&]<class T>(T, DType dtype) {
    CAPTURE(dtype_name(dtype));
    Array<T> ids{{1, 3, 0, 1}, {1, 4}, {}, dtype};
    CHECK(losses_of(ids.view(), logits.view())[0] == expected);
  };
  check_ids(std::int8_t{}, DType::kInt8);
  check_ids(std::int16_t{}, DType::kInt16);
  check_ids(std::int32_t{}, DType::kInt32);
  check_ids(std::uint8_t{}, DType::kUInt8);
  check_ids(std::uint16_t{}, DType::kUInt16);
  check_ids(std::uint32_t{}, DType::kUInt32);
  check_ids(std::uint64_t{}, DType::kUInt64);
  check_ids(float{}, DType::kFloat32);
  check_ids(double{}, DType::kFloat64);
  const Array<std::uint16_t> halves{{0x3C00, 0x4200, 0x8000, 0x3C00}, {1, 4}, {}, DType::kFloat16};
  CHECK(losses_of(halves.view(), logits.view())[0] == expected);
  const Array<std::uint16_t> bhalves{
      {0x3F80, 0x4040, 0x8000, 0x3F80}, {1, 4}, {}, DType::kBFloat16};
  CHECK(losses_of(bhalves.view(), logits.view())[0] == expected);
  const Array<std::uint8_t> truths{{1, 0, 2, 0}, {1, 4}, {}, DType::kBool};
  CHECK(losses_of(truths.view(), logits.view())[0] == loss_of({1, 0, 1, 0}, logits));

  const Ids ids = ids_of(plain, 1);
  Array<float> floats{{logits.values.begin(), logits.values.end()}, logits.shape};
  CHECK(losses_of(ids.view(), floats.view())[0] == expected);
  Array<std::uint16_t> half_logits{{}, logits.shape, {}, DType::kFloat16};
  for (const double x : logits.values) half_logits.values.push_back(double_to_float16(x));
  CHECK(losses_of(ids.view(), half_logits.view())[0] == expected);
}

TEST_CASE("ids that are no class") {
  const Logits logits = random_logits({3, 4, 5}, 1.0, 8);
  const auto bad_of = [&](const ArrayView& ids) {
    const CtcLosses ctc(ids, logits.view(), active_table());
    double losses[3];
    BadIds bad;
    ctc.compute(2, 1, nullptr, losses + 2, bad);  // later positions first
    BadIds first;
    ctc.compute(0, 2, nullptr, losses, first);
    bad.merge(first);
    for (std::int64_t i = 0; i < 3; ++i) {
      if (bad.count > 0 && i == bad.first / 2) CHECK(std::isnan(losses[i]));
    }
    return bad;
  };
  const auto check = [&](const BadIds& bad, std::int64_t count, std::int64_t first,
                         const char* value) {
    CHECK(bad.count == count);
    CHECK(bad.first == first);
    CHECK(bad.value == value);
  };
  check(bad_of(ids_of({1, 5, 2, 3, -1, 0}, 3).view()), 2, 1, "5");
  check(bad_of(ids_of({1, 4, 2, 3, 0, -9}, 3).view()), 1, 5, "-9");
  check(bad_of(ids_of({1, 2, INT64_MIN, 3, INT64_MAX, 2}, 3).view()), 2, 2, "-9223372036854775808");
  const Array<std::uint64_t> large{{1, 2, 3, 4, UINT64_MAX, 1}, {3, 2}, {}, DType::kUInt64};
  check(bad_of(large.view()), 1, 4, "18446744073709551615");
  const Array<double> floats{{1, 2.5, kNan, 4, kInfinity, -1e300}, {3, 2}};
  check(bad_of(floats.view()), 4, 1, "2.5");
  const Array<double> nan{{1, 2, 3, 4, kNan, -0.0}, {3, 2}};
  check(bad_of(nan.view()), 1, 4, "nan");
}

TEST_CASE("nothing outside the arrays is read") {
  GuardedPage page;
  GuardedPage id_page;
  constexpr int kBatch = 2;
  constexpr int kTime = 3;
  for_each_isa([&](const KernelTable& table) {
    for (const int classes : {1, 3, 8, 17}) {
      const int n = kBatch * kTime * classes;
      for (const bool at_end : {false, true}) {
        auto* const logits = at_end ? page.last<float>(n) : page.first<float>();
        auto* const ids = at_end ? id_page.last<std::int64_t>(4) : id_page.first<std::int64_t>();
        for (int i = 0; i < n; ++i) logits[i] = static_cast<float>(i % 5);
        for (int i = 0; i < 4; ++i) ids[i] = i % classes;
        const std::int64_t ids_shape[2] = {kBatch, 2};
        const std::int64_t shape[3] = {kBatch, kTime, classes};
        const std::vector<double> losses =
            losses_of({ids, DType::kInt64, 2, ids_shape, nullptr},
                      {logits, DType::kFloat32, 3, shape, nullptr}, table);
        for (const double loss : losses) CHECK(std::isfinite(loss));
      }
    }
  });
}

TEST_CASE("shapes that do not fit") {
  const Logits logits = random_logits({2, 3, 4}, 1.0, 9);
  CHECK_THROWS_AS(CtcLosses(ids_of({1, 2, 3}, 3).view(), logits.view(), active_table()), Error);
  CHECK_THROWS_AS(CtcLosses(ids_of({1, 2}, 2).view(), ids_of({1, 2}, 2).view(), active_table()),
                  Error);
}
