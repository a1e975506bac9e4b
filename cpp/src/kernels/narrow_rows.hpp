// SPDX-License-Identifier: Apache-2.0
#pragma once

// A group of [Narrow rows], transposed: as many tiles of one row per lane as a group has room for, so
// that what is done once a row has several vectors in flight.

#include <cstdint>

#include "kernels/abi.hpp"
#include "kernels/prefetch.hpp"
#include "kernels/row_group.hpp"
#include "kernels/row_sum.hpp"
#include "kernels/transpose.hpp"
#include "kernels/unrolled.hpp"
#include "kernels/wide_rows.hpp"
#include "losses/loss.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class Loss, class T, class Isa>
struct NarrowRows {
  using Wide = WideRows<Loss, T, Isa>;
  using C = typename Wide::C;
  using G = typename Wide::G;
  using V = typename Wide::V;
  using Args = typename Wide::Args;
  using Group = typename Wide::Group;
  using Columns = Transposed<T, Isa>;
  static constexpr int kTileRows = Vec<T, Isa>::kWidth;
  static constexpr int kRows = kRowGroup;
  static_assert(kRows % kTileRows == 0);
  // Rows whose elements all have a lane of their own; no transposition for vectors of next to nothing.
  static constexpr int kMaxCols = kTileRows >= 4 ? kLanes<C> : 0;
  static constexpr int kSize = kRows * (kMaxCols > 0 ? kMaxCols : 1);
  static constexpr int kAlignment = kMaxCols > 0 ? 64 : alignof(C);

  alignas(kAlignment) T t[kSize];
  alignas(kAlignment) T p[kSize];
  // [Kept elements] or [Float exponentials], then derivatives.
  alignas(kAlignment) mutable T derived[kSize];
  const RowBlock& block;
  std::int64_t begin;

  NarrowRows(const RowBlock& rows, std::int64_t first, int n) : block(rows), begin(first) {
    if constexpr (!Wide::kHasClassIds) load(rows.t, rows.t_stride, rows.t_col_stride, n, t);
    if constexpr (!Loss::has_label_only) load(rows.p, rows.p_stride, rows.p_col_stride, n, p);
  }

  // Calls body(i, n_rows, tile) for the tiles of n rows, with the first row of each.
  template <class Element, class Body>
  SIMDLOSS_INLINE void for_tiles(int n, Element* tiles, const Body& body) const {
    for (int i = 0; i < n; i += kTileRows) {
      body(i, n - i < kTileRows ? n - i : kTileRows, tiles + i * block.n_cols);
    }
  }

  // Columns are copied too: where they are some power of 2 apart, the cache cannot keep all of them
  // until a stage looks at them again.
  SIMDLOSS_INLINE void load(const void* rows, std::int64_t stride, std::int64_t col_stride, int n,
                            T* tiles) const {
    for_tiles(n, tiles, [&](int i, int n_rows, T* tile) SIMDLOSS_INLINE_LAMBDA {
      const T* const from = Group::template row_of<T>(rows, stride, begin + i);
      if (col_stride == 0) {
        prefetch_tile(from, stride, n_rows, block.n_cols,
                      block.p_next != 0 ? block.p_next : some_rows(stride));
        Columns::load(from, stride, n_rows, block.n_cols, tile);
      } else {
        prefetch_tile(from, col_stride, block.n_cols, n_rows, kAhead);
        Columns::copy_in(from, col_stride, n_rows, block.n_cols, tile);
      }
    });
  }

  // As many rows as are about kAhead bytes, in bytes.
  static SIMDLOSS_INLINE std::int64_t some_rows(std::int64_t stride) {
    const std::int64_t apart = stride < 0 ? -stride : stride;
    return apart == 0 || apart > kAhead ? stride : stride * (kAhead / apart);
  }
  // What is `bytes` after n lines of `length` elements, which are one line where they are adjacent.
  static SIMDLOSS_INLINE void prefetch_tile(const T* from, std::int64_t stride, std::int64_t n,
                                            std::int64_t length, std::int64_t bytes) {
    if (stride == length * static_cast<std::int64_t>(sizeof(T))) {
      length *= n;
      n = 1;
    }
    for (std::int64_t i = 0; i < n; ++i) {
      const T* const line = Group::template row_of<T>(from, stride, i);
      for (std::int64_t j = 0; j < length; j += 64 / sizeof(T)) prefetch<V>(line + j, bytes);
    }
  }

  SIMDLOSS_INLINE void store(const T* tiles, int n, const RowDerivatives& to, void* rows) const {
    for_tiles(n, tiles, [&](int i, int n_rows, const T* tile) SIMDLOSS_INLINE_LAMBDA {
      T* const target = Group::template row_of<T>(rows, to.stride, i);
      if (to.col_stride == 0) {
        prefetch_tile(target, to.stride, n_rows, block.n_cols, some_rows(to.stride));
        Columns::store(tile, n_rows, block.n_cols, target, to.stride);
      } else {
        Columns::copy_out(tile, n_rows, block.n_cols, target, to.col_stride);
      }
    });
  }

  // Where element 0 of row i is, `from` below; element j is j kTileRows further on.
  SIMDLOSS_INLINE std::int64_t start(int i) const {
    const int lane = i % kTileRows;
    return (i - lane) * block.n_cols + lane;
  }
  // Elements j of the rows from there on, in W.
  template <class W>
  static SIMDLOSS_INLINE W column(const T* tiles, std::int64_t j, std::int64_t from) {
    if constexpr (sizeof(typename W::Element) == sizeof(T)) {
      return W::load(tiles + from + j * kTileRows);
    } else {
      return W::load_float(tiles + from + j * kTileRows);
    }
  }
  template <class W>
  static SIMDLOSS_INLINE void put_column(W x, T* tiles, std::int64_t j, std::int64_t from) {
    if constexpr (sizeof(typename W::Element) == sizeof(T)) {
      x.store(tiles + from + j * kTileRows);
    } else {
      x.store_float(tiles + from + j * kTileRows);
    }
  }
  template <class W>
  SIMDLOSS_INLINE W label(std::int64_t j, std::int64_t from) const {
    if constexpr (Wide::kHasClassIds) return W(typename W::Element(0));
    return column<W>(t, j, from);
  }
  template <class W>
  SIMDLOSS_INLINE W prediction(std::int64_t j, std::int64_t from) const {
    return column<W>(p, j, from);
  }
  template <class W>
  SIMDLOSS_INLINE W weight(std::int64_t j) const {
    using E = typename W::Element;
    if constexpr (Loss::has_classes) {
      if (block.class_weights != nullptr) {
        return W(static_cast<E>(static_cast<const T*>(block.class_weights)[j]));
      }
    }
    return W(E(1));
  }

  template <class W>
  static SIMDLOSS_INLINE void store_wide(W x, double* to) {
    using D = typename Wide::D;
    if constexpr (sizeof(typename W::Element) == sizeof(double)) {
      x.store(to);
    } else {
      widen_part<0>(x).store(to);
      if constexpr (W::kWidth > D::kWidth) widen_part<1>(x).store(to + D::kWidth);
    }
  }

  void find_max(int n, const Args& args, Group& group, bool with_slopes) const {
    using S = typename Wide::Exps::Scanned;
    using W = Vec<S, Isa>;
    for (int i = 0; i < n; i += W::kWidth) {
      const std::int64_t from = start(i);
      const auto scan = [&](std::int64_t j) SIMDLOSS_INLINE_LAMBDA {
        return Loss::scan(label<W>(j, from), prediction<W>(j, from), args);
      };
      W largest(-Limits<S>::kInfinity);
      for (std::int64_t j = 0; j < block.n_cols; ++j) largest = max(largest, scan(j));
      largest = largest + W(S(0));
      store_wide(largest, group.max + i);
      if (!(Loss::slopes_need_ties && with_slopes)) continue;
      W ties(S(0));
      for (std::int64_t j = 0; j < block.n_cols; ++j) {
        ties = ties + keep(scan(j) == largest, W(S(1)));
      }
      store_wide(ties, group.ties + i);
    }
  }

  template <Stage kStage>
  void add_up(int n, int used, const Args& args, Group& group, const RowDerivatives* to) const {
    with_count<Wide::n_sums(kStage)>(used, [&](auto sums) SIMDLOSS_INLINE_LAMBDA {
      add_up_sums<kStage, sums.kCount>(n, args, group, to);
    });
  }
  template <Stage kStage, int kUsed>
  SIMDLOSS_INLINE void add_up_sums(int n, const Args& args, Group& group,
                                   const RowDerivatives* to) const {
    if constexpr (Loss::is_light) return add_up_in_registers<kStage>(n, args, group);
    if constexpr (Loss::has_float_exps && kStage == kFirst) make_exps(n, group);
    alignas(64) C cells[kUsed][kMaxCols * V::kWidth];
    for (int i = 0; i < n; i += V::kWidth) {
      const std::int64_t from = start(i);
      const Row<V> known = group.template rows<V>(i);
      V ties(C(0));
      for (std::int64_t j = 0; j < block.n_cols; ++j) {
        const V x = prediction<V>(j, from);
        const V e = Loss::has_float_exps ? column<V>(derived, j, from) : V(C(0));
        const Terms<V> terms =
            Wide::template terms_of<kStage>(e, label<V>(j, from), x, weight<V>(j), known, args);
        if constexpr (Wide::template kCounts<kStage>) ties = ties + keep(x == known.max, V(C(1)));
        if constexpr (Wide::template kKeeps<kStage>) {
          if (to != nullptr) put_column(Loss::kept(x, known), derived, j, from);
        }
        unrolled<kUsed>(
            [&](int k) SIMDLOSS_INLINE_LAMBDA { terms.values[k].store(cells[k] + j * V::kWidth); });
      }
      if constexpr (Wide::template kCounts<kStage>) store_wide(ties, group.ties + i);
      for (int k = 0; k < kUsed; ++k) {
        Wide::Sums::sum_columns(cells[k], block.n_cols, group.sums[k] + i);
      }
    }
  }

  SIMDLOSS_INLINE void make_exps(int n, const Group& group) const {
    using F = Vec<T, Isa>;
    for (int i = 0; i < n; i += F::kWidth) {
      const std::int64_t from = start(i);
      const Row<F> known = group.template rows<F>(i);
      for (std::int64_t j = 0; j < block.n_cols; ++j) {
        put_column(Loss::exponential(prediction<F>(j, from), known), derived, j, from);
      }
    }
  }

  // The terms of light formulas are made where they are added, as stores would take longer than they.
  template <Stage kStage>
  void add_up_in_registers(int n, const Args& args, Group& group) const {
    for (int i = 0; i < n; i += V::kWidth) {
      const std::int64_t from = start(i);
      const Row<V> known = group.template rows<V>(i);
      Wide::Sums::template sum_each_of_columns<Wide::n_sums(kStage)>(
          [&](int j) SIMDLOSS_INLINE_LAMBDA {
            return Wide::template terms_of<kStage>(
                V(C(0)), label<V>(j, from), prediction<V>(j, from), weight<V>(j), known, args);
          },
          block.n_cols, group.sums[0] + i, kRowGroup);
    }
  }

  template <class W>
  SIMDLOSS_INLINE W gradient(std::int64_t j, std::int64_t from, const Row<W>& known,
                             const Slopes<W>& s, const Args& args) const {
    if constexpr (Loss::has_float_exps) {
      return Loss::gradient(column<W>(derived, j, from), label<W>(j, from), prediction<W>(j, from),
                            weight<W>(j), known, s, args);
    } else if constexpr (Wide::template kKeeps<kTerms>) {
      return Loss::gradient_of_kept(column<W>(derived, j, from), label<W>(j, from),
                                    prediction<W>(j, from), weight<W>(j), known, s, args);
    } else {
      return Loss::gradient(label<W>(j, from), prediction<W>(j, from), weight<W>(j), known, s,
                            args);
    }
  }
  template <bool kHessian>
  bool derive(int n, const Args& args, const Group& group, const RowDerivatives& to) const {
    using W = Vec<G, Isa>;
    if constexpr (Loss::has_label_only) {
      return Wide{block, begin}.template derive<kHessian>(n, args, group, to);
    } else {
      alignas(64) T curved[kHessian ? kSize : 1];
      bool finite = true;
      for (int i = 0; i < n; i += W::kWidth) {
        const std::int64_t from = start(i);
        const Row<W> known = group.template rows<W>(i);
        const Slopes<W> s = group.template row_slopes<W>(i);
        W zero(G(0));
        for (std::int64_t j = 0; j < block.n_cols; ++j) {
          const W x = gradient(j, from, known, s, args) + W(G(0));
          put_column(x, derived, j, from);
          zero = zero + (x - x);
          if constexpr (kHessian) {
            const W h = Wide::hessian_of(label<W>(j, from), prediction<W>(j, from), weight<W>(j),
                                         known, s, args, to.upper_bound);
            put_column(h, curved, j, from);
            zero = zero + (h - h);
          }
        }
        if (n - i < W::kWidth) zero = keep_first(zero, n - i);
        finite &= all(zero == W(G(0)));
      }
      store(derived, n, to, to.gradient);
      if constexpr (kHessian) store(curved, n, to, to.hessian);
      return Wide::template derive_labels<kHessian>(n, args, group, to) && finite;
    }
  }
};

}  // namespace simdloss
