// SPDX-License-Identifier: Apache-2.0
#include "pass.hpp"

#include <algorithm>
#include <atomic>

#include "tally.hpp"
#include "tiles.hpp"

namespace simdloss {
namespace {

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

}  // namespace

// The loss, unless it was moved from.
const BoundLoss* checked(const BoundLoss& loss) {
  if (static_cast<int>(loss.params().size()) != loss.info().n_params) {
    throw Error(ErrorCode::kValue, "loss", "loss must not have been moved from.");
  }
  return &loss;
}

bool converts_automatically(const Call& call) {
  return call.loss != nullptr && call.loss->info().converts_binary_labels &&
         call.request.labels == Labels::kAuto;
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

std::int64_t rows_of_tile(const Call& call) {
  const Plan& plan = call.plan;
  const bool bare =
      !plan.weighted && !plan.masked && !call.has_target(Target::kClassId) && !call.special;
  return bare ? kBareTileBytes / static_cast<std::int64_t>(item_size(plan.compute)) : kRowTile;
}

void InputTile::load(const Call& call, std::int64_t begin, std::int64_t n) {
  inputs = {load_weights(call.plan, call.plan.outer, begin, n, weights), nullptr};
  if (inputs.weights == nullptr && call.makes_mask()) {
    std::fill_n(weights, n, 1.0);
    inputs.weights = weights;
  }
  if (!call.has_target(Target::kClassId)) return;
  read_class_ids(call.plan, begin, n, call.request.ignore_class, inputs.weights, class_ids,
                 excluded, call.bad_labels);
  inputs.class_ids = class_ids;
  if (!call.makes_mask()) return;
  for (std::int64_t i = 0; i < n; ++i) {
    if (excluded[i]) weights[i] = 0;
  }
}

void InputTile::exclude_zeros(const Call& call, const void* losses, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    excluded[i] = load_loss(losses, call.plan.compute, i) == 0;
    if (excluded[i]) weights[i] = 0;
  }
}

PartialSums start_sums(const Call& call, Need need) {
  PartialSums sums;
  sums.reduction = call.plan.reduction;
  sums.result_dtype = call.plan.result;
  sums.count = static_cast<std::uint64_t>(call.plan.rows);
  sums.is_scalar = call.plan.loss_rank == 0;
  if (!call.makes_mask()) sum_up_weights(call, need, sums);
  return sums;
}

// Per-sample losses times weights, stored to the output.
void store_rows(const Call& call, const void* losses, const double* weights, std::int64_t begin,
                std::int64_t n, char* out) {
  const Plan& plan = call.plan;
  if (weights == nullptr) {
    return store_results(plan, call.kernels(), plan.compute, out, begin, n, losses);
  }
  double results[kRowTile];
  for (std::int64_t i = 0; i < n; ++i) {
    const double loss = load_loss(losses, plan.compute, i);
    results[i] = weights[i] == 0 ? 0.0 : weights[i] * loss + 0.0;
  }
  store_results(plan, call.table.f64, DType::kFloat64, out, begin, n, results);
}

}  // namespace simdloss
