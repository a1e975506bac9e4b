// SPDX-License-Identifier: Apache-2.0
#include "vec_ops.hpp"

#include "simd/vec_neon.hpp"

namespace simdloss::test {

VecFunctionsOfIsa vec_functions_neon() { return vec_functions<isa::Neon>(); }

}  // namespace simdloss::test
