// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "simdloss/array_view.hpp"

namespace simdloss {

inline constexpr int kMeanTerms = 3;
inline constexpr int kMeanTermBits = 192;  // that the exponents of terms may differ by

// The exact sum of the terms, divided by `count` and rounded once to `dtype`, as rounded_ratio() does
// it: without an ExactSum, whose time is its length. The terms are finite; zeros have no exponent.
double rounded_mean(const double (&terms)[kMeanTerms], std::uint64_t count, DType dtype) noexcept;

}  // namespace simdloss
