// SPDX-License-Identifier: Apache-2.0
#include "math_ops.hpp"

#include "simd/vec_neon.hpp"

namespace simdloss::test {

MathFunctionsOfIsa math_functions_neon() { return math_functions<isa::Neon>(); }

}  // namespace simdloss::test
