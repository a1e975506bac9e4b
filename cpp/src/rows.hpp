// SPDX-License-Identifier: Apache-2.0
#pragma once

// Losses of rows: from a plan to numbers, wherever the elements lie and however long rows are.

#include <cstdint>
#include <vector>

#include "kernels/abi.hpp"
#include "loss_args.hpp"
#include "plan.hpp"
#include "simdloss/gradient.hpp"
#include "tiles.hpp"

namespace simdloss {

struct Call;

// Rows with weights, masks or class ids that are computed, weighted and summed at a time: so many that
// what is done once a tile does not matter. A tile costs far more than its instructions where rows of
// a few elements come from memory, because what they leave in the L1 cache is read from L2 again:
// 0.5 us.
inline constexpr std::int64_t kRowTile = 512;
// Rows of a tile that nothing comes with: no weights, masks or class ids.
inline constexpr std::int64_t kBareTileBytes = 8192;  // of their losses
inline constexpr std::int64_t kMostRows = kBareTileBytes / sizeof(float);

// Elements that are read at a time where type and cost do not matter.
inline constexpr std::int64_t kScanTile = 512;

// How a long row is cut.
struct Segments {
  std::int64_t count;
  std::int64_t length;  // of all but the last
};
Segments segments_of(std::int64_t cols);

// Entry `index` of losses in the computation type.
double load_loss(const void* losses, DType compute, std::int64_t index);
void store_loss(double loss, DType compute, std::int64_t index, void* losses);

// The stages of losses, or of derivatives, in order.
struct StageList {
  Stage stages[3];
  const Stage* begin() const { return stages; }
  const Stage* end() const { return stages + 3; }
};
inline constexpr StageList kLossStages = {{kMax, kFirst, kTerms}};
inline constexpr StageList kSlopeStages = {{kMax, kFirst, kSlopeTerms}};

// What comes with a tile of rows beside their elements; row i of the tile has entry i.
struct RowInputs {
  const double* weights;          // null: all 1. Rows of weight 0 are not rescued
  const std::int64_t* class_ids;  // null where y_true holds none
};

// What derivatives of a tile of rows are multiplied by, weights included: row i by each[i], or all by
// `all`. Rows of scale 0 get zeros, whatever they hold.
struct RowScales {
  const double* each;
  double all;

  double of(std::int64_t i) const { return each != nullptr ? each[i] : all; }
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

  // Losses of rows [begin, begin + n), of one tile, in the computation type; rows may be of any
  // length but are computed on the calling thread.
  void compute(std::int64_t begin, std::int64_t n, const RowInputs& inputs, void* losses) const;

  // Derivatives of these rows, times their scales, to the plan's outputs; and the losses, with the
  // same bits as compute()'s, if they are not null.
  void derive(std::int64_t begin, std::int64_t n, const RowInputs& inputs, const RowScales& scales,
              Curvature curvature, void* losses) const;

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

  // Derivatives of a long row, after the last stage of kSlopeStages: all segments, then
  // end_derivatives() with whether all were finite. Losses that are sums over elements need no stage
  // before: their segments give what kTerms would make of them, too, if `sums` is not null.
  bool is_sum_of_elements() const;
  RowSlopes slopes_of(const SegmentSums& sums, const RowFacts& facts, double scale) const;
  bool derive_segment(std::int64_t row, std::int64_t segment, const RowFacts& facts,
                      const RowSlopes& slopes, Curvature curvature, SegmentSums* sums) const;
  void end_derivatives(std::int64_t begin, std::int64_t index, const RowInputs& inputs,
                       const RowScales& scales, const RowFacts& facts, const RowSlopes& slopes,
                       Curvature curvature, bool finite) const;

  // Whether all labels of elements [col_begin, col_end) of these rows are 0 or 1. In row_labels.cpp.
  bool labels_are_binary(std::int64_t row_begin, std::int64_t n_rows, std::int64_t col_begin,
                         std::int64_t col_end) const;

 private:
  // Rows of all operands at constant distances.
  struct Slice {
    RowSlice t;
    RowSlice p;
    RowSlice derivatives[2];  // gradient and Hessian, which are written
    Slice from(std::int64_t row, std::int64_t n_rows) const;
  };
  // What class ids choose, for the rows of a tile: predictions (in the computation type) and, if
  // classes have weights, those.
  struct Picks {
    alignas(64) unsigned char predictions[kRowTile * sizeof(double)];
    double weights[kRowTile];
  };
  // What derivatives of the rows of a slice take.
  struct Derivation {
    const std::int64_t* class_ids;  // null where y_true holds none
    RowScales scales;
    Curvature curvature;
    Derivation from(std::int64_t row) const;
  };

  Slice slice_at(const std::int64_t* offsets, std::int64_t n_rows) const;
  Slice row_slice(std::int64_t row) const;
  const void* class_weights_from(std::int64_t col) const;
  bool is_in_place(Operand operand, const RowSlice& rows) const;
  std::int64_t column_stride(Operand operand, const RowSlice& rows) const;
  std::int64_t next_of_picked(const RowSlice& rows) const;
  RowFacts picked_facts(const Picks& picks, std::int64_t index) const;
  void pick(const Slice& slice, const std::int64_t* class_ids, Picks& picks) const;

  void compute_slice(const Slice& slice, const Picks& picks, void* losses) const;
  SegmentSums sums_in_parts(const StageList& stages, const Slice& row, RowFacts& facts) const;
  SegmentSums sums_of_range(Stage stage, const Slice& row, std::int64_t begin, std::int64_t end,
                            const RowFacts& facts) const;
  void rescue(std::int64_t begin, std::int64_t n, const RowInputs& inputs, void* losses) const;
  bool rescue_row(std::int64_t row, const std::int64_t* class_id, double& loss) const;

  // In row_derivatives.cpp.
  bool writes_in_place(const Slice& slice) const;
  void derive_slice(const Slice& slice, const Picks& picks, const Derivation& what,
                    void* losses) const;
  void derive_block(const Slice& block, const Picks& picks, std::int64_t first_pick,
                    const Derivation& what, void* losses) const;
  void derive_in_parts(const Slice& row, RowFacts facts, const Derivation& what, void* loss) const;
  bool derive_range(const Slice& row, std::int64_t begin, std::int64_t end, const RowFacts& facts,
                    const RowSlopes& slopes, Curvature curvature, SegmentSums* sums) const;
  void end_row(const Slice& row, const RowFacts& facts, const RowSlopes& slopes,
               const Derivation& what, bool finite) const;
  bool is_ordinary(double scale) const;
  Halves halves_in_place() const;
  void mend_row(const Slice& row, const Derivation& what) const;
  void store_part(const Slice& row, std::int64_t col, std::int64_t n, int derivative,
                  const double* values) const;

  const Call& call_;
  const Plan& plan_;
  const TypeKernels& kernels_;
  const TypeKernels& wide_kernels_;  // of type double and with fma, for rescue
  const LossKernels* loss_;          // null if y_pred holds the losses
  bool has_class_ids_;
  std::int64_t item_size_;
  bool direct_[kOperands] = {};  // whether rows can stay where they are: is_direct()
  Halves halves_;                // that kernels of losses read from where it is
  LossArgs args_;
  LossArgs wide_args_;
  const double* wide_class_weights_ = nullptr;  // null: all 1
  std::vector<unsigned char> class_weights_;    // in the computation type
};

}  // namespace simdloss
