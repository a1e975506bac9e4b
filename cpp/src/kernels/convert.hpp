// SPDX-License-Identifier: Apache-2.0
#pragma once

// [Tiles] Kernels see contiguous elements of the computation type, or of half precision if they say
// reads_halves. What has another storage type is converted here, a tile that fits the L1 cache at a
// time; strides are gone before that, and come after it.

#include <cstdint>

#include "kernels/abi.hpp"
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

// A vector V, or its first n lanes, from elements of its own type or, exactly, from halves if that
// is float.
template <class V, class Storage>
SIMDLOSS_INLINE V load_as(const Storage* p) {
  if constexpr (__is_same(Storage, Float16)) {
    return V::load_float16(reinterpret_cast<const std::uint16_t*>(p));
  } else if constexpr (__is_same(Storage, BFloat16)) {
    return V::load_bfloat16(reinterpret_cast<const std::uint16_t*>(p));
  } else {
    return V::load(p);
  }
}
template <class V, class Storage>
SIMDLOSS_INLINE V load_first_as(const Storage* p, std::int64_t n) {
  if constexpr (__is_same(Storage, Float16)) {
    return V::load_float16_first(reinterpret_cast<const std::uint16_t*>(p), n);
  } else if constexpr (__is_same(Storage, BFloat16)) {
    return V::load_bfloat16_first(reinterpret_cast<const std::uint16_t*>(p), n);
  } else {
    return V::load_first(p, n);
  }
}

// Calls body(Storage()) with the type that elements are stored in: T or, if kReadsHalves says that
// there is code for them, halves.
template <class T, bool kReadsHalves, class Body>
SIMDLOSS_INLINE void with_storage(Halves halves, const Body& body) {
  if constexpr (kReadsHalves) {
    if (halves == Halves::kFloat16) return body(Float16());
    if (halves == Halves::kBFloat16) return body(BFloat16());
  }
  body(T());
}

// Half precision goes through float.
template <class Half, class T, class Isa>
struct HalfConverter {
  static void load(const void* source, std::int64_t n, void* target) noexcept {
    using V = Vec<float, Isa>;
    const Half* const from = static_cast<const Half*>(source);
    T* const to = static_cast<T*>(target);
    std::int64_t i = 0;
    for (; i + V::kWidth <= n; i += V::kWidth) {
      prefetch<V>(from + i);
      put(load_as<V>(from + i), to + i);
    }
    if (i < n) {
      float rest[V::kWidth];
      load_first_as<V>(from + i, n - i).store(rest);
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

template <class Storage, class T, class Isa>
struct Storer {
  static void store(const void* source, std::int64_t n, void* target) noexcept {
    const T* const from = static_cast<const T*>(source);
    char* const to = static_cast<char*>(target);
    for (std::int64_t i = 0; i < n; ++i) {
      const Storage x = static_cast<Storage>(from[i]);
      __builtin_memcpy(to + i * static_cast<std::int64_t>(sizeof(Storage)), &x, sizeof x);
    }
  }
};

template <class Half, class T, class Isa>
struct HalfStorer;

template <class Half, class Isa>
struct HalfStorer<Half, float, Isa> {
  static void store(const void* source, std::int64_t n, void* target) noexcept {
    using V = Vec<float, Isa>;
    const float* const from = static_cast<const float*>(source);
    std::uint16_t* const to = static_cast<std::uint16_t*>(target);
    std::int64_t i = 0;
    for (; i + V::kWidth <= n; i += V::kWidth) put(V::load(from + i), to + i);
    if (i < n) put_first(V::load_first(from + i, n - i), to + i, n - i);
  }

 private:
  static SIMDLOSS_INLINE void put(Vec<float, Isa> x, std::uint16_t* to) {
    if constexpr (__is_same(Half, Float16)) {
      x.store_float16(to);
    } else {
      x.store_bfloat16(to);
    }
  }
  static SIMDLOSS_INLINE void put_first(Vec<float, Isa> x, std::uint16_t* to, std::int64_t n) {
    if constexpr (__is_same(Half, Float16)) {
      x.store_float16_first(to, n);
    } else {
      x.store_bfloat16_first(to, n);
    }
  }
};

// Through float, and yet rounded once: what goes into the float is rounded to 16 significant bits,
// to the odd neighbour if it is not exact. A half has at most 11, so the odd last bit keeps the
// number on its side of every tie. The float is exact from 2^-134 on, half of the smallest
// bfloat16; below, all is rounded to 0 or to that tie, which gives 0 too.
template <class Half, class Isa>
struct HalfStorer<Half, double, Isa> {
  static void store(const void* source, std::int64_t n, void* target) noexcept {
    const double* const from = static_cast<const double*>(source);
    std::uint16_t* const to = static_cast<std::uint16_t*>(target);
    constexpr int n_part = 256;
    float part[n_part];
    for (std::int64_t i = 0; i < n; i += n_part) {
      const std::int64_t n_left = n - i < n_part ? n - i : n_part;
      for (std::int64_t k = 0; k < n_left; k += V::kWidth) {
        const V x = n_left - k < V::kWidth ? V::load_first(from + i + k, n_left - k)
                                           : V::load(from + i + k);
        rounded_to_odd(x).store_float(part + k);
      }
      HalfStorer<Half, float, Isa>::store(part, n_left, to + i);
    }
  }

 private:
  using V = Vec<double, Isa>;
  using Bits = typename V::Bits;

  static SIMDLOSS_INLINE V rounded_to_odd(V x) {
    constexpr std::uint64_t lost = (std::uint64_t{1} << 37) - 1;
    const Bits b = to_bits(x);
    // The carry of a sum is the or of the lost bits.
    return V::from_bits((b | ((b & Bits(lost)) + Bits(lost))) & Bits(~lost));
  }
};

template <class T, class Isa>
struct Storer<Float16, T, Isa> : HalfStorer<Float16, T, Isa> {};
template <class T, class Isa>
struct Storer<BFloat16, T, Isa> : HalfStorer<BFloat16, T, Isa> {};

template <class T, class Isa>
struct Storers {
  using Store = void (*)(const void*, std::int64_t, void*) noexcept;
  template <class Storage>
  static constexpr Store store_of() {
    constexpr bool is_half = __is_same(Storage, Float16) || __is_same(Storage, BFloat16);
    if constexpr (is_half || __is_same(Storage, float) || __is_same(Storage, double)) {
      return &Storer<Storage, T, Isa>::store;
    } else {
      return nullptr;
    }
  }
  template <class... Storage>
  struct Of {
    static constexpr Store table[] = {store_of<Storage>()...};
  };
  static constexpr const Store* table = StorageTypes<Of>::table;
};

}  // namespace simdloss
