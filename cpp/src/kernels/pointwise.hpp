// SPDX-License-Identifier: Apache-2.0
#pragma once

// The driver of losses that are a sum (or mean) over the elements of a row. The formula is the
// loss's; RowSums adds up.
//
// [Light and heavy formulas] The losses of elements are made a tile at a time and added up from
// there: every formula is a plain loop, whatever the rows' length, and its constants stay in
// registers. Only if a formula is so light that rows stream from memory at full speed is it
// evaluated within the sum, which overlaps better with that stream. Such formulas read half
// precision themselves too, for conversion to a tile of floats would take longer than they do.
//
// [Prepared formulas] A CPU has only so many instructions in flight, some hundred, so a long chain
// of operations that wait for each other leaves it idle. Such a formula is cut in two: prepare(t,
// p, args) is its first half, value(t, p, prepared, args) the rest, and each is a loop of its own
// over the tile. The bits are the same.

#include <cstdint>

#include "kernels/abi.hpp"
#include "kernels/convert.hpp"
#include "kernels/prefetch.hpp"
#include "kernels/row_sum.hpp"
#include "kernels/stream.hpp"
#include "losses/loss.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class Loss, class T, class Isa>
struct PointwiseKernel {
  using V = Vec<T, Isa>;
  using Args = typename Loss::template Args<T>;
  using Sums = RowSums<T, Isa>;

  static constexpr bool kReadsHalves = Loss::is_light && __is_same(T, float);

  // Losses that are made where they are added: a source for RowSums. Elements are T or halves.
  template <class Storage>
  struct Fused {
    const Storage* t;
    const Storage* p;
    const Args& args;
    SIMDLOSS_INLINE V whole(std::int64_t i) const {
      return element_loss<Loss>(load(t + i, V::kWidth), load(p + i, V::kWidth), args);
    }
    SIMDLOSS_INLINE V first(std::int64_t i, std::int64_t n) const {
      return keep_first(
          element_loss<Loss>(load_first_as<V>(t + i, n), load_first_as<V>(p + i, n), args), n);
    }
  };

  // Room for a tile, written in whole vectors wherever its rows start.
  struct alignas(64) Tile {
    T values[kTile<T> + V::kWidth];
  };

  template <class Storage>
  static SIMDLOSS_INLINE V load(const Storage* from, std::int64_t left) {
    prefetch<V>(from);
    return left >= V::kWidth ? load_as<V>(from) : load_first_as<V>(from, left);
  }

  // at(i, left) for the vectors of n elements: whole ones, and what is left.
  template <class At>
  static SIMDLOSS_INLINE void for_vectors(std::int64_t n, const At& at) {
    std::int64_t i = 0;
    for (; i + V::kWidth <= n; i += V::kWidth) at(i, V::kWidth);
    if (i < n) at(i, n - i);
  }

  // prepare() of n <= kTile<T> elements.
  static SIMDLOSS_INLINE void prepare_tile(const T* t, const T* p, std::int64_t n, const Args& args,
                                           Tile& prepared) {
    for_vectors(n, [&](std::int64_t i, std::int64_t left) SIMDLOSS_INLINE_LAMBDA {
      Loss::prepare(load(t + i, left), load(p + i, left), args).store(prepared.values + i);
    });
  }

  // The losses of n <= kTile<T> elements, in whole vectors.
  template <class Storage>
  static SIMDLOSS_INLINE void elements(const Storage* t, const Storage* p, std::int64_t n,
                                       const Args& args, T* losses) {
    with_known_options<Loss, T, V>(args, [&](const Args& known) SIMDLOSS_INLINE_LAMBDA {
      if constexpr (Loss::is_prepared) {
        Tile prepared;
        prepare_tile(t, p, n, known, prepared);
        for_vectors(n, [&](std::int64_t i, std::int64_t left) SIMDLOSS_INLINE_LAMBDA {
          Loss::value(load(t + i, left), load(p + i, left), V::load(prepared.values + i), known)
              .store(losses + i);
        });
      } else {
        for_vectors(n, [&](std::int64_t i, std::int64_t left) SIMDLOSS_INLINE_LAMBDA {
          Loss::value(load(t + i, left), load(p + i, left), known).store(losses + i);
        });
      }
    });
  }

  template <class Storage>
  static void add_row(const Storage* t, const Storage* p, std::int64_t n, const Args& typed,
                      LaneSums& lanes) {
    if constexpr (Loss::is_light) {
      Sums::add(Fused<Storage>{t, p, typed}, 0, n, lanes);
    } else {
      Tile tile;
      for (std::int64_t i = 0; i < n; i += kTile<T>) {
        const std::int64_t length = n - i < kTile<T> ? n - i : kTile<T>;
        elements(t + i, p + i, length, typed, tile.values);
        Sums::add(typename Sums::Stored{tile.values}, 0, length, lanes);
      }
    }
  }

  static SIMDLOSS_INLINE T mean_of(const LaneSums& lanes, double divisor) {
    const RowSum sum = Sums::finish(lanes);
    return static_cast<T>((sum.hi + sum.lo) / divisor + 0.0);
  }

  // Calls body(t, p, i) for each row i.
  template <class Storage, class Body>
  static SIMDLOSS_INLINE void for_rows(const RowBlock& rows, Body body) {
    for (std::int64_t i = 0; i < rows.n_rows; ++i) {
      body(row_of<Storage>(rows.t, rows.t_stride, i), row_of<Storage>(rows.p, rows.p_stride, i), i);
    }
  }
  template <class Storage = T>
  static SIMDLOSS_INLINE const Storage* row_of(const void* rows, std::int64_t stride,
                                               std::int64_t row) {
    return reinterpret_cast<const Storage*>(static_cast<const char*>(rows) + row * stride);
  }

  // How many rows of n_cols <= kTile<T> elements to take at a time, if they are adjacent. Narrow ones
  // in groups so small that a CPU still reads the next while it adds up the one before.
  static SIMDLOSS_INLINE std::int64_t rows_at_a_time(std::int64_t n_cols) {
    const std::int64_t fitting = kTile<T> / n_cols;
    if (n_cols > kLanes<T>) return fitting;
    const std::int64_t few = n_cols < 8 ? 256 / n_cols : 32;
    const std::int64_t rows = fitting < few ? fitting : few;
    return rows - rows % 8;  // as [Short rows] are added up
  }

  // Rows of kTile<T> elements or less, as many at a time as fit a tile; adjacent ones as one.
  template <class Storage>
  static void tiled_row_losses(const RowBlock& rows, double divisor, const Args& args, T* losses) {
    const std::int64_t size = rows.n_cols * static_cast<std::int64_t>(sizeof(Storage));
    const bool adjacent = rows.t_stride == size && rows.p_stride == size;
    const std::int64_t step = adjacent ? rows_at_a_time(rows.n_cols) : kTile<T> / rows.n_cols;
    Tile tile;
    RowBlock part = rows;
    for (std::int64_t row = 0; row < rows.n_rows; row += step) {
      part.t = static_cast<const char*>(rows.t) + row * rows.t_stride;
      part.p = static_cast<const char*>(rows.p) + row * rows.p_stride;
      part.n_rows = rows.n_rows - row < step ? rows.n_rows - row : step;
      const std::int64_t n_rows = part.n_rows;
      if (adjacent) part.n_rows = 1;
      const std::int64_t length = adjacent ? n_rows * rows.n_cols : rows.n_cols;
      for_rows<Storage>(part, [&](const Storage* t, const Storage* p, std::int64_t i) {
        elements(t, p, length, args, tile.values + i * rows.n_cols);
      });
      Sums::row_losses(tile.values, n_rows, rows.n_cols, divisor, losses + row);
    }
  }

  template <class Storage>
  static void stored_row_losses(const RowBlock& rows, double divisor, const Args& args, T* losses) {
    if constexpr (Loss::is_light) {
      if (rows.n_cols > kLanes<T>) {
        for_rows<Storage>(rows, [&](const Storage* t, const Storage* p, std::int64_t i) {
          const double sum = Sums::sum(Fused<Storage>{t, p, args}, 0, rows.n_cols);
          losses[i] = static_cast<T>(sum / divisor + 0.0);
        });
        return;
      }
    }
    if (rows.n_cols > kTile<T>) {
      for_rows<Storage>(rows, [&](const Storage* t, const Storage* p, std::int64_t i) {
        LaneSums lanes = {};
        add_row(t, p, rows.n_cols, args, lanes);
        losses[i] = mean_of(lanes, divisor);
      });
      return;
    }
    tiled_row_losses<Storage>(rows, divisor, args, losses);
  }

  static void row_losses(const RowBlock& rows, double divisor, const void* args,
                         void* losses) noexcept {
    const Args typed = *static_cast<const Args*>(args);  // a copy that no store can change
    with_storage<T, kReadsHalves>(rows.halves, [&](auto storage) SIMDLOSS_INLINE_LAMBDA {
      stored_row_losses<decltype(storage)>(rows, divisor, typed, static_cast<T*>(losses));
    });
  }

  static void accumulate(Stage, const RowPart& part, const RowFacts&, const void* args,
                         RowState& state) noexcept {
    const Args typed = *static_cast<const Args*>(args);
    with_storage<T, kReadsHalves>(part.halves, [&](auto storage) SIMDLOSS_INLINE_LAMBDA {
      using Storage = decltype(storage);
      add_row(static_cast<const Storage*>(part.t), static_cast<const Storage*>(part.p), part.n,
              typed, state.sums[0]);
    });
  }

  static RowSum collect(const LaneSums& lanes) noexcept { return Sums::finish(lanes); }
  static void prepare(const RowSum*, const void*, RowFacts&) noexcept {}
  static double finish(const RowSum* sums, const RowFacts&, double divisor, const void*) noexcept {
    return (sums[0].hi + sums[0].lo) / divisor + 0.0;
  }

  // What elements are multiplied by: the same for all, or one number each.
  struct Scales {
    V all;
    const T* each;
    SIMDLOSS_INLINE V at(std::int64_t i, std::int64_t left) const {
      return each == nullptr ? all : load(each + i, left);
    }
  };

  // What elements give; null pointers where it is not wanted.
  struct Outputs {
    T* losses;  // room for whole vectors
    T* gradient;
    T* hessian;
  };

  // A whole vector to memory, or its first lanes; the sum of x - x for those is added to `zero`.
  static SIMDLOSS_INLINE void put(V x, T* to, std::int64_t left, V& zero) {
    if (left >= V::kWidth) {
      x.store(to);
      zero = zero + (x - x);
    } else {
      x.store_first(to, left);
      zero = zero + keep_first(x - x, left);
    }
  }

  // The outputs of the vector at element i. A derivative times its scale is never -0.
  template <bool kLosses, bool kHessian>
  static SIMDLOSS_INLINE void derive(const T* t, const T* p, const T* prepared, std::int64_t i,
                                     std::int64_t left, const Args& args, const Scales& scales,
                                     bool upper_bound, const Outputs& to, V& zero) {
    const V label = load(t + i, left);
    const V prediction = load(p + i, left);
    V half = label;
    if constexpr (Loss::is_prepared) half = V::load(prepared + i);
    const V scale = scales.at(i, left);
    const V slope = element_gradient<Loss>(label, prediction, half, args);
    put(fma(slope, scale, V(T(0))), to.gradient + i, left, zero);
    if constexpr (kLosses) {
      if constexpr (Loss::is_prepared) {
        Loss::value(label, prediction, half, args).store(to.losses + i);
      } else {
        Loss::value(label, prediction, args).store(to.losses + i);
      }
    }
    if constexpr (kHessian) {
      V curvature = element_curvature<Loss>(label, prediction, half, args);
      if (upper_bound) curvature = max(curvature, V(T(0)));
      put(fma(curvature, scale, V(T(0))), to.hessian + i, left, zero);
    }
  }
  template <bool kLosses, bool kHessian>
  static SIMDLOSS_INLINE void derive_tile(const T* t, const T* p, std::int64_t n, const Args& args,
                                          const Scales& scales, bool upper_bound, const Outputs& to,
                                          V& zero) {
    Tile prepared;
    if constexpr (Loss::is_prepared) prepare_tile(t, p, n, args, prepared);
    with_known_options<Loss, T, V, !kHessian>(args, [&](const Args& known) SIMDLOSS_INLINE_LAMBDA {
      for_vectors(n, [&](std::int64_t i, std::int64_t left) SIMDLOSS_INLINE_LAMBDA {
        derive<kLosses, kHessian>(t, p, prepared.values, i, left, known, scales, upper_bound, to,
                                  zero);
      });
    });
  }

  // Rows of kTile<T> elements or less, as many at a time as fit a tile; adjacent ones as one.
  template <bool kLosses, bool kHessian>
  static SIMDLOSS_INLINE void derive_short_rows(const RowBlock& rows, double divisor,
                                                const Args& args, const RowDerivatives& to,
                                                T* losses, V& zero) {
    const std::int64_t size = rows.n_cols * static_cast<std::int64_t>(sizeof(T));
    const bool adjacent = rows.t_stride == size && rows.p_stride == size && to.stride == size;
    const std::int64_t step = adjacent ? rows_at_a_time(rows.n_cols) : 1;
    Tile tile;
    Tile scale_tile;
    for (std::int64_t row = 0; row < rows.n_rows; row += step) {
      const std::int64_t n_rows = rows.n_rows - row < step ? rows.n_rows - row : step;
      Scales scales{V(static_cast<T>(to.scale / divisor)), nullptr};
      if (to.scales != nullptr && n_rows == 1) {
        scales.all = V(static_cast<T>(to.scales[row] / divisor));
      } else if (to.scales != nullptr) {
        for (std::int64_t i = 0; i < n_rows; ++i) {
          const T scale = static_cast<T>(to.scales[row + i] / divisor);
          T* const from = scale_tile.values + i * rows.n_cols;
          for (std::int64_t j = 0; j < rows.n_cols; ++j) from[j] = scale;
        }
        scales.each = scale_tile.values;
      }
      derive_tile<kLosses, kHessian>(row_of(rows.t, rows.t_stride, row),
                                     row_of(rows.p, rows.p_stride, row), n_rows * rows.n_cols, args,
                                     scales, to.upper_bound, outputs(to, row, tile.values), zero);
      if constexpr (kLosses) {
        Sums::row_losses(tile.values, n_rows, rows.n_cols, divisor, losses + row);
      }
    }
  }

  static SIMDLOSS_INLINE Outputs outputs(const RowDerivatives& to, std::int64_t row, T* losses) {
    const auto at = [&](void* rows) {
      return rows == nullptr ? nullptr
                             : reinterpret_cast<T*>(static_cast<char*>(rows) + row * to.stride);
    };
    return {losses, at(to.gradient), at(to.hessian)};
  }

  // One row, or part of one, whose losses are added to lanes.
  template <bool kLosses, bool kHessian>
  static void derive_row(const T* t, const T* p, std::int64_t n, const Args& args, T scale,
                         bool upper_bound, Outputs to, LaneSums& lanes, V& zero) {
    Tile tile;
    to.losses = tile.values;
    for (std::int64_t i = 0; i < n; i += kTile<T>) {
      const std::int64_t length = n - i < kTile<T> ? n - i : kTile<T>;
      derive_tile<kLosses, kHessian>(t + i, p + i, length, args, {V(scale), nullptr}, upper_bound,
                                     to, zero);
      if constexpr (kLosses) Sums::add(typename Sums::Stored{tile.values}, 0, length, lanes);
      to.gradient += length;
      if constexpr (kHessian) to.hessian += length;
    }
  }

  template <bool kLosses, bool kHessian>
  static bool derive_rows(const RowBlock& rows, double divisor, const Args& args,
                          const RowDerivatives& to, T* losses) {
    V zero(T(0));
    if (rows.n_cols <= kTile<T>) {
      derive_short_rows<kLosses, kHessian>(rows, divisor, args, to, losses, zero);
      return all(zero == V(T(0)));
    }
    for (std::int64_t i = 0; i < rows.n_rows; ++i) {
      const double scale = (to.scales != nullptr ? to.scales[i] : to.scale) / divisor;
      LaneSums lanes = {};
      derive_row<kLosses, kHessian>(
          row_of(rows.t, rows.t_stride, i), row_of(rows.p, rows.p_stride, i), rows.n_cols, args,
          static_cast<T>(scale), to.upper_bound, outputs(to, i, nullptr), lanes, zero);
      if constexpr (kLosses) losses[i] = mean_of(lanes, divisor);
    }
    return all(zero == V(T(0)));
  }

  // Light formulas are evaluated once for the losses and once more for the gradient, which is
  // streamed then.
  static bool stream_rows(const RowBlock& rows, double divisor, const Args& args,
                          const RowDerivatives& to, T* losses) {
    constexpr std::int64_t piece = kTile<T> / 2;  // where the loss leaves off for the gradient
    const T* const t = static_cast<const T*>(rows.t);
    const T* const p = static_cast<const T*>(rows.p);
    const V scale(static_cast<T>(to.scale / divisor));
    const std::int64_t size = rows.n_rows * rows.n_cols;
    Stream<V> stream(static_cast<T*>(to.gradient), size);
    const auto at = [&](std::int64_t i, std::int64_t left) SIMDLOSS_INLINE_LAMBDA {
      return fma(Loss::gradient(load(t + i, left), load(p + i, left), args), scale, V(T(0)));
    };
    if (losses == nullptr) {
      stream.advance(size, at);
    } else if (rows.n_cols <= piece) {
      const bool narrow = rows.n_cols <= kLanes<T>;
      const std::int64_t step = narrow ? rows_at_a_time(rows.n_cols) : piece / rows.n_cols;
      for (std::int64_t row = 0; row < rows.n_rows; row += step) {
        RowBlock part = rows;
        part.t = t + row * rows.n_cols;
        part.p = p + row * rows.n_cols;
        part.n_rows = rows.n_rows - row < step ? rows.n_rows - row : step;
        row_losses(part, divisor, &args, losses + row);
        stream.advance((row + part.n_rows) * rows.n_cols, at);
      }
    } else {
      for (std::int64_t begin = 0; begin < size; begin += rows.n_cols) {
        LaneSums lanes = {};
        for (std::int64_t i = begin; i < begin + rows.n_cols; i += piece) {
          const std::int64_t left = begin + rows.n_cols - i;
          const std::int64_t length = left < piece ? left : piece;
          add_row(t + i, p + i, length, args, lanes);
          stream.advance(i + length, at);
        }
        *losses++ = mean_of(lanes, divisor);
      }
    }
    return stream.is_finite();
  }

  static bool row_gradients(const RowBlock& rows, double divisor, const void* args,
                            const RowDerivatives& to, void* losses) noexcept {
    const Args typed = *static_cast<const Args*>(args);
    if constexpr (V::kStreams && Loss::is_light) {
      if (Stream<V>::suits(rows, to) && to.scales == nullptr) {
        return stream_rows(rows, divisor, typed, to, static_cast<T*>(losses));
      }
    }
    return losses == nullptr
               ? derive_rows<false, false>(rows, divisor, typed, to, nullptr)
               : derive_rows<true, false>(rows, divisor, typed, to, static_cast<T*>(losses));
  }
  static bool row_hessians(const RowBlock& rows, double divisor, const void* args,
                           const RowDerivatives& to, void* losses) noexcept {
    const Args typed = *static_cast<const Args*>(args);
    return derive_rows<true, true>(rows, divisor, typed, to, static_cast<T*>(losses));
  }
  static RowSlopes slopes(const RowSum*, const RowFacts&, double scale, double divisor,
                          const void*) noexcept {
    return {{scale / divisor}};
  }
  static bool part_gradients(const RowPart& part, const RowFacts&, const RowSlopes& slopes,
                             const void* args, const RowDerivatives& to) noexcept {
    const Args typed = *static_cast<const Args*>(args);
    const auto* const t = static_cast<const T*>(part.t);
    const auto* const p = static_cast<const T*>(part.p);
    const T scale = static_cast<T>(slopes.values[0]);
    V zero(T(0));
    LaneSums lanes;
    if (to.hessian != nullptr) {
      derive_row<false, true>(t, p, part.n, typed, scale, to.upper_bound, outputs(to, 0, nullptr),
                              lanes, zero);
    } else {
      derive_row<false, false>(t, p, part.n, typed, scale, to.upper_bound, outputs(to, 0, nullptr),
                               lanes, zero);
    }
    return all(zero == V(T(0)));
  }
  static void label_gradients(const RowFacts&, const RowSlopes&, const void*, bool,
                              double*) noexcept {}

  static constexpr LossKernels kernels{{false, false, true, true},
                                       kReadsHalves,
                                       0,
                                       &row_losses,
                                       &accumulate,
                                       &collect,
                                       &prepare,
                                       &finish,
                                       &row_gradients,
                                       &row_hessians,
                                       &slopes,
                                       &part_gradients,
                                       &label_gradients};
};

}  // namespace simdloss
