// SPDX-License-Identifier: Apache-2.0
#pragma once

// A call, validated and reduced to loops: which elements form the rows, how the operands lie in
// memory, in which type to compute and what comes out. Everything that can be wrong with shapes,
// dtypes and options is found here, before any work.

#include <cstdint>

#include "simdloss/evaluate.hpp"

namespace simdloss {

enum Operand : int { kTrue, kPred, kWeight, kMask, kOut, kGradient, kHessian, kOperands };

// Where derivatives go; null where they are not wanted.
struct DerivativeViews {
  const MutableArrayView* gradient = nullptr;
  const MutableArrayView* hessian = nullptr;
  const char* gradient_name = "out";  // in errors
};

// Dimensions that all operands share, outermost first, with each operand's stride in bytes (0 where
// it is absent or broadcast). Canonical: no dimension of size 1, adjacent ones merged where every
// operand allows it; but at least one dimension.
struct Dims {
  int rank;
  std::int64_t size[kMaxRank + 1];
  std::int64_t stride[kOperands][kMaxRank + 1];

  std::int64_t inner_stride(Operand operand) const { return stride[operand][rank - 1]; }
};

// Calls f(position, count, offsets) for runs along the innermost dimension that make up the flat
// range [begin, begin + count); offsets[k] is the byte offset of the run's first element.
template <class F>
void for_each_run(const Dims& dims, std::int64_t begin, std::int64_t count, F f) {
  if (count <= 0) return;  // a dimension may be 0
  const int last = dims.rank - 1;
  std::int64_t index[kMaxRank + 1];
  std::int64_t rest = begin;
  for (int d = last; d >= 0; --d) {
    index[d] = rest % dims.size[d];
    rest /= dims.size[d];
  }
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t room = dims.size[last] - index[last];
    const std::int64_t run = room < count - done ? room : count - done;
    std::int64_t offsets[kOperands];
    for (int k = 0; k < kOperands; ++k) {
      offsets[k] = 0;
      for (int d = 0; d <= last; ++d) offsets[k] += index[d] * dims.stride[k][d];
    }
    f(done, run, offsets);
    done += run;
    index[last] += run;
    for (int d = last; d > 0 && index[d] == dims.size[d]; --d) {
      index[d] = 0;
      ++index[d - 1];
    }
  }
}

// Drops dimensions of size 1 and merges neighbours that all operands step through evenly.
void canonicalize(Dims& dims);

struct Plan {
  const LossInfo* info;  // null: y_pred holds per-sample losses, rows have one element
  Reduction reduction;
  Empty empty;
  DType compute;  // kFloat32 or kFloat64
  DType result;
  double epsilon;  // clip bounds, rounded to the declared dtype
  double one_minus_epsilon;

  bool weighted;  // whether there are weights; their data may be null where there are no entries
  bool masked;
  const char* data[kOperands];  // of what is read; kOut is not used here
  char* derivatives[2];         // kGradient and kHessian, or null
  bool streams;                 // they are so large that they should not go through the caches
  DType dtype[kOperands];
  Dims outer;  // one entry a row; kOut: set by the caller of place_output()
  Dims inner;  // the elements of a row
  std::int64_t rows;
  std::int64_t cols;
  double divisor;  // of the sum over a row

  // The weights before they are broadcast to the loss: dimensions of weight and mask together.
  Dims weights;
  std::int64_t n_weights;
  // The mask as it was given.
  Dims mask;
  std::int64_t mask_count;

  // The loss after its rank was adjusted to the weights'; also the shape of per-sample results.
  int loss_rank;
  std::int64_t loss_shape[kMaxRank + 1];
};

// The elements of a call, or what costs as much: a sample counts as one at least.
inline std::int64_t element_count(const Plan& plan) {
  return plan.rows * (plan.cols > 0 ? plan.cols : 1);
}

// Throws Error.
void make_plan(const BoundLoss* loss, const Operands& operands, const Request& request, Plan& plan,
               const DerivativeViews& derivatives = {});

// Whether the result is the loss of each sample: without a reduction and, as in Keras, for the
// empty batch of a loss of rank 1 unless the caller says what the mean over nothing is.
bool is_unreduced(const Plan& plan);

// Checks the output against the plan and puts its strides into plan.outer. Throws Error.
void place_output(const MutableArrayView& out, const char* name, Plan& plan);

}  // namespace simdloss
