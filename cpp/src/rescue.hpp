// SPDX-License-Identifier: Apache-2.0
#pragma once

// [Rescue] A row whose loss comes out infinite or NaN although its input has no NaN is computed
// again, by the same formula on Wide numbers. It settles what overflowed on the way to a finite
// mean (the mean of 3e38 and 3e38), what cancelled (inf - inf) and what a zero label multiplied
// (0 * inf). The result does not depend on the instruction set.
//
// Wide numbers are slow. Elements of ordinary size whose loss is finite are therefore computed in
// double, by the kernels, and added up in double while that cannot overflow. Both round as Wide
// numbers do, so the bits are the same; only a loss below 2^-1022, which Wide numbers would carry
// further, may differ. Kernels without fma have other bits and are not used here.

#include <cstdint>

#include "kernels/abi.hpp"
#include "losses/loss.hpp"
#include "wide.hpp"

namespace simdloss {

// A compensated sum of doubles and Wide numbers.
class WideSum {
 public:
  void add(double x);
  void add(Wide x);
  Wide value() const { return is_plain_ ? Wide(hi_) + Wide(lo_) : wide_hi_ + wide_lo_; }

 private:
  // In double while is_plain_, which gives the same bits.
  bool is_plain_ = true;
  double hi_ = 0;
  double lo_ = 0;
  Wide wide_hi_{0.0};
  Wide wide_lo_{0.0};
};

// Adds the losses of n elements. `plain` are what the loss's kernels with fma made of them in
// double, whatever came out; `args` points to the loss's Args<double>.
void rescue_elements(int loss, const double* t, const double* p, const double* plain,
                     std::int64_t n, const void* args, WideSum& sum);

// Derivatives of the loss of an element, times `scale`.
void rescue_derivatives(int loss, double t, double p, const void* args, double scale,
                        double divisor, bool upper_bound, double* gradient, double* hessian);

// [Row losses], on Wide numbers alone: all parts of a row, stage by stage.
bool is_pointwise(int loss);

class RowRescue {
 public:
  // `args` points to the loss's Args<double>.
  RowRescue(int loss, const void* args) : loss_(loss), args_(args) {}

  void set_label(double label, double label_weight) {
    row_.label = Wide(label);
    row_.label_weight = Wide(label_weight);
  }
  // t means nothing for class ids; null class weights are all 1.
  void add(Stage stage, const double* t, const double* p, const double* class_weights,
           std::int64_t n);
  void end_stage(Stage stage);
  double finish() const;

  // After kSlopeTerms instead of kTerms: derivatives by n elements, times `scale`; second ones only if
  // the loss has them. t is 1 at the row's class, where it has one, and 0 elsewhere.
  void derive(const double* t, const double* p, const double* class_weights, std::int64_t n,
              double scale, bool upper_bound, double* gradient, double* hessian) const;

 private:
  int loss_;
  const void* args_;
  Row<Wide> row_{Wide(-kInfinity), Wide(0.0), Wide(0.0), Wide(1.0), Wide(0.0),
                 Wide(0.0),        Wide(0.0), Wide(0.0), Wide(0.0), Wide(0.0)};
  WideSum sums_[kMaxSums];
};

}  // namespace simdloss
