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

}  // namespace simdloss
