// SPDX-License-Identifier: Apache-2.0
// PartialSums: the arithmetic of the reductions, merging, and the byte format.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "simdloss/error.hpp"
#include "simdloss/reduction.hpp"

using namespace simdloss;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr Reduction kScalar[] = {Reduction::kSum, Reduction::kMean,
                                 Reduction::kMeanWithSampleWeight};

// The state of the losses, by its definition: weights and mask are those of each entry after
// broadcasting, except in weight_sum, which adds the given ones as they were before.
struct Data {
  std::vector<double> losses;
  std::vector<double> weights = {};  // empty: 1
  std::vector<double> mask = {};     // empty: true
  std::vector<double> given = {};    // weights times mask before broadcasting; empty: as above
};

PartialSums state_of(const Data& data, Reduction reduction, DType dtype = DType::kFloat32) {
  PartialSums state;
  state.fingerprint = 7;
  state.reduction = reduction;
  state.result_dtype = dtype;
  for (std::size_t i = 0; i < data.losses.size(); ++i) {
    const double w = data.weights.empty() ? 1.0 : data.weights[i];
    const double m = data.mask.empty() ? 1.0 : data.mask[i];
    // A mean gives each entry that the mask keeps the same weight (Keras).
    const double scale = reduction == Reduction::kMean && m != 0 ? 1.0 : m;
    ++state.count;
    ++state.mask_count;
    state.mask_sum.add(m);
    if (data.given.empty()) state.weight_sum.add(w * m);
    if (w * m == 0) continue;
    ++state.valid_count;
    state.loss_sum.add(w * scale * data.losses[i]);
  }
  for (const double w : data.given) state.weight_sum.add(w);
  return state;
}

double reduced(const Data& data, Reduction reduction, Empty empty = Empty::kZero) {
  return state_of(data, reduction).finalize(empty);
}

// A state with every member set, of a loss that converts labels or not.
PartialSums any_state(std::mt19937_64& random, bool converts, Reduction reduction) {
  std::uniform_real_distribution<double> uniform(-2, 2);
  PartialSums state;
  state.fingerprint = 99;
  state.reduction = reduction;
  state.converts_labels = converts;
  state.all_labels_binary = !converts || random() % 4 != 0;
  for (int i = static_cast<int>(random() % 20); i > 0; --i) {
    ++state.count;
    ++state.mask_count;
    state.valid_count += random() % 2;
    state.mask_sum.add(1.0);
    state.weight_sum.add(std::ldexp(uniform(random), static_cast<int>(random() % 200) - 100));
    state.loss_sum.add(std::ldexp(uniform(random), static_cast<int>(random() % 2000) - 1000));
    if (converts && state.all_labels_binary) state.converted_sum.add(uniform(random));
  }
  if (random() % 8 == 0) state.loss_sum.add(kInfinity);
  if (random() % 8 == 0) state.loss_sum.add(kNan);
  return state;
}

PartialSums merged(PartialSums a, const PartialSums& b) {
  a.merge(b);
  return a;
}

// The argument that the error names and its message; empty if there was no error.
template <class Body>
std::string error_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kValue);
    return error.argument() + "|" + error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("reductions of [1, 4] are Keras's") {
  // Losses after broadcasting, weights, mask, weights as given; what Keras 3.15 makes of them.
  const struct {
    Data data;
    double mean, sum, weighted_mean;
  } rows[] = {
      {{{1, 4}}, 2.5, 5, 2.5},
      {{{1, 4}, {2, 2}, {}, {2}}, 5, 10, 5},                 // scalar 2
      {{{1, 4}, {1, 3}}, 6.5, 13, 3.25},                     // [1, 3] and [[1], [3]]
      {{{1, 4}, {3, 3}, {}, {3}}, 7.5, 15, 5},               // [3]
      {{{1, 1, 4, 4, 1, 4}}, 2.5, 15, 2.5},                  // ones (3, 2)
      {{{1, 4, 1, 4}, {1, 1, 3, 3}, {}, {1, 3}}, 5, 20, 5},  // [[[1]], [[3]]]
      {{{1, 4}, {1, -1}}, -1.5, -3, 0},
      {{{1, 4}, {}, {1, 0}}, 1, 1, 1},
      {{{1, 4}, {2, 3}, {1, 0}}, 2, 2, 1},
      {{{1, 4}, {}, {0, 0}}, 0, 0, 0},
      {{{1, 4}, {}, {2, 0}}, 0.5, 2, 1},  // a mask of numbers
  };
  for (const auto& row : rows) {
    CAPTURE(&row - rows);
    CHECK(reduced(row.data, Reduction::kMean) == row.mean);
    CHECK(reduced(row.data, Reduction::kSum) == row.sum);
    CHECK(reduced(row.data, Reduction::kMeanWithSampleWeight) == row.weighted_mean);
  }
}

TEST_CASE("the result is rounded once, to the result dtype") {
  // Through double, each would be a tie and round down to 1.
  CHECK(state_of({{1, 0x1p-24, 0x1p-60}}, Reduction::kSum).finalize() == 1 + 0x1p-23);
  CHECK(state_of({{3, 3 * 0x1p-24, 0x1p-60}}, Reduction::kMean).finalize() == 1 + 0x1p-23);
  CHECK(state_of({{3, 3 * 0x1p-53, 0x1p-90}}, Reduction::kMean, DType::kFloat64).finalize() ==
        1 + 0x1p-52);
  // Nothing on the way overflows: 70000 losses of 1 in float16, and sums above the largest double.
  PartialSums half = state_of({{1}}, Reduction::kMean, DType::kFloat16);
  half.count = half.valid_count = half.mask_count = 70000;
  half.loss_sum.add_multiple(1.0, 69999);
  half.mask_sum.add_multiple(1.0, 69999);
  CHECK(half.finalize() == 1);
  half.reduction = Reduction::kSum;
  CHECK(half.finalize() == kInfinity);
  const double max = std::numeric_limits<double>::max();
  CHECK(state_of({{max, max, max}}, Reduction::kMean, DType::kFloat64).finalize() == max);
  // A mask of numbers: one rounding of n_m / sum(m) * s / n.
  CHECK(state_of({{0.1, 0.1, 0.1}, {}, {0.3, 0.3, 0.3}}, Reduction::kMean, DType::kFloat64)
            .finalize() == 0.1 / 0.3);
}

TEST_CASE("signs, zeros and what is not finite") {
  CHECK(reduced({{1, 4}, {-1, -3}}, Reduction::kMeanWithSampleWeight) == 3.25);
  CHECK(reduced({{-1, 4}, {-5, 1}}, Reduction::kMeanWithSampleWeight) == -2.25);
  CHECK(reduced({{1, 4}, {}, {-1, -1}}, Reduction::kMean) == -2.5);
  for (const Reduction reduction : kScalar) {
    CHECK_FALSE(std::signbit(reduced({{-0.0}}, reduction)));
    CHECK_FALSE(std::signbit(reduced({{0.0}, {-1}}, reduction)));
    CHECK_FALSE(std::signbit(reduced({{-1e-60}}, reduction)));
    CHECK(reduced({{1, kInfinity}}, reduction) == kInfinity);
    CHECK(reduced({{1, -kInfinity}}, reduction) == -kInfinity);
    CHECK(std::isnan(reduced({{-kInfinity, kInfinity}}, reduction)));
    CHECK(std::isnan(reduced({{1, kNan}}, reduction)));
    CHECK(reduced({{1, kNan}, {1, 0}}, reduction) == (reduction == Reduction::kMean ? 0.5 : 1.0));
  }
  CHECK(reduced({{-1}, {}, {}, {kInfinity}}, Reduction::kMeanWithSampleWeight) == 0);
  CHECK(std::isnan(reduced({{-1}, {}, {}, {kNan}}, Reduction::kMeanWithSampleWeight)));
}

TEST_CASE("a mean over nothing is what `empty` says") {
  const Data nothing[] = {{{}}, {{1, 4}, {0, 0}}, {{1, 4}, {}, {0, 0}}, {{1, 4}, {2, 3}, {0, 0}}};
  for (const Data& data : nothing) {
    for (const Reduction reduction : {Reduction::kMean, Reduction::kMeanWithSampleWeight}) {
      CHECK(reduced(data, reduction) == 0);
      CHECK(std::isnan(reduced(data, reduction, Empty::kNan)));
      const auto text = error_of([&] { reduced(data, reduction, Empty::kRaise); });
      CHECK(contains(text, "mean over nothing"));
      CHECK(contains(text, "of " + std::to_string(data.losses.size()) + " entries 0 take part"));
    }
    for (const Empty empty : {Empty::kZero, Empty::kNan, Empty::kRaise}) {
      CHECK(reduced(data, Reduction::kSum, empty) == 0);
    }
  }
  // Weights, or a mask of numbers, that cancel.
  const Data cancelling{{1, 4}, {1, -1}};
  CHECK(reduced(cancelling, Reduction::kMeanWithSampleWeight) == 0);
  CHECK(std::isnan(reduced(cancelling, Reduction::kMeanWithSampleWeight, Empty::kNan)));
  CHECK(contains(
      error_of([&] { reduced(cancelling, Reduction::kMeanWithSampleWeight, Empty::kRaise); }),
      "add up to 0"));
  CHECK(reduced(cancelling, Reduction::kMean, Empty::kRaise) == -1.5);
  CHECK(std::isnan(reduced({{1, 4}, {}, {1, -1}}, Reduction::kMean, Empty::kNan)));
  // A mean over something does not care.
  CHECK(reduced({{0, 0}}, Reduction::kMean, Empty::kRaise) == 0);
  CHECK(contains(error_of([] { reduced({{1}}, Reduction::kNone); }), "reduction|"));
}

TEST_CASE("merge() is associative and commutative, and the default state is its unit") {
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 200; ++trial) {
    const bool converts = trial % 2 == 0;
    const Reduction reduction = kScalar[trial % 3];
    const PartialSums a = any_state(random, converts, reduction);
    const PartialSums b = any_state(random, converts, reduction);
    const PartialSums c = any_state(random, converts, reduction);
    CHECK(merged(a, b) == merged(b, a));
    CHECK(merged(merged(a, b), c) == merged(a, merged(b, c)));
    CHECK(merged(a, b).to_bytes() == merged(b, a).to_bytes());
    CHECK(merged(a, PartialSums()) == a);
    CHECK(merged(PartialSums(), a) == a);
    CHECK(merged(a, b).count == a.count + b.count);
  }
  CHECK(merged(PartialSums(), PartialSums()) == PartialSums());
}

TEST_CASE("any split of a batch gives the same state") {
  std::mt19937_64 random(2);
  Data data;
  for (int i = 0; i < 1000; ++i) {
    data.losses.push_back(std::ldexp(1.0 + static_cast<double>(random() % 1000),
                                     static_cast<int>(random() % 600) - 300));
    data.weights.push_back(static_cast<double>(random() % 3));
  }
  for (const Reduction reduction : kScalar) {
    const PartialSums whole = state_of(data, reduction);
    for (int trial = 0; trial < 10; ++trial) {
      std::vector<Data> parts(1 + random() % 20);
      for (std::size_t i = 0; i < data.losses.size(); ++i) {
        Data& part = parts[random() % parts.size()];
        part.losses.push_back(data.losses[i]);
        part.weights.push_back(data.weights[i]);
      }
      PartialSums state;
      for (const Data& part : parts) state.merge(state_of(part, reduction));
      CHECK(state == whole);
      CHECK(state.to_bytes() == whole.to_bytes());
      CHECK(state.finalize() == whole.finalize());
    }
  }
}

TEST_CASE("states of different losses do not merge") {
  const PartialSums a = state_of({{1, 4}}, Reduction::kMean);
  PartialSums other_loss = a;
  other_loss.fingerprint = 8;
  PartialSums other_reduction = a;
  other_reduction.reduction = Reduction::kSum;
  PartialSums other_dtype = a;
  other_dtype.result_dtype = DType::kFloat64;
  PartialSums other_labels = a;
  other_labels.converts_labels = true;
  PartialSums nameless = a;
  nameless.fingerprint = 0;
  PartialSums empty = state_of({{}}, Reduction::kMean);
  empty.fingerprint = 8;
  for (const PartialSums& other :
       {other_loss, other_reduction, other_dtype, other_labels, nameless, empty}) {
    PartialSums state = a;
    CHECK(contains(error_of([&] { state.merge(other); }), "other|other: expected partial sums"));
    CHECK(state == a);
    state = other;
    CHECK(contains(error_of([&] { state.merge(a); }), "same loss"));
    CHECK(contains(error_of([&] { state.merge(a); }), "epsilon, dtype and reduction"));
  }
}

TEST_CASE("labels count as converted only while all of them are binary") {
  PartialSums binary;
  binary.fingerprint = 5;
  binary.converts_labels = true;
  binary.count = binary.valid_count = binary.mask_count = 2;
  binary.mask_sum.add(2);
  binary.weight_sum.add(2);
  binary.loss_sum.add(10);
  binary.converted_sum.add(4);
  CHECK(binary.finalize() == 2);

  PartialSums other = binary;
  other.all_labels_binary = false;
  other.converted_sum = ExactSum();
  CHECK(other.finalize() == 5);

  CHECK(merged(binary, binary).finalize() == 2);
  CHECK(merged(PartialSums(), binary).finalize() == 2);
  for (const PartialSums& state : {merged(binary, other), merged(other, binary)}) {
    CHECK_FALSE(state.all_labels_binary);
    CHECK(state.converted_sum == ExactSum());
    CHECK(state.finalize() == 5);
  }
  binary.reduction = Reduction::kSum;
  CHECK(binary.finalize() == 4);
  // Of a loss that does not convert, the flag says nothing.
  binary.converts_labels = false;
  CHECK(binary.finalize() == 10);
}

TEST_CASE("to_bytes() and from_bytes() are inverse") {
  std::mt19937_64 random(3);
  const auto read = [](const std::vector<std::uint8_t>& bytes) {
    return PartialSums::from_bytes(bytes.data(), bytes.size());
  };
  std::vector<std::uint8_t> last;
  for (int trial = 0; trial < 100; ++trial) {
    const PartialSums state = any_state(random, trial % 2 == 0, kScalar[trial % 3]);
    const auto bytes = state.to_bytes();
    CHECK(bytes.size() == 1232);
    CHECK(read(bytes) == state);
    CHECK(read(bytes).to_bytes() == bytes);
    CHECK(bytes != last);
    last = bytes;
  }
  CHECK(read(PartialSums().to_bytes()) == PartialSums());
}

TEST_CASE("a loss that is one number is not divided until it is merged") {
  PartialSums scalar = state_of({{3}, {2}}, Reduction::kMeanWithSampleWeight);
  scalar.is_scalar = true;
  CHECK(scalar.finalize() == 6);
  CHECK(merged(scalar, PartialSums()) == scalar);
  CHECK(merged(PartialSums(), scalar) == scalar);
  CHECK(PartialSums::from_bytes(scalar.to_bytes().data(), scalar.to_bytes().size()) == scalar);
  CHECK(scalar.to_bytes()[14] == 2);
  const PartialSums batch = state_of({{6, 9}}, Reduction::kMeanWithSampleWeight);
  CHECK(merged(scalar, batch).finalize() == (6 + 15) / 4.0);
  CHECK(merged(scalar, batch) == merged(batch, scalar));
  CHECK(merged(scalar, scalar).finalize() == 3);

  PartialSums negative = state_of({{3}, {2}, {}, {0}}, Reduction::kMeanWithSampleWeight);
  CHECK(negative.finalize() == 0);  // its weights add up to 0, which nothing is divided by here:
  negative.is_scalar = true;
  CHECK(negative.finalize() == 6);

  PartialSums masked = state_of({{3}, {}, {0}}, Reduction::kMeanWithSampleWeight);
  masked.is_scalar = true;
  CHECK(masked.finalize() == 0);
  CHECK(std::isnan(masked.finalize(Empty::kNan)));
  CHECK(contains(error_of([&] { masked.finalize(Empty::kRaise); }), "empty|"));

  // Two samples are not one.
  PartialSums both = batch;
  both.is_scalar = true;
  const auto bytes = both.to_bytes();
  CHECK(contains(error_of([&] { PartialSums::from_bytes(bytes.data(), bytes.size()); }),
                 "inconsistent"));
}

TEST_CASE("the byte format is fixed") {
  PartialSums state;
  state.fingerprint = 0x0807060504030201;
  state.reduction = Reduction::kMeanWithSampleWeight;
  state.result_dtype = DType::kFloat64;
  state.converts_labels = true;
  state.count = 5;
  state.valid_count = 4;
  state.mask_count = 3;
  state.mask_sum.add(std::numeric_limits<double>::denorm_min());
  state.weight_sum.add(-std::numeric_limits<double>::denorm_min());
  state.loss_sum.add(kInfinity);
  state.converted_sum.add(kNan);
  const auto bytes = state.to_bytes();
  const std::string head = "simdloss";
  CHECK(std::equal(head.begin(), head.end(), bytes.begin()));
  const std::uint8_t fields[] = {1, 0, 0, 0, 3, 12, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8};
  CHECK(std::equal(std::begin(fields), std::end(fields), bytes.begin() + 8));
  CHECK(bytes[24] == 5);
  CHECK(bytes[32] == 4);
  CHECK(bytes[40] == 3);
  CHECK(bytes[48] == 1);  // mask_sum
  CHECK(std::count(bytes.begin() + 49, bytes.begin() + 48 + 296, 0) == 295);
  CHECK(std::count(bytes.begin() + 344, bytes.begin() + 344 + 272, 0xff) == 272);  // weight_sum
  CHECK(bytes[640 + 272] == 1);       // loss_sum's +inf
  CHECK(bytes[936 + 272 + 16] == 1);  // converted_sum's NaN
}

TEST_CASE("from_bytes() refuses what to_bytes() cannot have written") {
  std::mt19937_64 random(4);
  const auto refusal = [](const std::vector<std::uint8_t>& bytes) {
    return error_of([&] { PartialSums::from_bytes(bytes.data(), bytes.size()); });
  };
  PartialSums state = any_state(random, true, Reduction::kMean);
  state.all_labels_binary = true;
  const auto good = state.to_bytes();
  REQUIRE(refusal(good).empty());

  for (std::size_t n = 0; n < good.size(); ++n) {
    const std::vector<std::uint8_t> truncated(good.begin(),
                                              good.begin() + static_cast<std::ptrdiff_t>(n));
    REQUIRE(contains(refusal(truncated), "bytes|bytes: expected"));
  }
  auto longer = good;
  longer.push_back(0);
  CHECK(contains(refusal(longer), "1233 bytes instead of 1232"));

  const auto with = [&](std::size_t at, int byte) {
    auto bytes = good;
    bytes[at] = static_cast<std::uint8_t>(byte);
    return refusal(bytes);
  };
  for (std::size_t i = 0; i < 8; ++i) CHECK(contains(with(i, 0), "do not begin like"));
  for (std::size_t i = 8; i < 12; ++i) CHECK(contains(with(i, 9), "format version"));
  const std::string inconsistent = "content is inconsistent";
  CHECK(contains(with(12, 4), inconsistent));  // no such reduction
  CHECK(contains(with(12, 255), inconsistent));
  CHECK(contains(with(13, 13), inconsistent));  // no such dtype
  CHECK(contains(with(13, 8), inconsistent));   // an integer dtype
  CHECK(contains(with(14, 2), inconsistent));   // flags are 0 or 1
  CHECK(contains(with(15, 2), inconsistent));
  CHECK(with(31, 0x7f).empty());                  // a large count is one,
  CHECK(contains(with(39, 0x7f), inconsistent));  // more valid entries than entries are not

  state.converted_sum.add(1);
  const auto converted = state.to_bytes();
  for (const std::size_t flag : {std::size_t{14}, std::size_t{15}}) {
    auto bytes = converted;  // a converted sum that nobody may have kept
    bytes[flag] = 0;
    CHECK(contains(refusal(bytes), inconsistent));
  }
  PartialSums flagged = state_of({{1}}, Reduction::kMean);
  flagged.all_labels_binary = false;  // without converts_labels
  CHECK(contains(refusal(flagged.to_bytes()), inconsistent));

  // Sums that 2^63 doubles cannot reach.
  for (std::size_t sum = 0; sum < 4; ++sum) {
    const std::size_t top = 48 + 296 * sum + 8 * 33;
    CHECK(contains(with(top + 7, 0x7f), "out of range"));
    CHECK(contains(with(top + 7, 0x80), "out of range"));
    CHECK(contains(with(top + 6, 0x40), "out of range"));
  }
  PartialSums large = state_of({{1}}, Reduction::kMean);
  large.loss_sum.add_multiple(-std::numeric_limits<double>::max(), std::uint64_t{1} << 63);
  large.weight_sum.add_multiple(std::numeric_limits<double>::max(), std::uint64_t{1} << 63);
  CHECK(refusal(large.to_bytes()).empty());
}
