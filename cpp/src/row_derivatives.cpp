// SPDX-License-Identifier: Apache-2.0

// Derivatives of rows: the part of RowLosses that writes.

#include <algorithm>
#include <cmath>
#include <limits>

#include "call.hpp"
#include "rescue.hpp"
#include "rows.hpp"
#include "tiles.hpp"

namespace simdloss {
namespace {

// Elements of a row that are computed again at a time.
constexpr std::int64_t kMendTile = 512;

char* writable(const RowSlice& rows) { return const_cast<char*>(rows.data); }

// Of row `index` of one of the derivatives `to`.
bool all_finite(const TypeKernels& kernels, const void* rows, const RowDerivatives& to,
                std::int64_t index, std::int64_t n_cols) {
  const char* const row = static_cast<const char*>(rows) + index * to.stride;
  if (to.col_stride == 0) return kernels.all_finite(row, n_cols);
  bool finite = true;
  for (std::int64_t col = 0; col < n_cols; ++col) {
    finite = finite && kernels.all_finite(row + col * to.col_stride, 1);
  }
  return finite;
}

}  // namespace

RowLosses::Derivation RowLosses::Derivation::from(std::int64_t row) const {
  Derivation part = *this;
  if (class_ids != nullptr) part.class_ids += row;
  if (scales.each != nullptr) part.scales.each += row;
  return part;
}

void RowLosses::derive(std::int64_t begin, std::int64_t n, const RowInputs& inputs,
                       const RowScales& scales, Curvature curvature, void* losses) const {
  if (plan_.cols == 0) {
    if (losses != nullptr) compute(begin, n, inputs, losses);
    return;
  }
  Picks picks;
  for_each_run(
      plan_.outer, begin, n,
      [&](std::int64_t position, std::int64_t run, const std::int64_t* offsets) {
        const Slice slice = slice_at(offsets, run);
        if (has_class_ids_) pick(slice, inputs.class_ids + position, picks);
        const Derivation all{has_class_ids_ ? inputs.class_ids : nullptr, scales, curvature};
        void* const out =
            losses != nullptr ? static_cast<char*>(losses) + position * item_size_ : nullptr;
        derive_slice(slice, picks, all.from(position), out);
      });
  if (losses != nullptr) rescue(begin, n, inputs, losses);
}

void RowLosses::derive_slice(const Slice& slice, const Picks& picks, const Derivation& what,
                             void* losses) const {
  const bool in_place = (has_class_ids_ || is_in_place(kTrue, slice.t)) &&
                        is_in_place(kPred, slice.p) && writes_in_place(slice);
  const std::int64_t capacity = in_place ? kSegmentMin : kTileBytes / item_size_;
  const std::int64_t n_rows = slice.p.n_rows;
  const bool in_parts = plan_.cols > capacity;
  const std::int64_t step = in_parts ? 1 : in_place ? n_rows : capacity / plan_.cols;
  for (std::int64_t row = 0; row < n_rows; row += step) {
    void* const out = losses != nullptr ? static_cast<char*>(losses) + row * item_size_ : nullptr;
    if (in_parts) {
      RowFacts facts{};
      if (has_class_ids_) facts = picked_facts(picks, row);
      derive_in_parts(slice.from(row, 1), facts, what.from(row), out);
    } else {
      derive_block(slice.from(row, std::min(step, n_rows - row)), picks, row, what.from(row), out);
    }
  }
}

// Whether kernels can write the derivatives of these rows to where they belong.
bool RowLosses::writes_in_place(const Slice& slice) const {
  if (!is_in_place(kGradient, slice.derivatives[0])) return false;
  return slice.derivatives[1].data == nullptr ||
         (is_in_place(kHessian, slice.derivatives[1]) &&
          slice.derivatives[0].stride == slice.derivatives[1].stride &&
          column_stride(kGradient, slice.derivatives[0]) ==
              column_stride(kHessian, slice.derivatives[1]));
}

// Rows that fit a tile or are in place.
void RowLosses::derive_block(const Slice& block, const Picks& picks, std::int64_t first_pick,
                             const Derivation& what, void* losses) const {
  const std::int64_t n_rows = block.p.n_rows;
  Tile tiles[4];
  const auto place = [&](Operand operand, const RowSlice& rows, const void*& data,
                         std::int64_t& stride, std::int64_t& col_stride) {
    data = rows.data;
    stride = rows.stride;
    col_stride = column_stride(operand, rows);
    if (is_in_place(operand, rows)) return;
    load_tile(plan_, operand, kernels_, plan_.compute, rows, 0, plan_.cols, tiles[operand].bytes);
    data = tiles[operand].bytes;
    stride = plan_.cols * item_size_;
  };
  RowBlock rows{nullptr, nullptr, 0, 0, n_rows, plan_.cols, class_weights_from(0)};
  if (has_class_ids_) {
    rows.t = picks.predictions + first_pick * item_size_;
    rows.p_next = next_of_picked(block.p);
    if (wide_class_weights_ != nullptr) rows.label_weights = picks.weights + first_pick;
  } else {
    place(kTrue, block.t, rows.t, rows.t_stride, rows.t_col_stride);
  }
  place(kPred, block.p, rows.p, rows.p_stride, rows.p_col_stride);

  const bool has_hessian = block.derivatives[1].data != nullptr;
  const bool in_place = writes_in_place(block);
  RowDerivatives to{in_place ? writable(block.derivatives[0]) : static_cast<void*>(tiles[2].bytes),
                    in_place ? writable(block.derivatives[1]) : static_cast<void*>(tiles[3].bytes),
                    in_place ? block.derivatives[0].stride : plan_.cols * item_size_,
                    what.scales.each,
                    what.scales.all,
                    what.class_ids,
                    what.curvature == Curvature::kUpperBound,
                    in_place && plan_.streams,
                    in_place ? column_stride(kGradient, block.derivatives[0]) : 0};
  if (!has_hessian) to.hessian = nullptr;
  const bool finite = has_hessian
                          ? loss_->row_hessians(rows, plan_.divisor, args_.bytes, to, losses)
                          : loss_->row_gradients(rows, plan_.divisor, args_.bytes, to, losses);
  bool mend[kMostRows];
  bool any = false;
  if (!finite || what.scales.each != nullptr || !is_ordinary(what.scales.all)) {
    for (std::int64_t i = 0; i < n_rows; ++i) {
      mend[i] =
          !is_ordinary(what.scales.of(i)) ||
          (!finite && !(all_finite(kernels_, to.gradient, to, i, plan_.cols) &&
                        (!has_hessian || all_finite(kernels_, to.hessian, to, i, plan_.cols))));
      any = any || mend[i];
    }
  }
  if (!in_place) {
    for (int k = 0; k < (has_hessian ? 2 : 1); ++k) {
      store_tile(plan_, static_cast<Operand>(kGradient + k), kernels_, plan_.compute,
                 block.derivatives[k], 0, plan_.cols, tiles[2 + k].bytes);
    }
  }
  for (std::int64_t i = 0; any && i < n_rows; ++i) {
    if (mend[i]) mend_row(block.from(i, 1), what.from(i));
  }
}

// A row that is too long for that: all stages over all of it, then derivatives a tile at a time.
void RowLosses::derive_in_parts(const Slice& row, RowFacts facts, const Derivation& what,
                                void* loss) const {
  const double scale = what.scales.of(0);
  const bool at_once = is_sum_of_elements();
  SegmentSums sums{};
  if (!at_once) sums = sums_in_parts(kSlopeStages, row, facts);
  const RowSlopes slopes = loss_->slopes(sums.sums, facts, scale, plan_.divisor, args_.bytes);
  const Segments segments = segments_of(plan_.cols);
  SegmentSums parts[kMaxSegments] = {};
  bool finite = true;
  for (std::int64_t s = 0; s < segments.count; ++s) {
    const std::int64_t end = std::min((s + 1) * segments.length, plan_.cols);
    finite &= derive_range(row, s * segments.length, end, facts, slopes, what.curvature,
                           at_once && loss != nullptr ? parts + s : nullptr);
  }
  if (loss != nullptr) {
    if (at_once) {
      end_stage(kTerms, parts, facts);
      sums = parts[0];
    }
    store_loss(loss_->finish(sums.sums, facts, plan_.divisor, args_.bytes), plan_.compute, 0, loss);
  }
  end_row(row, facts, slopes, what, finite);
}

// Derivatives by elements [begin, end) of a row and, if it is not null, their sum of losses. Whether
// the derivatives are finite.
bool RowLosses::derive_range(const Slice& row, std::int64_t begin, std::int64_t end,
                             const RowFacts& facts, const RowSlopes& slopes, Curvature curvature,
                             SegmentSums* sums) const {
  Tile tiles[4];
  RowState state = {};
  const bool in_place = writes_in_place(row);
  const bool has_hessian = row.derivatives[1].data != nullptr;
  const std::int64_t step = kTileBytes / item_size_;
  bool finite = true;
  for (std::int64_t col = begin; col < end; col += step) {
    const std::int64_t n = std::min(step, end - col);
    const auto place = [&](Operand operand, const RowSlice& source) -> const void* {
      if (is_in_place(operand, source)) return source.data + col * item_size_;
      load_tile(plan_, operand, kernels_, plan_.compute, source, col, n, tiles[operand].bytes);
      return tiles[operand].bytes;
    };
    const RowPart part{has_class_ids_ ? nullptr : place(kTrue, row.t), place(kPred, row.p),
                       class_weights_from(col), n};
    const auto target = [&](int k) -> void* {
      return in_place ? writable(row.derivatives[k]) + col * item_size_
                      : static_cast<void*>(tiles[2 + k].bytes);
    };
    if (sums != nullptr) loss_->accumulate(kTerms, part, facts, args_.bytes, state);
    const RowDerivatives to{target(0), has_hessian ? target(1) : nullptr,   0,     nullptr, 0,
                            nullptr,   curvature == Curvature::kUpperBound, false, 0};
    finite &= loss_->part_gradients(part, facts, slopes, args_.bytes, to);
    if (in_place) continue;
    for (int k = 0; k < (has_hessian ? 2 : 1); ++k) {
      store_tile(plan_, static_cast<Operand>(kGradient + k), kernels_, plan_.compute,
                 row.derivatives[k], col, n, tiles[2 + k].bytes);
    }
  }
  if (sums != nullptr) sums->sums[0] = loss_->collect(state.sums[0]);
  return finite;
}

// What is left to do once all elements of a long row have been derived.
void RowLosses::end_row(const Slice& row, const RowFacts& facts, const RowSlopes& slopes,
                        const Derivation& what, bool finite) const {
  if (what.class_ids != nullptr) {
    double at_label[2];
    loss_->label_gradients(facts, slopes, args_.bytes, what.curvature == Curvature::kUpperBound,
                           at_label);
    for (int k = 0; k < 2; ++k) {
      if (row.derivatives[k].data == nullptr) continue;
      unsigned char value[sizeof(double)];
      store_loss(at_label[k], plan_.compute, 0, value);
      finite = finite && std::isfinite(load_loss(value, plan_.compute, 0));
      store_tile(plan_, static_cast<Operand>(kGradient + k), kernels_, plan_.compute,
                 row.derivatives[k], *what.class_ids, 1, value);
    }
  }
  if (!finite || !is_ordinary(what.scales.of(0))) mend_row(row, what);
}

// Whether a scale, divided, keeps its digits in the computation type whatever it is multiplied by.
bool RowLosses::is_ordinary(double scale) const {
  const double magnitude = std::fabs(scale / plan_.divisor);
  const double limit = plan_.compute == DType::kFloat32 ? 0x1p60 : 0x1p500;
  return magnitude >= 1 / limit && magnitude <= limit;
}

// Computes the derivatives of a row again: see [Rescue]. A row of scale 0 becomes 0. What has a NaN
// in its input stays as it is: the whole row, or single elements if they do not depend on each other.
void RowLosses::mend_row(const Slice& row, const Derivation& what) const {
  const double scale = what.scales.of(0);
  double t[kMendTile] = {};
  double p[kMendTile];
  double found[2][kMendTile];
  const auto for_elements = [&](auto use) {
    for (std::int64_t col = 0; col < plan_.cols; col += kMendTile) {
      const std::int64_t n = std::min(kMendTile, plan_.cols - col);
      if (scale != 0) {
        if (what.class_ids == nullptr) {
          load_tile(plan_, kTrue, wide_kernels_, DType::kFloat64, row.t, col, n, t);
        }
        load_tile(plan_, kPred, wide_kernels_, DType::kFloat64, row.p, col, n, p);
      }
      use(col, n);
    }
  };
  const auto store = [&](std::int64_t col, std::int64_t n) {
    for (int k = 0; k < 2; ++k) {
      if (row.derivatives[k].data != nullptr) store_part(row, col, n, k, found[k]);
    }
  };
  if (scale == 0) {
    std::fill_n(found[0], 2 * kMendTile, 0.0);
    for_elements(store);
    return;
  }
  const bool upper_bound = what.curvature == Curvature::kUpperBound;
  const bool has_hessian = row.derivatives[1].data != nullptr;
  const int index = plan_.info->index;
  if (is_pointwise(index)) {
    for_elements([&](std::int64_t col, std::int64_t n) {
      for (std::int64_t i = 0; i < n; ++i) {
        if (t[i] != t[i] || p[i] != p[i]) {
          found[0][i] = found[1][i] = std::numeric_limits<double>::quiet_NaN();
          continue;
        }
        rescue_derivatives(index, t[i], p[i], wide_args_.bytes, scale, plan_.divisor, upper_bound,
                           found[0] + i, has_hessian ? found[1] + i : nullptr);
      }
      store(col, n);
    });
    return;
  }
  bool has_nan = false;
  for_elements([&](std::int64_t, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) has_nan |= t[i] != t[i] || p[i] != p[i];
  });
  if (has_nan) return;
  RowRescue rescue(index, wide_args_.bytes);
  if (what.class_ids != nullptr) {
    double label;
    load_tile(plan_, kPred, wide_kernels_, DType::kFloat64, row.p, *what.class_ids, 1, &label);
    rescue.set_label(label,
                     wide_class_weights_ == nullptr ? 1 : wide_class_weights_[*what.class_ids]);
  }
  const auto weights_from = [&](std::int64_t col) {
    return wide_class_weights_ == nullptr ? nullptr : wide_class_weights_ + col;
  };
  for (const Stage stage : kSlopeStages) {
    if (!has_stage(stage)) continue;
    for_elements(
        [&](std::int64_t col, std::int64_t n) { rescue.add(stage, t, p, weights_from(col), n); });
    rescue.end_stage(stage);
  }
  for_elements([&](std::int64_t col, std::int64_t n) {
    if (what.class_ids != nullptr) {
      for (std::int64_t i = 0; i < n; ++i) t[i] = col + i == *what.class_ids ? 1.0 : 0.0;
    }
    rescue.derive(t, p, weights_from(col), n, scale, upper_bound, found[0],
                  has_hessian ? found[1] : nullptr);
    store(col, n);
  });
}

// Derivatives of elements [col, col + n) of a row, rounded to the computation type on their way.
void RowLosses::store_part(const Slice& row, std::int64_t col, std::int64_t n, int derivative,
                           const double* values) const {
  unsigned char typed[kMendTile * sizeof(double)];
  for (std::int64_t i = 0; i < n; ++i) store_loss(values[i], plan_.compute, i, typed);
  store_tile(plan_, static_cast<Operand>(kGradient + derivative), kernels_, plan_.compute,
             row.derivatives[derivative], col, n, typed);
}

RowSlopes RowLosses::slopes_of(const SegmentSums& sums, const RowFacts& facts, double scale) const {
  return loss_->slopes(sums.sums, facts, scale, plan_.divisor, args_.bytes);
}

bool RowLosses::is_sum_of_elements() const { return is_pointwise(plan_.info->index); }

bool RowLosses::derive_segment(std::int64_t row, std::int64_t segment, const RowFacts& facts,
                               const RowSlopes& slopes, Curvature curvature,
                               SegmentSums* sums) const {
  const std::int64_t length = segments_of(plan_.cols).length;
  return derive_range(row_slice(row), segment * length,
                      std::min((segment + 1) * length, plan_.cols), facts, slopes, curvature, sums);
}

void RowLosses::end_derivatives(std::int64_t begin, std::int64_t index, const RowInputs& inputs,
                                const RowScales& scales, const RowFacts& facts,
                                const RowSlopes& slopes, Curvature curvature, bool finite) const {
  const Derivation all{has_class_ids_ ? inputs.class_ids : nullptr, scales, curvature};
  end_row(row_slice(begin + index), facts, slopes, all.from(index), finite);
}

}  // namespace simdloss
