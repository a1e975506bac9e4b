// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "layout.hpp"
#include "simdloss/evaluate.hpp"

namespace simdloss {

// How to mend the shapes of y_true and y_pred, which differ.
std::string shape_advice(const Layout& t, const Layout& p, const LossInfo& info, const Axes& axes);

}  // namespace simdloss
