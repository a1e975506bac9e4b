// SPDX-License-Identifier: Apache-2.0
#pragma once

// The vec_ops_<isa>.cpp that run on this machine, and how their results are compared.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "guarded_page.hpp"
#include "simdloss/runtime.hpp"
#include "vec_ops.hpp"
#include "vec_oracle.hpp"

namespace simdloss::test {

struct IsaUnderTest {
  Isa isa;
  VecFunctionsOfIsa functions;

  template <class T>
  const VecFunctions<T>& of() const {
    if constexpr (std::is_same_v<T, float>) {
      return functions.for_float;
    } else {
      return functions.for_double;
    }
  }
};

inline std::vector<IsaUnderTest> isas_under_test() {
  std::vector<IsaUnderTest> result;
  for (const Isa isa : available_isas()) {
    switch (isa) {
      case Isa::kScalar:
        result.push_back({isa, vec_functions_scalar()});
        break;
#if defined(SIMDLOSS_HAVE_BASELINE)
      case Isa::kBaseline:
        result.push_back({isa, vec_functions_baseline()});
        break;
#endif
#if defined(SIMDLOSS_HAVE_AVX2)
      case Isa::kAvx2:
        result.push_back({isa, vec_functions_avx2()});
        break;
#endif
#if defined(SIMDLOSS_HAVE_AVX512)
      case Isa::kAvx512:
        result.push_back({isa, vec_functions_avx512()});
        break;
#endif
#if defined(SIMDLOSS_HAVE_NEON)
      case Isa::kNeon:
        result.push_back({isa, vec_functions_neon()});
        break;
#endif
      default:
        FAIL("available_isas() names an ISA that this test was not built for: ", isa_name(isa));
    }
  }
  REQUIRE(!result.empty());
  return result;
}

// Counts comparisons and keeps the first failure, so that there is one CHECK for many numbers.
class Tally {
 public:
  explicit Tally(const IsaUnderTest& isa) : isa_(isa_name(isa.isa)) {}
  Tally(const Tally&) = delete;
  ~Tally() {
    CHECK_MESSAGE(n_different_ == 0, isa_, ": ", n_different_, " of ", n_, " differ, first ",
                  first_);
    CHECK(n_ > 0);
    MESSAGE(isa_, ": ", n_, " comparisons");
  }

  // `what` is called for the first failure only.
  template <class What>
  void add(bool same, What what) {
    ++n_;
    if (!same && n_different_++ == 0) first_ = what();
  }
  template <class T, class What>
  void add_numbers(T got, T expected, What what) {
    add((std::isnan(got) && std::isnan(expected)) || word_of(got) == word_of(expected), [&] {
      return what() + ": got " + std::to_string(got) + ", expected " + std::to_string(expected);
    });
  }

 private:
  std::string isa_, first_;
  long n_ = 0, n_different_ = 0;
};

template <class T>
T random_value(std::mt19937_64& random) {
  return value_of<T>(static_cast<Word<T>>(random()));
}

inline std::uint16_t random_word(std::mt19937_64& random) {
  return static_cast<std::uint16_t>(random());
}

template <class T>
T unchanged(T x) {
  return x;
}

// Addresses in a guarded page where n elements of `size` bytes just fit, and one at each end that
// is not aligned.
inline std::vector<char*> tight_places(GuardedPage& page, int n, std::size_t size) {
  char* const last = page.end() - static_cast<std::size_t>(n) * size;
  return {page.begin(), page.begin() + 1, last - 1, last};
}

}  // namespace simdloss::test
