// SPDX-License-Identifier: Apache-2.0
#include "simdloss/evaluate.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

#include "call.hpp"
#include "fingerprint.hpp"
#include "rows.hpp"
#include "sample_sum_state.hpp"
#include "tiles.hpp"

namespace simdloss {
namespace {

// Long rows whose segment sums are held at a time.
constexpr std::int64_t kLongRows = 32;

// The weight of rows [begin, begin + n): sample weight times mask as the reduction wants it.
// Null if every row counts once.
const double* load_weights(const Plan& plan, const Dims& dims, std::int64_t begin, std::int64_t n,
                           double* weights) {
  if (!plan.weighted && !plan.masked) return nullptr;
  if (plan.weighted) {
    load_entries(plan, kWeight, dims, begin, n, weights);
  } else {
    std::fill_n(weights, n, 1.0);
  }
  if (plan.masked) {
    double mask[kRowTile];
    load_entries(plan, kMask, dims, begin, n, mask);
    for (std::int64_t i = 0; i < n; ++i) {
      // Under a mean every entry that the mask admits has the same share.
      const double factor = plan.reduction == Reduction::kMean ? 1.0 : mask[i];
      weights[i] = mask[i] == 0 ? 0.0 : weights[i] * factor;
    }
  }
  return weights;
}

// Adds entries of `operand`s over `dims` to a sum.
void add_entries(const Call& call, const Dims& dims, std::int64_t count, bool mask_only,
                 ExactSum& sum) {
  SampleSum scratch;
  begin_samples(scratch, sum);
  double values[kRowTile];
  for (std::int64_t i = 0; i < count; i += kRowTile) {
    const std::int64_t n = std::min(kRowTile, count - i);
    if (mask_only) {
      load_entries(call.plan, kMask, dims, i, n, values);
    } else {
      load_weights(call.plan, dims, i, n, values);
    }
    call.table.f64.add_samples(values, nullptr, n, scratch);
    call.poller.add(n);
  }
  flush_samples(scratch);
}

// What one thread, or the whole call, has summed.
class Tally {
 public:
  ExactSum loss_sum;
  ExactSum converted_sum;
  std::uint64_t valid_count = 0;
  bool binary = true;  // all labels so far

  Tally() {
    begin_samples(scratch_, loss_sum);
    begin_samples(converted_scratch_, converted_sum);
  }
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  void add(const Call& call, const void* losses, const double* weights, std::int64_t n) {
    call.kernels().add_samples(losses, weights, n, scratch_);
    valid_count += static_cast<std::uint64_t>(
        weights == nullptr ? n : n - std::count(weights, weights + n, 0.0));
  }
  void add_converted(const Call& call, const void* losses, const double* weights, std::int64_t n) {
    call.kernels().add_samples(losses, weights, n, converted_scratch_);
  }
  void flush() {
    flush_samples(scratch_);
    flush_samples(converted_scratch_);
  }
  void merge(const Tally& other) {
    loss_sum.merge(other.loss_sum);
    converted_sum.merge(other.converted_sum);
    valid_count += other.valid_count;
    binary = binary && other.binary;
  }

 private:
  SampleSum scratch_;
  SampleSum converted_scratch_;
};

// Losses under the labels as they are and, where both are needed, as converted.
struct Variants {
  std::optional<RowLosses> plain;
  std::optional<RowLosses> converted;
};

struct alignas(64) LossTile {
  double values[kRowTile];  // or floats
};

void tally_rows(const Call& call, const Variants& variants, std::int64_t begin, std::int64_t end,
                Tally& tally) {
  LossTile losses;
  double buffer[kRowTile];
  for (std::int64_t row = begin; row < end; row += kRowTile) {
    const std::int64_t n = std::min(kRowTile, end - row);
    const double* const weights = load_weights(call.plan, call.plan.outer, row, n, buffer);
    variants.plain->compute(row, n, weights, losses.values);
    tally.add(call, losses.values, weights, n);
    if (!variants.converted || !tally.binary) continue;
    tally.binary = variants.plain->labels_are_binary(row, n, 0, call.plan.cols);
    if (!tally.binary) continue;
    variants.converted->compute(row, n, weights, losses.values);
    tally.add_converted(call, losses.values, weights, n);
  }
}

// Long rows: their segments are the units of parallel work. Calls consume(losses, weights, row, n)
// with the losses of rows [row, row + n) and their weights (null if every row counts once).
template <class Consume>
void for_long_rows(const Call& call, const RowLosses& rows, std::int64_t begin, std::int64_t end,
                   Consume consume) {
  const Segments segments = segments_of(call.plan.cols);
  std::vector<RowSum> sums(static_cast<std::size_t>(kLongRows * segments.count));
  LossTile losses;
  double buffer[kRowTile];
  for (std::int64_t first = begin; first < end; first += kLongRows) {
    const std::int64_t n = std::min(kLongRows, end - first);
    const double* const weights = load_weights(call.plan, call.plan.outer, first, n, buffer);
    for_units(call, n * segments.count, segments.length,
              [&](std::int64_t unit_begin, std::int64_t unit_end) {
                for (std::int64_t unit = unit_begin; unit < unit_end; ++unit) {
                  sums[static_cast<std::size_t>(unit)] =
                      rows.segment_sum(first + unit / segments.count, unit % segments.count);
                }
              });
    for (std::int64_t i = 0; i < n; ++i) {
      const RowSum* const row_sums = sums.data() + i * segments.count;
      const bool takes_part = weights == nullptr || weights[i] != 0;
      if (rows.finish_long_row(first + i, row_sums, takes_part, i, losses.values)) {
        call.poller.add(call.plan.cols);
      }
    }
    consume(losses.values, weights, first, n);
  }
}

// Whether every label of rows [begin, end) is 0 or 1; stops early at the first that is not.
bool labels_are_binary(const Call& call, const RowLosses& rows, std::int64_t begin,
                       std::int64_t end) {
  std::atomic<bool> binary{true};
  const Segments segments = segments_of(call.plan.cols);
  // Units: segments of single rows where rows are long, else tiles of rows.
  const std::int64_t row_step =
      call.is_long()
          ? 1
          : std::max<std::int64_t>(kUnitElements / std::max<std::int64_t>(call.plan.cols, 1), 1);
  const std::int64_t n_units = (end - begin + row_step - 1) / row_step * segments.count;
  for_units(call, n_units, row_step * segments.length,
            [&](std::int64_t unit_begin, std::int64_t unit_end) {
              for (std::int64_t unit = unit_begin;
                   unit < unit_end && binary.load(std::memory_order_relaxed); ++unit) {
                const std::int64_t row = begin + unit / segments.count * row_step;
                const std::int64_t col = unit % segments.count * segments.length;
                if (!rows.labels_are_binary(row, std::min(row_step, end - row), col,
                                            std::min(col + segments.length, call.plan.cols))) {
                  binary.store(false, std::memory_order_relaxed);
                }
              }
            });
  return binary.load();
}

void tally_long_rows(const Call& call, const Variants& variants, Tally& tally) {
  for (std::int64_t begin = 0; begin < call.plan.rows; begin += kLongRows) {
    const std::int64_t end = std::min(begin + kLongRows, call.plan.rows);
    for_long_rows(call, *variants.plain, begin, end,
                  [&](const void* losses, const double* weights, std::int64_t, std::int64_t n) {
                    tally.add(call, losses, weights, n);
                  });
    if (!variants.converted || !tally.binary) continue;
    tally.binary = labels_are_binary(call, *variants.plain, begin, end);
    if (!tally.binary) continue;
    for_long_rows(call, *variants.converted, begin, end,
                  [&](const void* losses, const double* weights, std::int64_t, std::int64_t n) {
                    tally.add_converted(call, losses, weights, n);
                  });
  }
}

bool converts_automatically(const Call& call) {
  return call.loss != nullptr && call.loss->info().converts_binary_labels &&
         call.request.labels == Labels::kAuto;
}

Variants make_variants(const Call& call) {
  Variants variants;
  const bool both = converts_automatically(call);
  variants.plain.emplace(call.plan, call.table, call.loss, call.request.labels == Labels::kBinary);
  if (both) variants.converted.emplace(call.plan, call.table, call.loss, true);
  return variants;
}

// Everything or, for a value alone, what its reduction needs.
enum class Need { kAll, kValue };

PartialSums sum_up(const Call& call, std::uint64_t fingerprint, Need need) {
  const Plan& plan = call.plan;
  PartialSums sums;
  sums.fingerprint = fingerprint;
  sums.reduction = plan.reduction;
  sums.result_dtype = plan.result;
  sums.converts_labels = converts_automatically(call);
  sums.count = static_cast<std::uint64_t>(plan.rows);
  sums.is_scalar = plan.loss_rank == 0;
  const bool weighted = plan.weighted || plan.masked;
  const bool needs_mask = need == Need::kAll || plan.reduction == Reduction::kMean;
  const bool needs_weights =
      need == Need::kAll || plan.reduction == Reduction::kMeanWithSampleWeight;
  if (plan.masked) {
    sums.mask_count = static_cast<std::uint64_t>(plan.mask_count);
    if (needs_mask) add_entries(call, plan.mask, plan.mask_count, true, sums.mask_sum);
  } else {
    sums.mask_count = sums.count;
    sums.mask_sum.add(static_cast<double>(plan.rows));
  }
  if (!weighted) {
    sums.weight_sum.add(static_cast<double>(plan.rows));
  } else if (needs_weights) {
    add_entries(call, plan.weights, plan.n_weights, false, sums.weight_sum);
  }

  const Variants variants = make_variants(call);
  Tally total;
  if (call.is_long()) {
    tally_long_rows(call, variants, total);
  } else if (call.threads == 1 &&
             plan.rows * std::max<std::int64_t>(plan.cols, 1) <= kPollElements) {
    tally_rows(call, variants, 0, plan.rows, total);
  } else {
    std::mutex mutex;
    for_rows(call, [&](std::int64_t begin, std::int64_t end) {
      Tally part;
      tally_rows(call, variants, begin, end, part);
      part.flush();
      const std::lock_guard lock(mutex);
      total.merge(part);
    });
  }
  total.flush();
  sums.loss_sum = total.loss_sum;
  sums.valid_count = total.valid_count;
  if (sums.converts_labels) {
    sums.all_labels_binary = total.binary;
    if (total.binary) sums.converted_sum = total.converted_sum;
  }
  return sums;
}

// Per-sample losses times weights, stored to the output.
void store_rows(const Call& call, const void* losses, const double* weights, std::int64_t begin,
                std::int64_t n, char* out) {
  double results[kRowTile];
  for (std::int64_t i = 0; i < n; ++i) {
    const double loss = call.plan.compute == DType::kFloat32
                            ? double{static_cast<const float*>(losses)[i]}
                            : static_cast<const double*>(losses)[i];
    results[i] = weights == nullptr ? loss : weights[i] == 0 ? 0.0 : weights[i] * loss + 0.0;
  }
  store_results(call.plan, out, begin, n, results);
}

void evaluate_rows(const Call& call, char* out) {
  Labels labels = call.request.labels;
  std::optional<RowLosses> rows;
  rows.emplace(call.plan, call.table, call.loss, labels == Labels::kBinary);
  if (converts_automatically(call) && labels_are_binary(call, *rows, 0, call.plan.rows)) {
    rows.emplace(call.plan, call.table, call.loss, true);
  }
  if (call.is_long()) {
    for_long_rows(call, *rows, 0, call.plan.rows,
                  [&](const void* losses, const double* weights, std::int64_t row, std::int64_t n) {
                    store_rows(call, losses, weights, row, n, out);
                  });
    return;
  }
  for_rows(call, [&](std::int64_t begin, std::int64_t end) {
    LossTile losses;
    double buffer[kRowTile];
    for (std::int64_t row = begin; row < end; row += kRowTile) {
      const std::int64_t n = std::min(kRowTile, end - row);
      const double* const weights = load_weights(call.plan, call.plan.outer, row, n, buffer);
      rows->compute(row, n, weights, losses.values);
      store_rows(call, losses.values, weights, row, n, out);
    }
  });
}

void evaluate_call(Call& call, const MutableArrayView& out) {
  place_output(out, call.plan);
  char* const data = static_cast<char*>(out.data);
  if (call.request.reduction == Reduction::kNone) {
    evaluate_rows(call, data);
  } else if (!is_unreduced(call.plan)) {
    PartialSums sums = sum_up(call, 0, Need::kValue);
    sums.result_dtype = out.dtype;
    store_element(sums.finalize(call.request.empty), out.dtype, data);
  }
}

// The loss, unless it was moved from.
const BoundLoss* checked(const BoundLoss& loss) {
  if (static_cast<int>(loss.params().size()) != loss.info().n_params) {
    throw Error(ErrorCode::kValue, "loss", "loss must not have been moved from.");
  }
  return &loss;
}

ResultType result_of(const Plan& plan) {
  ResultType result;
  result.dtype = plan.result;
  if (is_unreduced(plan)) {
    result.shape.assign(plan.loss_shape, plan.loss_shape + plan.loss_rank);
  }
  return result;
}

}  // namespace

ResultType result_type(const BoundLoss& loss, const Operands& operands, const Request& request) {
  Plan plan;
  make_plan(&checked(loss)->info(), operands, request, plan);
  return result_of(plan);
}

ResultType reduced_type(const Operands& operands, const Request& request) {
  Plan plan;
  make_plan(nullptr, operands, request, plan);
  return result_of(plan);
}

void evaluate(const BoundLoss& loss, const Operands& operands, const Request& request,
              const MutableArrayView& out) {
  Call call(checked(loss), operands, request);
  evaluate_call(call, out);
}

void reduce(const Operands& operands, const Request& request, const MutableArrayView& out) {
  Call call(nullptr, operands, request);
  evaluate_call(call, out);
}

PartialSums partial_sums(const BoundLoss& loss, const Operands& operands, const Request& request) {
  const Call call(checked(loss), operands, request);
  return sum_up(call, fingerprint_of(loss, request), Need::kAll);
}

PartialSums partial_sums(const Operands& operands, const Request& request,
                         std::uint64_t fingerprint) {
  const Call call(nullptr, operands, request);
  return sum_up(call, fingerprint, Need::kAll);
}

}  // namespace simdloss
