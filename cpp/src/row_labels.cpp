// SPDX-License-Identifier: Apache-2.0

// What labels of elements stand for.

#include <algorithm>

#include "call.hpp"
#include "rows.hpp"
#include "tiles.hpp"

namespace simdloss {

bool RowLosses::labels_are_binary(std::int64_t row_begin, std::int64_t n_rows,
                                  std::int64_t col_begin, std::int64_t col_end) const {
  // Labels are converted to double, in which none but 0 and 1 becomes one of them.
  double labels[kScanTile];
  const auto slice_is_binary = [&](const RowSlice& rows) {
    const std::int64_t n_cols = col_end - col_begin;
    const bool adjacent = rows.stride == n_cols * item_size_;
    if (direct_[kTrue] && (adjacent || n_cols > 1)) {
      const std::int64_t length = adjacent ? rows.n_rows * n_cols : n_cols;
      const char* row = rows.data + col_begin * item_size_;
      for (std::int64_t i = 0; i < (adjacent ? 1 : rows.n_rows); ++i, row += rows.stride) {
        if (!kernels_.all_binary(row, length)) return false;
      }
      return true;
    }
    const std::int64_t col_step = std::clamp<std::int64_t>(n_cols, 1, kScanTile);
    const std::int64_t row_step = kScanTile / col_step;
    for (std::int64_t row = 0; row < rows.n_rows; row += row_step) {
      const RowSlice part{rows.data + row * rows.stride, rows.stride,
                          std::min(row_step, rows.n_rows - row)};
      for (std::int64_t col = col_begin; col < col_end; col += col_step) {
        const std::int64_t n = std::min(col_step, col_end - col);
        load_tile(plan_, kTrue, wide_kernels_, DType::kFloat64, part, col, n, labels);
        if (!wide_kernels_.all_binary(labels, n * part.n_rows)) return false;
      }
    }
    return true;
  };
  bool binary = true;
  for_each_run(plan_.outer, row_begin, n_rows,
               [&](std::int64_t, std::int64_t run, const std::int64_t* offsets) {
                 binary = binary && slice_is_binary(slice_at(offsets, run).t);
               });
  return binary;
}

}  // namespace simdloss
