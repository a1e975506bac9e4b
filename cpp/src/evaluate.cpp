// SPDX-License-Identifier: Apache-2.0
#include "simdloss/evaluate.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

#include "call.hpp"
#include "fingerprint.hpp"
#include "rows.hpp"
#include "tally.hpp"
#include "tiles.hpp"

namespace simdloss {
namespace {

// Long rows whose segment sums are held at a time.
constexpr std::int64_t kLongRows = 16;

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

// What comes with the rows of a tile, and room for it.
struct InputTile {
  RowInputs inputs;
  double weights[kRowTile];
  std::int64_t class_ids[kRowTile];
  bool excluded[kRowTile];  // by the mask that the loss makes; their weight is 0

  void load(const Call& call, std::int64_t begin, std::int64_t n) {
    inputs = {load_weights(call.plan, call.plan.outer, begin, n, weights), nullptr};
    if (inputs.weights == nullptr && call.makes_mask()) {
      std::fill_n(weights, n, 1.0);
      inputs.weights = weights;
    }
    if (!call.has_target(Target::kClassId)) return;
    read_class_ids(call.plan, begin, n, call.request.ignore_class, inputs.weights, class_ids,
                   excluded, call.bad_labels);
    inputs.class_ids = class_ids;
    for (std::int64_t i = 0; i < n; ++i) {
      if (excluded[i]) weights[i] = 0;
    }
  }
  // Queries without a loss are not in the mask that the circle loss makes.
  void exclude_zeros(const Call& call, const void* losses, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
      excluded[i] = load_loss(losses, call.plan.compute, i) == 0;
      if (excluded[i]) weights[i] = 0;
    }
  }
};

// The sum of the weights, or of the mask alone, over `dims`.
ExactSum sum_of_entries(const Call& call, const Dims& dims, std::int64_t count, bool mask_only) {
  RunningSum sum;
  double values[kRowTile];
  for (std::int64_t i = 0; i < count; i += kRowTile) {
    const std::int64_t n = std::min(kRowTile, count - i);
    if (mask_only) {
      load_entries(call.plan, kMask, dims, i, n, values);
    } else {
      load_weights(call.plan, dims, i, n, values);
    }
    sum.add(call.table.f64, values, nullptr, n);
    call.poller.add(n);
  }
  sum.flush();
  return sum.value();
}

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
  InputTile tile;
  for (std::int64_t row = begin; row < end; row += kRowTile) {
    const std::int64_t n = std::min(kRowTile, end - row);
    tile.load(call, row, n);
    const double* const weights = tile.inputs.weights;
    variants.plain->compute(row, n, tile.inputs, losses.values);
    if (call.has_target(Target::kPairs)) tile.exclude_zeros(call, losses.values, n);
    tally.add(call, losses.values, weights, tile.excluded, row, n);
    if (!variants.converted || !tally.binary) continue;
    tally.binary = variants.plain->labels_are_binary(row, n, 0, call.plan.cols);
    if (!tally.binary) continue;
    variants.converted->compute(row, n, tile.inputs, losses.values);
    tally.converted->add(call.kernels(), losses.values, weights, n);
  }
}

// Long rows: their segments are the units of parallel work. Calls consume(losses, tile, row, n) with
// the losses of rows [row, row + n) and what came with them.
template <class Consume>
void for_long_rows(const Call& call, const RowLosses& rows, std::int64_t begin, std::int64_t end,
                   Consume consume) {
  const Segments segments = segments_of(call.plan.cols);
  std::vector<SegmentSums> sums(static_cast<std::size_t>(kLongRows * segments.count));
  LossTile losses;
  InputTile tile;
  RowFacts facts[kLongRows];
  for (std::int64_t first = begin; first < end; first += kLongRows) {
    const std::int64_t n = std::min(kLongRows, end - first);
    tile.load(call, first, n);
    for (std::int64_t i = 0; i < n; ++i) facts[i] = rows.facts_of(first, i, tile.inputs);
    for (const Stage stage : {kMax, kFirst, kTerms}) {
      if (!rows.has_stage(stage)) continue;
      for_units(call, n * segments.count, segments.length,
                [&](std::int64_t unit_begin, std::int64_t unit_end) {
                  for (std::int64_t unit = unit_begin; unit < unit_end; ++unit) {
                    const std::int64_t i = unit / segments.count;
                    sums[static_cast<std::size_t>(unit)] =
                        rows.segment_sums(stage, first + i, unit % segments.count, facts[i]);
                  }
                });
      for (std::int64_t i = 0; i < n; ++i) {
        rows.end_stage(stage, sums.data() + i * segments.count, facts[i]);
      }
    }
    for (std::int64_t i = 0; i < n; ++i) {
      const SegmentSums& row_sums = sums[static_cast<std::size_t>(i * segments.count)];
      if (rows.finish_long_row(first, i, tile.inputs, row_sums, facts[i], losses.values)) {
        call.poller.add(call.plan.cols);
      }
    }
    consume(losses.values, tile, first, n);
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
                  [&](const void* losses, const InputTile& tile, std::int64_t row, std::int64_t n) {
                    tally.add(call, losses, tile.inputs.weights, tile.excluded, row, n);
                  });
    if (!variants.converted || !tally.binary) continue;
    tally.binary = labels_are_binary(call, *variants.plain, begin, end);
    if (!tally.binary) continue;
    for_long_rows(call, *variants.converted, begin, end,
                  [&](const void* losses, const InputTile& tile, std::int64_t, std::int64_t n) {
                    tally.converted->add(call.kernels(), losses, tile.inputs.weights, n);
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
  variants.plain.emplace(call, call.request.labels == Labels::kBinary);
  if (both) variants.converted.emplace(call, true);
  return variants;
}

// Everything or, for a value alone, what its reduction needs.
enum class Need { kAll, kValue };

// The mask and the weights as they were given.
void sum_up_weights(const Call& call, Need need, PartialSums& sums) {
  const Plan& plan = call.plan;
  const auto rows = static_cast<double>(plan.rows);
  sums.mask_count = sums.count;
  if (!plan.masked) {
    sums.mask_sum.add(rows);
  } else {
    sums.mask_count = static_cast<std::uint64_t>(plan.mask_count);
    if (need == Need::kAll || plan.reduction == Reduction::kMean) {
      sums.mask_sum = sum_of_entries(call, plan.mask, plan.mask_count, true);
    }
  }
  if (!plan.weighted && !plan.masked) {
    sums.weight_sum.add(rows);
  } else if (need == Need::kAll || plan.reduction == Reduction::kMeanWithSampleWeight) {
    sums.weight_sum = sum_of_entries(call, plan.weights, plan.n_weights, false);
  }
}

PartialSums sum_up(const Call& call, std::uint64_t fingerprint, Need need) {
  const Plan& plan = call.plan;
  PartialSums sums;
  sums.fingerprint = fingerprint;
  sums.reduction = plan.reduction;
  sums.result_dtype = plan.result;
  sums.converts_labels = converts_automatically(call);
  sums.count = static_cast<std::uint64_t>(plan.rows);
  sums.is_scalar = plan.loss_rank == 0;
  if (!call.makes_mask()) sum_up_weights(call, need, sums);

  const Variants variants = make_variants(call);
  Tally total(call, sums.converts_labels);
  if (call.is_long()) {
    tally_long_rows(call, variants, total);
  } else if (call.threads == 1 &&
             plan.rows * std::max<std::int64_t>(plan.cols, 1) <= kPollElements) {
    tally_rows(call, variants, 0, plan.rows, total);
  } else {
    std::mutex mutex;
    for_rows(call, [&](std::int64_t begin, std::int64_t end) {
      Tally part(call, sums.converts_labels);
      tally_rows(call, variants, begin, end, part);
      part.flush();
      const std::lock_guard lock(mutex);
      total.merge(part);
    });
  }
  total.flush();
  call.check_labels();
  if (total.masks) {
    sums.mask_count = sums.count;
    sums.mask_sum = total.masks->mask.value();
    sums.weight_sum = total.masks->weights.value();
  }
  sums.loss_sum = total.losses.value();
  sums.valid_count = total.valid_count;
  if (sums.converts_labels) {
    sums.all_labels_binary = total.binary;
    if (total.binary) sums.converted_sum = total.converted->value();
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
  rows.emplace(call, labels == Labels::kBinary);
  if (converts_automatically(call) && labels_are_binary(call, *rows, 0, call.plan.rows)) {
    rows.emplace(call, true);
  }
  if (call.is_long()) {
    for_long_rows(call, *rows, 0, call.plan.rows,
                  [&](const void* losses, const InputTile& tile, std::int64_t row, std::int64_t n) {
                    store_rows(call, losses, tile.inputs.weights, row, n, out);
                  });
    return;
  }
  for_rows(call, [&](std::int64_t begin, std::int64_t end) {
    LossTile losses;
    InputTile tile;
    for (std::int64_t row = begin; row < end; row += kRowTile) {
      const std::int64_t n = std::min(kRowTile, end - row);
      tile.load(call, row, n);
      rows->compute(row, n, tile.inputs, losses.values);
      store_rows(call, losses.values, tile.inputs.weights, row, n, out);
    }
  });
}

void evaluate_call(Call& call, const MutableArrayView& out) {
  place_output(out, call.plan);
  char* const data = static_cast<char*>(out.data);
  if (call.request.reduction == Reduction::kNone) {
    evaluate_rows(call, data);
    call.check_labels();
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
  make_plan(checked(loss), operands, request, plan);
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
