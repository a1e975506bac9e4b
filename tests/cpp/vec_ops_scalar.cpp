// SPDX-License-Identifier: Apache-2.0
#include "vec_ops.hpp"

#include "simd/vec_scalar.hpp"

namespace simdloss::test {

VecFunctionsOfIsa vec_functions_scalar() { return vec_functions<isa::Scalar>(); }

}  // namespace simdloss::test
