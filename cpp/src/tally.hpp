// SPDX-License-Identifier: Apache-2.0
#pragma once

// The sums that a scalar reduction is made of, while samples are added: what one thread, or the
// whole call, has seen.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "call.hpp"
#include "rounded_mean.hpp"
#include "sample_sum_state.hpp"
#include "tiles.hpp"

namespace simdloss {

// A sum over samples while it is made.
class RunningSum {
 public:
  RunningSum() { begin_samples(scratch_, sum_); }
  RunningSum(const RunningSum&) = delete;
  RunningSum& operator=(const RunningSum&) = delete;

  // Null weights are all 1.
  void add(const TypeKernels& kernels, const void* values, const double* weights, std::int64_t n) {
    kernels.add_samples(values, weights, n, scratch_);
  }
  void merge(const RunningSum& other) {
    sum_.merge(other.sum_);
    scratch_.flushed = true;
  }
  void flush() { flush_samples(scratch_); }
  // Once flushed.
  const ExactSum& value() const { return sum_; }
  // Before that: the sum divided by `count` and rounded once; nothing if there is more to it than a
  // few numbers.
  std::optional<double> quick_mean(std::uint64_t count, DType dtype) const {
    // Totals are from 2^(top - 119) to 2^(top + 14): [Windows].
    static_assert(kWindows == kMeanTerms && 119 + 14 <= kMeanTermBits);
    double totals[kWindows];
    if (!window_totals(scratch_, totals)) return std::nullopt;
    return rounded_mean(totals, count, dtype);
  }

 private:
  ExactSum sum_;
  SampleSum scratch_;
};

class Tally {
 public:
  struct MaskSums {
    RunningSum mask;     // the mask that the loss makes, times the given one
    RunningSum weights;  // that times the weights

    void add(const Call& call, const double* of_rows, const bool* excluded, std::int64_t begin,
             std::int64_t n) {
      double entries[kRowTile];
      if (call.plan.masked) {
        load_entries(call.plan, kMask, call.plan.outer, begin, n, entries);
      } else {
        std::fill_n(entries, n, 1.0);
      }
      for (std::int64_t i = 0; i < n; ++i) entries[i] = excluded[i] ? 0.0 : entries[i];
      mask.add(call.table.f64, entries, nullptr, n);
      weights.add(call.table.f64, of_rows, nullptr, n);
    }
    void flush() {
      mask.flush();
      weights.flush();
    }
  };

  RunningSum losses;
  std::optional<RunningSum> converted;  // losses under converted labels
  std::optional<MaskSums> masks;
  std::uint64_t valid_count = 0;
  bool binary = true;  // all labels so far

  Tally(const Call& call, bool converts) {
    if (converts) converted.emplace();
    if (call.makes_mask()) masks.emplace();
  }

  // Losses of rows [begin, begin + n). `excluded` tells which are not in the mask that the loss
  // makes, if it makes one.
  void add(const Call& call, const void* values, const double* weights, const bool* excluded,
           std::int64_t begin, std::int64_t n) {
    losses.add(call.kernels(), values, weights, n);
    valid_count += static_cast<std::uint64_t>(
        weights == nullptr ? n : n - std::count(weights, weights + n, 0.0));
    if (masks) masks->add(call, weights, excluded, begin, n);
  }
  void flush() {
    for_each([](RunningSum& sum, const RunningSum*) { sum.flush(); }, *this);
  }
  // Before flush(): the value of the call, if quick_mean() has it.
  std::optional<double> quick_value(const Call& call, DType dtype) const {
    if (divides_by_sum(call) || converted || valid_count == 0) return std::nullopt;
    const bool is_sum = call.plan.reduction == Reduction::kSum;
    return losses.quick_mean(is_sum ? 1 : static_cast<std::uint64_t>(call.plan.rows), dtype);
  }
  // Both flushed.
  void merge(const Tally& other) {
    for_each([](RunningSum& sum, const RunningSum* more) { sum.merge(*more); }, other);
    valid_count += other.valid_count;
    binary = binary && other.binary;
  }

 private:
  template <class F>
  void for_each(F f, const Tally& other) {
    f(losses, &other.losses);
    if (converted) f(*converted, &*other.converted);
    if (masks) {
      f(masks->mask, &other.masks->mask);
      f(masks->weights, &other.masks->weights);
    }
  }
};

}  // namespace simdloss
