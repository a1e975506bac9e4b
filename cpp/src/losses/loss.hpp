// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a loss is: a struct with a name, parameters, and formulas on an abstract vector V.
//
// In formulas t is y_true and p is y_pred. value(t, p, args) is the loss of one element. Formulas
// are branch-free in t and p; a branch on args is the same for all lanes.
//
// [Zero labels] 0 * inf that comes from a zero label counts as 0. Formulas write plain products:
// a row that comes out non-finite without a NaN in its input is computed again in an arithmetic
// where 0 * inf is 0, see [Rescue]. Only where infinite terms are ordinary (probabilities that are
// not clipped) do formulas say weigh().

#include <limits>

#include "simd/math.hpp"
#include "simdloss/catalog.hpp"

namespace simdloss {

// What args<T>() derives a loss's constants from.
struct Settings {
  const double* params;  // in the order of Loss::params
  double epsilon;        // the clip bounds, rounded to the declared dtype, float32 at least
  double one_minus_epsilon;
  bool binary_labels;  // {0, 1} labels stand for {-1, 1}; losses that convert only
  double cols;         // elements of a row: the number of classes
};

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A parameter >= 0 in type T; what T cannot hold acts like its largest number.
template <class T>
T parameter(double x) {
  return x < double{Limits<T>::kMax} ? static_cast<T>(x) : Limits<T>::kMax;
}

enum class LossKind {
  kPointwise,  // a sum or mean of losses of elements: see kernels/pointwise.hpp
  kRowwise,    // see [Row losses]
  kSpecial,    // made by an evaluator of its own, in the core
};

// Defaults of a loss without parameters that averages real numbers.
struct Pointwise {
  static constexpr LossKind kind = LossKind::kPointwise;
  static constexpr AxisKind axis_kind = AxisKind::kAny;
  static constexpr bool has_classes = false;
  static constexpr Target target = Target::kReal;
  static constexpr RowFinish row_finish = RowFinish::kMean;
  static constexpr bool converts_binary_labels = false;
  static constexpr const ParamInfo* params = nullptr;
  static constexpr int n_params = 0;
  static constexpr bool is_light = false;     // see [Light and heavy formulas]
  static constexpr bool is_prepared = false;  // see [Prepared formulas]

  template <class T>
  struct Args {};
  template <class T>
  static Args<T> args(const Settings&) {
    return {};
  }
};

// What is known of a row, each in V: the same number in every lane while its elements are computed,
// one row a lane in prepare() and finish().
template <class V>
struct Row {
  V max;           // largest of scan(), +0 if that is a zero
  V ties;          // how many elements equal it
  V label;         // y_pred at the row's class (Target::kClassId)
  V label_weight;  // and the weight of that class
  V a;             // what prepare() leaves for terms() and finish()
  V b;
};

// The most sums that a stage makes.
inline constexpr int kMaxSums = 3;

template <class V>
struct Terms {
  V values[kMaxSums];
};

// [Row losses] A loss that is not the mean of losses of elements, with defaults. It looks at the
// elements of a row up to three times, in stages, and only the first and the last need be there:
//   kMax    row.max and row.ties, of scan(t, p)
//   kFirst  n_first sums, of first(t, p, w, row, args).values; prepare(sums, row, args) takes what
//           later stages need from them
//   kTerms  n_sums sums (or as many as used_sums(args) says), of terms(t, p, w, row, args).values
// finish(sums, row, args) is the loss. t, p, w: label, prediction and weight of the element's
// class; t means nothing for Target::kClassId. Elements are computed in Compute<T>, sums, prepare()
// and finish() in double.
struct RowLoss {
  static constexpr LossKind kind = LossKind::kRowwise;
  static constexpr Target target = Target::kLabel;
  static constexpr RowFinish row_finish = RowFinish::kWhole;
  static constexpr AxisKind axis_kind = AxisKind::kOne;
  static constexpr bool has_classes = false;
  static constexpr bool converts_binary_labels = false;
  static constexpr const ParamInfo* params = nullptr;
  static constexpr int n_params = 0;
  static constexpr bool is_light = false;  // see [Light and heavy formulas]

  static constexpr bool has_max = false;
  static constexpr bool has_ties = false;
  static constexpr int n_first = 0;
  static constexpr int n_sums = 0;

  template <class T>
  using Compute = T;
  template <class T>
  struct Args {};
  template <class T>
  static Args<T> args(const Settings&) {
    return {};
  }
};

// A loss that is no formula of a row's elements.
struct SpecialLoss : RowLoss {
  static constexpr LossKind kind = LossKind::kSpecial;
  static constexpr AxisKind axis_kind = AxisKind::kNone;
};

// The loss of one element, prepared or not.
template <class Loss, class V, class Args>
SIMDLOSS_INLINE V element_loss(V t, V p, const Args& args) {
  if constexpr (Loss::is_prepared) {
    return Loss::value(t, p, Loss::prepare(t, p, args), args);
  } else {
    return Loss::value(t, p, args);
  }
}

// label * term, where a zero label gives 0 whatever the term.
template <class V>
SIMDLOSS_INLINE V weigh(V label, V term) {
  return keep(!(label == V(0)), label * term);
}

}  // namespace simdloss
