// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "simdloss/array_view.hpp"
#include "simdloss/catalog.hpp"
#include "simdloss/error.hpp"
#include "simdloss/reduction.hpp"

namespace simdloss {

/// Axes that a row consists of: what is averaged (or summed) to the loss of one sample.
struct Axes {
  bool all = false;                    ///< every axis
  std::vector<std::int64_t> list{-1};  ///< otherwise these; empty: every element is a sample
};

/// A loss with its parameters, validated. Immutable; may be shared between threads.
class BoundLoss {
 public:
  const LossInfo& info() const { return *info_; }
  const std::vector<double>& params() const { return params_; }

 private:
  friend BoundLoss bind_loss(const LossInfo& info, const std::vector<double>& params);
  const LossInfo* info_ = nullptr;
  std::vector<double> params_;
};

/// Checks `params` (in the order of info.params; bools as 0 and 1) against their domains. Throws
/// Error (kValue) naming the parameter.
BoundLoss bind_loss(const LossInfo& info, const std::vector<double>& params);

/// Whether {0, 1} labels stand for {-1, 1} (losses with converts_binary_labels only).
enum class Labels : std::uint8_t { kAuto, kBinary, kSigned };

/// Everything about a call that is neither loss nor data.
struct Request {
  Axes axes;
  Reduction reduction = Reduction::kMean;
  Empty empty = Empty::kZero;
  Labels labels = Labels::kAuto;
  double epsilon = 1e-7;       ///< probability clipping: [epsilon, 1 - epsilon]; 0 for none
  std::optional<DType> dtype;  ///< result dtype; if absent y_pred's, or default_dtype for integers
  DType default_dtype = DType::kFloat32;
  int threads = 0;                       ///< 0: num_threads() and only as many as the work is worth
  bool (*interrupted)(void*) = nullptr;  ///< polled between chunks by the calling thread
  void* interrupted_context = nullptr;
};

/// The arrays of a call. Optional ones are null. See docs for the shapes that are accepted.
struct Operands {
  ArrayView y_true;
  ArrayView y_pred;
  const ArrayView* sample_weight = nullptr;
  const ArrayView* mask = nullptr;
};

/// Shape and dtype of what evaluate() writes. Validates everything that can be known before any
/// work; throws Error.
struct ResultType {
  std::vector<std::int64_t> shape;
  DType dtype;
};
ResultType result_type(const BoundLoss& loss, const Operands& operands, const Request& request);

/// Writes the per-sample losses (Reduction::kNone) or the reduced loss to `out`, whose shape must
/// be that of result_type(). Throws Error; `out` is then untouched unless the error was
/// kInterrupted.
void evaluate(const BoundLoss& loss, const Operands& operands, const Request& request,
              const MutableArrayView& out);

/// The state that reduces to evaluate()'s scalar; request.reduction must not be kNone.
PartialSums partial_sums(const BoundLoss& loss, const Operands& operands, const Request& request);

/// The same for per-sample losses that were computed elsewhere: y_pred holds them, y_true is not
/// read, request.axes is ignored.
ResultType reduced_type(const Operands& operands, const Request& request);
void reduce(const Operands& operands, const Request& request, const MutableArrayView& out);
PartialSums partial_sums(const Operands& operands, const Request& request,
                         std::uint64_t fingerprint);

}  // namespace simdloss
