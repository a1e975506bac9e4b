// SPDX-License-Identifier: Apache-2.0
#pragma once

// [Rescue] A row whose loss comes out infinite or NaN although its input has no NaN is computed
// again, by the same formula on Wide numbers: slow and rare. It settles what overflowed on the way
// to a finite mean (the mean of 3e38 and 3e38), what cancelled (inf - inf) and what a zero label
// multiplied (0 * inf). The result does not depend on the instruction set.

#include <cstdint>

#include "wide.hpp"

namespace simdloss {

// A sum of Wide numbers, compensated.
struct WideSum {
  Wide hi{0.0};
  Wide lo{0.0};

  void add(Wide x);
};

// Adds the losses of n elements; `args` points to the loss's Args<double>.
void rescue_elements(int loss, const double* t, const double* p, std::int64_t n, const void* args,
                     WideSum& sum);

}  // namespace simdloss
