// SPDX-License-Identifier: Apache-2.0
#include "rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "call.hpp"
#include "rescue.hpp"
#include "simd/add_exactly.hpp"
#include "tiles.hpp"

namespace simdloss {
namespace {

// The sum of two neighbouring segments, as in the halving tree over lanes.
RowSum merged(const RowSum& a, const RowSum& b) {
  double hi = a.hi;
  const double error = add_exactly(hi, b.hi);
  return {hi, (a.lo + b.lo) + error};
}

// How many of the rows that fit a tile are converted at a time. Half of them where both operands
// are: CPUs fetch some 2 KiB ahead while kernels run, and that is most of what comes next then. But
// stages that take vectors of rows need some, and many rows are whole groups of kRowGroup.
std::int64_t rows_in_tile(std::int64_t fitting, bool converts_both, bool pointwise) {
  const bool halve = converts_both && fitting >= (pointwise ? 2 : 16);
  const std::int64_t n = halve ? fitting / 2 : fitting;
  return n > kRowGroup ? n / kRowGroup * kRowGroup : n;
}

bool has_nan(const double* x, std::int64_t n) {
  bool found = false;
  for (std::int64_t i = 0; i < n; ++i) found |= x[i] != x[i];
  return found;
}

}  // namespace

double load_loss(const void* losses, DType compute, std::int64_t index) {
  return compute == DType::kFloat32 ? double{static_cast<const float*>(losses)[index]}
                                    : static_cast<const double*>(losses)[index];
}

void store_loss(double loss, DType compute, std::int64_t index, void* losses) {
  if (compute == DType::kFloat32) {
    static_cast<float*>(losses)[index] = static_cast<float>(loss);
  } else {
    static_cast<double*>(losses)[index] = loss;
  }
}

Segments segments_of(std::int64_t cols) {
  if (cols <= kSegmentMin) return {1, cols};
  const std::int64_t wanted = std::min(kMaxSegments, (cols + kSegmentMin - 1) / kSegmentMin);
  // So that a segment's lanes are those of the row.
  constexpr std::int64_t unit = kTile<float>;
  const std::int64_t length = ((cols + wanted - 1) / wanted + unit - 1) / unit * unit;
  return {(cols + length - 1) / length, length};
}

RowLosses::RowLosses(const Call& call, bool binary_labels)
    : call_(call),
      plan_(call.plan),
      kernels_(call.kernels()),
      wide_kernels_(call.table.isa == Isa::kBaseline ? scalar_kernels().f64 : call.table.f64),
      loss_(call.loss != nullptr ? &kernels_.losses[call.loss->info().index] : nullptr),
      has_class_ids_(call.has_target(Target::kClassId)),
      item_size_(static_cast<std::int64_t>(item_size(plan_.compute))),
      halves_(halves_in_place()) {
  direct_[kTrue] = has_class_ids_ || is_direct(plan_, kTrue, plan_.compute);
  direct_[kPred] = is_direct(plan_, kPred, plan_.compute);
  for (const Operand operand : {kGradient, kHessian}) {
    if (plan_.derivatives[operand - kGradient] == nullptr) continue;
    direct_[operand] = is_direct(plan_, operand, plan_.compute);
  }
  const BoundLoss* const loss = call.loss;
  if (loss == nullptr) return;
  const Settings settings{loss->params().data(), plan_.epsilon, plan_.one_minus_epsilon,
                          binary_labels, static_cast<double>(plan_.cols)};
  args_ = derive_args(loss->info().index, settings, plan_.compute);
  if (loss_->cheap != nullptr && loss_->cheap_suits(args_.bytes)) loss_ = loss_->cheap;
  wide_args_ = derive_args(loss->info().index, settings, DType::kFloat64);
  const std::vector<double>& weights = loss->class_weights();
  if (weights.empty()) return;
  wide_class_weights_ = weights.data();
  class_weights_.resize(weights.size() * static_cast<std::size_t>(item_size_));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    store_loss(weights[i], plan_.compute, static_cast<std::int64_t>(i), class_weights_.data());
  }
}

const void* RowLosses::class_weights_from(std::int64_t col) const {
  return class_weights_.empty() ? nullptr : class_weights_.data() + col * item_size_;
}

RowLosses::Slice RowLosses::slice_at(const std::int64_t* offsets, std::int64_t n_rows) const {
  const auto rows = [&](Operand operand, const char* data) -> RowSlice {
    return {data + offsets[operand], plan_.outer.inner_stride(operand), n_rows};
  };
  Slice slice{rows(kTrue, plan_.data[kTrue]), rows(kPred, plan_.data[kPred]), {}};
  for (int k = 0; k < 2; ++k) {
    if (plan_.derivatives[k] == nullptr) continue;
    slice.derivatives[k] = rows(static_cast<Operand>(kGradient + k), plan_.derivatives[k]);
  }
  return slice;
}

RowLosses::Slice RowLosses::row_slice(std::int64_t row) const {
  Slice slice{};
  for_each_run(plan_.outer, row, 1, [&](std::int64_t, std::int64_t, const std::int64_t* offsets) {
    slice = slice_at(offsets, 1);
  });
  return slice;
}

RowLosses::Slice RowLosses::Slice::from(std::int64_t row, std::int64_t n_rows) const {
  const auto part = [&](const RowSlice& rows) -> RowSlice {
    return {rows.data + row * rows.stride, rows.stride, n_rows};
  };
  Slice slice{part(t), part(p), {}};
  for (int k = 0; k < 2; ++k) {
    if (derivatives[k].data != nullptr) slice.derivatives[k] = part(derivatives[k]);
  }
  return slice;
}

// Whether kernels can work on these rows where they are. A column that steps evenly is read as a row
// by load_tile(), which kernels cannot.
bool RowLosses::is_in_place(Operand operand, const RowSlice& rows) const {
  if (!direct_[operand]) return column_stride(operand, rows) != 0;
  const bool scattered = plan_.cols == 1 && rows.n_rows > 1 && rows.stride != item_size_;
  return !scattered;
}

// Picking reads of all rows of a tile, so what kernels can ask for in good time is in the next one.
std::int64_t RowLosses::next_of_picked(const RowSlice& rows) const {
  return has_class_ids_ && direct_[kPred] ? kRowTile * rows.stride : 0;
}

// The col_stride of these rows in a RowBlock or RowDerivatives that has them where they are.
std::int64_t RowLosses::column_stride(Operand operand, const RowSlice& rows) const {
  const bool are_columns = !direct_[operand] && plan_.dtype[operand] == plan_.compute &&
                           rows.stride == item_size_ && plan_.inner.rank == 1 &&
                           plan_.cols <= loss_->most_columns;
  return are_columns ? plan_.inner.inner_stride(operand) : 0;
}

Halves RowLosses::halves_in_place() const {
  if (loss_ == nullptr || !loss_->reads_halves || plan_.cols <= 1) return Halves::kNone;
  const auto both_are = [&](DType dtype) {
    return is_direct(plan_, kTrue, dtype) && is_direct(plan_, kPred, dtype);
  };
  if (both_are(DType::kFloat16)) return Halves::kFloat16;
  return both_are(DType::kBFloat16) ? Halves::kBFloat16 : Halves::kNone;
}

void RowLosses::compute(std::int64_t begin, std::int64_t n, const RowInputs& inputs,
                        void* losses) const {
  if (call_.special) {
    double results[kRowTile];
    // The mask that the loss makes goes by its values, whatever the weights.
    const double* const weights = call_.makes_mask() ? nullptr : inputs.weights;
    call_.special->compute(begin, n, weights, results, call_.bad_labels);
    for (std::int64_t i = 0; i < n; ++i) store_loss(results[i], plan_.compute, i, losses);
    return;
  }
  const bool has_none = has_class_ids_ || (loss_ != nullptr && is_pointwise(plan_.info->index));
  if (plan_.cols == 0 && has_none) {
    for (std::int64_t i = 0; i < n; ++i) {
      store_loss(0.0 / plan_.divisor, plan_.compute, i, losses);
    }
    return;
  }
  char* const out = static_cast<char*>(losses);
  Picks picks;
  for_each_run(plan_.outer, begin, n,
               [&](std::int64_t position, std::int64_t run, const std::int64_t* offsets) {
                 const Slice slice = slice_at(offsets, run);
                 if (has_class_ids_) pick(slice, inputs.class_ids + position, picks);
                 compute_slice(slice, picks, out + position * item_size_);
               });
  if (loss_ != nullptr) rescue(begin, n, inputs, losses);
}

void RowLosses::pick(const Slice& slice, const std::int64_t* class_ids, Picks& picks) const {
  load_picked(plan_, kPred, plan_.compute, slice.p, class_ids, picks.predictions);
  if (wide_class_weights_ == nullptr) return;
  for (std::int64_t i = 0; i < slice.p.n_rows; ++i) {
    picks.weights[i] = wide_class_weights_[class_ids[i]];
  }
}

void RowLosses::compute_slice(const Slice& slice, const Picks& picks, void* losses) const {
  if (loss_ == nullptr) {
    load_tile(plan_, kPred, kernels_, plan_.compute, slice.p, 0, 1, losses);
    return;
  }
  RowBlock rows{slice.t.data, slice.p.data,          slice.t.stride, slice.p.stride, slice.t.n_rows,
                plan_.cols,   class_weights_from(0), nullptr,        halves_};
  if (has_class_ids_) {
    rows.t = picks.predictions;
    if (wide_class_weights_ != nullptr) rows.label_weights = picks.weights;
  } else {
    rows.t_col_stride = column_stride(kTrue, slice.t);
  }
  rows.p_col_stride = column_stride(kPred, slice.p);
  const bool t_in_place = has_class_ids_ || is_in_place(kTrue, slice.t);
  const bool p_in_place = is_in_place(kPred, slice.p);
  const bool in_place = (t_in_place && p_in_place) || halves_ != Halves::kNone;
  const std::int64_t capacity = in_place ? kSegmentMin : kTileBytes / item_size_;
  if (plan_.cols > capacity) {
    for (std::int64_t row = 0; row < slice.t.n_rows; ++row) {
      RowFacts facts{};
      if (has_class_ids_) facts = picked_facts(picks, row);
      const SegmentSums sums = sums_in_parts(kLossStages, slice.from(row, 1), facts);
      const double loss = loss_->finish(sums.sums, facts, plan_.divisor, args_.bytes);
      store_loss(loss, plan_.compute, row, losses);
    }
    return;
  }
  if (in_place) {
    rows.p_next = next_of_picked(slice.p);
    loss_->row_losses(rows, plan_.divisor, args_.bytes, losses);
    return;
  }
  Tile t_tile;
  Tile p_tile;
  const RowBlock all = rows;
  const std::int64_t step =
      rows_in_tile(capacity / std::max<std::int64_t>(plan_.cols, 1), !t_in_place && !p_in_place,
                   is_pointwise(plan_.info->index));
  for (std::int64_t row = 0; row < slice.t.n_rows; row += step) {
    rows.n_rows = std::min(step, slice.t.n_rows - row);
    const auto place = [&](Operand operand, const RowSlice& source, bool stays, Tile& tile,
                           const void*& data, std::int64_t& stride) {
      const RowSlice part{source.data + row * source.stride, source.stride, rows.n_rows};
      if (stays) {
        data = part.data;
        return;
      }
      load_tile(plan_, operand, kernels_, plan_.compute, part, 0, plan_.cols, tile.bytes);
      data = tile.bytes;
      stride = plan_.cols * item_size_;
    };
    if (has_class_ids_) {
      rows.t = static_cast<const char*>(all.t) + row * item_size_;
      if (all.label_weights != nullptr) rows.label_weights = all.label_weights + row;
    } else {
      place(kTrue, slice.t, t_in_place, t_tile, rows.t, rows.t_stride);
    }
    place(kPred, slice.p, p_in_place, p_tile, rows.p, rows.p_stride);
    loss_->row_losses(rows, plan_.divisor, args_.bytes,
                      static_cast<char*>(losses) + row * item_size_);
  }
}

// What the last of these stages makes of the row.
SegmentSums RowLosses::sums_in_parts(const StageList& stages, const Slice& row,
                                     RowFacts& facts) const {
  const Segments segments = segments_of(plan_.cols);
  SegmentSums sums[kMaxSegments] = {};
  for (const Stage stage : stages) {
    if (!has_stage(stage)) continue;
    for (std::int64_t s = 0; s < segments.count; ++s) {
      sums[s] = sums_of_range(stage, row, s * segments.length,
                              std::min((s + 1) * segments.length, plan_.cols), facts);
    }
    end_stage(stage, sums, facts);
  }
  return sums[0];
}

SegmentSums RowLosses::sums_of_range(Stage stage, const Slice& row, std::int64_t begin,
                                     std::int64_t end, const RowFacts& facts) const {
  RowState state = {};
  state.max = -std::numeric_limits<double>::infinity();
  Tile t_tile;
  Tile p_tile;
  const bool is_half = halves_ != Halves::kNone;
  const std::int64_t size = is_half ? 2 : item_size_;
  const bool direct = direct_[kTrue] && direct_[kPred];
  const bool neither = !direct_[kTrue] && !direct_[kPred];  // see rows_in_tile()
  const std::int64_t tile_bytes = neither ? kTileBytes / 2 : kTileBytes;
  const std::int64_t step = direct ? end - begin : tile_bytes / size;  // whole pairs of steps
  for (std::int64_t col = begin; col < end; col += step) {
    const std::int64_t n = std::min(step, end - col);
    const auto place = [&](Operand operand, const RowSlice& source, bool stays,
                           Tile& tile) -> const void* {
      if (stays || is_half) return source.data + col * size;
      load_tile(plan_, operand, kernels_, plan_.compute, source, col, n, tile.bytes);
      return tile.bytes;
    };
    const void* const t = has_class_ids_ ? nullptr : place(kTrue, row.t, direct_[kTrue], t_tile);
    const void* const p = place(kPred, row.p, direct_[kPred], p_tile);
    loss_->accumulate(stage, {t, p, class_weights_from(col), n, halves_}, facts, args_.bytes,
                      state);
  }
  SegmentSums sums{state.max, state.ties, {}};
  for (int k = 0; k < kMaxLaneSums; ++k) sums.sums[k] = loss_->collect(state.sums[k]);
  return sums;
}

RowFacts RowLosses::facts_of(std::int64_t begin, std::int64_t index,
                             const RowInputs& inputs) const {
  if (!has_class_ids_) return {};
  Picks picks = {};
  pick(row_slice(begin + index), inputs.class_ids + index, picks);
  return picked_facts(picks, 0);
}

RowFacts RowLosses::picked_facts(const Picks& picks, std::int64_t index) const {
  RowFacts facts{};
  facts.label = load_loss(picks.predictions, plan_.compute, index);
  facts.label_weight = wide_class_weights_ == nullptr ? 1.0 : picks.weights[index];
  return facts;
}

SegmentSums RowLosses::segment_sums(Stage stage, std::int64_t row, std::int64_t segment,
                                    const RowFacts& facts) const {
  const std::int64_t length = segments_of(plan_.cols).length;
  return sums_of_range(stage, row_slice(row), segment * length,
                       std::min((segment + 1) * length, plan_.cols), facts);
}

void RowLosses::end_stage(Stage stage, SegmentSums* segments, RowFacts& facts) const {
  SegmentSums& all = segments[0];
  for (std::int64_t s = 1; s < segments_of(plan_.cols).count; ++s) {
    all.max = std::max(all.max, segments[s].max);
    all.ties += segments[s].ties;
    for (int k = 0; k < kMaxLaneSums; ++k) {
      all.sums[k] = merged(all.sums[k], segments[s].sums[k]);
    }
  }
  if (stage == kMax) {
    facts.max = all.max;
    loss_->prepare(nullptr, args_.bytes, facts);
    return;
  }
  const bool counts = stage == kFirst || !has_stage(kFirst);
  if (counts) facts.ties = all.ties;
  if (stage == kFirst) loss_->prepare(all.sums, args_.bytes, facts);
}

bool RowLosses::finish_long_row(std::int64_t begin, std::int64_t index, const RowInputs& inputs,
                                const SegmentSums& sums, const RowFacts& facts,
                                void* losses) const {
  double loss = loss_->finish(sums.sums, facts, plan_.divisor, args_.bytes);
  store_loss(loss, plan_.compute, index, losses);
  // Through the computation type, because it may overflow where double does not.
  const bool takes_part = inputs.weights == nullptr || inputs.weights[index] != 0;
  if (std::isfinite(load_loss(losses, plan_.compute, index)) || !takes_part) return false;
  const std::int64_t* const id = has_class_ids_ ? inputs.class_ids + index : nullptr;
  if (rescue_row(begin + index, id, loss)) store_loss(loss, plan_.compute, index, losses);
  return true;
}

void RowLosses::rescue(std::int64_t begin, std::int64_t n, const RowInputs& inputs,
                       void* losses) const {
  if (kernels_.all_finite(losses, n)) return;
  for (std::int64_t i = 0; i < n; ++i) {
    if (std::isfinite(load_loss(losses, plan_.compute, i))) continue;
    if (inputs.weights != nullptr && inputs.weights[i] == 0) continue;
    const std::int64_t* const id = has_class_ids_ ? inputs.class_ids + i : nullptr;
    double loss;
    if (rescue_row(begin + i, id, loss)) store_loss(loss, plan_.compute, i, losses);
  }
}

// False if the row has a NaN. That is looked for in all of the row before anything is computed.
bool RowLosses::rescue_row(std::int64_t row, const std::int64_t* class_id, double& loss) const {
  const Slice slice = row_slice(row);
  double t[kScanTile];
  double p[kScanTile];
  double plain[kScanTile];
  const auto load = [&](std::int64_t col) {
    const std::int64_t n = std::min(kScanTile, plan_.cols - col);
    if (!has_class_ids_) {
      load_tile(plan_, kTrue, wide_kernels_, DType::kFloat64, slice.t, col, n, t);
    }
    load_tile(plan_, kPred, wide_kernels_, DType::kFloat64, slice.p, col, n, p);
    return n;
  };
  for (std::int64_t col = 0; col < plan_.cols; col += kScanTile) {
    const std::int64_t n = load(col);
    if ((!has_class_ids_ && has_nan(t, n)) || has_nan(p, n)) return false;
  }
  const auto for_elements = [&](auto use) {
    for (std::int64_t col = 0; col < plan_.cols; col += kScanTile) {
      const std::int64_t n = plan_.cols > kScanTile ? load(col) : plan_.cols;
      use(col, n);
    }
  };
  const int index = plan_.info->index;
  if (!is_pointwise(index)) {
    RowRescue rescue(index, wide_args_.bytes);
    if (class_id != nullptr) {
      double label;
      load_tile(plan_, kPred, wide_kernels_, DType::kFloat64, slice.p, *class_id, 1, &label);
      rescue.set_label(label, wide_class_weights_ == nullptr ? 1 : wide_class_weights_[*class_id]);
    }
    for (const Stage stage : kLossStages) {
      if (!has_stage(stage)) continue;
      for_elements([&](std::int64_t col, std::int64_t n) {
        rescue.add(stage, t, p,
                   wide_class_weights_ == nullptr ? nullptr : wide_class_weights_ + col, n);
      });
      rescue.end_stage(stage);
    }
    loss = rescue.finish() + 0.0;
    return true;
  }
  WideSum sum;
  for_elements([&](std::int64_t, std::int64_t n) {
    const RowBlock elements{t, p, sizeof(double), sizeof(double), n, 1};
    wide_kernels_.losses[index].row_losses(elements, 1.0, wide_args_.bytes, plain);
    rescue_elements(index, t, p, plain, n, wide_args_.bytes, sum);
  });
  loss = (sum.value() / Wide(plan_.divisor)).value() + 0.0;
  return true;
}

}  // namespace simdloss
