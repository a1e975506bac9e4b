// SPDX-License-Identifier: Apache-2.0
#pragma once

// The seam between code compiled for one instruction set and the rest of the library: POD structs
// of noexcept function pointers.
//
// [One exported symbol per ISA] Each object under isa/ defines one function with external linkage,
// its table getter. Everything else in it is templated on the ISA tag or local to the object, and
// nothing from std is instantiated there; otherwise the linker could keep, say, the AVX-512 copy of
// an inline function for the whole program.

#include <cstdint>

#include "simdloss/runtime.hpp"

namespace simdloss {

struct SampleSum;

// [Lane order is the contract] The sum over a row is made in an order that depends on nothing but
// the row's length, so every width of vector gives the same bits. A row is dealt to kLanes<T>
// virtual lanes (128 bytes of T), element j to lane j mod kLanes. A lane adds up its elements in
// order and wider than T: floats, two by two in float first, in a double; doubles in an unevaluated
// pair hi + lo of doubles. At the end a halving tree adds the lanes.
inline constexpr int kLaneBytes = 128;
template <class T>
inline constexpr int kLanes = kLaneBytes / static_cast<int>(sizeof(T));

// Elements whose losses a kernel makes before it adds them up: enough rows for the cost of a pass,
// little enough for the L1 cache.
template <class T>
inline constexpr int kTile = 16 * kLanes<T>;

// Accumulators of one row. float: 32 sums. double: 16 hi, then 16 lo.
struct alignas(64) LaneSums {
  double values[32];
};

// The sum of a row or of a segment of one: hi + lo with |lo| <= ulp(hi) / 2 (lo = 0 for float).
struct RowSum {
  double hi;
  double lo;
};

// `n_rows` rows of `n_cols` elements; the elements of a row are contiguous, rows are `stride` bytes
// apart. No alignment is assumed.
struct RowBlock {
  const void* t;
  const void* p;
  std::int64_t t_stride;
  std::int64_t p_stride;
  std::int64_t n_rows;
  std::int64_t n_cols;
};

// One loss in one computation type T. `args` points to the loss's Args<T>.
struct LossKernels {
  // losses[i] (type T) = (sum over row i) / divisor, never -0.
  void (*row_losses)(const RowBlock& rows, double divisor, const void* args, void* losses) noexcept;
  // Adds n elements of a row to its lanes; n is a multiple of 2 kLanes<T> but in the last call.
  void (*accumulate)(const void* t, const void* p, std::int64_t n, const void* args,
                     LaneSums& lanes) noexcept;
};

// Kernels in one computation type T.
struct TypeKernels {
  const LossKernels* losses;  // by LossInfo::index
  RowSum (*finish)(const LaneSums& lanes) noexcept;
  bool (*all_finite)(const void* values, std::int64_t n) noexcept;
  // Adds weight times loss of n samples to a sum; see [Sample sum]. Null weights are all 1.
  void (*add_samples)(const void* losses, const double* weights, std::int64_t n,
                      SampleSum& sum) noexcept;
  // Converts n contiguous elements of storage type DType(i) to T.
  void (*const* load)(const void* source, std::int64_t n, void* target) noexcept;
};

struct KernelTable {
  Isa isa;
  TypeKernels f32;
  TypeKernels f64;
};

// The getters; each is defined in the object of that name and null-free. Which ones are linked in
// depends on the target architecture.
const KernelTable& scalar_kernels() noexcept;
const KernelTable& baseline_kernels() noexcept;
const KernelTable& avx2_kernels() noexcept;
const KernelTable& avx512_kernels() noexcept;
const KernelTable& neon_kernels() noexcept;

}  // namespace simdloss
