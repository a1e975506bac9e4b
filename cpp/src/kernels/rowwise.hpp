// SPDX-License-Identifier: Apache-2.0
#pragma once

// The driver of [Row losses]: it runs the stages of a loss over rows, a few rows at a time, so that
// what is done once a row is done for a vector of rows.

#include <cstdint>

#include "kernels/abi.hpp"
#include "kernels/row_sum.hpp"
#include "losses/loss.hpp"
#include "simd/vec.hpp"

namespace simdloss {

// Rows that go through the stages together.
inline constexpr int kRowGroup = 32;

template <class Loss, class T, class Isa>
struct RowKernel {
  using C = typename Loss::template Compute<T>;
  using V = Vec<C, Isa>;
  using D = Vec<double, Isa>;
  using Args = typename Loss::template Args<T>;
  // Sums of products of floats need no compensation in double.
  using Sums = RowSums<C, Isa, sizeof(T) == sizeof(double)>;
  static constexpr bool kHasClassIds = Loss::target == Target::kClassId;
  static constexpr bool kLight = Loss::is_light;

  // The elements of a row, or of a part of one.
  struct Elements {
    const T* t;
    const T* p;
    const T* w;

    static SIMDLOSS_INLINE V load(const T* from, std::int64_t left) {
      if constexpr (sizeof(C) == sizeof(T)) {
        return left >= V::kWidth ? V::load(from) : V::load_first(from, left);
      } else {
        return left >= V::kWidth ? V::load_float(from) : V::load_float_first(from, left);
      }
    }
    SIMDLOSS_INLINE V label(std::int64_t i, std::int64_t left) const {
      if constexpr (kHasClassIds) return V(C(0));
      return load(t + i, left);
    }
    SIMDLOSS_INLINE V prediction(std::int64_t i, std::int64_t left) const {
      return load(p + i, left);
    }
    SIMDLOSS_INLINE V weight(std::int64_t i, std::int64_t left) const {
      if constexpr (Loss::has_classes) {
        if (w != nullptr) return load(w + i, left);
      }
      return V(C(1));
    }
  };

  static constexpr int n_sums(Stage stage) {
    return stage == kFirst ? Loss::n_first : Loss::n_sums;
  }

  template <Stage kStage>
  static SIMDLOSS_INLINE Terms<V> terms_of(const Elements& row, std::int64_t i, std::int64_t left,
                                           const Row<V>& known, const Args& args) {
    const V t = row.label(i, left);
    const V p = row.prediction(i, left);
    const V w = row.weight(i, left);
    if constexpr (kStage == kFirst) {
      return Loss::first(t, p, w, known, args);
    } else {
      return Loss::terms(t, p, w, known, args);
    }
  }

  // One of the terms of light formulas, made where it is added: a source for RowSums.
  template <Stage kStage, int kSum>
  struct Fused {
    const Elements& row;
    const Row<V>& known;
    const Args& args;
    SIMDLOSS_INLINE V whole(std::int64_t i) const {
      return terms_of<kStage>(row, i, V::kWidth, known, args).values[kSum];
    }
    SIMDLOSS_INLINE V first(std::int64_t i, std::int64_t n) const {
      return keep_first(terms_of<kStage>(row, i, n, known, args).values[kSum], n);
    }
  };

  // Terms of up to kTile<T> elements, in whole vectors.
  template <Stage kStage>
  struct alignas(64) Tile {
    C values[n_sums(kStage)][kTile<T> + V::kWidth];
  };

  template <Stage kStage>
  static SIMDLOSS_INLINE void fill(const Elements& row, std::int64_t begin, std::int64_t n,
                                   int used, const Row<V>& known, const Args& args,
                                   Tile<kStage>& tile) {
    for (std::int64_t i = 0; i < n; i += V::kWidth) {
      const Terms<V> terms = terms_of<kStage>(row, begin + i, n - i, known, args);
      terms.values[0].store(tile.values[0] + i);
      for (int k = 1; k < n_sums(kStage); ++k) {
        if (k < used) terms.values[k].store(tile.values[k] + i);
      }
    }
  }

  template <Stage kStage>
  static SIMDLOSS_INLINE int used_sums(const Args& args) {
    if constexpr (kStage == kTerms && requires { Loss::template used_sums<V>(args); }) {
      return Loss::template used_sums<V>(args);
    }
    return n_sums(kStage);
  }

  // Calls use(k, source, n) with sources of all terms of sum k in order, each of kTile<T> elements
  // but the last; light formulas come as one.
  template <Stage kStage, class Use>
  static SIMDLOSS_INLINE void for_terms(const Elements& row, std::int64_t n, const Row<V>& known,
                                        const Args& args, int used, Use use) {
    if constexpr (kLight) {
      for_fused_terms<kStage, 0>(row, n, known, args, use);
    } else {
      Tile<kStage> tile;
      for (std::int64_t i = 0; i < n; i += kTile<T>) {
        const std::int64_t length = n - i < kTile<T> ? n - i : kTile<T>;
        fill<kStage>(row, i, length, used, known, args, tile);
        for (int k = 0; k < used; ++k) use(k, typename Sums::Stored{tile.values[k]}, length);
      }
    }
  }
  template <Stage kStage, int kSum, class Use>
  static SIMDLOSS_INLINE void for_fused_terms(const Elements& row, std::int64_t n,
                                              const Row<V>& known, const Args& args, Use use) {
    use(kSum, Fused<kStage, kSum>{row, known, args}, n);
    if constexpr (kSum + 1 < n_sums(kStage)) {
      for_fused_terms<kStage, kSum + 1>(row, n, known, args, use);
    }
  }

  // Adds a part of a row to its lanes.
  template <Stage kStage>
  static SIMDLOSS_INLINE void add(const Elements& row, std::int64_t n, const Row<V>& known,
                                  const Args& args, LaneSums* lanes) {
    const int used = used_sums<kStage>(args);
    if (used == 0) return;
    for_terms<kStage>(row, n, known, args, used,
                      [&](int k, const auto& source, std::int64_t length) {
                        Sums::add(source, 0, length, lanes[k]);
                      });
  }

  // The sums of a whole row, as doubles, to sums[0], sums[kRowGroup], ...
  template <Stage kStage>
  static SIMDLOSS_INLINE void sum_row(const Elements& row, std::int64_t n, const Row<V>& known,
                                      const Args& args, double* sums) {
    const int used = used_sums<kStage>(args);
    if (used == 0) return;
    if (n <= kTile<T>) {
      for_terms<kStage>(row, n, known, args, used,
                        [&](int k, const auto& source, std::int64_t length) {
                          sums[k * kRowGroup] = Sums::sum(source, 0, length);
                        });
      return;
    }
    LaneSums lanes[kMaxSums] = {};
    add<kStage>(row, n, known, args, lanes);
    for (int k = 0; k < used; ++k) {
      const RowSum sum = Sums::finish(lanes[k]);
      sums[k * kRowGroup] = sum.hi + sum.lo;
    }
  }

  static SIMDLOSS_INLINE C max_of(const Elements& row, std::int64_t n, const Args& args,
                                  C largest) {
    V lanes(largest);
    std::int64_t i = 0;
    for (; i + V::kWidth <= n; i += V::kWidth) {
      lanes = max(lanes, scan(row, i, V::kWidth, args));
    }
    if (i < n) lanes = max(lanes, select_first(scan(row, i, n - i, args), n - i, lanes));
    return max_lane(lanes);
  }
  static SIMDLOSS_INLINE V scan(const Elements& row, std::int64_t i, std::int64_t left,
                                const Args& args) {
    return Loss::scan(row.label(i, left), row.prediction(i, left), args);
  }
  // The first n lanes of x, then those of y.
  static SIMDLOSS_INLINE V select_first(V x, std::int64_t n, V y) {
    return select(keep_first(V(C(1)), n) == V(C(1)), x, y);
  }
  static SIMDLOSS_INLINE std::int64_t count_of(const Elements& row, std::int64_t n, C value,
                                               const Args& args) {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < n; i += V::kWidth) {
      const std::int64_t left = n - i < V::kWidth ? n - i : V::kWidth;
      count += count_first(scan(row, i, left, args) == V(value), left);
    }
    return count;
  }

  // The facts of one row in every lane.
  template <class W>
  static SIMDLOSS_INLINE Row<W> broadcast(const RowFacts& f) {
    using E = typename W::Element;
    return {W(static_cast<E>(f.max)),   W(static_cast<E>(f.ties)),
            W(static_cast<E>(f.label)), W(static_cast<E>(f.label_weight)),
            W(static_cast<E>(f.a)),     W(static_cast<E>(f.b))};
  }

  // Facts of a group of rows: arrays, one entry a row. The lanes beyond the group are computed too.
  struct alignas(64) Group {
    double max[kRowGroup];
    double ties[kRowGroup];
    double label[kRowGroup];
    double label_weight[kRowGroup];
    double a[kRowGroup];
    double b[kRowGroup];
    double sums[kMaxSums][kRowGroup];

    SIMDLOSS_INLINE Row<D> load(int i) const {
      return {D::load(max + i),          D::load(ties + i), D::load(label + i),
              D::load(label_weight + i), D::load(a + i),    D::load(b + i)};
    }
    SIMDLOSS_INLINE RowFacts facts(int i) const {
      return {max[i], ties[i], label[i], label_weight[i], a[i], b[i]};
    }
    SIMDLOSS_INLINE Terms<D> load_sums(int i) const {
      Terms<D> all;
      for (int k = 0; k < kMaxSums; ++k) all.values[k] = D::load(sums[k] + i);
      return all;
    }
  };

  static SIMDLOSS_INLINE void prepare_rows(int n, const Args& args, Group& group) {
    for (int i = 0; i < n; i += D::kWidth) {
      Row<D> row = group.load(i);
      Loss::template prepare<C>(group.load_sums(i), row, args);
      row.a.store(group.a + i);
      row.b.store(group.b + i);
    }
  }
  static SIMDLOSS_INLINE void finish_rows(int n, const Args& args, Group& group, double* losses) {
    for (int i = 0; i < n; i += D::kWidth) {
      (Loss::finish(group.load_sums(i), group.load(i), args) + D(0.0)).store(losses + i);
    }
  }

  static void row_losses(const RowBlock& rows, double, const void* args, void* losses) noexcept {
    const Args typed = *static_cast<const Args*>(args);  // a copy that no store can change
    T* const out = static_cast<T*>(losses);
    Group group = {};
    for (std::int64_t begin = 0; begin < rows.n_rows; begin += kRowGroup) {
      const int n = static_cast<int>(rows.n_rows - begin < kRowGroup ? rows.n_rows - begin
                                                                     : std::int64_t{kRowGroup});
      const auto row = [&](int i) -> Elements {
        const std::int64_t k = begin + i;
        return {reinterpret_cast<const T*>(static_cast<const char*>(rows.t) + k * rows.t_stride),
                reinterpret_cast<const T*>(static_cast<const char*>(rows.p) + k * rows.p_stride),
                static_cast<const T*>(rows.class_weights)};
      };
      if constexpr (kHasClassIds) {
        for (int i = 0; i < n; ++i) {
          group.label[i] = static_cast<double>(*row(i).t);
          group.label_weight[i] =
              rows.label_weights != nullptr ? rows.label_weights[begin + i] : 1.0;
        }
      }
      if constexpr (Loss::has_max) {
        for (int i = 0; i < n; ++i) {
          const C largest = max_of(row(i), rows.n_cols, typed, -Limits<C>::kInfinity) + C(0);
          group.max[i] = static_cast<double>(largest);
          if constexpr (Loss::has_ties) {
            group.ties[i] = static_cast<double>(count_of(row(i), rows.n_cols, largest, typed));
          }
        }
      }
      if constexpr (Loss::n_first > 0) {
        for (int i = 0; i < n; ++i) {
          sum_row<kFirst>(row(i), rows.n_cols, broadcast<V>(group.facts(i)), typed,
                          group.sums[0] + i);
        }
        prepare_rows(n, typed, group);
      }
      if constexpr (Loss::n_sums > 0) {
        for (int i = 0; i < n; ++i) {
          sum_row<kTerms>(row(i), rows.n_cols, broadcast<V>(group.facts(i)), typed,
                          group.sums[0] + i);
        }
      }
      double results[kRowGroup];
      finish_rows(n, typed, group, results);
      for (int i = 0; i < n; ++i) out[begin + i] = static_cast<T>(results[i]);
    }
  }

  static void accumulate(Stage stage, const RowPart& part, const RowFacts& facts, const void* args,
                         RowState& state) noexcept {
    const Args typed = *static_cast<const Args*>(args);
    const Elements row{static_cast<const T*>(part.t), static_cast<const T*>(part.p),
                       static_cast<const T*>(part.class_weights)};
    if constexpr (Loss::has_max) {
      if (stage == kMax) {
        state.max =
            static_cast<double>(max_of(row, part.n, typed, static_cast<C>(state.max)) + C(0));
        return;
      }
      if constexpr (Loss::has_ties) {
        if (stage == (Loss::n_first > 0 ? kFirst : kTerms)) {
          const C largest = static_cast<C>(facts.max);
          state.ties += static_cast<double>(count_of(row, part.n, largest, typed));
        }
      }
    }
    if constexpr (Loss::n_first > 0) {
      if (stage == kFirst) {
        add<kFirst>(row, part.n, broadcast<V>(facts), typed, state.sums);
        return;
      }
    }
    if constexpr (Loss::n_sums > 0)
      add<kTerms>(row, part.n, broadcast<V>(facts), typed, state.sums);
  }

  static RowSum collect(const LaneSums& lanes) noexcept { return Sums::finish(lanes); }

  static SIMDLOSS_INLINE Terms<D> sums_of(const RowSum* from) {
    Terms<D> sums;
    for (int k = 0; k < kMaxSums; ++k) sums.values[k] = D(from[k].hi + from[k].lo);
    return sums;
  }

  static void prepare(const RowSum* from, const void* args, RowFacts& facts) noexcept {
    if constexpr (Loss::n_first > 0) {
      Row<D> row = broadcast<D>(facts);
      Loss::template prepare<C>(sums_of(from), row, *static_cast<const Args*>(args));
      facts.a = first_lane(row.a);
      facts.b = first_lane(row.b);
    }
  }
  static double finish(const RowSum* from, const RowFacts& facts, double,
                       const void* args) noexcept {
    const Args& typed = *static_cast<const Args*>(args);
    return first_lane(Loss::finish(sums_of(from), broadcast<D>(facts), typed) + D(0.0));
  }

  static constexpr LossKernels kernels{{Loss::has_max, Loss::n_first > 0, Loss::n_sums > 0},
                                       &row_losses,
                                       &accumulate,
                                       &collect,
                                       &prepare,
                                       &finish};
};

}  // namespace simdloss
