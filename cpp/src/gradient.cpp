// SPDX-License-Identifier: Apache-2.0
#include "simdloss/gradient.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "call.hpp"
#include "pass.hpp"
#include "rows.hpp"
#include "tally.hpp"
#include "tiles.hpp"

namespace simdloss {
namespace {

// Where the results of a call go; null where they are not wanted.
struct Outputs {
  const MutableArrayView* value = nullptr;
  const MutableArrayView* gradient = nullptr;
  const MutableArrayView* hessian = nullptr;
  Curvature curvature = Curvature::kDiagonal;
};

// The value of a call while it is computed beside derivatives: one or the other.
struct Value {
  Tally* tally;   // of a scalar reduction
  char* samples;  // of Reduction::kNone
};

// What a pass over rows that derives them needs.
struct Derivation {
  const Call& call;
  double factor;  // what the reduction multiplies weighted losses by
  Curvature curvature;
  const Value* value;                // null if it is not wanted
  const MutableArrayView& gradient;  // for losses with an evaluator of their own
};

// Scales of the rows of a tile: their weights times the factor.
RowScales scales_of(const InputTile& tile, std::int64_t n, double factor, double* scales) {
  if (tile.inputs.weights == nullptr) return {nullptr, factor};
  for (std::int64_t i = 0; i < n; ++i) scales[i] = tile.inputs.weights[i] * factor;
  return {scales, 0};
}

// Losses of rows [row, row + n), which a pass has made beside their derivatives.
void keep_losses(const Derivation& what, const void* losses, const InputTile& tile,
                 std::int64_t row, std::int64_t n, Tally* part) {
  if (what.value->samples != nullptr) {
    store_rows(what.call, losses, tile.inputs.weights, row, n, what.value->samples);
  } else {
    part->add(what.call, losses, tile.inputs.weights, tile.excluded, row, n);
  }
}

// Rows of a loss with an evaluator of its own that stand alone: scales for all of them.
void derive_special(const Derivation& what, std::int64_t row, std::int64_t n,
                    const RowScales& scale, double* scales, void* losses) {
  const Call& call = what.call;
  if (scale.each == nullptr) std::fill_n(scales, n, scale.all);
  double found[kRowTile];
  call.special->gradients(row, n, scales, losses != nullptr ? found : nullptr, what.gradient,
                          call.bad_labels);
  for (std::int64_t i = 0; losses != nullptr && i < n; ++i) {
    store_loss(found[i], call.plan.compute, i, losses);
  }
}

// `part` takes the losses of a scalar reduction; null if they are not wanted.
void derive_rows(const Derivation& what, const RowLosses& rows, std::int64_t begin,
                 std::int64_t end, Tally* part) {
  const Call& call = what.call;
  LossTile losses;
  InputTile tile;
  double scales[kRowTile];
  const bool stores_losses = what.value != nullptr && what.value->samples != nullptr;
  const std::int64_t step = stores_losses ? kRowTile : rows_of_tile(call);
  for (std::int64_t row = begin; row < end; row += step) {
    const std::int64_t n = std::min(step, end - row);
    tile.load(call, row, n);
    const RowScales scale = scales_of(tile, n, what.factor, scales);
    void* const out = what.value != nullptr ? losses.values : nullptr;
    if (call.special) {
      derive_special(what, row, n, scale, scales, out);
    } else {
      rows.derive(row, n, tile.inputs, scale, what.curvature, out);
    }
    if (out != nullptr) keep_losses(what, out, tile, row, n, part);
  }
  if (call.plan.streams) call.table.end_streams();
}

// Rows whose segments are the units of parallel work.
void derive_long_rows(const Derivation& what, const RowLosses& rows) {
  const Call& call = what.call;
  const Segments segments = segments_of(call.plan.cols);
  std::vector<SegmentSums> sums(static_cast<std::size_t>(kLongRows * segments.count));
  LossTile losses;
  InputTile tile;
  double scales[kRowTile];
  RowFacts facts[kLongRows];
  RowSlopes slopes[kLongRows];
  std::atomic<bool> finite[kLongRows];
  const bool at_once = rows.is_sum_of_elements();
  for (std::int64_t first = 0; first < call.plan.rows; first += kLongRows) {
    const std::int64_t n = std::min(kLongRows, call.plan.rows - first);
    tile.load(call, first, n);
    const RowScales scale = scales_of(tile, n, what.factor, scales);
    const auto for_segments = [&](auto use) {
      for_units(call, n * segments.count, segments.length,
                [&](std::int64_t unit_begin, std::int64_t unit_end) {
                  for (std::int64_t unit = unit_begin; unit < unit_end; ++unit) {
                    use(unit / segments.count, unit % segments.count,
                        sums[static_cast<std::size_t>(unit)]);
                  }
                  if (call.plan.streams) call.table.end_streams();
                });
    };
    const auto sums_of = [&](std::int64_t i) { return sums.data() + i * segments.count; };
    for (std::int64_t i = 0; i < n; ++i) {
      facts[i] = rows.facts_of(first, i, tile.inputs);
      finite[i] = true;
    }
    for (const Stage stage : kSlopeStages) {
      if (at_once || !rows.has_stage(stage)) continue;
      for_segments([&](std::int64_t i, std::int64_t segment, SegmentSums& found) {
        found = rows.segment_sums(stage, first + i, segment, facts[i]);
      });
      for (std::int64_t i = 0; i < n; ++i) rows.end_stage(stage, sums_of(i), facts[i]);
    }
    for (std::int64_t i = 0; i < n; ++i) {
      slopes[i] = rows.slopes_of(*sums_of(i), facts[i], scale.of(i));
    }
    for_segments([&](std::int64_t i, std::int64_t segment, SegmentSums& found) {
      SegmentSums* const made = at_once && what.value != nullptr ? &found : nullptr;
      if (!rows.derive_segment(first + i, segment, facts[i], slopes[i], what.curvature, made)) {
        finite[i].store(false, std::memory_order_relaxed);
      }
    });
    for (std::int64_t i = 0; i < n; ++i) {
      rows.end_derivatives(first, i, tile.inputs, scale, facts[i], slopes[i], what.curvature,
                           finite[i]);
      if (what.value == nullptr) continue;
      if (at_once) rows.end_stage(kTerms, sums_of(i), facts[i]);
      rows.finish_long_row(first, i, tile.inputs, *sums_of(i), facts[i], losses.values);
    }
    if (what.value != nullptr) {
      keep_losses(what, losses.values, tile, first, n, what.value->tally);
    }
  }
}

// What a tally of all rows adds to sums that lack the losses.
void take_losses(Tally& total, PartialSums& sums) {
  total.flush();
  sums.loss_sum = total.losses.value();
  sums.valid_count = total.valid_count;
}

// The same where the losses make the mask, too.
void take_sums(Tally& total, PartialSums& sums) {
  take_losses(total, sums);
  sums.mask_count = sums.count;
  sums.mask_sum = total.masks->mask.value();
  sums.weight_sum = total.masks->weights.value();
}

// The sums of the mask that the labels make: which rows are not ignored.
void sum_up_labels(const Call& call, PartialSums& sums) {
  Tally::MaskSums masks;
  InputTile tile;
  for (std::int64_t row = 0; row < call.plan.rows; row += kRowTile) {
    const std::int64_t n = std::min(kRowTile, call.plan.rows - row);
    tile.load(call, row, n);
    masks.add(call, tile.inputs.weights, tile.excluded, row, n);
    call.poller.add(n);
  }
  masks.flush();
  call.check_labels();
  sums.mask_count = sums.count;
  sums.mask_sum = masks.mask.value();
  sums.weight_sum = masks.weights.value();
}

// What the reduction multiplies weighted losses by, 0 where it divides by nothing: without
// divides_by_sum().
double factor_of(const Plan& plan) {
  if (plan.reduction == Reduction::kSum || plan.reduction == Reduction::kNone) return 1;
  return plan.rows == 0 ? 0 : 1.0 / static_cast<double>(plan.rows);
}

// The same with it.
double factor_of(const PartialSums& sums) {
  if (sums.reduction == Reduction::kMean) {
    if (sums.count == 0 || sums.mask_sum.is_zero()) return 0;
    ExactSum one;
    one.add(1.0);
    return rounded_ratio(one, sums.mask_count, sums.mask_sum, sums.count, DType::kFloat64);
  }
  if (sums.is_scalar) return 1;
  return sums.weight_sum.is_zero() ? 0 : 1.0 / sums.weight_sum.value();
}

void store_value(PartialSums& sums, const Request& request, const MutableArrayView& value) {
  sums.result_dtype = value.dtype;
  store_element(sums.finalize(request.empty), value.dtype, static_cast<char*>(value.data));
}

// Losses of samples that are part of each other: all losses first, which also decide what counts in a
// mean, then their derivatives.
void derive_pairs(const Call& call, const Outputs& to, const Value* value) {
  const RowLosses rows(call, false);
  CircleStatistics statistics = call.special->make_statistics();
  std::vector<double> scales(static_cast<std::size_t>(call.plan.rows));
  Tally total(call, false);
  std::mutex mutex;
  for_rows(call, [&](std::int64_t begin, std::int64_t end) {
    Tally part(call, false);
    LossTile losses;
    InputTile tile;
    double found[kRowTile];
    for (std::int64_t row = begin; row < end; row += kRowTile) {
      const std::int64_t n = std::min(kRowTile, end - row);
      tile.load(call, row, n);
      std::copy_n(tile.weights, n, scales.data() + row);
      call.special->compute(row, n, nullptr, found, call.bad_labels, &statistics);
      for (std::int64_t i = 0; i < n; ++i) {
        store_loss(found[i], call.plan.compute, i, losses.values);
      }
      if (value != nullptr && value->samples != nullptr) {
        store_rows(call, losses.values, tile.inputs.weights, row, n, value->samples);
      }
      tile.exclude_zeros(call, losses.values, n);
      part.add(call, losses.values, tile.inputs.weights, tile.excluded, row, n);
    }
    part.flush();
    const std::lock_guard lock(mutex);
    total.merge(part);
  });
  PartialSums sums = start_sums(call, Need::kValue);
  take_sums(total, sums);
  const double by_reduction = divides_by_sum(call) ? factor_of(sums) : factor_of(call.plan);
  const double factor = call.request.scale.value_or(by_reduction);
  for (double& scale : scales) scale *= factor;
  for_rows(call, [&](std::int64_t begin, std::int64_t end) {
    call.special->gradients(begin, end - begin, scales.data(), statistics, *to.gradient);
  });
  if (value != nullptr && value->samples == nullptr) store_value(sums, call.request, *to.value);
}

void derive_all(const Derivation& what) {
  const Call& call = what.call;
  std::optional<RowLosses> rows;
  rows.emplace(call, call.request.labels == Labels::kBinary);
  if (converts_automatically(call) && labels_are_binary(call, *rows, 0, call.plan.rows)) {
    rows.emplace(call, true);
  }
  Tally* const total = what.value != nullptr ? what.value->tally : nullptr;
  if (call.is_long()) {
    derive_long_rows(what, *rows);
  } else if (call.threads == 1 && element_count(call.plan) <= kPollElements) {
    derive_rows(what, *rows, 0, call.plan.rows, total);
  } else if (total == nullptr) {
    for_rows(call, [&](std::int64_t begin, std::int64_t end) {
      derive_rows(what, *rows, begin, end, nullptr);
    });
  } else {
    std::mutex mutex;
    for_rows(call, [&](std::int64_t begin, std::int64_t end) {
      Tally part(call, false);
      derive_rows(what, *rows, begin, end, &part);
      part.flush();
      const std::lock_guard lock(mutex);
      total->merge(part);
    });
  }
}

void derive(const BoundLoss& loss, const Operands& operands, const Request& request,
            const Outputs& to) {
  const bool has_value = to.value != nullptr;
  Call call(checked(loss), operands, request,
            {to.gradient, to.hessian, has_value ? "gradient" : "out"});
  if (has_value) place_output(*to.value, "value", call.plan);
  const bool by_sample = request.reduction == Reduction::kNone;
  if (call.plan.rows == 0 && is_unreduced(call.plan)) return;
  const bool reduces = has_value && !by_sample;
  Tally total(call, false);
  const Value value{reduces ? &total : nullptr,
                    has_value && by_sample ? static_cast<char*>(to.value->data) : nullptr};
  const Value* const wanted = has_value ? &value : nullptr;
  if (call.has_target(Target::kPairs)) return derive_pairs(call, to, wanted);
  const auto derive_by = [&](double factor) {
    derive_all({call, request.scale.value_or(factor), to.curvature, wanted, *to.gradient});
    call.check_labels();
  };
  const auto finish = [&](PartialSums& sums) {
    take_losses(total, sums);
    store_value(sums, request, *to.value);
  };
  if (divides_by_sum(call)) {
    PartialSums sums = start_sums(call, Need::kValue);
    if (call.makes_mask()) sum_up_labels(call, sums);
    derive_by(factor_of(sums));
    if (reduces) finish(sums);
    return;
  }
  derive_by(factor_of(call.plan));
  if (!reduces) return;
  if (const auto quick = total.quick_value(call, to.value->dtype)) {
    store_element(*quick, to.value->dtype, static_cast<char*>(to.value->data));
    return;
  }
  PartialSums sums = start_sums(call, Need::kValue);
  finish(sums);
}

}  // namespace

ResultType gradient_type(const BoundLoss& loss, const Operands& operands, const Request& request) {
  Plan plan;
  make_plan(checked(loss), operands, request, plan);
  const ArrayView& p = operands.y_pred;
  const DType dtype =
      is_floating(p.dtype) ? p.dtype : request.dtype.value_or(request.default_dtype);
  return {std::vector<std::int64_t>(p.shape, p.shape + p.rank), dtype};
}

void gradient(const BoundLoss& loss, const Operands& operands, const Request& request,
              const MutableArrayView& out) {
  Request reduced = request;
  if (reduced.reduction == Reduction::kNone) reduced.reduction = Reduction::kSum;
  derive(loss, operands, reduced, {nullptr, &out});
}

void value_and_gradient(const BoundLoss& loss, const Operands& operands, const Request& request,
                        const MutableArrayView& value, const MutableArrayView& gradient) {
  derive(loss, operands, request, {&value, &gradient});
}

void value_gradient_and_hessian(const BoundLoss& loss, const Operands& operands,
                                const Request& request, Curvature curvature,
                                const MutableArrayView& value, const MutableArrayView& gradient,
                                const MutableArrayView& hessian) {
  if (!loss.info().has_hessian) {
    throw Error(
        ErrorCode::kNotSupported, "loss",
        std::string(loss.info().name) +
            " has no diagonal of its Hessian here: elements of a row depend on each other so "
            "much that it says little. Fix: use value_and_gradient(), or a loss of logits.");
  }
  derive(loss, operands, request, {&value, &gradient, &hessian, curvature});
}

void vjp(const BoundLoss& loss, const Operands& operands, const ArrayView& cotangent,
         const Request& request, const MutableArrayView& out) {
  if (operands.sample_weight != nullptr || operands.mask != nullptr) {
    throw Error(ErrorCode::kValue, "operands",
                "operands of vjp() must have neither weights nor a mask: multiply the cotangent by "
                "them.");
  }
  Operands weighted = operands;
  weighted.sample_weight = &cotangent;
  Request reduced = request;
  reduced.reduction = Reduction::kSum;
  reduced.scale.reset();
  try {
    derive(loss, weighted, reduced, {nullptr, &out});
  } catch (const Error& error) {
    const std::string name = "sample_weight";
    if (error.argument() != name) throw;
    std::string message = error.what();
    for (auto at = message.find(name); at != std::string::npos; at = message.find(name)) {
      message.replace(at, name.size(), "cotangent");
    }
    throw Error(error.code(), "cotangent", message);
  }
}

}  // namespace simdloss
