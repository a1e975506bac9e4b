// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sums over rows, from the losses of their elements: see [Lane order is the contract].

#include <cstdint>

#include "kernels/abi.hpp"
#include "kernels/short_rows.hpp"
#include "kernels/unrolled.hpp"
#include "simd/add_exactly.hpp"
#include "simd/vec.hpp"

namespace simdloss {

// kPairs: whether accumulators are pairs hi + lo, as doubles need; those that come from floats do
// without.
template <class T, class Isa, bool kPairs = sizeof(T) == sizeof(double)>
class RowSums {
  using V = Vec<T, Isa>;
  using D = Vec<double, Isa>;
  // Whether elements are added two by two first. Baseline, with bits of its own, has no room left
  // for the rounding.
  static constexpr bool kTwoByTwo = sizeof(T) == sizeof(float) && !__is_same(Isa, isa::Baseline);
  static constexpr int kStep = kLanes<T>;
  static constexpr int kGroups = kLanes<T> / V::kWidth;  // vectors that hold all lanes
  static constexpr int kParts = V::kWidth / D::kWidth;   // of one of them, in double
  static constexpr int kSums = kGroups * kParts;

 public:
  // Elements in memory. Like all sources of the sums below it gives the vector that starts at
  // element i, whole or its first n lanes and zeros.
  struct Stored {
    const T* elements;
    SIMDLOSS_INLINE V whole(std::int64_t i) const { return V::load(elements + i); }
    SIMDLOSS_INLINE V first(std::int64_t i, std::int64_t n) const {
      return V::load_first(elements + i, n);
    }
  };

  // The sum of a row of n elements from `begin` on.
  template <class Source>
  static SIMDLOSS_INLINE double sum(const Source& source, std::int64_t begin, std::int64_t n) {
    if constexpr (kGroups > 8) {  // vectors so narrow that a loop over lanes in memory is better
      LaneSums lanes = {};
      add(source, begin, n, lanes);
      const RowSum sum = finish(lanes);
      return sum.hi + sum.lo;
    } else {
      Lanes groups[kGroups];
      unrolled<kGroups>([&](int i) SIMDLOSS_INLINE_LAMBDA { groups[i] = zero_lanes(); });
      const std::int64_t whole = n - n % kAtATime;
      add_steps(source, begin, whole, groups);
      unrolled<kGroups>([&](int i) SIMDLOSS_INLINE_LAMBDA {
        const std::int64_t from = whole + i * V::kWidth;
        if (from < n) add_step(source, begin, from, n, groups[i]);
      });
      return sum_of_lanes(sum_of_groups(groups));
    }
  }

  // The sums of V::kWidth rows of n <= kLanes<T> elements, of which vector j of `columns` holds
  // element j.
  static void sum_columns(const T* columns, std::int64_t n, double* sums) {
    sum_each_of_columns<1>(
        [&](int j) SIMDLOSS_INLINE_LAMBDA { return Column{{V::load(columns + j * V::kWidth)}}; }, n,
        sums, 0);
  }

  // kMany sums of such rows to sums, sums + stride, ...; elements j come as column(j).values.
  template <int kMany, class Source>
  static SIMDLOSS_INLINE void sum_each_of_columns(const Source& column, std::int64_t n,
                                                  double* sums, int stride) {
    sum_some_columns<kMany, 0, kLanes<T>>(column, n, sums, stride);
  }

  // losses[i] = (sum of row i) / divisor, never -0, for adjacent rows of n_cols elements,
  // kTile<T> in all or less.
  static void row_losses(const T* elements, std::int64_t n_rows, std::int64_t n_cols,
                         double divisor, T* losses) {
    if (n_cols == 1) {
      copy(elements, n_rows, losses);
      return;
    }
    double sums[kTile<T> / 2 + V::kWidth];
    sum_rows(elements, n_rows, n_cols, sums);
    std::int64_t row = 0;
    for (; row + D::kWidth <= n_rows; row += D::kWidth) {
      const D loss = D::load(sums + row) / D(divisor) + D(0.0);
      if constexpr (sizeof(T) == sizeof(double)) {
        loss.store(losses + row);
      } else {
        loss.store_float(losses + row);
      }
    }
    for (; row < n_rows; ++row) losses[row] = static_cast<T>(sums[row] / divisor + 0.0);
  }

  // Adds n elements from `begin` on to the lanes; n is a multiple of 2 kLanes<T> but in the last
  // call.
  template <class Source>
  static SIMDLOSS_INLINE void add(const Source& source, std::int64_t begin, std::int64_t n,
                                  LaneSums& lanes) {
    if constexpr (kGroups > 8) {
      for (std::int64_t i = 0; i < n; i += kAtATime) {
        for (int group = 0; group < kGroups && i + group * V::kWidth < n; ++group) {
          Lanes sums = load(lanes, group);
          add_step(source, begin, i + group * V::kWidth, n, sums);
          store(sums, group, lanes);
        }
      }
    } else {
      Lanes groups[kGroups];
      unrolled<kGroups>([&](int i) SIMDLOSS_INLINE_LAMBDA { groups[i] = load(lanes, i); });
      const std::int64_t whole = n - n % kAtATime;
      add_steps(source, begin, whole, groups);
      unrolled<kGroups>([&](int i) SIMDLOSS_INLINE_LAMBDA { store(groups[i], i, lanes); });
      for (int group = 0; group < kGroups && whole + group * V::kWidth < n; ++group) {
        Lanes sums = load(lanes, group);
        add_step(source, begin, whole + group * V::kWidth, n, sums);
        store(sums, group, lanes);
      }
    }
  }

  // Adds elements 0 to n - 1 of kMany sources to as many lanes; they come as source.whole(i).values.
  template <int kMany, class Source>
  static SIMDLOSS_INLINE void add_each(const Source& source, std::int64_t n, LaneSums* lanes) {
    constexpr int step = kGroups > 8 ? 1 : kGroups;  // groups whose accumulators stay in registers
    for (int group = 0; group < kGroups && group * V::kWidth < n; group += step) {
      Lanes sums[kMany * step];
      unrolled<kMany * step>(
          [&](int i) SIMDLOSS_INLINE_LAMBDA { sums[i] = load(lanes[i / step], group + i % step); });
      add_groups<kMany, step>(source, group * V::kWidth, n, sums);
      unrolled<kMany * step>(
          [&](int i) SIMDLOSS_INLINE_LAMBDA { store(sums[i], group + i % step, lanes[i / step]); });
    }
  }

  // Their sums as doubles, to sums[0], sums[stride], ...
  template <int kMany, class Source>
  static SIMDLOSS_INLINE void sum_each(const Source& source, std::int64_t n, double* sums,
                                       int stride) {
    if constexpr (kGroups > 8) {
      LaneSums lanes[kMany] = {};
      add_each<kMany>(source, n, lanes);
      for (int k = 0; k < kMany; ++k) {
        const RowSum sum = finish(lanes[k]);
        sums[k * stride] = sum.hi + sum.lo;
      }
    } else {
      Lanes lanes[kMany * kGroups];
      unrolled<kMany * kGroups>([&](int i) SIMDLOSS_INLINE_LAMBDA { lanes[i] = zero_lanes(); });
      add_groups<kMany, kGroups>(source, 0, n, lanes);
      unrolled<kMany>([&](int k) SIMDLOSS_INLINE_LAMBDA {
        sums[k * stride] = sum_of_lanes(sum_of_groups(lanes + k * kGroups));
      });
    }
  }

  static SIMDLOSS_INLINE RowSum finish(const LaneSums& lanes) {
    D hi[kSums];
    D lo[kSums];
    for (int i = 0; i < kSums; ++i) {
      hi[i] = D::load(lanes.values + i * D::kWidth);
      if constexpr (kPairs) lo[i] = D::load(lanes.values + kLanes<T> + i * D::kWidth);
    }
    for (int half = kSums / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) merge(hi[i], lo[i], hi[i + half], lo[i + half]);
    }
    halve_lanes<D::kWidth>(hi[0], lo[0]);
    if constexpr (kPairs) return {first_lane(hi[0]), first_lane(lo[0])};
    return {first_lane(hi[0]), 0.0};
  }

 private:
  static void copy(const T* elements, std::int64_t n, T* losses) {
    std::int64_t i = 0;
    for (; i + V::kWidth <= n; i += V::kWidth) (V::load(elements + i) + V(T(0))).store(losses + i);
    (V::load_first(elements + i, n - i) + V(T(0))).store_first(losses + i, n - i);
  }

  static SIMDLOSS_INLINE void sum_rows(const T* elements, std::int64_t n_rows, std::int64_t n_cols,
                                       double* sums) {
    std::int64_t row = 0;
    if constexpr (D::kWidth > 1) {
      if (n_cols <= kLanes<T>) {
        row = ShortRows<T, Isa, kPairs>::sum(elements, n_rows, n_cols, sums);
      }
    }
    for (; row < n_rows; ++row) sums[row] = sum(Stored{elements}, row * n_cols, n_cols);
  }

  // Accumulators of the lanes of one vector.
  struct Lanes {
    D hi[kParts];
    D lo[kParts];
  };

  static SIMDLOSS_INLINE Lanes zero_lanes() {
    Lanes lanes;
    for (int i = 0; i < kParts; ++i) lanes.hi[i] = lanes.lo[i] = D(0.0);
    return lanes;
  }
  static SIMDLOSS_INLINE Lanes load(const LaneSums& from, int group) {
    const double* const hi = from.values + group * V::kWidth;
    Lanes lanes;
    for (int i = 0; i < kParts; ++i) {
      lanes.hi[i] = D::load(hi + i * D::kWidth);
      lanes.lo[i] = D(0.0);
      if constexpr (kPairs) lanes.lo[i] = D::load(hi + kLanes<T> + i * D::kWidth);
    }
    return lanes;
  }
  static SIMDLOSS_INLINE void store(const Lanes& lanes, int group, LaneSums& to) {
    double* const hi = to.values + group * V::kWidth;
    for (int i = 0; i < kParts; ++i) {
      lanes.hi[i].store(hi + i * D::kWidth);
      if constexpr (kPairs) lanes.lo[i].store(hi + kLanes<T> + i * D::kWidth);
    }
  }

  template <class Source>
  static SIMDLOSS_INLINE V vector(const Source& source, std::int64_t begin, std::int64_t i,
                                  std::int64_t n) {
    return n - i >= V::kWidth ? source.whole(begin + i) : source.first(begin + i, n - i);
  }

  // Adds the vector at element i of a row of n, or the pair of those at i and i + kStep.
  template <class Source>
  static SIMDLOSS_INLINE void add_step(const Source& source, std::int64_t begin, std::int64_t i,
                                       std::int64_t n, Lanes& lanes) {
    V x = vector(source, begin, i, n);
    if constexpr (kTwoByTwo) {
      if (i + kStep < n) x = x + vector(source, begin, i + kStep, n);
    }
    add_vector(x, lanes);
  }
  static SIMDLOSS_INLINE void add_vector(V x, Lanes& lanes) {
    D parts[kParts];
    widen(x, parts);
    for (int k = 0; k < kParts; ++k) {
      if constexpr (kPairs) {
        lanes.lo[k] = lanes.lo[k] + add_exactly(lanes.hi[k], parts[k]);
      } else {
        lanes.hi[k] = lanes.hi[k] + parts[k];
      }
    }
  }
  static constexpr int kAtATime = kTwoByTwo ? 2 * kStep : kStep;

  // Adds n elements from `begin` on, a multiple of kAtATime, to the lanes of all groups: vectors in the
  // order of memory, of some groups at a time where there are too many for the registers.
  template <class Source>
  static SIMDLOSS_INLINE void add_steps(const Source& source, std::int64_t begin, std::int64_t n,
                                        Lanes* groups) {
    constexpr int some = kGroups < 4 ? kGroups : 4;
    unrolled<kGroups / some>([&](int part) SIMDLOSS_INLINE_LAMBDA {
      for (std::int64_t i = part * some * V::kWidth; i < n; i += kAtATime) {
        unrolled<some>([&](int k) SIMDLOSS_INLINE_LAMBDA {
          const std::int64_t from = i + k * V::kWidth;
          add_step(source, begin, from, from + kAtATime, groups[part * some + k]);
        });
      }
    });
  }

  // The groups from that of element `begin` on, kMany sums at a time: see add_each().
  template <int kMany, int kMostGroups, class Source>
  static SIMDLOSS_INLINE void add_groups(const Source& source, std::int64_t begin, std::int64_t n,
                                         Lanes* sums) {
    static_assert(!kTwoByTwo);
    const auto add = [&](const auto& terms, int group) SIMDLOSS_INLINE_LAMBDA {
      unrolled<kMany>([&](int k) SIMDLOSS_INLINE_LAMBDA {
        add_vector(terms.values[k], sums[k * kMostGroups + group]);
      });
    };
    std::int64_t i = begin;
    for (; i + kMostGroups * V::kWidth <= n; i += kStep) {
      unrolled<kMostGroups>([&](int group) SIMDLOSS_INLINE_LAMBDA {
        add(source.whole(i + group * V::kWidth), group);
      });
    }
    unrolled<kMostGroups>([&](int group) SIMDLOSS_INLINE_LAMBDA {
      const std::int64_t at = i + group * V::kWidth;
      const std::int64_t left = n - at;
      if (left > 0) add(left >= V::kWidth ? source.whole(at) : source.first(at, left), group);
    });
  }

  struct Column {
    V values[1];
  };
  template <int kMany>
  struct ManyLanes {
    Lanes of[kMany];
  };

  // The same tree, of kCols lanes that are columns.
  template <int kMany, int kCols, int kFirst = 0, int kApart = 1, class Source>
  static SIMDLOSS_INLINE ManyLanes<kMany> sum_of_columns(const Source& column) {
    ManyLanes<kMany> lanes;
    if constexpr (kApart == kLanes<T>) {
      unrolled<kMany>([&](int k) SIMDLOSS_INLINE_LAMBDA { lanes.of[k] = zero_lanes(); });
      if constexpr (kCols > 0) {
        const auto terms = column(kFirst);
        unrolled<kMany>([&](int k)
                            SIMDLOSS_INLINE_LAMBDA { widen(terms.values[k], lanes.of[k].hi); });
      }
    } else {
      lanes = sum_of_columns<kMany, kCols, kFirst, 2 * kApart>(column);
      if constexpr (kCols > kFirst + kApart) {
        const ManyLanes<kMany> other =
            sum_of_columns<kMany, kCols, kFirst + kApart, 2 * kApart>(column);
        unrolled<kMany>([&](int k) SIMDLOSS_INLINE_LAMBDA { merge(lanes.of[k], other.of[k]); });
      }
    }
    return lanes;
  }
  // sum_each_of_columns() for kLow <= n <= kHigh: there is code for each n.
  template <int kMany, int kLow, int kHigh, class Source>
  static SIMDLOSS_INLINE void sum_some_columns(const Source& column, std::int64_t n, double* sums,
                                               int stride) {
    if constexpr (kLow == kHigh) {
      const ManyLanes<kMany> lanes = sum_of_columns<kMany, kLow>(column);
      unrolled<kMany>([&](int k) SIMDLOSS_INLINE_LAMBDA {
        for (int i = 0; i < kParts; ++i) {
          const D hi = lanes.of[k].hi[i];
          (kPairs ? hi + lanes.of[k].lo[i] : hi).store(sums + k * stride + i * D::kWidth);
        }
      });
    } else {
      constexpr int middle = (kLow + kHigh) / 2;
      if (n <= middle) {
        sum_some_columns<kMany, kLow, middle>(column, n, sums, stride);
      } else {
        sum_some_columns<kMany, middle + 1, kHigh>(column, n, sums, stride);
      }
    }
  }

  static SIMDLOSS_INLINE void widen(V x, D* parts) {
    if constexpr (sizeof(T) == sizeof(double)) {
      parts[0] = x;
    } else {
      parts[0] = widen_part<0>(x);
      if constexpr (kParts == 2) parts[1] = widen_part<1>(x);
    }
  }

  static SIMDLOSS_INLINE void merge(D& hi, D& lo, D other_hi, D other_lo) {
    merge_sums<kPairs>(hi, lo, other_hi, other_lo);
  }

  // The first steps of the halving tree, over groups in registers.
  static SIMDLOSS_INLINE Lanes sum_of_groups(Lanes* groups) {
    unrolled<kGroups - 1>([&](int i) SIMDLOSS_INLINE_LAMBDA {
      // Of pairs (g, g + half), those of the largest half first.
      int half = kGroups / 2;
      while (i >= half) {
        i -= half;
        half /= 2;
      }
      merge(groups[i], groups[i + half]);
    });
    return groups[0];
  }
  static SIMDLOSS_INLINE void merge(Lanes& lanes, const Lanes& other) {
    for (int i = 0; i < kParts; ++i) merge(lanes.hi[i], lanes.lo[i], other.hi[i], other.lo[i]);
  }
  // The rest of the tree.
  static SIMDLOSS_INLINE double sum_of_lanes(Lanes lanes) {
    if constexpr (kParts == 2) merge(lanes.hi[0], lanes.lo[0], lanes.hi[1], lanes.lo[1]);
    halve_lanes<D::kWidth>(lanes.hi[0], lanes.lo[0]);
    return first_lane(kPairs ? lanes.hi[0] + lanes.lo[0] : lanes.hi[0]);
  }

  template <int kLanesLeft>
  static SIMDLOSS_INLINE void halve_lanes(D& hi, D& lo) {
    if constexpr (kLanesLeft > 1) {
      constexpr int half = kLanesLeft / 2;
      if constexpr (kPairs) {
        merge(hi, lo, lower<half>(hi), lower<half>(lo));
      } else {
        merge(hi, lo, lower<half>(hi), lo);
      }
      halve_lanes<half>(hi, lo);
    }
  }
};

}  // namespace simdloss
