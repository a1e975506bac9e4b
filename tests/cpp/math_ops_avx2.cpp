// SPDX-License-Identifier: Apache-2.0
#include "math_ops.hpp"

#include "simd/vec_avx2.hpp"

namespace simdloss::test {

MathFunctionsOfIsa math_functions_avx2() { return math_functions<isa::Avx2>(); }

}  // namespace simdloss::test
