// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "layout.hpp"
#include "plan.hpp"

namespace simdloss {

inline void set_strides(Dims& dims, Operand operand, const Layout& layout) {
  std::copy_n(layout.stride, layout.rank, dims.stride[operand]);
}

// Fits sample_weight and mask to the loss, whose rank may change by a dimension of size 1. Throws
// Error.
void place_weights(const Operands& operands, Layout& loss, Plan& plan);

}  // namespace simdloss
