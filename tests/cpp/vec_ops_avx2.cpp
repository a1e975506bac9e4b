// SPDX-License-Identifier: Apache-2.0
#include "vec_ops.hpp"

#include "simd/vec_avx2.hpp"

namespace simdloss::test {

VecFunctionsOfIsa vec_functions_avx2() { return vec_functions<isa::Avx2>(); }

}  // namespace simdloss::test
