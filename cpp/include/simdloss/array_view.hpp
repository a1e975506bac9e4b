// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "simdloss/export.h"

namespace simdloss {

/// Element types that arrays may have in memory, in the byte order of the machine. A bool is one
/// byte, true unless it is 0.
enum class DType : std::uint8_t {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64,
};

/// Whether it is one of the four floating dtypes, which results and gradients may have.
constexpr bool is_floating(DType dtype) { return dtype >= DType::kFloat16; }

/// Size of one element in bytes.
constexpr std::size_t item_size(DType dtype) {
  switch (dtype) {
    case DType::kBool:
    case DType::kInt8:
    case DType::kUInt8:
      return 1;
    case DType::kInt16:
    case DType::kUInt16:
    case DType::kFloat16:
    case DType::kBFloat16:
      return 2;
    case DType::kInt32:
    case DType::kUInt32:
    case DType::kFloat32:
      return 4;
    default:
      return 8;
  }
}

/// The dtype's NumPy name: "float32", "bfloat16", ...
SIMDLOSS_API const char* dtype_name(DType dtype);

/// Arrays may have at most this many dimensions.
inline constexpr int kMaxRank = 64;

/// A borrowed, read-only n-dimensional array.
///
/// Nothing is owned: data, shape and strides must outlive every use. Strides are in bytes, may be
/// zero or negative, and need not be multiples of the element size; no alignment is assumed. Null
/// strides mean C order. Rank 0 is a scalar.
struct ArrayView {
  const void* data = nullptr;
  DType dtype = DType::kFloat32;
  int rank = 0;
  const std::int64_t* shape = nullptr;
  const std::int64_t* strides = nullptr;
};

/// A borrowed, writable n-dimensional array of floating dtype, no two of whose elements overlap;
/// otherwise like ArrayView.
struct MutableArrayView {
  void* data = nullptr;
  DType dtype = DType::kFloat32;
  int rank = 0;
  const std::int64_t* shape = nullptr;
  const std::int64_t* strides = nullptr;
};

}  // namespace simdloss
