// SPDX-License-Identifier: Apache-2.0
#pragma once

// Losses of rows: from a plan to numbers, wherever the elements lie and however long rows are.

#include <cstdint>
#include <vector>

#include "kernels/abi.hpp"
#include "loss_args.hpp"
#include "plan.hpp"

namespace simdloss {

struct Call;

// How a long row is cut.
struct Segments {
  std::int64_t count;
  std::int64_t length;  // of all but the last
};
Segments segments_of(std::int64_t cols);

// Entry `index` of losses in the computation type.
double load_loss(const void* losses, DType compute, std::int64_t index);

// What comes with a tile of rows beside their elements; row i of the tile has entry i.
struct RowInputs {
  const double* weights;          // null: all 1. Rows of weight 0 are not rescued
  const std::int64_t* class_ids;  // null where y_true holds none
};

// What a stage makes of a segment of a long row, or of the whole row.
struct SegmentSums {
  double max;
  double ties;
  RowSum sums[kMaxLaneSums];
};

// A loss that is ready to run on a plan's operands. Immutable and shared by all threads.
class RowLosses {
 public:
  // `binary_labels` decides what {0, 1} labels stand for, in losses that convert.
  RowLosses(const Call& call, bool binary_labels);

  // Losses of rows [begin, begin + n), n <= kRowTile, in the computation type; rows may be of any
  // length but are computed on the calling thread.
  void compute(std::int64_t begin, std::int64_t n, const RowInputs& inputs, void* losses) const;

  // Long rows, in parts: for each stage that there is, all segments, then end_stage().
  bool has_stage(Stage stage) const { return loss_->stages[stage]; }
  // What is known of row `index` of a tile that begins at row `begin` before its first stage.
  RowFacts facts_of(std::int64_t begin, std::int64_t index, const RowInputs& inputs) const;
  SegmentSums segment_sums(Stage stage, std::int64_t row, std::int64_t segment,
                           const RowFacts& facts) const;
  // Merges the segments into the first of them and adds to the facts what later stages need.
  void end_stage(Stage stage, SegmentSums* segments, RowFacts& facts) const;
  // The loss of a long row from its last stage, stored as entry `index` of `losses`. A row that does
  // not take part is not rescued. Whether the row was looked at once more.
  bool finish_long_row(std::int64_t begin, std::int64_t index, const RowInputs& inputs,
                       const SegmentSums& sums, const RowFacts& facts, void* losses) const;

  // Whether all labels of elements [col_begin, col_end) of these rows are 0 or 1.
  bool labels_are_binary(std::int64_t row_begin, std::int64_t n_rows, std::int64_t col_begin,
                         std::int64_t col_end) const;

 private:
  struct Slice;
  struct Picks;
  void compute_slice(const Slice& slice, const Picks& picks, void* losses) const;
  double loss_in_parts(const Slice& row, RowFacts facts) const;
  SegmentSums sums_of_range(Stage stage, const Slice& row, std::int64_t begin, std::int64_t end,
                            const RowFacts& facts) const;
  RowFacts picked_facts(const Picks& picks, std::int64_t index) const;
  void pick(const Slice& slice, const std::int64_t* class_ids, Picks& picks) const;
  void rescue(std::int64_t begin, std::int64_t n, const RowInputs& inputs, void* losses) const;
  bool rescue_row(std::int64_t row, const std::int64_t* class_id, double& loss) const;
  Slice row_slice(std::int64_t row) const;
  const void* class_weights_from(std::int64_t col) const;

  const Call& call_;
  const Plan& plan_;
  const TypeKernels& kernels_;
  const TypeKernels& wide_kernels_;  // of type double and with fma, for rescue
  const LossKernels* loss_;          // null if y_pred holds the losses
  bool has_class_ids_;
  std::int64_t item_size_;
  bool direct_true_;
  bool direct_pred_;
  LossArgs args_;
  LossArgs wide_args_;
  const double* wide_class_weights_;          // null: all 1
  std::vector<unsigned char> class_weights_;  // in the computation type
};

}  // namespace simdloss
