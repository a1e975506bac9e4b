// SPDX-License-Identifier: Apache-2.0
#include "math_ops.hpp"

#include "simd/vec_scalar.hpp"

namespace simdloss::test {

MathFunctionsOfIsa math_functions_scalar() { return math_functions<isa::Scalar>(); }

}  // namespace simdloss::test
