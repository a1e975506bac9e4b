// SPDX-License-Identifier: Apache-2.0
#include "vec_ops.hpp"

#include "simd/vec_avx512.hpp"

namespace simdloss::test {

VecFunctionsOfIsa vec_functions_avx512() { return vec_functions<isa::Avx512>(); }

}  // namespace simdloss::test
