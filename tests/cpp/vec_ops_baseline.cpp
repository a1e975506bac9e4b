// SPDX-License-Identifier: Apache-2.0
#include "vec_ops.hpp"

#include "simd/vec_scalar.hpp"

namespace simdloss::test {

VecFunctionsOfIsa vec_functions_baseline() { return vec_functions<isa::Baseline>(); }

}  // namespace simdloss::test
