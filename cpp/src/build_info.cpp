// SPDX-License-Identifier: Apache-2.0
#include "parallel.hpp"
#include "simdloss/runtime.hpp"

namespace simdloss {

BuildInfo build_info() {
  return {SIMDLOSS_VERSION, SIMDLOSS_COMPILER, SIMDLOSS_FLAGS, openmp_version()};
}

}  // namespace simdloss
