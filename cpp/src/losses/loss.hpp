// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a loss is: a struct with a name, parameters, and formulas on an abstract vector V.
//
// In formulas t is y_true and p is y_pred. value(t, p, args) is the loss of one element, gradient(t,
// p, args) its derivative by p and, where has_hessian says so, curvature(t, p, args) the second one.
// Formulas are branch-free in t and p; a branch on args is the same for all lanes.
//
// [Kinks] Derivatives at kinks are those of Keras on PyTorch: a maximum of two passes half to each
// where they are equal, the largest of many an equal share to all that are; |x| has 0 at 0; a clip
// passes all from bound to bound, and nothing beyond.
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

// Defaults of a loss without parameters that averages real numbers. All have second derivatives.
struct Pointwise {
  static constexpr LossKind kind = LossKind::kPointwise;
  static constexpr AxisKind axis_kind = AxisKind::kAny;
  static constexpr bool has_classes = false;
  static constexpr Target target = Target::kReal;
  static constexpr RowFinish row_finish = RowFinish::kMean;
  static constexpr bool converts_binary_labels = false;
  static constexpr bool has_hessian = true;
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

// [Known options] Tests of options that no element changes are left in a loop, and with them
// constants that are made anew for each vector. So a loss may say which options are the usual ones,
// is_usual<V>(args), and usual<V>(args) gives a copy that the compiler knows to have them. Calls
// body() with that or with args. Not for data in double and Hessians: a second loop is code too.
template <class Loss, class T, class V, bool kOften = true, class Args, class Body>
SIMDLOSS_INLINE void with_known_options(const Args& args, const Body& body) {
  constexpr bool is_float = sizeof(T) == sizeof(float);
  if constexpr (kOften && is_float && requires { Loss::template usual<V>(args); }) {
    if (Loss::template is_usual<V>(args)) return body(Loss::template usual<V>(args));
  }
  body(args);
}

// What is known of a row, each in V: the same number in every lane while its elements are computed,
// one row a lane in center(), prepare(), slopes() and finish().
template <class V>
struct Row {
  V max;           // largest of scan(), +0 if that is a zero
  V ties;          // how many elements equal it
  V label;         // y_pred at the row's class (Target::kClassId)
  V label_weight;  // and the weight of that class
  V base;          // what center() leaves for all that follows
  V power;
  V a;  // what prepare() leaves for all that follows
  V b;
  V c;
  V d;
};

// The most sums that a stage makes.
inline constexpr int kMaxSums = 3;

template <class V>
struct Terms {
  V values[kMaxSums];
};

// What slopes() leaves for gradient() and curvature().
inline constexpr int kMaxSlopes = 7;

template <class V>
struct Slopes {
  V values[kMaxSlopes];
};

// [Row losses] A loss that is not the mean of losses of elements, with defaults. It looks at the
// elements of a row up to three times, in stages, and only the first and the last need be there:
//   kMax    row.max and row.ties, of scan(t, p); center(row) takes what later stages need from them
//   kFirst  n_first sums, of first(t, p, w, row, args).values; prepare(sums, row, args) takes what
//           later stages need from them
//   kTerms  n_sums sums (or as many as used_sums(args) says), of terms(t, p, w, row, args).values
// finish(sums, row, args) is the loss. t, p, w: label, prediction and weight of the element's
// class; t means nothing for Target::kClassId. Elements are computed in Compute<T>; sums, center(),
// prepare(), finish() and slopes() in double.
//
// The derivative by an element is gradient(t, p, w, row, s, args), where s = slopes(sums, row, scale,
// args) holds what is the same for the whole row; both count in the number `scale` that the row's
// loss is multiplied by. It may need more sums than the loss: n_slope_sums, or used_slope_sums(args).
// curvature() is the second derivative in the same way, upper_bound() what Curvature says. For
// Target::kClassId t is 1 at the row's class and 0 elsewhere. Elements are computed in
// GradientCompute<T>.
//
// [Kept elements] What terms() and gradient() both make of an element and is expensive can be kept
// from the one for the other, where the gradient will be: kept(p, row), with has_kept, and
// gradient_of_kept(kept, t, p, w, row, s, args).
//
// [Zero terms] Of one-hot labels all but one are 0, and a wide row has whole vectors of them. With
// has_zero_terms, terms() makes nothing but zeros of elements for which terms_are_zero(t, w, row,
// args), and may be passed over where all elements of a vector are such.
//
// [Float exponentials] Of float data a loss that computes in double can have its exponentials made in
// float, in vectors of twice as many lanes: exponential(p, row), with has_float_exps. first(e, p,
// row), terms(e, t, p, w, row, args) and gradient(e, t, p, w, row, s, args) get them in double, the
// same e each time. scan() is computed in float then, too, and center() is for float.
//
// [Cheap cases] For some arguments there may be a faster way to the same loss. CheapCase<T> is then a
// loss with the same Args<T> and stages, for those args of which suits<V>(args) is true. It may count
// on fma: without, where errors are larger, it is not used.
struct RowLoss {
  static constexpr LossKind kind = LossKind::kRowwise;
  static constexpr Target target = Target::kLabel;
  static constexpr RowFinish row_finish = RowFinish::kWhole;
  static constexpr AxisKind axis_kind = AxisKind::kOne;
  static constexpr bool has_classes = false;
  static constexpr bool converts_binary_labels = false;
  static constexpr bool has_hessian = false;
  static constexpr const ParamInfo* params = nullptr;
  static constexpr int n_params = 0;
  static constexpr bool is_light = false;  // see [Light and heavy formulas]

  static constexpr bool has_max = false;
  static constexpr bool has_ties = false;
  static constexpr bool has_center = false;
  static constexpr int n_first = 0;
  static constexpr bool first_is_prediction = false;  // n_first is 1, and first() gives p
  static constexpr int n_sums = 0;
  static constexpr int n_slope_sums = 0;
  static constexpr bool slopes_need_ties = false;  // though the loss does not
  static constexpr bool has_label_only = false;    // all derivatives but that of the label are 0
  static constexpr bool has_kept = false;          // see [Kept elements]
  static constexpr bool has_zero_terms = false;    // see [Zero terms]
  static constexpr bool has_float_exps = false;    // see [Float exponentials]

  template <class T>
  using CheapCase = void;

  // What a curvature becomes that shall bound the Hessian: see Curvature.
  template <class V>
  static SIMDLOSS_INLINE V upper_bound(V curvature) {
    return max(curvature, V(0));
  }

  template <class T>
  using Compute = T;
  template <class T>
  using GradientCompute = T;
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

// The same of its derivatives; `prepared` is what prepare() gave, or anything.
template <class Loss, class V, class Args>
SIMDLOSS_INLINE V element_gradient(V t, V p, V prepared, const Args& args) {
  if constexpr (Loss::is_prepared) {
    return Loss::gradient(t, p, prepared, args);
  } else {
    return Loss::gradient(t, p, args);
  }
}
template <class Loss, class V, class Args>
SIMDLOSS_INLINE V element_curvature(V t, V p, V prepared, const Args& args) {
  if constexpr (Loss::is_prepared) {
    return Loss::curvature(t, p, prepared, args);
  } else {
    return Loss::curvature(t, p, args);
  }
}

// label * term, where a zero label gives 0 whatever the term.
template <class V>
SIMDLOSS_INLINE V weigh(V label, V term) {
  return keep(!(label == V(0)), label * term);
}
// label / x, likewise.
template <class V>
SIMDLOSS_INLINE V share_of(V label, V x) {
  return keep(!(label == V(0)), label / x);
}

// x, but NaN where `of` is.
template <class V>
SIMDLOSS_INLINE V constant(V x, V of) {
  return select(is_nan(of), of, x);
}

// The derivative of max(x, 0) by x, times `slope`: half of it at a tie. NaN where x is.
template <class V>
SIMDLOSS_INLINE V where_positive(V x, V slope) {
  const V elsewhere = select(x == V(0), slope * V(0.5F), keep(is_nan(x), x));
  return select(x > V(0), slope, elsewhere);
}
// x where p is from low to high, or where one of them is NaN, else 0: the derivative of a clip.
template <class V>
SIMDLOSS_INLINE V where_inside(V p, V low, V high, V x) {
  return constant(keep(!(p < low), keep(!(p > high), x)), x);
}

}  // namespace simdloss
