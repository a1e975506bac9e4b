// SPDX-License-Identifier: Apache-2.0
#include "text.hpp"

#include <cstdio>

namespace simdloss {

std::string to_text(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", x);
  double shorter;
  for (int digits = 1; digits < 17; ++digits) {
    char attempt[32];
    std::snprintf(attempt, sizeof attempt, "%.*g", digits, x);
    if (std::sscanf(attempt, "%lf", &shorter) == 1 && shorter == x) return attempt;
  }
  return text;
}

}  // namespace simdloss
