// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows that lie along vectors: the stages of [Row losses] over one row after the other.

#include <cstdint>

#include "kernels/abi.hpp"
#include "kernels/prefetch.hpp"
#include "kernels/row_elements.hpp"
#include "kernels/row_group.hpp"
#include "kernels/row_scan.hpp"
#include "kernels/row_sum.hpp"
#include "kernels/stream.hpp"
#include "kernels/tile_exps.hpp"
#include "kernels/unrolled.hpp"
#include "losses/loss.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class Loss, class T, class Isa>
struct WideRows {
  using C = typename Loss::template Compute<T>;
  using G = typename Loss::template GradientCompute<T>;
  using V = Vec<C, Isa>;
  using D = Vec<double, Isa>;
  using Args = typename Loss::template Args<T>;
  // Sums of products of floats need no compensation in double.
  using Sums = RowSums<C, Isa, sizeof(T) == sizeof(double)>;
  using Group = RowGroup<Isa>;
  static constexpr bool kHasClassIds = Loss::target == Target::kClassId;

  RowBlock block;
  std::int64_t begin;  // the first row of the group

  // As many rows as stay in the L2 cache from stage to stage.
  static constexpr std::int64_t kGroupBytes = std::int64_t{1} << 17;
  static std::int64_t group_size(std::int64_t n_cols) {
    const std::int64_t fitting = kGroupBytes / (n_cols * static_cast<std::int64_t>(sizeof(T)) + 1);
    return fitting < 1 ? 1 : fitting > kRowGroup ? kRowGroup : fitting;
  }

  template <class E>
  using Elements = RowElements<Loss, T, E, Isa>;
  using Exps = TileExps<Loss, T, Isa>;
  using Scan = RowScan<Loss, Elements<typename Exps::Scanned>>;
  template <class E>
  SIMDLOSS_INLINE Elements<E> row(int i) const {
    // To a row's place in the next group, unless two of them are too many for the cache.
    const std::int64_t n = group_size(block.n_cols);
    return {Group::template row_of<T>(block.t, block.t_stride, begin + i),
            Group::template row_of<T>(block.p, block.p_stride, begin + i), block.class_weights,
            n * block.n_cols <= 2 * kGroupBytes / std::int64_t{sizeof(T)} ? n * block.p_stride
                                                                          : kAhead};
  }

  // How many sums a stage makes at most, and with these arguments.
  static constexpr int n_sums(Stage stage) {
    if (stage == kFirst) return Loss::n_first;
    return Loss::n_slope_sums > Loss::n_sums ? Loss::n_slope_sums : Loss::n_sums;
  }
  static SIMDLOSS_INLINE int used_sums(const Args& args) {
    if constexpr (requires { Loss::template used_sums<V>(args); }) {
      return Loss::template used_sums<V>(args);
    }
    return Loss::n_sums;
  }
  static SIMDLOSS_INLINE int used_slope_sums(const Args& args) {
    if constexpr (requires { Loss::template used_slope_sums<V>(args); }) {
      return Loss::template used_slope_sums<V>(args);
    }
    return n_sums(kTerms);
  }

  // e: the [Float exponentials], if there are any.
  template <Stage kStage>
  static SIMDLOSS_INLINE Terms<V> terms_of(V e, V t, V p, V w, const Row<V>& known,
                                           const Args& args) {
    if constexpr (Loss::has_float_exps) {
      return kStage == kFirst ? Loss::first(e, p, known) : Loss::terms(e, t, p, w, known, args);
    } else if constexpr (kStage == kFirst) {
      return Loss::first(t, p, w, known, args);
    } else {
      return Loss::terms(t, p, w, known, args);
    }
  }
  template <Stage kStage>
  static SIMDLOSS_INLINE Terms<V> terms_at(const Elements<C>& row, std::int64_t i,
                                           std::int64_t left, const Row<V>& known,
                                           const Args& args) {
    return terms_of<kStage>(V(C(0)), row.label(i, left), row.prediction(i, left),
                            row.weight(i, left), known, args);
  }

  // The terms of light formulas, made where they are added: a source for RowSums::add_each().
  template <Stage kStage>
  struct Fused {
    const Elements<C>& row;
    const Row<V>& known;
    const Args& args;
    SIMDLOSS_INLINE Terms<V> whole(std::int64_t i) const {
      row.prefetch_both(i);
      return terms_at<kStage>(row, i, V::kWidth, known, args);
    }
    SIMDLOSS_INLINE Terms<V> first(std::int64_t i, std::int64_t n) const {
      Terms<V> terms = terms_at<kStage>(row, i, n, known, args);
      for (int k = 0; k < n_sums(kStage); ++k) terms.values[k] = keep_first(terms.values[k], n);
      return terms;
    }
  };

  // Terms of up to kTile<T> elements, in whole vectors.
  template <Stage kStage>
  struct alignas(64) Tile {
    C values[n_sums(kStage)][kTile<T> + V::kWidth];
  };

  // What a stage finds beside its sums: how many elements equal the largest, in the first stage that
  // knows that, and [Kept elements], if there is room for them.
  template <Stage kStage>
  static constexpr bool kCounts = Loss::has_ties && (kStage == kFirst || Loss::n_first == 0);
  template <Stage kStage>
  static constexpr bool kKeeps = Loss::has_kept&& kStage == kTerms&& __is_same(C, T);
  static_assert(!Loss::has_zero_terms || !(kCounts<kTerms> || Loss::has_kept));
  struct Found {
    std::int64_t ties;
    C* kept;
  };

  // Where the vectors are whose terms are not all zero, and zeros for the others. Of one-hot labels the
  // first vector or the last is one of those, so they tell whether to look. How many elements that is.
  template <int kUsed>
  static SIMDLOSS_INLINE std::int64_t find_terms(const Elements<C>& row, std::int64_t from,
                                                 std::int64_t n, const Row<V>& known,
                                                 const Args& args, Tile<kTerms>& tile,
                                                 std::int64_t* places) {
    const auto are_zero = [&](std::int64_t i) SIMDLOSS_INLINE_LAMBDA {
      const std::int64_t left = n - i < V::kWidth ? n - i : V::kWidth;
      return all(
          Loss::terms_are_zero(row.label(from + i, left), row.weight(from + i, left), known, args));
    };
    std::int64_t left_out = 0;
    if (!are_zero(0) && !are_zero((n - 1) / V::kWidth * V::kWidth)) return left_out;
    for (std::int64_t i = 0; i < n; i += V::kWidth) {
      places[(i - left_out) / V::kWidth] = i;
      if (!are_zero(i)) continue;
      unrolled<kUsed>([&](int k) SIMDLOSS_INLINE_LAMBDA { V(C(0)).store(tile.values[k] + i); });
      left_out += V::kWidth;
    }
    return left_out;
  }

  template <Stage kStage, int kUsed>
  static SIMDLOSS_INLINE void fill(const Elements<C>& row, std::int64_t from, std::int64_t n,
                                   const RowFacts& facts, const Args& arguments, Tile<kStage>& tile,
                                   Found& found) {
    // Copies that no store in the loop can change.
    const Row<V> known = broadcast_row<V>(facts);
    const Args args = arguments;
    const auto known_in_float = broadcast_row<typename Exps::F>(facts);
    Exps exps;
    C* const keep_at = found.kept;
    std::int64_t ties = 0;
    const auto at = [&](std::int64_t i, std::int64_t left) SIMDLOSS_INLINE_LAMBDA {
      row.prefetch_both(from + i, kStage == kTerms ? row.next : kAhead);
      const V p = row.prediction(from + i, left);
      const V e = Exps::kThere ? Elements<C>::load(exps.values + i, left) : V(C(0));
      const Terms<V> terms = terms_of<kStage>(e, row.label(from + i, left), p,
                                              row.weight(from + i, left), known, args);
      V kept = p;  // made before anything is stored, so that it is not made twice
      if constexpr (kKeeps<kStage>) kept = Loss::kept(p, known);
      if constexpr (kCounts<kStage>) ties += count_first(p == known.max, left);
      unrolled<kUsed>([&](int k)
                          SIMDLOSS_INLINE_LAMBDA { terms.values[k].store(tile.values[k] + i); });
      if constexpr (kKeeps<kStage>) {
        if (keep_at == nullptr) return;
        left == V::kWidth ? kept.store(keep_at + from + i)
                          : kept.store_first(keep_at + from + i, left);
      }
    };
    std::int64_t i = 0;
    if constexpr (kStage == kTerms && Loss::has_zero_terms) {
      std::int64_t places[kTile<T> / V::kWidth];
      const std::int64_t left_out = find_terms<kUsed>(row, from, n, known, args, tile, places);
      if (left_out == 0) exps.make(row.p + from, 0, n, known_in_float);
      for (int k = 0; i + left_out < n; ++k, i += V::kWidth) {
        const std::int64_t place = left_out > 0 ? places[k] : i;
        const std::int64_t left = n - place < V::kWidth ? n - place : V::kWidth;
        if (left_out > 0) exps.make(row.p + from, place, left, known_in_float);
        at(place, left);
      }
      return;
    }
    exps.make(row.p + from, 0, n, known_in_float);
    for (; i + V::kWidth <= n; i += V::kWidth) at(i, V::kWidth);
    if (i < n) at(i, n - i);
    found.ties += ties;
  }

  // Calls use(k, source, n) with all terms of sum k in order: kTile<T> at a time, or all at once.
  template <Stage kStage, class Use>
  static SIMDLOSS_INLINE void for_terms(const Elements<C>& row, std::int64_t n,
                                        const RowFacts& facts, const Args& args, int used,
                                        Found& found, Use use) {
    if constexpr (kStage == kFirst && Loss::first_is_prediction && __is_same(C, T)) {
      return use(0, Predictions<V>{row.p}, n);
    }
    with_count<n_sums(kStage)>(used, [&](auto sums) SIMDLOSS_INLINE_LAMBDA {
      Tile<kStage> tile;
      for (std::int64_t i = 0; i < n; i += kTile<T>) {
        const std::int64_t length = n - i < kTile<T> ? n - i : kTile<T>;
        with_known_options<Loss, T, V>(args, [&](const Args& known) SIMDLOSS_INLINE_LAMBDA {
          fill<kStage, sums.kCount>(row, i, length, facts, known, tile, found);
        });
        for (int k = 0; k < sums.kCount; ++k) {
          use(k, typename Sums::Stored{tile.values[k]}, length);
        }
      }
    });
  }

  // Adds a part of a row to its lanes. Out of line, as it is much code with two callers.
  template <Stage kStage>
  static void add(const Elements<C>& row, std::int64_t n, const RowFacts& facts, const Args& args,
                  int used, Found& found, LaneSums* lanes) {
    if (used == 0) return;
    if constexpr (Loss::is_light) {
      const Row<V> known = broadcast_row<V>(facts);
      Sums::template add_each<n_sums(kStage)>(Fused<kStage>{row, known, args}, n, lanes);
    } else {
      for_terms<kStage>(row, n, facts, args, used, found,
                        [&](int k, const auto& source, std::int64_t length) {
                          Sums::add(source, 0, length, lanes[k]);
                        });
    }
  }

  // The sums of a whole row, as doubles, to sums[0], sums[kRowGroup], ...
  template <Stage kStage>
  static SIMDLOSS_INLINE void sum_row(const Elements<C>& row, std::int64_t n, const RowFacts& facts,
                                      const Args& args, int used, Found& found, double* sums) {
    if constexpr (Loss::is_light) {
      const Row<V> known = broadcast_row<V>(facts);
      Sums::template sum_each<n_sums(kStage)>(Fused<kStage>{row, known, args}, n, sums, kRowGroup);
      return;
    }
    if (n <= kTile<T>) {
      for_terms<kStage>(row, n, facts, args, used, found,
                        [&](int k, const auto& source, std::int64_t length) {
                          sums[k * kRowGroup] = Sums::sum(source, 0, length);
                        });
      return;
    }
    LaneSums lanes[kMaxSums] = {};
    add<kStage>(row, n, facts, args, used, found, lanes);
    for (int k = 0; k < used; ++k) {
      const RowSum sum = Sums::finish(lanes[k]);
      sums[k * kRowGroup] = sum.hi + sum.lo;
    }
  }

  SIMDLOSS_INLINE void find_max(int n, const Args& args, Group& group, bool with_slopes) const {
    for (int i = 0; i < n; ++i) {
      using S = typename Exps::Scanned;
      const S largest = Scan::max_of(row<S>(i), block.n_cols, args, -Limits<S>::kInfinity) + S(0);
      group.max[i] = static_cast<double>(largest);
      if (Loss::slopes_need_ties && with_slopes) {
        group.ties[i] = static_cast<double>(Scan::count_of(row<S>(i), block.n_cols, largest, args));
      }
    }
  }
  template <Stage kStage>
  SIMDLOSS_INLINE void add_up(int n, int used, const Args& args, Group& group,
                              const RowDerivatives* to) const {
    for (int i = 0; i < n; ++i) {
      Found found{0, nullptr};
      if constexpr (kKeeps<kStage>) {
        if (to != nullptr) found.kept = Group::template row_of<T>(to->gradient, to->stride, i);
      }
      sum_row<kStage>(row<C>(i), block.n_cols, group.facts(i), args, used, found,
                      group.sums[0] + i);
      if constexpr (kCounts<kStage>) group.ties[i] = static_cast<double>(found.ties);
    }
  }
  template <bool kHessian>
  SIMDLOSS_INLINE bool derive(int n, const Args& args, const Group& group,
                              const RowDerivatives& to) const {
    if constexpr (kMayStream && !kHessian) {
      if (Stream<Vec<G, Isa>>::suits(block, to)) return stream_rows(n, args, group, to);
    }
    bool finite = true;
    for (int i = 0; i < n; ++i) {
      const RowPart part{Group::template row_of<T>(block.t, block.t_stride, begin + i),
                         Group::template row_of<T>(block.p, block.p_stride, begin + i),
                         block.class_weights, block.n_cols};
      RowDerivatives target = to;
      target.gradient = Group::template row_of<T>(to.gradient, to.stride, i);
      if (kHessian) target.hessian = Group::template row_of<T>(to.hessian, to.stride, i);
      finite &= derive_part<kHessian, kKeeps<kTerms>>(part, group.facts(i), group.slopes_of(i),
                                                      args, target);
    }
    return derive_labels<kHessian>(n, args, group, to) && finite;
  }

  // Light formulas are those that memory is the limit of: see [Streams].
  static constexpr bool kMayStream = V::kStreams && Loss::is_light && __is_same(G, T);
  SIMDLOSS_INLINE bool stream_rows(int n, const Args& args, const Group& group,
                                   const RowDerivatives& to) const {
    using W = Vec<G, Isa>;
    Stream<W> stream(static_cast<T*>(to.gradient), n * block.n_cols);
    for (int i = 0; i < n; ++i) {
      const Elements<G> elements = row<G>(i);
      const Row<W> known = broadcast_row<W>(group.facts(i));
      const Slopes<W> s = broadcast_slopes<W>(group.slopes_of(i));
      const std::int64_t first = i * block.n_cols;
      stream.advance(first + block.n_cols,
                     [&](std::int64_t at, std::int64_t left) SIMDLOSS_INLINE_LAMBDA {
                       const std::int64_t j = at - first;
                       return Loss::gradient(elements.label(j, left), elements.prediction(j, left),
                                             elements.weight(j, left), known, s, args) +
                              W(G(0));
                     });
    }
    return stream.is_finite();
  }

  // The derivatives of a part of a row, but at its class, where [Kept elements] may be. Whether they
  // are finite.
  template <bool kHessian, bool kKept>
  static SIMDLOSS_INLINE bool derive_part(const RowPart& part, const RowFacts& facts,
                                          const RowSlopes& slopes, const Args& arguments,
                                          const RowDerivatives& to) {
    using W = Vec<G, Isa>;
    const Args args = arguments;  // a copy that no store in the loop can change
    const Elements<G> row(part);
    const Row<W> known = broadcast_row<W>(facts);
    const Slopes<W> s = broadcast_slopes<W>(slopes);
    const auto known_in_float = broadcast_row<typename Exps::F>(facts);
    Exps exps;
    W zero(G(0));
    const auto at = [&](std::int64_t i, std::int64_t left) SIMDLOSS_INLINE_LAMBDA {
      const W t = row.label(i, left);
      const W p = row.prediction(i, left);
      const W w = row.weight(i, left);
      T* const target = static_cast<T*>(to.gradient) + i;
      W x(G(0));
      if constexpr (Loss::has_float_exps) {
        const std::int64_t in_tile = i % kTile<T>;
        if (in_tile == 0) {
          const std::int64_t n = part.n - i < kTile<T> ? part.n - i : kTile<T>;
          exps.make(row.p + i, 0, n, known_in_float);
        }
        x = Loss::gradient(Elements<G>::load(exps.values + in_tile, left), t, p, w, known, s, args);
      } else if constexpr (kKept) {
        x = Loss::gradient_of_kept(Elements<G>::load(target, left), t, p, w, known, s, args);
      } else if constexpr (!Loss::has_label_only) {
        x = Loss::gradient(t, p, w, known, s, args);
      }
      put(x + W(G(0)), target, left, zero);
      if constexpr (kHessian) {
        W h(G(0));
        if constexpr (!Loss::has_label_only)
          h = hessian_of(t, p, w, known, s, args, to.upper_bound);
        put(h, static_cast<T*>(to.hessian) + i, left, zero);
      }
    };
    std::int64_t i = 0;
    for (; i + W::kWidth <= part.n; i += W::kWidth) at(i, W::kWidth);
    if (i < part.n) at(i, part.n - i);
    return all(zero == W(G(0)));
  }
  template <class W>
  static SIMDLOSS_INLINE W hessian_of(W t, W p, W w, const Row<W>& known, const Slopes<W>& s,
                                      const Args& args, bool upper_bound) {
    const W h = Loss::curvature(t, p, w, known, s, args);
    return (upper_bound ? Loss::upper_bound(h) : h) + W(0);
  }
  // A whole vector to memory, or its first lanes; the sum of x - x for those is added to `zero`.
  template <class W>
  static SIMDLOSS_INLINE void put(W x, T* to, std::int64_t left, W& zero) {
    const bool whole = left >= W::kWidth;
    zero = zero + (whole ? x - x : keep_first(x - x, left));
    if constexpr (sizeof(T) == sizeof(typename W::Element)) {
      whole ? x.store(to) : x.store_first(to, left);
    } else {
      T narrow[W::kWidth];
      x.store_float(narrow);
      const auto n = static_cast<std::uintptr_t>(whole ? W::kWidth : left);
      __builtin_memcpy(to, narrow, n * sizeof(T));
    }
  }

  // The derivatives at the class of each row, in double.
  template <bool kHessian>
  static SIMDLOSS_INLINE bool derive_labels(int n, const Args& args, const Group& group,
                                            const RowDerivatives& to) {
    bool finite = true;
    if constexpr (kHasClassIds) {
      double found[2][kRowGroup];
      for (int i = 0; i < n; i += D::kWidth) {
        const Row<D> known = group.load(i);
        const Slopes<D> s = group.template row_slopes<D>(i);
        label_gradient(known, s, args).store(found[0] + i);
        if constexpr (kHessian) label_hessian(known, s, args, to.upper_bound).store(found[1] + i);
      }
      const std::int64_t step = to.col_stride != 0 ? to.col_stride : std::int64_t{sizeof(T)};
      for (int i = 0; i < n; ++i) {
        const std::int64_t at = i * to.stride + to.class_ids[i] * step;
        finite &= put_label(found[0][i], static_cast<char*>(to.gradient) + at);
        if constexpr (kHessian) {
          finite &= put_label(found[1][i], static_cast<char*>(to.hessian) + at);
        }
      }
    }
    return finite;
  }
  static SIMDLOSS_INLINE bool put_label(double x, char* to) {
    const T narrow = static_cast<T>(x);
    __builtin_memcpy(to, &narrow, sizeof narrow);  // which need not be aligned
    return narrow - narrow == T(0);
  }
  static SIMDLOSS_INLINE D label_gradient(const Row<D>& known, const Slopes<D>& s,
                                          const Args& args) {
    return Loss::gradient(D(1), known.label, known.label_weight, known, s, args) + D(0.0);
  }
  static SIMDLOSS_INLINE D label_hessian(const Row<D>& known, const Slopes<D>& s, const Args& args,
                                         bool upper_bound) {
    return hessian_of(D(1), known.label, known.label_weight, known, s, args, upper_bound);
  }
  static SIMDLOSS_INLINE void derive_label(const RowFacts& facts, const RowSlopes& slopes,
                                           const Args& args, bool upper_bound, double* to) {
    const Row<D> known = broadcast_row<D>(facts);
    const Slopes<D> s = broadcast_slopes<D>(slopes);
    to[0] = first_lane(label_gradient(known, s, args));
    if constexpr (Loss::has_hessian) {
      to[1] = first_lane(label_hessian(known, s, args, upper_bound));
    }
  }
};

}  // namespace simdloss
