// SPDX-License-Identifier: Apache-2.0
#pragma once

// The driver of losses that are a sum (or mean) over the elements of a row. The formula is the
// loss's; RowSums adds up.
//
// [Light and heavy formulas] The losses of elements are made a tile at a time and added up from
// there: every formula is a plain loop, whatever the rows' length, and its constants stay in
// registers. Only if a formula is so light that rows stream from memory at full speed is it
// evaluated within the sum, which overlaps better with that stream.
//
// [Prepared formulas] A CPU has only so many instructions in flight, some hundred, so a long chain
// of operations that wait for each other leaves it idle. Such a formula is cut in two: prepare(t,
// p, args) is its first half, value(t, p, prepared, args) the rest, and each is a loop of its own
// over the tile. The bits are the same.

#include <cstdint>

#include "kernels/abi.hpp"
#include "kernels/row_sum.hpp"
#include "losses/loss.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class Loss, class T, class Isa>
struct PointwiseKernel {
  using V = Vec<T, Isa>;
  using Args = typename Loss::template Args<T>;
  using Sums = RowSums<T, Isa>;

  // Losses that are made where they are added: a source for RowSums.
  struct Fused {
    const T* t;
    const T* p;
    const Args& args;
    SIMDLOSS_INLINE V whole(std::int64_t i) const {
      return element_loss<Loss>(V::load(t + i), V::load(p + i), args);
    }
    SIMDLOSS_INLINE V first(std::int64_t i, std::int64_t n) const {
      return keep_first(element_loss<Loss>(V::load_first(t + i, n), V::load_first(p + i, n), args),
                        n);
    }
  };

  // Room for a tile, written in whole vectors wherever its rows start.
  struct alignas(64) Tile {
    T values[kTile<T> + V::kWidth];
  };

  static SIMDLOSS_INLINE V load(const T* from, std::int64_t left) {
    return left >= V::kWidth ? V::load(from) : V::load_first(from, left);
  }

  // The losses of n <= kTile<T> elements, in whole vectors.
  static SIMDLOSS_INLINE void elements(const T* t, const T* p, std::int64_t n, const Args& args,
                                       T* losses) {
    if constexpr (Loss::is_prepared) {
      Tile prepared;
      for (std::int64_t i = 0; i < n; i += V::kWidth) {
        Loss::prepare(load(t + i, n - i), load(p + i, n - i), args).store(prepared.values + i);
      }
      for (std::int64_t i = 0; i < n; i += V::kWidth) {
        Loss::value(load(t + i, n - i), load(p + i, n - i), V::load(prepared.values + i), args)
            .store(losses + i);
      }
    } else {
      for (std::int64_t i = 0; i < n; i += V::kWidth) {
        Loss::value(load(t + i, n - i), load(p + i, n - i), args).store(losses + i);
      }
    }
  }

  static void add_row(const T* t, const T* p, std::int64_t n, const Args& typed, LaneSums& lanes) {
    if constexpr (Loss::is_light) {
      Sums::add(Fused{t, p, typed}, 0, n, lanes);
    } else {
      Tile tile;
      for (std::int64_t i = 0; i < n; i += kTile<T>) {
        const std::int64_t length = n - i < kTile<T> ? n - i : kTile<T>;
        elements(t + i, p + i, length, typed, tile.values);
        Sums::add(typename Sums::Stored{tile.values}, 0, length, lanes);
      }
    }
  }

  // Calls body(t, p, i) for each row i.
  template <class Body>
  static SIMDLOSS_INLINE void for_rows(const RowBlock& rows, Body body) {
    for (std::int64_t i = 0; i < rows.n_rows; ++i) {
      body(reinterpret_cast<const T*>(static_cast<const char*>(rows.t) + i * rows.t_stride),
           reinterpret_cast<const T*>(static_cast<const char*>(rows.p) + i * rows.p_stride), i);
    }
  }

  // Rows of kTile<T> elements or less, as many at a time as fit a tile; adjacent ones as one.
  static void tiled_row_losses(const RowBlock& rows, double divisor, const Args& args, T* losses) {
    const std::int64_t size = rows.n_cols * static_cast<std::int64_t>(sizeof(T));
    const bool adjacent = rows.t_stride == size && rows.p_stride == size;
    const std::int64_t step = kTile<T> / rows.n_cols;
    Tile tile;
    RowBlock part = rows;
    for (std::int64_t row = 0; row < rows.n_rows; row += step) {
      part.t = static_cast<const char*>(rows.t) + row * rows.t_stride;
      part.p = static_cast<const char*>(rows.p) + row * rows.p_stride;
      part.n_rows = rows.n_rows - row < step ? rows.n_rows - row : step;
      const std::int64_t n_rows = part.n_rows;
      if (adjacent) part.n_rows = 1;
      const std::int64_t length = adjacent ? n_rows * rows.n_cols : rows.n_cols;
      for_rows(part, [&](const T* t, const T* p, std::int64_t i) {
        elements(t, p, length, args, tile.values + i * rows.n_cols);
      });
      Sums::row_losses(tile.values, n_rows, rows.n_cols, divisor, losses + row);
    }
  }

  static void row_losses(const RowBlock& rows, double divisor, const void* args,
                         void* losses) noexcept {
    const Args typed = *static_cast<const Args*>(args);  // a copy that no store can change
    T* const out = static_cast<T*>(losses);
    if constexpr (Loss::is_light) {
      if (rows.n_cols >= kLanes<T>) {
        for_rows(rows, [&](const T* t, const T* p, std::int64_t i) {
          out[i] = static_cast<T>(Sums::sum(Fused{t, p, typed}, 0, rows.n_cols) / divisor + 0.0);
        });
        return;
      }
    }
    if (rows.n_cols > kTile<T>) {
      for_rows(rows, [&](const T* t, const T* p, std::int64_t i) {
        LaneSums lanes = {};
        add_row(t, p, rows.n_cols, typed, lanes);
        const RowSum sum = Sums::finish(lanes);
        out[i] = static_cast<T>((sum.hi + sum.lo) / divisor + 0.0);
      });
      return;
    }
    tiled_row_losses(rows, divisor, typed, out);
  }

  static void accumulate(Stage, const RowPart& part, const RowFacts&, const void* args,
                         RowState& state) noexcept {
    const Args typed = *static_cast<const Args*>(args);
    add_row(static_cast<const T*>(part.t), static_cast<const T*>(part.p), part.n, typed,
            state.sums[0]);
  }

  static RowSum collect(const LaneSums& lanes) noexcept { return Sums::finish(lanes); }
  static void prepare(const RowSum*, const void*, RowFacts&) noexcept {}
  static double finish(const RowSum* sums, const RowFacts&, double divisor, const void*) noexcept {
    return (sums[0].hi + sums[0].lo) / divisor + 0.0;
  }

  static constexpr LossKernels kernels{
      {false, false, true}, &row_losses, &accumulate, &collect, &prepare, &finish};
};

}  // namespace simdloss
