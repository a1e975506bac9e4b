// SPDX-License-Identifier: Apache-2.0
#pragma once

// Losses of rows: from a plan to numbers, wherever the elements lie and however long rows are.

#include <cstdint>

#include "kernels/abi.hpp"
#include "loss_args.hpp"
#include "plan.hpp"

namespace simdloss {

// Rows that are computed, weighted and summed at a time.
inline constexpr std::int64_t kRowTile = 256;

// A row above kSegmentMin elements is cut into segments, at most kMaxSegments, whose length
// depends on the row's length alone. Their sums are merged in order.
inline constexpr std::int64_t kSegmentMin = std::int64_t{1} << 16;
inline constexpr std::int64_t kMaxSegments = 64;

struct Segments {
  std::int64_t count;
  std::int64_t length;  // of all but the last
};
Segments segments_of(std::int64_t cols);

// A loss that is ready to run on a plan's operands. Immutable and shared by all threads.
class RowLosses {
 public:
  // `binary_labels` decides what {0, 1} labels stand for, in losses that convert.
  RowLosses(const Plan& plan, const KernelTable& table, const BoundLoss* loss, bool binary_labels);

  // Losses of rows [begin, begin + n), n <= kRowTile, in the computation type; rows may be of any
  // length but are computed on the calling thread. Rows whose `weights` (if not null) are 0 are not
  // rescued.
  void compute(std::int64_t begin, std::int64_t n, const double* weights, void* losses) const;

  // The sum of one segment of a long row.
  RowSum segment_sum(std::int64_t row, std::int64_t segment) const;
  // The loss of a long row from the sums of its segments, stored as entry `index` of `losses`. A
  // row that does not take part is not rescued. Whether the row was looked at once more.
  bool finish_long_row(std::int64_t row, const RowSum* sums, bool takes_part, std::int64_t index,
                       void* losses) const;

  // Whether all labels of elements [col_begin, col_end) of these rows are 0 or 1.
  bool labels_are_binary(std::int64_t row_begin, std::int64_t n_rows, std::int64_t col_begin,
                         std::int64_t col_end) const;

 private:
  struct Slice;
  void compute_slice(const Slice& slice, void* losses) const;
  RowSum sum_of_range(const Slice& row, std::int64_t begin, std::int64_t end) const;
  void rescue(std::int64_t begin, std::int64_t n, const double* weights, void* losses) const;
  bool rescue_row(std::int64_t row, double& loss) const;
  Slice row_slice(std::int64_t row) const;

  const Plan& plan_;
  const TypeKernels& kernels_;
  const TypeKernels& wide_kernels_;  // of type double and with fma, for rescue
  const LossKernels* loss_;          // null if y_pred holds the losses
  std::int64_t item_size_;
  bool direct_true_;
  bool direct_pred_;
  LossArgs args_;
  LossArgs wide_args_;
};

}  // namespace simdloss
