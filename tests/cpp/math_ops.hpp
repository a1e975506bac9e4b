// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every function of simd/math.hpp as a plain function on arrays, so that test_math.cpp and
// exhaustive_math.cpp can call each instruction set's version without being compiled with its
// flags: math_ops_<isa>.cpp instantiate math_functions<Isa>(). n is a multiple of 16.

#include <cstdint>

#include "simd/math.hpp"

namespace simdloss::test {

template <class T>
struct UnaryFunction {
  const char* name;
  void (*run)(const T* x, std::int64_t n, T* out);
};

template <class T>
struct MathFunctions {
  static constexpr int kCount = 14;
  UnaryFunction<T> unary[kCount];
  // (x + x_rest)^y and (x + x_rest)^k.
  void (*pow)(const T* x, const T* x_rest, T y, std::int64_t n, T* out);
  void (*pow_int_with_rest)(const T* x, const T* x_rest, int k, std::int64_t n, T* out);
  void (*pow_int)(const T* x, int k, std::int64_t n, T* out);
  // value, value_rest, complement, complement_rest: n of each.
  void (*sigmoid_pair)(const T* x, std::int64_t n, T* out);
};

struct MathFunctionsOfIsa {
  MathFunctions<float> for_float;
  MathFunctions<double> for_double;
};

MathFunctionsOfIsa math_functions_scalar();
MathFunctionsOfIsa math_functions_baseline();
MathFunctionsOfIsa math_functions_avx2();
MathFunctionsOfIsa math_functions_avx512();
MathFunctionsOfIsa math_functions_neon();

template <class T, class Isa>
struct MathFunctionsMaker {
  using V = Vec<T, Isa>;

  template <class F>
  static void run(const T* x, std::int64_t n, T* out) {
    for (std::int64_t i = 0; i < n; i += V::kWidth) F{}(V::load(x + i)).store(out + i);
  }
  template <class F>
  static constexpr UnaryFunction<T> unary(const char* name, F) {
    return {name, run<F>};
  }

  static MathFunctions<T> make() {
    return {{unary("exp_nonpositive", [](V x) { return exp_nonpositive(x); }),
             unary("exp", [](V x) { return exp(x); }), unary("expm1", [](V x) { return expm1(x); }),
             unary("log_regular", [](V x) { return log_regular(x); }),
             unary("log", [](V x) { return log(x); }),
             unary("log1p_regular", [](V x) { return log1p_regular(x); }),
             unary("log1p", [](V x) { return log1p(x); }),
             unary("log1p_unit", [](V x) { return log1p_unit(x); }),
             unary("softplus_tail", [](V x) { return softplus_tail(x); }),
             unary("softplus", [](V x) { return softplus(x); }),
             unary("sigmoid", [](V x) { return sigmoid(x); }),
             unary("sigmoid_pair value",
                   [](V x) {
                     const SigmoidPair<V> s = sigmoid_pair(x, exp_nonpositive(-abs(x)));
                     return s.value + s.value_rest;
                   }),
             unary("sigmoid_pair complement",
                   [](V x) {
                     const SigmoidPair<V> s = sigmoid_pair(-x, exp_nonpositive(-abs(x)));
                     return s.complement + s.complement_rest;
                   }),
             unary("log_cosh",
                   [](V x) { return log_cosh(x, exp_nonpositive_or_zero(abs(x) * V(-2))); })},
            [](const T* x, const T* x_rest, T y, std::int64_t n, T* out) {
              for (std::int64_t i = 0; i < n; i += V::kWidth) {
                pow(V::load(x + i), V::load(x_rest + i), V(y)).store(out + i);
              }
            },
            [](const T* x, const T* x_rest, int k, std::int64_t n, T* out) {
              for (std::int64_t i = 0; i < n; i += V::kWidth) {
                pow_int(V::load(x + i), V::load(x_rest + i), k).store(out + i);
              }
            },
            [](const T* x, int k, std::int64_t n, T* out) {
              for (std::int64_t i = 0; i < n; i += V::kWidth) {
                pow_int(V::load(x + i), k).store(out + i);
              }
            },
            [](const T* x, std::int64_t n, T* out) {
              for (std::int64_t i = 0; i < n; i += V::kWidth) {
                const V v = V::load(x + i);
                const SigmoidPair<V> s = sigmoid_pair(v, exp_nonpositive(-abs(v)));
                s.value.store(out + i);
                s.value_rest.store(out + n + i);
                s.complement.store(out + 2 * n + i);
                s.complement_rest.store(out + 3 * n + i);
              }
            }};
  }
};

template <class Isa>
MathFunctionsOfIsa math_functions() {
  return {MathFunctionsMaker<float, Isa>::make(), MathFunctionsMaker<double, Isa>::make()};
}

}  // namespace simdloss::test
