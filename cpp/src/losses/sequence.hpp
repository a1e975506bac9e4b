// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/loss.hpp"

namespace simdloss {

// Connectionist temporal classification: see ctc.hpp.
// Source: keras.losses.ctc.
struct Ctc : SpecialLoss {
  static constexpr const char* name = "ctc";
  static constexpr Target target = Target::kSequence;
};

}  // namespace simdloss
