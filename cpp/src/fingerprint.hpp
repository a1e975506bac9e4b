// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "simdloss/evaluate.hpp"

namespace simdloss {

/// A hash of everything that makes two sums of losses incomparable: PartialSums::fingerprint.
std::uint64_t fingerprint_of(const BoundLoss& loss, const Request& request);

}  // namespace simdloss
