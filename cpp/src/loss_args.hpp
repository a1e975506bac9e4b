// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/loss.hpp"
#include "simdloss/array_view.hpp"

namespace simdloss {

// A loss's Args<float> or Args<double>.
struct LossArgs {
  static constexpr std::size_t kMaxBytes = 96;
  alignas(8) unsigned char bytes[kMaxBytes];
};

// Derives the constants of catalogue entry `loss` for computation in float or double.
LossArgs derive_args(int loss, const Settings& settings, DType compute);

}  // namespace simdloss
