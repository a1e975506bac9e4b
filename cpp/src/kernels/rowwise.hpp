// SPDX-License-Identifier: Apache-2.0
#pragma once

// The driver of [Row losses]: it runs the stages of a loss over rows, a group of rows at a time, so
// that what is done once a row is done for a vector of rows.
//
// [Narrow rows] Rows of a few elements would leave most of a vector empty, and each would cost a
// whole reduction across its lanes. So they are transposed: a vector holds one element of as many
// rows as it has lanes, and what is a reduction across lanes for a wide row is one of vectors. The
// operations, their order and so the bits are the same. Rows that are columns in memory, as with
// class axis 1 of images, are copied instead.

#include <cstdint>

#include "kernels/abi.hpp"
#include "kernels/narrow_rows.hpp"
#include "kernels/row_group.hpp"
#include "kernels/row_sum.hpp"
#include "kernels/wide_rows.hpp"
#include "losses/loss.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class Loss, class T, class Isa>
struct RowKernel {
  using C = typename Loss::template Compute<T>;
  using G = typename Loss::template GradientCompute<T>;
  using D = Vec<double, Isa>;
  using Args = typename Loss::template Args<T>;
  using Wide = WideRows<Loss, T, Isa>;
  using Narrow = NarrowRows<Loss, T, Isa>;
  using Sums = typename Wide::Sums;
  using Group = RowGroup<Isa>;

  static SIMDLOSS_INLINE void center_rows(int n, Group& group) {
    if constexpr (Loss::has_center) {
      for (int i = 0; i < n; i += D::kWidth) {
        Row<D> row = group.load(i);
        Loss::template center<typename Wide::Exps::Scanned>(row);
        row.base.store(group.base + i);
        row.power.store(group.power + i);
      }
    }
  }
  static SIMDLOSS_INLINE void prepare_rows(int n, const Args& args, Group& group) {
    for (int i = 0; i < n; i += D::kWidth) {
      Row<D> row = group.load(i);
      Loss::template prepare<C>(group.load_sums(i), row, args);
      row.a.store(group.a + i);
      row.b.store(group.b + i);
      row.c.store(group.c + i);
      row.d.store(group.d + i);
    }
  }
  static SIMDLOSS_INLINE void finish_rows(int n, const Args& args, const Group& group,
                                          double* losses) {
    for (int i = 0; i < n; i += D::kWidth) {
      (Loss::finish(group.load_sums(i), group.load(i), args) + D(0.0)).store(losses + i);
    }
  }
  static SIMDLOSS_INLINE void slope_rows(int n, const Args& args, Group& group) {
    for (int i = 0; i < n; i += D::kWidth) {
      store_slopes(Loss::slopes(group.load_sums(i), group.load(i), D::load(group.scales + i), args),
                   i, group);
    }
  }
  // Both at once, for what they have in common.
  static SIMDLOSS_INLINE void finish_and_slope_rows(int n, const Args& args, Group& group,
                                                    double* losses) {
    for (int i = 0; i < n; i += D::kWidth) {
      const Terms<D> sums = group.load_sums(i);
      const Row<D> row = group.load(i);
      const D loss = Loss::finish(sums, row, args) + D(0.0);
      const Slopes<D> slopes = Loss::slopes(sums, row, D::load(group.scales + i), args);
      loss.store(losses + i);
      store_slopes(slopes, i, group);
    }
  }
  static SIMDLOSS_INLINE void store_slopes(const Slopes<D>& slopes, int i, Group& group) {
    for (int k = 0; k < kMaxSlopes; ++k) slopes.values[k].store(group.slopes[k] + i);
  }

  // The stages over a group of n rows, whose elements `rows` reads. `to` is null without derivatives,
  // `losses` where they are not wanted. Whether all derivatives are finite.
  template <bool kHessian, class Rows>
  static SIMDLOSS_INLINE bool run(const Rows& rows, int n, const Args& args, Group& group,
                                  const RowDerivatives* to, T* losses) {
    const bool with_slopes = to != nullptr;
    if constexpr (Loss::has_max) {
      rows.find_max(n, args, group, with_slopes);
      center_rows(n, group);
    }
    if constexpr (Loss::n_first > 0) {
      rows.template add_up<kFirst>(n, Loss::n_first, args, group, to);
      prepare_rows(n, args, group);
    }
    const int used = with_slopes ? Wide::used_slope_sums(args) : Wide::used_sums(args);
    if constexpr (Loss::n_sums > 0) {
      if (used > 0) rows.template add_up<kTerms>(n, used, args, group, to);
    }
    if (losses == nullptr) {
      slope_rows(n, args, group);
    } else {
      double results[kRowGroup];
      if (with_slopes) {
        finish_and_slope_rows(n, args, group, results);
      } else {
        finish_rows(n, args, group, results);
      }
      for (int i = 0; i < n; ++i) losses[i] = static_cast<T>(results[i]);
    }
    if (!with_slopes) return true;
    return rows.template derive<kHessian>(n, args, group, *to);
  }

  // n values from entry `begin` on, or `all` if there are none. Two loops, because one with a
  // condition inside becomes a masked load from a null pointer, which takes hundreds of cycles.
  static SIMDLOSS_INLINE void copy_or_fill(const double* values, std::int64_t begin, int n,
                                           double all, double* to) {
    if (values == nullptr) {
      for (int i = 0; i < n; ++i) to[i] = all;
      return;
    }
    for (int i = 0; i < n; ++i) to[i] = values[begin + i];
  }
  static SIMDLOSS_INLINE void load_labels(const RowBlock& rows, std::int64_t begin, int n,
                                          Group& group) {
    if constexpr (Loss::target == Target::kClassId) {
      using Labels = typename Wide::template Elements<double>;
      const T* const labels = static_cast<const T*>(rows.t) + begin;
      for (int i = 0; i < n; i += D::kWidth) {
        Labels::load(labels + i, n - i).store(group.label + i);
      }
      copy_or_fill(rows.label_weights, begin, n, 1.0, group.label_weight);
    }
  }

  // All rows, in groups.
  template <bool kHessian>
  static bool run_all(const RowBlock& rows, const Args& args, const RowDerivatives* to, T* losses) {
    Group group = {};
    const bool narrow = rows.n_cols <= Narrow::kMaxCols;
    const std::int64_t step = narrow ? std::int64_t{Narrow::kRows} : Wide::group_size(rows.n_cols);
    bool finite = true;
    for (std::int64_t begin = 0; begin < rows.n_rows; begin += step) {
      const int n = static_cast<int>(rows.n_rows - begin < step ? rows.n_rows - begin : step);
      load_labels(rows, begin, n, group);
      RowDerivatives part;
      if (to != nullptr) {
        part = from_row(*to, begin);
        copy_or_fill(to->scales, begin, n, to->scale, group.scales);
      }
      const RowDerivatives* const target = to != nullptr ? &part : nullptr;
      T* const out = losses != nullptr ? losses + begin : nullptr;
      if constexpr (Narrow::kMaxCols > 0) {
        if (narrow) {
          const Narrow tile(rows, begin, n);
          finite &= run<kHessian>(tile, n, args, group, target, out);
          continue;
        }
      }
      finite &= run<kHessian>(Wide{rows, begin}, n, args, group, target, out);
    }
    return finite;
  }
  static SIMDLOSS_INLINE RowDerivatives from_row(RowDerivatives to, std::int64_t row) {
    const std::int64_t bytes = row * to.stride;
    to.gradient = static_cast<char*>(to.gradient) + bytes;
    if (to.hessian != nullptr) to.hessian = static_cast<char*>(to.hessian) + bytes;
    if (to.class_ids != nullptr) to.class_ids += row;
    return to;
  }

  static void row_losses(const RowBlock& rows, double, const void* args, void* losses) noexcept {
    const Args typed = *static_cast<const Args*>(args);  // a copy that no store can change
    run_all<false>(rows, typed, nullptr, static_cast<T*>(losses));
  }
  static bool row_gradients(const RowBlock& rows, double, const void* args,
                            const RowDerivatives& to, void* losses) noexcept {
    const Args typed = *static_cast<const Args*>(args);
    return run_all<false>(rows, typed, &to, static_cast<T*>(losses));
  }
  static bool row_hessians(const RowBlock& rows, double, const void* args, const RowDerivatives& to,
                           void* losses) noexcept {
    const Args typed = *static_cast<const Args*>(args);
    return run_all<Loss::has_hessian>(rows, typed, &to, static_cast<T*>(losses));
  }

  static void accumulate(Stage stage, const RowPart& part, const RowFacts& facts, const void* args,
                         RowState& state) noexcept {
    const Args typed = *static_cast<const Args*>(args);
    const bool for_slopes = stage == kSlopeTerms;
    if constexpr (Loss::has_max) {
      using S = typename Wide::Exps::Scanned;
      const typename Wide::template Elements<S> row(part);
      if (stage == kMax) {
        const S largest = Wide::Scan::max_of(row, part.n, typed, static_cast<S>(state.max)) + S(0);
        state.max = static_cast<double>(largest);
        return;
      }
      if (Loss::slopes_need_ties && for_slopes) {
        const S largest = static_cast<S>(facts.max);
        state.ties += static_cast<double>(Wide::Scan::count_of(row, part.n, largest, typed));
      }
    }
    const typename Wide::template Elements<C> row(part);
    typename Wide::Found found{0, nullptr};
    if (stage == kFirst) {
      if constexpr (Loss::n_first > 0) {
        Wide::template add<kFirst>(row, part.n, facts, typed, Loss::n_first, found, state.sums);
      }
    } else if constexpr (Loss::n_sums > 0) {
      const int used = for_slopes ? Wide::used_slope_sums(typed) : Wide::used_sums(typed);
      Wide::template add<kTerms>(row, part.n, facts, typed, used, found, state.sums);
    }
    state.ties += static_cast<double>(found.ties);
  }

  static RowSum collect(const LaneSums& lanes) noexcept { return Sums::finish(lanes); }

  static SIMDLOSS_INLINE Terms<D> sums_of(const RowSum* from) {
    Terms<D> sums;
    for (int k = 0; k < kMaxSums; ++k) sums.values[k] = D(from[k].hi + from[k].lo);
    return sums;
  }

  // Null sums: the stage that ended is kMax.
  static void prepare(const RowSum* from, const void* args, RowFacts& facts) noexcept {
    Row<D> row = broadcast_row<D>(facts);
    if (from == nullptr) {
      if constexpr (Loss::has_center) {
        Loss::template center<typename Wide::Exps::Scanned>(row);
        facts.base = first_lane(row.base);
        facts.power = first_lane(row.power);
      }
      return;
    }
    if constexpr (Loss::n_first > 0) {
      Loss::template prepare<C>(sums_of(from), row, *static_cast<const Args*>(args));
      facts.a = first_lane(row.a);
      facts.b = first_lane(row.b);
      facts.c = first_lane(row.c);
      facts.d = first_lane(row.d);
    }
  }
  static double finish(const RowSum* from, const RowFacts& facts, double,
                       const void* args) noexcept {
    const Args& typed = *static_cast<const Args*>(args);
    return first_lane(Loss::finish(sums_of(from), broadcast_row<D>(facts), typed) + D(0.0));
  }
  static RowSlopes slopes(const RowSum* from, const RowFacts& facts, double scale, double,
                          const void* args) noexcept {
    const Args& typed = *static_cast<const Args*>(args);
    const Slopes<D> found = Loss::slopes(sums_of(from), broadcast_row<D>(facts), D(scale), typed);
    RowSlopes slopes;
    for (int k = 0; k < kMaxSlopes; ++k) slopes.values[k] = first_lane(found.values[k]);
    return slopes;
  }
  static bool part_gradients(const RowPart& part, const RowFacts& facts, const RowSlopes& slopes,
                             const void* args, const RowDerivatives& to) noexcept {
    const Args typed = *static_cast<const Args*>(args);
    if (to.hessian != nullptr) {
      return Wide::template derive_part<Loss::has_hessian, false>(part, facts, slopes, typed, to);
    }
    return Wide::template derive_part<false, false>(part, facts, slopes, typed, to);
  }
  static void label_gradients(const RowFacts& facts, const RowSlopes& slopes, const void* args,
                              bool upper_bound, double* to) noexcept {
    if constexpr (Loss::target == Target::kClassId) {
      const Args& typed = *static_cast<const Args*>(args);
      Wide::derive_label(facts, slopes, typed, upper_bound, to);
    }
  }

  using Cheap = typename OneOf<__is_same(Isa, isa::Baseline), void,
                               typename Loss::template CheapCase<T>>::Type;
  static bool cheap_suits(const void* args) noexcept {
    if constexpr (__is_same(Cheap, void)) {
      return false;
    } else {
      return Cheap::template suits<D>(*static_cast<const Args*>(args));
    }
  }
  static constexpr const LossKernels* cheap_kernels() {
    if constexpr (__is_same(Cheap, void)) {
      return nullptr;
    } else {
      static_assert(__is_same(Args, typename Cheap::template Args<T>));
      static_assert(Loss::has_max == Cheap::has_max && Loss::n_first == Cheap::n_first &&
                    Loss::n_sums == Cheap::n_sums && Loss::n_slope_sums == Cheap::n_slope_sums);
      return &RowKernel<Cheap, T, Isa>::kernels;
    }
  }

  static constexpr LossKernels kernels{
      {Loss::has_max, Loss::n_first > 0, Loss::n_sums > 0, Loss::n_slope_sums > 0},
      false,
      Loss::has_label_only ? 0 : Narrow::kMaxCols,
      &row_losses,
      &accumulate,
      &collect,
      &prepare,
      &finish,
      &row_gradients,
      &row_hessians,
      &slopes,
      &part_gradients,
      &label_gradients,
      cheap_kernels(),
      &cheap_suits};
};

}  // namespace simdloss
