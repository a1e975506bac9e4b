// SPDX-License-Identifier: Apache-2.0
#pragma once

// [Tiles] Kernels see contiguous elements of the computation type only. What has another storage
// type is converted here, a tile that fits the L1 cache at a time; strides are gone before that.

#include <cstdint>

#include "simd/vec_scalar.hpp"
#include "simdloss/array_view.hpp"

namespace simdloss {

// float16 and bfloat16 bits as types of their own.
struct Float16 {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

template <class Storage, class T, class Isa>
struct Converter {
  static void load(const void* source, std::int64_t n, void* target) noexcept {
    const char* const from = static_cast<const char*>(source);
    T* const to = static_cast<T*>(target);
    for (std::int64_t i = 0; i < n; ++i) {
      Storage x;
      __builtin_memcpy(&x, from + i * static_cast<std::int64_t>(sizeof(Storage)), sizeof x);
      to[i] = static_cast<T>(x);
    }
  }
};

// Half precision goes through float, exactly.
template <class Half, class Isa>
SIMDLOSS_INLINE Vec<float, Isa> load_half(const std::uint16_t* p) {
  if constexpr (__is_same(Half, Float16)) {
    return Vec<float, Isa>::load_float16(p);
  } else {
    return Vec<float, Isa>::load_bfloat16(p);
  }
}
template <class Half, class Isa>
SIMDLOSS_INLINE Vec<float, Isa> load_half_first(const std::uint16_t* p, std::int64_t n) {
  if constexpr (__is_same(Half, Float16)) {
    return Vec<float, Isa>::load_float16_first(p, n);
  } else {
    return Vec<float, Isa>::load_bfloat16_first(p, n);
  }
}

template <class Half, class T, class Isa>
struct HalfConverter {
  static void load(const void* source, std::int64_t n, void* target) noexcept {
    using V = Vec<float, Isa>;
    const std::uint16_t* const from = static_cast<const std::uint16_t*>(source);
    T* const to = static_cast<T*>(target);
    std::int64_t i = 0;
    for (; i + V::kWidth <= n; i += V::kWidth) put(load_half<Half, Isa>(from + i), to + i);
    if (i < n) {
      float rest[V::kWidth];
      load_half_first<Half, Isa>(from + i, n - i).store(rest);
      for (std::int64_t j = i; j < n; ++j) to[j] = static_cast<T>(rest[j - i]);
    }
  }

 private:
  static SIMDLOSS_INLINE void put(Vec<float, Isa> x, float* to) { x.store(to); }
  static SIMDLOSS_INLINE void put(Vec<float, Isa> x, double* to) {
    float values[Vec<float, Isa>::kWidth];
    x.store(values);
    for (int i = 0; i < Vec<float, Isa>::kWidth; ++i) to[i] = double{values[i]};
  }
};

template <class T, class Isa>
struct Converter<Float16, T, Isa> : HalfConverter<Float16, T, Isa> {};
template <class T, class Isa>
struct Converter<BFloat16, T, Isa> : HalfConverter<BFloat16, T, Isa> {};

// A bool is true for every nonzero byte.
template <class T, class Isa>
struct Converter<bool, T, Isa> {
  static void load(const void* source, std::int64_t n, void* target) noexcept {
    const unsigned char* const from = static_cast<const unsigned char*>(source);
    T* const to = static_cast<T*>(target);
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i] != 0 ? T(1) : T(0);
  }
};

// f(Storage()) with the storage type of every DType, in the order of DType.
template <template <class...> class List>
using StorageTypes =
    List<bool, std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t, std::uint16_t,
         std::uint32_t, std::uint64_t, Float16, BFloat16, float, double>;

template <class T, class Isa>
struct Loaders {
  using Load = void (*)(const void*, std::int64_t, void*) noexcept;
  template <class... Storage>
  struct Of {
    static constexpr Load table[] = {&Converter<Storage, T, Isa>::load...};
  };
  static constexpr const Load* table = StorageTypes<Of>::table;
};

}  // namespace simdloss
