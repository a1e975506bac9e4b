// SPDX-License-Identifier: Apache-2.0
#include "rows.hpp"

#include <algorithm>
#include <cmath>

#include "rescue.hpp"
#include "tiles.hpp"
#include "two_sum.hpp"

namespace simdloss {
namespace {

// What a tile of one operand may take: two of them leave room in a 32 KiB L1 cache.
constexpr std::int64_t kTileBytes = 8192;
// Elements that are read at a time where type and cost do not matter.
constexpr std::int64_t kScanTile = 512;

struct alignas(64) Tile {
  unsigned char bytes[kTileBytes];
};

// The sum of two neighbouring segments, as in the halving tree over lanes.
RowSum merged(const RowSum& a, const RowSum& b) {
  const auto [hi, error] = two_sum(a.hi, b.hi);
  return {hi, (a.lo + b.lo) + error};
}

void store_loss(double loss, DType compute, std::int64_t index, void* losses) {
  if (compute == DType::kFloat32) {
    static_cast<float*>(losses)[index] = static_cast<float>(loss);
  } else {
    static_cast<double*>(losses)[index] = loss;
  }
}

bool all_binary(const double* labels, std::int64_t n) {
  bool binary = true;
  for (std::int64_t i = 0; i < n; ++i) binary &= labels[i] == 0.0 || labels[i] == 1.0;
  return binary;
}

bool has_nan(const double* x, std::int64_t n) {
  bool found = false;
  for (std::int64_t i = 0; i < n; ++i) found |= x[i] != x[i];
  return found;
}

}  // namespace

Segments segments_of(std::int64_t cols) {
  if (cols <= kSegmentMin) return {1, cols};
  const std::int64_t wanted = std::min(kMaxSegments, (cols + kSegmentMin - 1) / kSegmentMin);
  // So that a segment's lanes are those of the row.
  constexpr std::int64_t unit = kTile<float>;
  const std::int64_t length = ((cols + wanted - 1) / wanted + unit - 1) / unit * unit;
  return {(cols + length - 1) / length, length};
}

// Rows of both operands at constant distances.
struct RowLosses::Slice {
  RowSlice t;
  RowSlice p;
};

RowLosses::RowLosses(const Plan& plan, const KernelTable& table, const BoundLoss* loss,
                     bool binary_labels)
    : plan_(plan),
      kernels_(plan.compute == DType::kFloat32 ? table.f32 : table.f64),
      wide_kernels_(table.isa == Isa::kBaseline ? scalar_kernels().f64 : table.f64),
      loss_(loss != nullptr ? &kernels_.losses[loss->info().index] : nullptr),
      item_size_(static_cast<std::int64_t>(item_size(plan.compute))),
      direct_true_(is_direct(plan, kTrue, plan.compute)),
      direct_pred_(is_direct(plan, kPred, plan.compute)) {
  if (loss == nullptr) return;
  const Settings settings{loss->params().data(), plan.epsilon, plan.one_minus_epsilon,
                          binary_labels};
  args_ = derive_args(loss->info().index, settings, plan.compute);
  wide_args_ = derive_args(loss->info().index, settings, DType::kFloat64);
}

RowLosses::Slice RowLosses::row_slice(std::int64_t row) const {
  Slice slice{};
  for_each_run(plan_.outer, row, 1, [&](std::int64_t, std::int64_t, const std::int64_t* offsets) {
    slice = {{plan_.data[kTrue] + offsets[kTrue], 0, 1},
             {plan_.data[kPred] + offsets[kPred], 0, 1}};
  });
  return slice;
}

void RowLosses::compute(std::int64_t begin, std::int64_t n, const double* weights,
                        void* losses) const {
  if (plan_.cols == 0) {
    for (std::int64_t i = 0; i < n; ++i) {
      store_loss(0.0 / plan_.divisor, plan_.compute, i, losses);
    }
    return;
  }
  char* const out = static_cast<char*>(losses);
  for_each_run(plan_.outer, begin, n,
               [&](std::int64_t position, std::int64_t run, const std::int64_t* offsets) {
                 const Slice slice{
                     {plan_.data[kTrue] + offsets[kTrue], plan_.outer.inner_stride(kTrue), run},
                     {plan_.data[kPred] + offsets[kPred], plan_.outer.inner_stride(kPred), run}};
                 compute_slice(slice, out + position * item_size_);
               });
  if (loss_ != nullptr) rescue(begin, n, weights, losses);
}

void RowLosses::compute_slice(const Slice& slice, void* losses) const {
  if (loss_ == nullptr) {
    load_tile(plan_, kPred, kernels_, plan_.compute, slice.p, 0, 1, losses);
    return;
  }
  RowBlock rows{slice.t.data,   slice.p.data,   slice.t.stride,
                slice.p.stride, slice.t.n_rows, plan_.cols};
  // A column that steps evenly is read as a row by load_tile(), which row_losses() cannot.
  const bool scattered = plan_.cols == 1 && slice.t.n_rows > 1;
  const bool t_in_place = direct_true_ && !(scattered && rows.t_stride != item_size_);
  const bool p_in_place = direct_pred_ && !(scattered && rows.p_stride != item_size_);
  const bool in_place = t_in_place && p_in_place;
  const std::int64_t capacity = in_place ? kSegmentMin : kTileBytes / item_size_;
  if (plan_.cols > capacity) {
    for (std::int64_t row = 0; row < slice.t.n_rows; ++row) {
      const Slice one{{slice.t.data + row * slice.t.stride, 0, 1},
                      {slice.p.data + row * slice.p.stride, 0, 1}};
      const Segments segments = segments_of(plan_.cols);
      RowSum sum = sum_of_range(one, 0, std::min(segments.length, plan_.cols));
      for (std::int64_t s = 1; s < segments.count; ++s) {
        sum = merged(sum, sum_of_range(one, s * segments.length,
                                       std::min((s + 1) * segments.length, plan_.cols)));
      }
      store_loss((sum.hi + sum.lo) / plan_.divisor + 0.0, plan_.compute, row, losses);
    }
    return;
  }
  if (in_place) {
    loss_->row_losses(rows, plan_.divisor, args_.bytes, losses);
    return;
  }
  Tile t_tile;
  Tile p_tile;
  const std::int64_t step = capacity / plan_.cols;
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
    place(kTrue, slice.t, t_in_place, t_tile, rows.t, rows.t_stride);
    place(kPred, slice.p, p_in_place, p_tile, rows.p, rows.p_stride);
    loss_->row_losses(rows, plan_.divisor, args_.bytes,
                      static_cast<char*>(losses) + row * item_size_);
  }
}

RowSum RowLosses::sum_of_range(const Slice& row, std::int64_t begin, std::int64_t end) const {
  LaneSums lanes = {};
  if (direct_true_ && direct_pred_) {
    loss_->accumulate(row.t.data + begin * item_size_, row.p.data + begin * item_size_, end - begin,
                      args_.bytes, lanes);
    return kernels_.finish(lanes);
  }
  Tile t_tile;
  Tile p_tile;
  const std::int64_t step = kTileBytes / item_size_;  // whole pairs of steps
  for (std::int64_t col = begin; col < end; col += step) {
    const std::int64_t n = std::min(step, end - col);
    const auto place = [&](Operand operand, const RowSlice& source, bool direct,
                           Tile& tile) -> const void* {
      if (direct) return source.data + col * item_size_;
      load_tile(plan_, operand, kernels_, plan_.compute, source, col, n, tile.bytes);
      return tile.bytes;
    };
    const void* const t = place(kTrue, row.t, direct_true_, t_tile);
    const void* const p = place(kPred, row.p, direct_pred_, p_tile);
    loss_->accumulate(t, p, n, args_.bytes, lanes);
  }
  return kernels_.finish(lanes);
}

RowSum RowLosses::segment_sum(std::int64_t row, std::int64_t segment) const {
  const std::int64_t length = segments_of(plan_.cols).length;
  return sum_of_range(row_slice(row), segment * length,
                      std::min((segment + 1) * length, plan_.cols));
}

bool RowLosses::finish_long_row(std::int64_t row, const RowSum* sums, bool takes_part,
                                std::int64_t index, void* losses) const {
  RowSum sum = sums[0];
  for (std::int64_t s = 1; s < segments_of(plan_.cols).count; ++s) sum = merged(sum, sums[s]);
  double loss = (sum.hi + sum.lo) / plan_.divisor + 0.0;
  store_loss(loss, plan_.compute, index, losses);
  // Through the computation type, because it may overflow where double does not.
  const bool finite = plan_.compute == DType::kFloat32
                          ? std::isfinite(static_cast<float*>(losses)[index])
                          : std::isfinite(loss);
  if (finite || !takes_part) return false;
  if (rescue_row(row, loss)) store_loss(loss, plan_.compute, index, losses);
  return true;
}

void RowLosses::rescue(std::int64_t begin, std::int64_t n, const double* weights,
                       void* losses) const {
  const bool is_float = plan_.compute == DType::kFloat32;
  const auto* const floats = static_cast<const float*>(losses);
  const auto* const doubles = static_cast<const double*>(losses);
  if (kernels_.all_finite(losses, n)) return;
  for (std::int64_t i = 0; i < n; ++i) {
    if (std::isfinite(is_float ? double{floats[i]} : doubles[i])) continue;
    if (weights != nullptr && weights[i] == 0) continue;
    double loss;
    if (rescue_row(begin + i, loss)) store_loss(loss, plan_.compute, i, losses);
  }
}

// False if the row has a NaN. That is looked for in all of the row before anything is computed.
bool RowLosses::rescue_row(std::int64_t row, double& loss) const {
  const Slice slice = row_slice(row);
  double t[kScanTile];
  double p[kScanTile];
  double plain[kScanTile];
  const auto load = [&](std::int64_t col) {
    const std::int64_t n = std::min(kScanTile, plan_.cols - col);
    load_tile(plan_, kTrue, wide_kernels_, DType::kFloat64, slice.t, col, n, t);
    load_tile(plan_, kPred, wide_kernels_, DType::kFloat64, slice.p, col, n, p);
    return n;
  };
  for (std::int64_t col = 0; col < plan_.cols; col += kScanTile) {
    const std::int64_t n = load(col);
    if (has_nan(t, n) || has_nan(p, n)) return false;
  }
  WideSum sum;
  for (std::int64_t col = 0; col < plan_.cols; col += kScanTile) {
    const std::int64_t n = plan_.cols > kScanTile ? load(col) : plan_.cols;
    const RowBlock elements{t, p, sizeof(double), sizeof(double), n, 1};
    wide_kernels_.losses[plan_.info->index].row_losses(elements, 1.0, wide_args_.bytes, plain);
    rescue_elements(plan_.info->index, t, p, plain, n, wide_args_.bytes, sum);
  }
  loss = (sum.value() / Wide(plan_.divisor)).value() + 0.0;
  return true;
}

bool RowLosses::labels_are_binary(std::int64_t row_begin, std::int64_t n_rows,
                                  std::int64_t col_begin, std::int64_t col_end) const {
  bool binary = true;
  double labels[kScanTile];
  const std::int64_t n_cols = std::min(kScanTile, col_end - col_begin);
  const std::int64_t row_step = n_cols > 0 ? kScanTile / n_cols : n_rows;
  for_each_run(plan_.outer, row_begin, n_rows,
               [&](std::int64_t, std::int64_t run, const std::int64_t* offsets) {
                 const std::int64_t stride = plan_.outer.inner_stride(kTrue);
                 for (std::int64_t row = 0; binary && row < run; row += row_step) {
                   const RowSlice slice{plan_.data[kTrue] + offsets[kTrue] + row * stride, stride,
                                        std::min(row_step, run - row)};
                   for (std::int64_t col = col_begin; binary && col < col_end; col += n_cols) {
                     const std::int64_t n = std::min(n_cols, col_end - col);
                     load_tile(plan_, kTrue, wide_kernels_, DType::kFloat64, slice, col, n, labels);
                     binary = all_binary(labels, n * slice.n_rows);
                   }
                 }
               });
  return binary;
}

}  // namespace simdloss
