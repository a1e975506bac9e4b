// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "simdloss/array_view.hpp"
#include "simdloss/evaluate.hpp"
#include "simdloss/export.h"

namespace simdloss {

/// Derivatives of losses by y_pred.
///
/// With s the number that a row's loss is multiplied by on its way to the reduced loss (its weight,
/// and 1 / n under a mean), the gradient of the row is s times the derivative of its loss, and 0
/// for rows that are skipped (weight 0, mask false, ignored class), whatever they hold; of the
/// circle loss a skipped query still has the derivative of what it is a reference for. Where the
/// loss has a kink the derivative is that of Keras on PyTorch: half of both sides where a maximum
/// of two is a tie, even shares among equal largest elements, 0 for |x| at 0; a clipped probability
/// counts at the clip bound and has the derivative 0 beyond it.
///
/// Accuracy: 4 u times the sum of the absolute values of the terms of the derivative, times |s|;
/// see docs/gradients.md. The same bits on every instruction set (but `baseline`), for every number
/// of threads, layout and split into calls that know `Request::scale`.
///
/// Thread safety and ownership are those of evaluate().

/// What value_gradient_and_hessian() gives for the Hessian of the reduced loss.
enum class Curvature : std::uint8_t {
  kDiagonal,  ///< its diagonal: second derivatives by each element
  /// A diagonal matrix that is nowhere below it, and not negative for weights that are not: twice
  /// the diagonal for losses of a softmax, max(diagonal, 0) for the others, whose Hessian is
  /// diagonal.
  kUpperBound,
};

/// Shape and dtype of a gradient: those of y_pred; the dtype is that of evaluate()'s result if
/// y_pred holds integers or bools. Throws Error as evaluate() does.
SIMDLOSS_API ResultType gradient_type(const BoundLoss& loss, const Operands& operands,
                                      const Request& request);

/// Writes to `out`, of y_pred's shape and any floating dtype, the gradient of the reduced loss;
/// with Reduction::kNone that of the sum of the weighted losses. Request::scale, if it is set,
/// replaces what the reduction multiplies weighted losses by. Throws Error; `out` is then as after
/// evaluate(). `out` must not overlap the operands.
SIMDLOSS_API void gradient(const BoundLoss& loss, const Operands& operands, const Request& request,
                           const MutableArrayView& out);

/// evaluate() and gradient() in one pass over the predictions (two for losses of whole rows). The
/// gradient is written before Empty::kRaise finds that the mean is over nothing.
SIMDLOSS_API void value_and_gradient(const BoundLoss& loss, const Operands& operands,
                                     const Request& request, const MutableArrayView& value,
                                     const MutableArrayView& gradient);

/// The same with second derivatives, of y_pred's shape too. Throws Error (kNotSupported) unless
/// LossInfo::has_hessian: where the diagonal says little of the Hessian.
SIMDLOSS_API void value_gradient_and_hessian(const BoundLoss& loss, const Operands& operands,
                                             const Request& request, Curvature curvature,
                                             const MutableArrayView& value,
                                             const MutableArrayView& gradient,
                                             const MutableArrayView& hessian);

/// The product of `cotangent`, a number for each loss that evaluate() gives with Reduction::kNone,
/// or an array that broadcasts to them, and the Jacobian of these losses by y_pred: the gradient of
/// sum(cotangent * losses). `operands` has neither weights nor a mask; request.reduction and
/// request.scale are not read.
SIMDLOSS_API void vjp(const BoundLoss& loss, const Operands& operands, const ArrayView& cotangent,
                      const Request& request, const MutableArrayView& out);

}  // namespace simdloss
