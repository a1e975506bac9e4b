// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every operation of [Closed list of operations] as a plain function on arrays, so that
// test_vec.cpp can call each instruction set's version without being compiled with its flags:
// vec_ops_<isa>.cpp instantiate vec_functions<Isa>().

#include <cstdint>

#include "kernels/transpose.hpp"
#include "simd/vec.hpp"

namespace simdloss::test {

// An operation on lanes: result lane i depends on lane i of x, y and z alone.
template <class T>
struct LaneOperation {
  const char* name;
  // n is a multiple of the width; the results' bits go to `out`.
  void (*run)(const T* x, const T* y, const T* z, std::int64_t n, typename BitsOf<T>::type* out);
};

// kernels/transpose.hpp, which load_columns() and store_columns() are for.
template <class T>
struct TransposedFunctions {
  void (*load)(const void* rows, std::int64_t stride, std::int64_t n_rows, std::int64_t n_cols,
               T* tile);
  void (*store)(const T* tile, std::int64_t n_rows, std::int64_t n_cols, void* rows,
                std::int64_t stride);
  void (*copy_in)(const void* columns, std::int64_t stride, std::int64_t n_rows,
                  std::int64_t n_cols, T* tile);
  void (*copy_out)(const T* tile, std::int64_t n_rows, std::int64_t n_cols, void* columns,
                   std::int64_t stride);
};

// The operations that a lane-wise comparison does not show. Pointers are to `width` elements, or to
// n in those that end in _first. Null where T has no such operation.
template <class T>
struct VecFunctions {
  int width;
  int n_operations;
  const LaneOperation<T>* operations;

  void (*load_store)(const T* from, T* to);
  void (*load_first)(const T* from, std::int64_t n, T* to);
  void (*store_first)(const T* from, T* to, std::int64_t n);
  void (*keep_first)(const T* from, std::int64_t n, T* to);
  void (*load_float16)(const std::uint16_t* from, T* to);
  void (*load_float16_first)(const std::uint16_t* from, std::int64_t n, T* to);
  void (*load_bfloat16)(const std::uint16_t* from, T* to);
  void (*load_bfloat16_first)(const std::uint16_t* from, std::int64_t n, T* to);
  void (*load_float)(const float* from, T* to);
  void (*load_float_first)(const float* from, std::int64_t n, T* to);
  void (*store_float16)(const T* from, std::uint16_t* to);
  void (*store_float16_first)(const T* from, std::uint16_t* to, std::int64_t n);
  void (*store_bfloat16)(const T* from, std::uint16_t* to);
  void (*store_bfloat16_first)(const T* from, std::uint16_t* to, std::int64_t n);
  void (*store_float)(const T* from, float* to);
  void (*load_double)(const double* from, T* to);
  TransposedFunctions<T> transposed;
  bool (*any_nan)(const T* x);
  bool (*all_nan)(const T* x);
  bool (*any_not_nan)(const T* x);
  bool (*all_not_nan)(const T* x);
  int (*count_nan_first)(const T* x, std::int64_t n);
  T (*max_lane)(const T* x);
  void (*widen_parts)(const T* x, double* to);       // all parts, in order
  void (*lower)(const T* x, std::int64_t n, T* to);  // n lanes; n is 1, 2 or 4, 2 n <= width
  void (*blocks)(const T* x, const T* y, std::int64_t n, T* even, T* odd);  // for n as above
  T (*first_lane)(const T* x);
};

struct VecFunctionsOfIsa {
  VecFunctions<float> for_float;
  VecFunctions<double> for_double;
};

VecFunctionsOfIsa vec_functions_scalar();
VecFunctionsOfIsa vec_functions_baseline();
VecFunctionsOfIsa vec_functions_avx2();
VecFunctionsOfIsa vec_functions_avx512();
VecFunctionsOfIsa vec_functions_neon();

template <class T, class Isa>
struct LaneOperationMaker {
  using V = Vec<T, Isa>;
  using Mask = typename V::Mask;
  using Bits = typename V::Bits;

  static V as_vec(V x) { return x; }
  static V as_vec(Bits b) { return V::from_bits(b); }
  static V as_vec(Mask m) { return select(m, V(T(1)), V(T(0))); }

  template <class F>
  static void run(const T* x, const T* y, const T* z, std::int64_t n,
                  typename BitsOf<T>::type* out) {
    for (std::int64_t i = 0; i < n; i += V::kWidth) {
      T values[V::kWidth];
      as_vec(F{}(V::load(x + i), V::load(y + i), V::load(z + i))).store(values);
      __builtin_memcpy(out + i, values, sizeof values);
    }
  }
  template <class F>
  static constexpr LaneOperation<T> make(const char* name, F) {
    return {name, run<F>};
  }
};

template <class Isa>
struct LookupTable {
  static constexpr float values[8] = {0.5F, 1.5F, 2.5F, 3.5F, 4.5F, 5.5F, 6.5F, 7.5F};
};

template <class T, class Isa>
VecFunctions<T> common_functions() {
  using V = Vec<T, Isa>;
  using Bits = typename V::Bits;
  using Make = LaneOperationMaker<T, Isa>;
  constexpr int bits = 8 * sizeof(T);

  static constexpr LaneOperation<T> operations[] = {
      Make::make("V(c)", [](V, V, V) { return V(T(0.1)); }),
      Make::make("x + y", [](V x, V y, V) { return x + y; }),
      Make::make("x - y", [](V x, V y, V) { return x - y; }),
      Make::make("x * y", [](V x, V y, V) { return x * y; }),
      Make::make("x / y", [](V x, V y, V) { return x / y; }),
      Make::make("-x", [](V x, V, V) { return -x; }),
      Make::make("sqrt", [](V x, V, V) { return sqrt(x); }),
      Make::make("fma", [](V x, V y, V z) { return fma(x, y, z); }),
      Make::make("fnma", [](V x, V y, V z) { return fnma(x, y, z); }),
      Make::make("product_error", [](V x, V y, V) { return product_error(x, y, x * y); }),
      Make::make("abs", [](V x, V, V) { return abs(x); }),
      Make::make("copysign", [](V x, V y, V) { return copysign(x, y); }),
      Make::make("mantissa of normal",
                 [](V x, V, V) {
                   return mantissa(min(max(abs(x), V(Limits<T>::kMin)), V(Limits<T>::kMax)));
                 }),
      Make::make("max", [](V x, V y, V) { return max(x, y); }),
      Make::make("min", [](V x, V y, V) { return min(x, y); }),
      Make::make("x < y", [](V x, V y, V) { return x < y; }),
      Make::make("x <= y", [](V x, V y, V) { return x <= y; }),
      Make::make("x > y", [](V x, V y, V) { return x > y; }),
      Make::make("x >= y", [](V x, V y, V) { return x >= y; }),
      Make::make("x == y", [](V x, V y, V) { return x == y; }),
      Make::make("is_nan", [](V x, V, V) { return is_nan(x); }),
      Make::make("m & n", [](V x, V y, V z) { return (x < y) & (y < z); }),
      Make::make("m | n", [](V x, V y, V z) { return (x < y) | (y < z); }),
      Make::make("!m", [](V x, V y, V) { return !(x < y); }),
      Make::make("select", [](V x, V y, V z) { return select(x < y, z, x); }),
      Make::make("keep", [](V x, V y, V z) { return keep(x < y, z); }),
      Make::make("to_bits, from_bits", [](V x, V, V) { return V::from_bits(to_bits(x)); }),
      Make::make("Bits(n)", [](V, V, V) { return Bits(0x89ABCDEFU); }),
      Make::make("a + b", [](V x, V y, V) { return to_bits(x) + to_bits(y); }),
      Make::make("a - b", [](V x, V y, V) { return to_bits(x) - to_bits(y); }),
      Make::make("a & b", [](V x, V y, V) { return to_bits(x) & to_bits(y); }),
      Make::make("a | b", [](V x, V y, V) { return to_bits(x) | to_bits(y); }),
      Make::make("shift_left<1>", [](V x, V, V) { return shift_left<1>(to_bits(x)); }),
      Make::make("shift_left<13>", [](V x, V, V) { return shift_left<13>(to_bits(x)); }),
      Make::make("shift_left<max>", [](V x, V, V) { return shift_left<bits - 1>(to_bits(x)); }),
      Make::make("shift_right<1>", [](V x, V, V) { return shift_right<1>(to_bits(x)); }),
      Make::make("shift_right<13>", [](V x, V, V) { return shift_right<13>(to_bits(x)); }),
      Make::make("shift_right<max>", [](V x, V, V) { return shift_right<bits - 1>(to_bits(x)); }),
      Make::make("shift_right_arithmetic<1>",
                 [](V x, V, V) { return shift_right_arithmetic<1>(to_bits(x)); }),
      Make::make("shift_right_arithmetic<13>",
                 [](V x, V, V) { return shift_right_arithmetic<13>(to_bits(x)); }),
      Make::make("shift_right_arithmetic<max>",
                 [](V x, V, V) { return shift_right_arithmetic<bits - 1>(to_bits(x)); }),
      // The shifts bring the bits into the range that from_int converts, from each end of it.
      Make::make(
          "from_int of large",
          [](V x, V, V) { return V::from_int(shift_right_arithmetic<bits - 31>(to_bits(x))); }),
      Make::make(
          "from_int of small",
          [](V x, V, V) { return V::from_int(shift_right_arithmetic<bits - 9>(to_bits(x))); }),
      Make::make("lookup (float only)",
                 [](V x, V, V) {
                   if constexpr (sizeof(T) == sizeof(float)) {
                     return V::lookup(LookupTable<Isa>::values, to_bits(x));
                   } else {
                     return x;
                   }
                 }),
  };

  VecFunctions<T> f = {};
  f.width = V::kWidth;
  f.n_operations = sizeof operations / sizeof operations[0];
  f.operations = operations;
  f.load_store = [](const T* from, T* to) { V::load(from).store(to); };
  f.load_first = [](const T* from, std::int64_t n, T* to) { V::load_first(from, n).store(to); };
  f.store_first = [](const T* from, T* to, std::int64_t n) { V::load(from).store_first(to, n); };
  f.keep_first = [](const T* from, std::int64_t n, T* to) {
    keep_first(V::load(from), n).store(to);
  };
  f.any_nan = [](const T* x) { return any(is_nan(V::load(x))); };
  f.all_nan = [](const T* x) { return all(is_nan(V::load(x))); };
  f.any_not_nan = [](const T* x) { return any(!is_nan(V::load(x))); };
  f.all_not_nan = [](const T* x) { return all(!is_nan(V::load(x))); };
  f.count_nan_first = [](const T* x, std::int64_t n) { return count_first(is_nan(V::load(x)), n); };
  using Tiles = Transposed<T, Isa>;
  f.transposed = {Tiles::load, Tiles::store, Tiles::copy_in, Tiles::copy_out};
  f.max_lane = [](const T* x) { return max_lane(V::load(x)); };
  return f;
}

template <class Isa>
VecFunctions<float> float_functions() {
  using V = Vec<float, Isa>;
  VecFunctions<float> f = common_functions<float, Isa>();
  f.load_float16 = [](const std::uint16_t* from, float* to) { V::load_float16(from).store(to); };
  f.load_float16_first = [](const std::uint16_t* from, std::int64_t n, float* to) {
    V::load_float16_first(from, n).store(to);
  };
  f.load_bfloat16 = [](const std::uint16_t* from, float* to) { V::load_bfloat16(from).store(to); };
  f.load_bfloat16_first = [](const std::uint16_t* from, std::int64_t n, float* to) {
    V::load_bfloat16_first(from, n).store(to);
  };
  f.load_double = [](const double* from, float* to) { V::load_double(from).store(to); };
  f.store_float16 = [](const float* from, std::uint16_t* to) { V::load(from).store_float16(to); };
  f.store_float16_first = [](const float* from, std::uint16_t* to, std::int64_t n) {
    V::load(from).store_float16_first(to, n);
  };
  f.store_bfloat16 = [](const float* from, std::uint16_t* to) { V::load(from).store_bfloat16(to); };
  f.store_bfloat16_first = [](const float* from, std::uint16_t* to, std::int64_t n) {
    V::load(from).store_bfloat16_first(to, n);
  };
  f.widen_parts = [](const float* x, double* to) {
    constexpr int part_width = Vec<double, Isa>::kWidth;
    widen_part<0>(V::load(x)).store(to);
    if constexpr (part_width < V::kWidth) widen_part<1>(V::load(x)).store(to + part_width);
    static_assert(V::kWidth <= 2 * part_width);
  };
  return f;
}

template <int kLanes, class Isa>
void lower_if(const double* x, std::int64_t n, double* to) {
  using V = Vec<double, Isa>;
  if constexpr (2 * kLanes <= V::kWidth) {
    if (n == kLanes) lower<kLanes>(V::load(x)).store_first(to, n);
  }
}

template <int kLanes, class Isa>
void blocks_if(const double* x, const double* y, std::int64_t n, double* even, double* odd) {
  using V = Vec<double, Isa>;
  if constexpr (2 * kLanes <= V::kWidth) {
    if (n != kLanes) return;
    even_blocks<kLanes>(V::load(x), V::load(y)).store(even);
    odd_blocks<kLanes>(V::load(x), V::load(y)).store(odd);
  }
}

template <class Isa>
VecFunctions<double> double_functions() {
  using V = Vec<double, Isa>;
  VecFunctions<double> f = common_functions<double, Isa>();
  f.load_float = [](const float* from, double* to) { V::load_float(from).store(to); };
  f.load_float_first = [](const float* from, std::int64_t n, double* to) {
    V::load_float_first(from, n).store(to);
  };
  f.store_float = [](const double* from, float* to) { V::load(from).store_float(to); };
  f.lower = [](const double* x, std::int64_t n, double* to) {
    lower_if<1, Isa>(x, n, to);
    lower_if<2, Isa>(x, n, to);
    lower_if<4, Isa>(x, n, to);
    static_assert(V::kWidth <= 8);
  };
  f.blocks = [](const double* x, const double* y, std::int64_t n, double* even, double* odd) {
    blocks_if<1, Isa>(x, y, n, even, odd);
    blocks_if<2, Isa>(x, y, n, even, odd);
    blocks_if<4, Isa>(x, y, n, even, odd);
  };
  f.first_lane = [](const double* x) { return first_lane(V::load(x)); };
  return f;
}

template <class Isa>
VecFunctionsOfIsa vec_functions() {
  return {float_functions<Isa>(), double_functions<Isa>()};
}

}  // namespace simdloss::test
