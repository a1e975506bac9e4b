// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <string>
#include <string_view>

#include "simdloss/export.h"

namespace simdloss {

// [Catalogue] Every loss: its name, its parameters in the order that bind_loss() takes them, and
// the loss of a row. In formulas t is y_true and p is y_pred, e is Request::epsilon, w the weights
// of classes, C their number, s label_smoothing; a mean or a sum is over the elements of a row.
// docs/gradients.md has the derivatives, docs/accuracy.md the errors.
//
//   mean_squared_error ()
//       mean of (p - t)^2
//   mean_absolute_error ()
//       mean of |p - t|
//   mean_absolute_percentage_error ()
//       mean of 100 |p - t| / max(|t|, e)
//   mean_squared_logarithmic_error ()
//       mean of (ln(1 + max(p, e)) - ln(1 + max(t, e)))^2
//   huber (delta)
//       mean of d^2 / 2 for d <= delta, else delta (d - delta / 2), for d = |p - t|
//   log_cosh ()
//       mean of ln cosh(p - t)
//   poisson ()
//       mean of p - t ln(p + e)
//   binary_crossentropy (label_smoothing)
//       mean of -y ln q - (1 - y) ln(1 - q), for y = t (1 - s) + s / 2 and p clipped to
//       q in [e, 1 - e]
//   binary_crossentropy_from_logits (label_smoothing)
//       mean of y ln(1 + exp(-p)) + (1 - y) ln(1 + exp(p)), for the same y
//   binary_focal_crossentropy (apply_class_balancing, alpha, gamma, label_smoothing)
//       mean of f^gamma times the binary crossentropy, for f = y (1 - p) + (1 - y) p; with
//       apply_class_balancing also times y alpha + (1 - y) (1 - alpha)
//   binary_focal_crossentropy_from_logits (apply_class_balancing, alpha, gamma, label_smoothing)
//       the same for probabilities 1 / (1 + exp(-p)), not clipped
//   kl_divergence ()
//       sum of t ln(t / p), both clipped to [e, 1]
//   hinge ()
//       mean of max(1 - t p, 0), for labels t that are -1 or 1, see Labels
//   squared_hinge ()
//       mean of max(1 - t p, 0)^2, likewise
//   categorical_hinge ()
//       max(1 + max of (1 - t) p - sum of t p, 0)
//   categorical_crossentropy (label_smoothing)
//       sum of -w y ln q, for y = t (1 - s) + s / C and p / (sum of p) clipped to q in [e, 1 - e]
//   categorical_crossentropy_from_logits (label_smoothing)
//       the same for q = exp(p) / (sum of exp(p)), not clipped
//   categorical_focal_crossentropy (alpha, gamma, label_smoothing)
//       sum of -alpha w y (1 - q)^gamma ln q, for y and q of categorical_crossentropy
//   categorical_focal_crossentropy_from_logits (alpha, gamma, label_smoothing)
//       the same for q = exp(p) / (sum of exp(p)), not clipped
//   sparse_categorical_crossentropy (label_smoothing)
//       categorical_crossentropy, where t is 1 for the class of the row and 0 for others
//   sparse_categorical_crossentropy_from_logits (label_smoothing)
//       categorical_crossentropy_from_logits, likewise
//   categorical_generalized_cross_entropy (q)
//       w (1 - p^q) / q, for w and p of the class of the row
//   dice ()
//       1 - 2 (sum of t p) / (sum of t + sum of p + e)
//   tversky (alpha, beta)
//       1 - (sum of t p) / (sum of t p + alpha sum of (1 - t) p + beta sum of t (1 - p) + e)
//   cosine_similarity ()
//       -(sum of t p) / (|t| |p|), 0 if t or p is 0
//   circle (gamma, margin, remove_diagonal)
//       ln(1 + P N), 0 if P or N is; P is the sum of exp(gamma max(d + margin, 0) (d - margin))
//       over the references of the same class, N that of
//       exp(gamma max(1 + margin - d, 0) (1 - margin - d)) over the others, for
//       d = max(1 - dot product of y_pred's row and the reference, 0); with remove_diagonal,
//       reference i does not count for row i where both have the same class
//   ctc ()
//       -ln of the probability that a sequence of logits spells the labels, in any alignment:
//       the sum over alignments of the products of softmax probabilities over time

/// A parameter of a loss and the interval that it must lie in.
struct ParamInfo {
  const char* name;
  double default_value;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;  ///< low itself is not allowed
  bool is_bool = false;
};

/// What y_true holds.
enum class Target {
  kReal,      ///< real numbers: a wide y_true widens the computation
  kLabel,     ///< labels or probabilities: y_true never widens the computation
  kClassId,   ///< the index of one class for each row, a whole number of any dtype
  kSequence,  ///< class ids (batch, labels), 0 the blank, for y_pred of (batch, time, classes)
  kPairs,     ///< a class id for each row of y_pred, of (batch, dimensions)
};

/// Which axes a row may consist of.
enum class AxisKind {
  kAny,   ///< any number of them
  kOne,   ///< exactly one: that of the classes
  kNone,  ///< there is no choice; Request::axes is not read
};

/// How the elements of a row become the loss of a sample.
enum class RowFinish {
  kMean,   ///< the mean of the losses of elements
  kSum,    ///< their sum
  kWhole,  ///< a function of the whole row
};

/// One entry of the catalogue, which lives as long as the program, as do the texts it points to.
struct LossInfo {
  const char* name;  ///< Keras function name; "..._from_logits" where logits change the formula
  Target target;
  RowFinish row_finish;
  AxisKind axis_kind;
  bool has_classes;             ///< its classes may have weights, see bind_loss()
  bool needs_elements;          ///< a row without elements has no loss
  bool has_hessian;             ///< value_gradient_and_hessian() takes it
  bool converts_binary_labels;  ///< {0, 1} labels are read as {-1, 1} if all of y_true is 0/1
  const ParamInfo* params;
  int n_params;
  int index;  ///< position in the catalogue
};

/// The entries, for a range-based for.
struct Catalog {
  const LossInfo* begin_;
  const LossInfo* end_;
  const LossInfo* begin() const { return begin_; }
  const LossInfo* end() const { return end_; }
};

/// Every loss of the library, in a fixed order: see [Catalogue]. Safe in any thread, as find() is.
SIMDLOSS_API Catalog catalog();

/// The entry of that name; throws Error (kValue) if there is none.
SIMDLOSS_API const LossInfo& find(std::string_view name);

}  // namespace simdloss
