// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace simdloss {

// The shortest decimal number that reads back as x.
std::string to_text(double x);

}  // namespace simdloss
