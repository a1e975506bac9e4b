// SPDX-License-Identifier: Apache-2.0
#pragma once

// A group of [Narrow rows], transposed.

#include <cstdint>

#include "kernels/abi.hpp"
#include "kernels/row_group.hpp"
#include "kernels/row_sum.hpp"
#include "kernels/transpose.hpp"
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
  using D = typename Wide::D;
  using Args = typename Wide::Args;
  using Group = typename Wide::Group;
  using Columns = Transposed<T, C, Isa>;
  static constexpr int kRows = V::kWidth;
  static constexpr int kParts = V::kWidth / D::kWidth;  // of a vector, in double
  // Rows whose elements all have a lane of their own; no transposition for vectors of next to nothing.
  static constexpr int kMaxCols = kRows >= 4 ? kLanes<C> : 0;
  static constexpr int kTileSize = kRows * (kMaxCols > 0 ? kMaxCols : 1);

  static constexpr int kAlignment = kMaxCols > 0 ? 64 : alignof(C);

  alignas(kAlignment) C t[kTileSize];  // element j of row i at j * kRows + i
  alignas(kAlignment) C p[kTileSize];
  alignas(kAlignment) mutable C derived[kTileSize];  // [Kept elements], then derivatives
  const RowBlock& block;
  std::int64_t begin;

  NarrowRows(const RowBlock& rows, std::int64_t first, int n) : block(rows), begin(first) {
    if constexpr (!Wide::kHasClassIds) {
      Columns::load(Group::template row_of<T>(rows.t, rows.t_stride, first), rows.t_stride, n,
                    rows.n_cols, t);
    }
    Columns::load(Group::template row_of<T>(rows.p, rows.p_stride, first), rows.p_stride, n,
                  rows.n_cols, p);
  }

  SIMDLOSS_INLINE V label(std::int64_t j) const {
    if constexpr (Wide::kHasClassIds) return V(C(0));
    return V::load(t + j * kRows);
  }
  SIMDLOSS_INLINE V prediction(std::int64_t j) const { return V::load(p + j * kRows); }
  SIMDLOSS_INLINE V weight(std::int64_t j) const {
    if constexpr (Loss::has_classes) {
      if (block.class_weights != nullptr) {
        return V(static_cast<C>(static_cast<const T*>(block.class_weights)[j]));
      }
    }
    return V(C(1));
  }

  static SIMDLOSS_INLINE void store_wide(V x, double* to) {
    if constexpr (sizeof(C) == sizeof(double)) {
      x.store(to);
    } else {
      widen_part<0>(x).store(to);
      if constexpr (kParts == 2) widen_part<1>(x).store(to + D::kWidth);
    }
  }

  void find_max(int, const Args& args, Group& group, bool with_slopes) const {
    V largest(-Limits<C>::kInfinity);
    for (std::int64_t j = 0; j < block.n_cols; ++j) {
      largest = max(largest, Loss::scan(label(j), prediction(j), args));
    }
    largest = largest + V(C(0));
    store_wide(largest, group.max);
    if (!Loss::has_ties && !(Loss::slopes_need_ties && with_slopes)) return;
    V ties(C(0));
    for (std::int64_t j = 0; j < block.n_cols; ++j) {
      ties = ties + keep(Loss::scan(label(j), prediction(j), args) == largest, V(C(1)));
    }
    store_wide(ties, group.ties);
  }

  // The sums of columns that are kRows doubles, in the order of [Lane order is the contract]. `low`
  // holds what was rounded off, where sums are pairs.
  static SIMDLOSS_INLINE void add_columns(double* cells, std::int64_t n, double* low) {
    constexpr bool pairs = sizeof(T) == sizeof(double);
    for (std::int64_t half = kLanes<C> / 2; half > 0; half /= 2) {
      for (std::int64_t j = half; j < n; ++j) {
        for (int i = 0; i < kRows; i += D::kWidth) {
          double* const to = cells + (j - half) * kRows + i;
          const D other = D::load(cells + j * kRows + i);
          if constexpr (pairs) {
            D hi = D::load(to);
            double* const low_to = low + (j - half) * kRows + i;
            const D error = add_exactly(hi, other);
            hi.store(to);
            ((D::load(low_to) + D::load(low + j * kRows + i)) + error).store(low_to);
          } else {
            (D::load(to) + other).store(to);
          }
        }
      }
      if (n > half) n = half;
    }
  }

  template <Stage kStage>
  void add_up(int, int used, const Args& args, Group& group, const RowDerivatives* to) const {
    constexpr int most = Wide::n_sums(kStage);
    const std::int64_t n = block.n_cols;
    const Row<V> known = group.template rows<V>(0);
    alignas(64) double cells[most][kTileSize];
    for (std::int64_t j = 0; j < n; ++j) {
      const Terms<V> terms =
          Wide::template terms_of<kStage>(label(j), prediction(j), weight(j), known, args);
      for (int k = 0; k < most; ++k) {
        if (k < used) store_wide(terms.values[k], cells[k] + j * kRows);
      }
      if constexpr (Wide::template kKeeps<kStage>) {
        if (to != nullptr) Loss::kept(prediction(j), known).store(derived + j * kRows);
      }
    }
    for (int k = 0; k < used; ++k) {
      alignas(64) double low[sizeof(T) == sizeof(double) ? kTileSize : 1];
      if constexpr (sizeof(T) == sizeof(double)) {
        for (std::int64_t i = 0; i < n * kRows; ++i) low[i] = 0;
      }
      add_columns(cells[k], n, low);
      for (int i = 0; i < kRows; i += D::kWidth) {
        D sum = n > 0 ? D::load(cells[k] + i) : D(0.0);
        if constexpr (sizeof(T) == sizeof(double)) {
          if (n > 0) sum = sum + D::load(low + i);
        }
        sum.store(group.sums[k] + i);
      }
    }
  }

  SIMDLOSS_INLINE V gradient(std::int64_t j, const Row<V>& known, const Slopes<V>& s,
                             const Args& args) const {
    if constexpr (Wide::template kKeeps<kTerms>) {
      return Loss::gradient_of_kept(V::load(derived + j * kRows), label(j), prediction(j),
                                    weight(j), known, s, args);
    } else {
      return Loss::gradient(label(j), prediction(j), weight(j), known, s, args);
    }
  }
  template <bool kHessian>
  bool derive(int n, const Args& args, const Group& group, const RowDerivatives& to) const {
    if constexpr (!__is_same(C, G) || Loss::has_label_only) {
      return Wide{block, begin}.template derive<kHessian>(n, args, group, to);
    } else {
      const Row<V> known = group.template rows<V>(0);
      const Slopes<V> s = group.template row_slopes<V>(0);
      alignas(64) C curved[kHessian ? kTileSize : 1];
      V zero(C(0));
      for (std::int64_t j = 0; j < block.n_cols; ++j) {
        const V x = gradient(j, known, s, args) + V(C(0));
        x.store(derived + j * kRows);
        zero = zero + (x - x);
        if constexpr (kHessian) {
          const V h =
              Wide::hessian_of(label(j), prediction(j), weight(j), known, s, args, to.upper_bound);
          h.store(curved + j * kRows);
          zero = zero + (h - h);
        }
      }
      Columns::store(derived, n, block.n_cols, to.gradient, to.stride);
      if constexpr (kHessian) Columns::store(curved, n, block.n_cols, to.hessian, to.stride);
      const bool finite = all(keep_first(zero, n) == V(C(0)));
      return Wide::template derive_labels<kHessian>(n, args, group, to) && finite;
    }
  }
};

}  // namespace simdloss
