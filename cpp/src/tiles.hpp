// SPDX-License-Identifier: Apache-2.0
#pragma once

// From operands in memory to contiguous tiles of the computation type: see [Tiles].

#include <cstdint>

#include "kernels/abi.hpp"
#include "plan.hpp"

namespace simdloss {

// A block of rows of one operand whose distance is constant: `data` points to the first row.
struct RowSlice {
  const char* data;     // which is written, if the operand is an output
  std::int64_t stride;  // bytes from row to row
  std::int64_t n_rows;
};

// What a tile of one operand may take: two of them leave room in a 32 KiB L1 cache.
inline constexpr std::int64_t kTileBytes = 8192;

struct alignas(64) Tile {
  unsigned char bytes[kTileBytes];
};

// Whether rows of `operand` can be read where they are, as contiguous elements of type `compute`.
bool is_direct(const Plan& plan, Operand operand, DType compute);

// Elements [col_begin, col_begin + n_cols) of the slice's rows, as `to[row * n_cols + col]` in the
// type that `kernels` compute in.
void load_tile(const Plan& plan, Operand operand, const TypeKernels& kernels, DType compute,
               const RowSlice& slice, std::int64_t col_begin, std::int64_t n_cols, void* to);

// One element of each row of the slice, that of column cols[row], as to[row] of type `compute`.
void load_picked(const Plan& plan, Operand operand, DType compute, const RowSlice& slice,
                 const std::int64_t* cols, void* to);

// The reverse of load_tile() for an output: from contiguous elements of type `compute`, rounded once.
void store_tile(const Plan& plan, Operand operand, const TypeKernels& kernels, DType compute,
                const RowSlice& slice, std::int64_t col_begin, std::int64_t n_cols,
                const void* from);

// n elements of type `dtype`, `stride` bytes apart, as doubles.
void load_doubles(const TypeKernels& f64_kernels, DType dtype, const char* from,
                  std::int64_t stride, std::int64_t n, double* to);

// n doubles, rounded once, to elements of floating type `dtype`, `stride` bytes apart.
void store_doubles(DType dtype, const double* from, std::int64_t n, char* to, std::int64_t stride);

// Entries [begin, begin + n) of a weight or mask over `dims`, as doubles.
void load_entries(const Plan& plan, Operand operand, const Dims& dims, std::int64_t begin,
                  std::int64_t n, double* to);

// values[i], of the type `compute` of the kernels, rounded once to plan.dtype[kOut] and stored as entry
// begin + i of the output.
void store_results(const Plan& plan, const TypeKernels& kernels, DType compute, char* out,
                   std::int64_t begin, std::int64_t n, const void* values);

// `x` rounded to nearest even and stored as one element of floating type `dtype`.
void store_element(double x, DType dtype, char* to);

}  // namespace simdloss
