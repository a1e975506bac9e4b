// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <string>
#include <string_view>

#include "simdloss/export.h"

namespace simdloss {

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

/// One entry of the catalogue.
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

struct Catalog {
  const LossInfo* begin_;
  const LossInfo* end_;
  const LossInfo* begin() const { return begin_; }
  const LossInfo* end() const { return end_; }
};

/// Every loss of the library, in a fixed order.
SIMDLOSS_API Catalog catalog();

/// The entry of that name; throws Error (kValue) if there is none.
SIMDLOSS_API const LossInfo& find(std::string_view name);

}  // namespace simdloss
