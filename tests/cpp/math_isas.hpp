// SPDX-License-Identifier: Apache-2.0
#pragma once

// The functions of math_ops.hpp for every instruction set that this build has and this machine
// runs, the reference first.

#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "math_ops.hpp"
#include "simdloss/runtime.hpp"

namespace simdloss::test {

struct MathOfIsa {
  Isa isa;
  MathFunctionsOfIsa functions;

  template <class T>
  const MathFunctions<T>& of() const {
    if constexpr (std::is_same_v<T, float>) {
      return functions.for_float;
    } else {
      return functions.for_double;
    }
  }
};

inline std::vector<MathOfIsa> math_isas() {
  std::vector<MathOfIsa> result = {{Isa::kScalar, math_functions_scalar()}};
  for (const Isa isa : available_isas()) {
    switch (isa) {
      case Isa::kScalar:
        break;
#if defined(SIMDLOSS_HAVE_BASELINE)
      case Isa::kBaseline:
        result.push_back({isa, math_functions_baseline()});
        break;
#endif
#if defined(SIMDLOSS_HAVE_AVX2)
      case Isa::kAvx2:
        result.push_back({isa, math_functions_avx2()});
        break;
#endif
#if defined(SIMDLOSS_HAVE_AVX512)
      case Isa::kAvx512:
        result.push_back({isa, math_functions_avx512()});
        break;
#endif
#if defined(SIMDLOSS_HAVE_NEON)
      case Isa::kNeon:
        result.push_back({isa, math_functions_neon()});
        break;
#endif
      default:
        throw std::runtime_error(std::string("not built for ") + isa_name(isa));
    }
  }
  return result;
}

}  // namespace simdloss::test
