// SPDX-License-Identifier: Apache-2.0
#include "math_ops.hpp"

#include "simd/vec_avx512.hpp"

namespace simdloss::test {

MathFunctionsOfIsa math_functions_avx512() { return math_functions<isa::Avx512>(); }

}  // namespace simdloss::test
