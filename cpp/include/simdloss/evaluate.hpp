// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "simdloss/array_view.hpp"
#include "simdloss/catalog.hpp"
#include "simdloss/error.hpp"
#include "simdloss/export.h"
#include "simdloss/reduction.hpp"

namespace simdloss {

/// Losses of arrays.
///
/// Thread safety: any number of threads may call any of these functions at a time, on one BoundLoss
/// and the same operands. Arrays that a call writes to must not overlap those that it, or another
/// call at that time, reads or writes. Calls depend on force_isa() and set_num_threads() alone.
/// Where they run on threads of their own, these are idle again when the call returns.
///
/// Ownership: what a call is given is borrowed until it returns, and nothing of it is kept; what it
/// returns owns its memory. A result that is a scalar needs no memory that grows with the operands.
///
/// Errors: an Error of the stated code, or std::bad_alloc. Nothing is printed and no signal handler
/// is set. The floating-point environment is left alone: it should be the default one, which rounds
/// to nearest and keeps subnormal numbers.

/// Axes that a row consists of: what is averaged (or summed) to the loss of one sample.
struct Axes {
  bool all = false;                    ///< every axis
  std::vector<std::int64_t> list{-1};  ///< otherwise these; empty: every element is a sample
};

/// A loss with its parameters, validated, as bind_loss() makes it. Immutable; may be shared between
/// threads.
class BoundLoss {
 public:
  const LossInfo& info() const { return *info_; }
  const std::vector<double>& params() const { return params_; }
  const std::vector<double>& class_weights() const { return class_weights_; }

 private:
  BoundLoss() = default;
  friend SIMDLOSS_API BoundLoss bind_loss(const LossInfo& info, const std::vector<double>& params,
                                          std::vector<double> class_weights);
  const LossInfo* info_ = nullptr;
  std::vector<double> params_;
  std::vector<double> class_weights_;
};

/// Checks `params` (in the order of info.params; bools as 0 and 1) against their domains. Throws
/// Error (kValue) naming the parameter. `info` is an entry of the catalogue or a copy of one.
/// `class_weights` (losses with has_classes only; finite, >= 0) multiply what the classes
/// contribute to the loss of a row; empty: all 1. Calls check that there is one for each class.
SIMDLOSS_API BoundLoss bind_loss(const LossInfo& info, const std::vector<double>& params,
                                 std::vector<double> class_weights = {});

/// What bind_loss() takes for `params` where nothing else is wanted.
inline std::vector<double> default_params(const LossInfo& info) {
  std::vector<double> params;
  params.reserve(static_cast<std::size_t>(info.n_params));
  for (int i = 0; i < info.n_params; ++i) params.push_back(info.params[i].default_value);
  return params;
}

/// Whether {0, 1} labels stand for {-1, 1} (losses with converts_binary_labels only).
enum class Labels : std::uint8_t { kAuto, kBinary, kSigned };

/// Everything about a call that is neither loss nor data. What a loss has no use for is not read,
/// but counts where sums are merged.
struct Request {
  Axes axes;
  Reduction reduction = Reduction::kMean;
  Empty empty = Empty::kZero;
  Labels labels = Labels::kAuto;
  /// Rows of this class are skipped, and are outside the mask (Target::kClassId only). It need not
  /// be one of the classes.
  std::optional<std::int64_t> ignore_class;
  double epsilon = 1e-7;       ///< in [0, 0.5); clips probabilities to [epsilon, 1 - epsilon]
  std::optional<DType> dtype;  ///< result dtype; if absent y_pred's, or default_dtype for integers
  DType default_dtype = DType::kFloat32;
  /// What the reduction multiplies weighted losses by, in derivatives only: for a caller who has
  /// the batch in pieces and knows the whole.
  std::optional<double> scale;
  int threads = 0;  ///< up to 1024; 0: num_threads(), or one if the work is not worth more
  /// Polled about every 0.1 s by the calling thread, outside parallel regions: it may throw.
  bool (*interrupted)(void*) = nullptr;
  void* interrupted_context = nullptr;
};

/// The arrays of a call. Optional ones are null. Data may be null only where there are no elements.
///
/// y_true and y_pred have the same shape; class ids (Target::kClassId) that of y_pred without the
/// axis of the classes, or with 1 there (see Target for kSequence and kPairs). If their ranks
/// differ by one and the last dimension of the higher rank is 1, the other gets such a dimension if
/// it has rank 1, else this one is dropped. The loss has the dimensions that Request::axes leaves.
///
/// sample_weight and mask broadcast to the loss: a scalar; one value per sample, of shape (n), for
/// a loss of shape (n, ...); or any shape that NumPy would broadcast to the loss's and that does
/// not enlarge it. A rank that differs by one is adjusted as above.
struct Operands {
  ArrayView y_true;
  ArrayView y_pred;
  const ArrayView* sample_weight = nullptr;
  const ArrayView* mask = nullptr;
  /// Target::kPairs only: what y_pred's rows are compared with, class ids (m) and rows
  /// (m, dimensions). Absent ones are y_true and y_pred.
  const ArrayView* ref_labels = nullptr;
  const ArrayView* ref_embeddings = nullptr;
};

/// Shape and dtype of a result.
struct ResultType {
  std::vector<std::int64_t> shape;
  DType dtype;
};

/// Those of what evaluate() writes. Validates everything that can be known before any work, but for
/// shapes of circle and ctc, which calls check; throws Error: kValue for shapes, axes and options,
/// kType for dtypes, kNotSupported for what the loss does not have.
SIMDLOSS_API ResultType result_type(const BoundLoss& loss, const Operands& operands,
                                    const Request& request);

/// Writes the per-sample losses (Reduction::kNone) or the reduced loss to `out`, whose shape must
/// be that of result_type() and whose dtype may be any floating one, to which results are rounded.
/// Throws Error as result_type() does; `out` is untouched unless the error was kInterrupted, or a
/// class id was out of range: that is found while losses are made, in rows that are not skipped.
SIMDLOSS_API void evaluate(const BoundLoss& loss, const Operands& operands, const Request& request,
                           const MutableArrayView& out);

/// The state that reduces to evaluate()'s scalar; request.reduction must not be kNone. States of
/// the pieces of a batch merge to that of the whole. Throws Error as evaluate() does.
SIMDLOSS_API PartialSums partial_sums(const BoundLoss& loss, const Operands& operands,
                                      const Request& request);

/// The same for per-sample losses that were computed elsewhere: y_pred holds them, y_true is not
/// read, request.axes is ignored. `fingerprint` is any number that tells the loss and its options
/// from others whose states must not be merged with it.
SIMDLOSS_API ResultType reduced_type(const Operands& operands, const Request& request);
SIMDLOSS_API void reduce(const Operands& operands, const Request& request,
                         const MutableArrayView& out);
SIMDLOSS_API PartialSums partial_sums(const Operands& operands, const Request& request,
                                      std::uint64_t fingerprint);

}  // namespace simdloss
