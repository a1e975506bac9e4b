// SPDX-License-Identifier: Apache-2.0
#include "simdloss/evaluate.hpp"

#include <algorithm>
#include <mutex>
#include <optional>

#include "call.hpp"
#include "fingerprint.hpp"
#include "pass.hpp"
#include "rows.hpp"
#include "tally.hpp"
#include "tiles.hpp"

namespace simdloss {
namespace {

// Losses under the labels as they are and, where both are needed, as converted.
struct Variants {
  std::optional<RowLosses> plain;
  std::optional<RowLosses> converted;
};

void tally_rows(const Call& call, const Variants& variants, std::int64_t begin, std::int64_t end,
                Tally& tally) {
  LossTile losses;
  InputTile tile;
  const std::int64_t step = rows_of_tile(call);
  for (std::int64_t row = begin; row < end; row += step) {
    const std::int64_t n = std::min(step, end - row);
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
    for (const Stage stage : kLossStages) {
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

Variants make_variants(const Call& call) {
  Variants variants;
  const bool both = converts_automatically(call);
  variants.plain.emplace(call, call.request.labels == Labels::kBinary);
  if (both) variants.converted.emplace(call, true);
  return variants;
}

// The same where nothing is merged with the losses: labels that are in the cache are looked at once more
// sooner than losses are computed twice.
Variants make_settled_variants(const Call& call) {
  const Plan& plan = call.plan;
  if (!converts_automatically(call) || element_count(plan) > kUnitElements) {
    return make_variants(call);
  }
  Variants variants;
  variants.plain.emplace(call, false);
  if (variants.plain->labels_are_binary(0, plan.rows, 0, plan.cols)) {
    variants.plain.emplace(call, true);
  }
  return variants;
}

void tally_all(const Call& call, const Variants& variants, Tally& total) {
  const Plan& plan = call.plan;
  if (call.is_long()) {
    tally_long_rows(call, variants, total);
  } else if (call.threads == 1 && element_count(plan) <= kPollElements) {
    tally_rows(call, variants, 0, plan.rows, total);
  } else {
    std::mutex mutex;
    for_rows(call, [&](std::int64_t begin, std::int64_t end) {
      Tally part(call, variants.converted.has_value());
      tally_rows(call, variants, begin, end, part);
      part.flush();
      const std::lock_guard lock(mutex);
      total.merge(part);
    });
  }
  call.check_labels();
}

PartialSums sums_of(const Call& call, Need need, Tally& total) {
  PartialSums sums = start_sums(call, need);
  total.flush();
  if (total.masks) {
    sums.mask_count = sums.count;
    sums.mask_sum = total.masks->mask.value();
    sums.weight_sum = total.masks->weights.value();
  }
  sums.loss_sum = total.losses.value();
  sums.valid_count = total.valid_count;
  sums.converts_labels = total.converted.has_value();
  if (sums.converts_labels) {
    sums.all_labels_binary = total.binary;
    if (total.binary) sums.converted_sum = total.converted->value();
  }
  return sums;
}

PartialSums sum_up(const Call& call, std::uint64_t fingerprint) {
  const Variants variants = make_variants(call);
  Tally total(call, variants.converted.has_value());
  tally_all(call, variants, total);
  PartialSums sums = sums_of(call, Need::kAll, total);
  sums.fingerprint = fingerprint;
  return sums;
}

// The reduced losses, rounded once to `dtype`.
double value_of(const Call& call, DType dtype) {
  const Variants variants = make_settled_variants(call);
  Tally total(call, variants.converted.has_value());
  tally_all(call, variants, total);
  if (const auto value = total.quick_value(call, dtype)) return *value;
  PartialSums sums = sums_of(call, Need::kValue, total);
  sums.result_dtype = dtype;
  return sums.finalize(call.request.empty);
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
  place_output(out, "out", call.plan);
  char* const data = static_cast<char*>(out.data);
  if (call.request.reduction == Reduction::kNone) {
    evaluate_rows(call, data);
    call.check_labels();
  } else if (!is_unreduced(call.plan)) {
    store_element(value_of(call, out.dtype), out.dtype, data);
  }
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
  return sum_up(call, fingerprint_of(loss, request));
}

PartialSums partial_sums(const Operands& operands, const Request& request,
                         std::uint64_t fingerprint) {
  const Call call(nullptr, operands, request);
  return sum_up(call, fingerprint);
}

}  // namespace simdloss
