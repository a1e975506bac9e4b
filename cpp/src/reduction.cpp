// SPDX-License-Identifier: Apache-2.0
#include "simdloss/reduction.hpp"

#include <limits>
#include <string>

#include "simdloss/error.hpp"

namespace simdloss {
namespace {

// [Bytes of PartialSums] Integers are little-endian. The values of Reduction and DType are part of
// the format.
//   8  magic
//   4  version
//   1  reduction
//   1  result_dtype
//   1  flags: 1 converts_labels, 2 is_scalar
//   1  all_labels_binary
//   8  fingerprint
//  24  count, valid_count, mask_count
// 296  each of mask_sum, weight_sum, loss_sum, converted_sum: 34 limbs, least significant first,
//      and the numbers of +inf, -inf and NaN
constexpr std::uint8_t kMagic[8] = {'s', 'i', 'm', 'd', 'l', 'o', 's', 's'};
constexpr std::uint32_t kVersion = 1;
constexpr std::uint8_t kConvertsLabels = 1;
constexpr std::uint8_t kIsScalar = 2;
constexpr std::size_t kSumSize = 8 * (ExactSum::kLimbs + 3);
constexpr std::size_t kSize = sizeof(kMagic) + 4 + 4 + 8 + 3 * 8 + 4 * kSumSize;

class Writer {
 public:
  explicit Writer(std::vector<std::uint8_t>& bytes) : bytes_(bytes) {}

  template <class Integer>
  void put(Integer value) {
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
      bytes_.push_back(static_cast<std::uint8_t>(std::uint64_t{value} >> (8 * i)));
    }
  }
  void put(const ExactSum& sum) {
    for (const std::uint64_t limb : sum.limbs()) put(limb);
    put(sum.positive_infinities);
    put(sum.negative_infinities);
    put(sum.nans);
  }

 private:
  std::vector<std::uint8_t>& bytes_;
};

class Reader {
 public:
  explicit Reader(const std::uint8_t* next) : next_(next) {}

  template <class Integer>
  Integer get() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
      value |= std::uint64_t{*next_++} << (8 * i);
    }
    return static_cast<Integer>(value);
  }
  void get(ExactSum& sum) {
    for (std::uint64_t& limb : sum.limbs()) limb = get<std::uint64_t>();
    sum.positive_infinities = get<std::uint64_t>();
    sum.negative_infinities = get<std::uint64_t>();
    sum.nans = get<std::uint64_t>();
  }

 private:
  const std::uint8_t* next_;
};

[[noreturn]] void fail(const char* argument, const std::string& message) {
  throw Error(ErrorCode::kValue, argument, message);
}

[[noreturn]] void fail_bytes(const std::string& found) {
  fail("bytes", "bytes: expected what PartialSums.to_bytes() returned, unchanged; " + found);
}

// Every finite double is below 2^1024 = 2^2098 units, so 2^63 of them stay below 2^2161 and the
// highest limb, which begins at 2^2112, holds a number of less than 50 bits and its sign.
bool within_range(const ExactSum& sum) {
  const std::uint64_t top = sum.limbs()[ExactSum::kLimbs - 1];
  constexpr std::uint64_t limit = std::uint64_t{1} << 49;
  return top < limit || top >= ~limit;
}

bool is_unit(const PartialSums& state) { return state.fingerprint == 0 && state == PartialSums(); }

}  // namespace

bool PartialSums::operator==(const PartialSums& other) const noexcept {
  return fingerprint == other.fingerprint && reduction == other.reduction &&
         result_dtype == other.result_dtype && converts_labels == other.converts_labels &&
         count == other.count && valid_count == other.valid_count &&
         mask_count == other.mask_count && is_scalar == other.is_scalar &&
         all_labels_binary == other.all_labels_binary && mask_sum == other.mask_sum &&
         weight_sum == other.weight_sum && loss_sum == other.loss_sum &&
         converted_sum == other.converted_sum;
}

void PartialSums::merge(const PartialSums& other) {
  if (is_unit(other)) return;
  if (is_unit(*this)) {
    *this = other;
    return;
  }
  if (fingerprint != other.fingerprint || reduction != other.reduction ||
      result_dtype != other.result_dtype || converts_labels != other.converts_labels) {
    fail("other",
         "other: expected partial sums of the same loss, parameters, axis, epsilon, dtype and "
         "reduction, received those of another one; make both from equal loss objects, under the "
         "same epsilon");
  }
  count += other.count;
  valid_count += other.valid_count;
  mask_count += other.mask_count;
  is_scalar = false;
  mask_sum.merge(other.mask_sum);
  weight_sum.merge(other.weight_sum);
  loss_sum.merge(other.loss_sum);
  all_labels_binary = all_labels_binary && other.all_labels_binary;
  if (converts_labels) {
    if (all_labels_binary) {
      converted_sum.merge(other.converted_sum);
    } else {
      converted_sum = ExactSum();
    }
  }
}

double PartialSums::finalize(Empty empty) const {
  const ExactSum& sum = converts_labels && all_labels_binary ? converted_sum : loss_sum;
  bool over_nothing = valid_count == 0;
  switch (reduction) {
    case Reduction::kSum:
      return sum.value(result_dtype);
    case Reduction::kMean:
      over_nothing = over_nothing || count == 0 || mask_sum.is_zero();
      break;
    case Reduction::kMeanWithSampleWeight:
      over_nothing = over_nothing || (!is_scalar && weight_sum.is_zero());
      break;
    case Reduction::kNone:
      fail("reduction",
           "reduction: expected a scalar reduction, received none; per-sample losses have no sum");
  }
  if (over_nothing) {
    switch (empty) {
      case Empty::kZero:
        return 0.0;
      case Empty::kNan:
        return std::numeric_limits<double>::quiet_NaN();
      case Empty::kRaise:
        fail("empty", "the mean over nothing is undefined: of " + std::to_string(count) +
                          " entries " + std::to_string(valid_count) +
                          " take part (the others have weight 0, are masked or ignored)" +
                          (valid_count == 0 ? "" : " and their weights or mask add up to 0") +
                          "; empty=\"zero\" or \"nan\" gives a value instead");
    }
  }
  if (reduction == Reduction::kMeanWithSampleWeight) {
    return is_scalar ? sum.value(result_dtype) : rounded_ratio(sum, 1, weight_sum, 1, result_dtype);
  }
  return rounded_ratio(sum, mask_count, mask_sum, count, result_dtype);
}

std::vector<std::uint8_t> PartialSums::to_bytes() const {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(kSize);
  Writer writer(bytes);
  for (const std::uint8_t byte : kMagic) writer.put(byte);
  writer.put(kVersion);
  writer.put(static_cast<std::uint8_t>(reduction));
  writer.put(static_cast<std::uint8_t>(result_dtype));
  writer.put(static_cast<std::uint8_t>((converts_labels ? kConvertsLabels : 0) |
                                       (is_scalar ? kIsScalar : 0)));
  writer.put(static_cast<std::uint8_t>(all_labels_binary));
  writer.put(fingerprint);
  writer.put(count);
  writer.put(valid_count);
  writer.put(mask_count);
  writer.put(mask_sum);
  writer.put(weight_sum);
  writer.put(loss_sum);
  writer.put(converted_sum);
  return bytes;
}

PartialSums PartialSums::from_bytes(const std::uint8_t* bytes, std::size_t n_bytes) {
  Reader reader(bytes);
  if (n_bytes < sizeof(kMagic) + sizeof(kVersion)) {
    fail_bytes("received " + std::to_string(n_bytes) + " bytes");
  }
  for (const std::uint8_t byte : kMagic) {
    if (reader.get<std::uint8_t>() != byte) fail_bytes("they do not begin like partial sums");
  }
  const auto version = reader.get<std::uint32_t>();
  if (version != kVersion) {
    fail_bytes("they have format version " + std::to_string(version) + ", this library reads " +
               std::to_string(kVersion));
  }
  if (n_bytes != kSize) {
    fail_bytes("received " + std::to_string(n_bytes) + " bytes instead of " +
               std::to_string(kSize));
  }

  const auto reduction = reader.get<std::uint8_t>();
  const auto dtype = reader.get<std::uint8_t>();
  const auto flags = reader.get<std::uint8_t>();
  const auto all_labels_binary = reader.get<std::uint8_t>();
  PartialSums state;
  state.reduction = static_cast<Reduction>(reduction);
  state.result_dtype = static_cast<DType>(dtype);
  state.converts_labels = (flags & kConvertsLabels) != 0;
  state.is_scalar = (flags & kIsScalar) != 0;
  state.all_labels_binary = all_labels_binary != 0;
  state.fingerprint = reader.get<std::uint64_t>();
  state.count = reader.get<std::uint64_t>();
  state.valid_count = reader.get<std::uint64_t>();
  state.mask_count = reader.get<std::uint64_t>();
  for (ExactSum* sum :
       {&state.mask_sum, &state.weight_sum, &state.loss_sum, &state.converted_sum}) {
    reader.get(*sum);
    if (!within_range(*sum)) fail_bytes("a sum is out of range");
  }

  const bool converted = state.converts_labels && state.all_labels_binary;
  if (reduction == static_cast<std::uint8_t>(Reduction::kNone) ||
      reduction > static_cast<std::uint8_t>(Reduction::kMeanWithSampleWeight) ||
      dtype > static_cast<std::uint8_t>(DType::kFloat64) || !is_floating(state.result_dtype) ||
      flags > (kConvertsLabels | kIsScalar) || all_labels_binary > 1 ||
      (!state.converts_labels && !state.all_labels_binary) ||
      (!converted && !state.converted_sum.is_zero()) || state.valid_count > state.count ||
      (state.is_scalar && state.count != 1)) {
    fail_bytes("their content is inconsistent");
  }
  return state;
}

}  // namespace simdloss
