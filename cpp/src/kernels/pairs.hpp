// SPDX-License-Identifier: Apache-2.0
#pragma once

// Similarities of all pairs of two sets of vectors, reduced to sums of exponentials as they are
// made. Nothing depends on how pairs are blocked: a dot product is made in order, 64 products at a
// time; a query's sums are dealt to kLanes<double> lanes by the index of the reference, as in [Lane
// order is the contract].

#include <cstdint>

#include "kernels/abi.hpp"
#include "kernels/scaled.hpp"
#include "simd/math.hpp"
#include "simd/vec.hpp"

namespace simdloss {

// The loop that follows, of constant length, is written out.
#define SIMDLOSS_UNROLL _Pragma("GCC unroll 16")

template <class Isa>
class PairKernels {
  using V = Vec<double, Isa>;
  static constexpr int kPanel = kLanes<double>;
  static constexpr int kGroups = kPanel / V::kWidth;
  // Queries at a time: as many accumulators as registers allow.
  static constexpr int kRows = kGroups <= 2 ? 8 : kGroups <= 8 ? 2 : 1;
  static_assert(kPairRows % kRows == 0);
  static constexpr std::int64_t kChunk = 64;

  static constexpr double kLaneIndex[kPanel] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                8, 9, 10, 11, 12, 13, 14, 15};

  struct alignas(64) Similarities {
    double values[kRows * kPanel];
  };

  // sums[r] = the dot products of n components of query r with those of the panel. Written so that
  // the sums stay in registers, if there are that many.
  static SIMDLOSS_INLINE void add_products(const double* panel, const double* queries,
                                           std::int64_t pitch, std::int64_t n,
                                           V (&sums)[kRows][kGroups]) {
    for (auto& row : sums) {
      for (V& sum : row) sum = V(0.0);
    }
    for (std::int64_t k = 0; k < n; ++k, panel += kPanel) {
      if constexpr (kRows == 1) {
        const V query(queries[k]);
        for (int g = 0; g < kGroups; ++g) {
          sums[0][g] = fma(query, V::load(panel + g * V::kWidth), sums[0][g]);
        }
      } else {
        V references[kGroups];
        SIMDLOSS_UNROLL
        for (int g = 0; g < kGroups; ++g) references[g] = V::load(panel + g * V::kWidth);
        SIMDLOSS_UNROLL
        for (int r = 0; r < kRows; ++r) {
          const V query(queries[r * pitch + k]);
          SIMDLOSS_UNROLL
          for (int g = 0; g < kGroups; ++g) sums[r][g] = fma(query, references[g], sums[r][g]);
        }
      }
    }
  }

  // Dot products of kRows queries with the panel: chunks are summed in registers, and they by
  // two-sums.
  static SIMDLOSS_INLINE void multiply(const PairBlock& block, std::int64_t row, Similarities& s) {
    Similarities low;
    const double* const queries = block.queries + row * block.dims;
    for (std::int64_t begin = 0; begin == 0 || begin < block.dims; begin += kChunk) {
      const std::int64_t end = block.dims - begin < kChunk ? block.dims : begin + kChunk;
      V sums[kRows][kGroups];
      add_products(block.panel + begin * kPanel, queries + begin, block.dims, end - begin, sums);
      for (int r = 0; r < kRows; ++r) {
        for (int g = 0; g < kGroups; ++g) {
          const int at = r * kPanel + g * V::kWidth;
          V hi = begin == 0 ? V(0.0) : V::load(s.values + at);
          const V lo = begin == 0 ? V(0.0) : V::load(low.values + at);
          const V error = add_exactly(hi, sums[r][g]);
          hi.store(s.values + at);
          (lo + error).store(low.values + at);
        }
      }
    }
    for (int i = 0; i < kRows * kPanel; i += V::kWidth) {
      const V hi = V::load(s.values + i);
      const V sum = hi + V::load(low.values + i);
      select(is_nan(sum), hi, sum).store(s.values + i);  // the error of an infinite sum is NaN
    }
  }

  // Which pairs are of which kind, and e^exponent of each. A NaN is a pair of the same class, even
  // from one that does not take part.
  struct Pairs {
    V distance;
    typename V::Mask positive;
    typename V::Mask negative;
    V factor;  // max(margin + d, 0) or max(1 + margin - d, 0) before the maximum
    ScaledExp<V> e;
  };
  // What all pairs of a query share, read before anything is stored.
  struct Query {
    V gamma;
    V margin;
    V self;
    V n_references;
    V id_high;
    V id_low;
    SIMDLOSS_INLINE Query(const PairBlock& block, const IdArrays& ids, std::int64_t row)
        : gamma(block.gamma),
          margin(block.margin),
          self(block.self[row]),
          n_references(static_cast<double>(block.n_references)),
          id_high(ids.high[row]),
          id_low(ids.low[row]) {}
  };
  static SIMDLOSS_INLINE Pairs pairs_of(const Query& query, const IdArrays& panel, int i,
                                        V similarity) {
    const V gamma = query.gamma;
    const V margin = query.margin;
    const V lane = V::load(kLaneIndex + i);
    const V distance = max(V(1.0) - similarity, V(0.0));
    const auto same =
        (V::load(panel.high + i) == query.id_high) & (V::load(panel.low + i) == query.id_low);
    const auto takes_part = lane < query.n_references;
    const auto positive = takes_part & ((same & !(lane == query.self)) | is_nan(distance));
    const auto negative = takes_part & !same & !positive;

    const V factor = margin + distance;
    const V positive_exponent = max(factor, V(0.0)) * (distance - margin);
    const V room = V(1.0) + margin - distance;
    const V negative_exponent = keep(room > V(0.0), room * ((V(1.0) - margin) - distance));
    return {distance, positive, negative, select(positive, factor, room),
            scaled_exp(gamma * select(positive, positive_exponent, negative_exponent))};
  }

  // Adds the exponentials of one query's pairs to its sums.
  static SIMDLOSS_INLINE void add_row(const PairBlock& block, std::int64_t row,
                                      const double* similarities, PairSums& sums) {
    const Query query(block, block.query_ids, row);
    for (int i = 0; i < kPanel; i += V::kWidth) {
      const Pairs pairs = pairs_of(query, block.reference_ids, i, V::load(similarities + i));
      if (any(pairs.positive)) add_where(pairs.positive, pairs.e, i, sums.positive);
      if (any(pairs.negative)) add_where(pairs.negative, pairs.e, i, sums.negative);
    }
  }

  // Derivatives by the similarities, of one side's losses.
  struct Factors {
    V scale;
    V positive;
    V positive_exponent;
    V negative;
    V negative_exponent;
  };
  static SIMDLOSS_INLINE V derivatives_of(const Query& query, const Pairs& pairs, V similarity,
                                          const Factors& factors) {
    const V gamma = query.gamma;
    const V margin = query.margin;
    const V factor = select(pairs.positive, factors.positive, factors.negative);
    const V exponent = select(pairs.positive, factors.positive_exponent, factors.negative_exponent);
    // At most 1, where exponents are so large that they are not exact.
    const V share =
        min(times_power_of_two(factor * pairs.e.mantissa, exponent + pairs.e.exponent), V(1.0));

    // Both sides of the product of the exponent have the same derivative in all; in a tie that of
    // max(), halved, is left.
    const auto inside = pairs.factor > V(0.0);
    const auto tie = pairs.factor == V(0.0);
    const V rest =
        select(pairs.positive, margin - pairs.distance, (V(1.0) - margin) - pairs.distance);
    const V both = V(2.0) * select(pairs.positive, -pairs.distance, min(similarity, V(1.0)));
    const V slope = select(inside, both, keep(tie, V(0.5) * rest));
    const V below = V(1.0) - similarity;
    const V half = select(below == V(0.0), V(0.5), V(1.0));
    const auto counts = (pairs.positive | pairs.negative) & !(factor == V(0.0)) &
                        !(factors.scale == V(0.0)) & !(below < V(0.0));
    return keep(counts, factors.scale * (share * (gamma * (half * slope))));
  }

  static SIMDLOSS_INLINE void add_where(typename V::Mask m, const ScaledExp<V>& e, int i,
                                        ScaledLanes& lanes) {
    const Scaled<V> old{V::load(lanes.hi + i), V::load(lanes.lo + i), V::load(lanes.exponent + i)};
    const Scaled<V> sum =
        plus_rounded(old, keep(m, e.mantissa), select(m, e.exponent, V(-Limits<double>::kMax)));
    sum.hi.store(lanes.hi + i);
    sum.lo.store(lanes.lo + i);
    sum.exponent.store(lanes.exponent + i);
  }

  static SIMDLOSS_INLINE void differentiate_row(const PairBlock& block, const PairRoles& roles,
                                                std::int64_t row, const double* similarities,
                                                double* derivatives) {
    const PairFactors& factors = roles.of_queries;
    const PairFactors& others = roles.of_references;
    const bool both = others.scale != nullptr;
    const Query query(block, block.query_ids, row);
    const Query reference(block, both ? roles.query_ids : block.query_ids, row);
    const Factors of_query{V(factors.scale[row]), V(factors.positive[row]),
                           V(factors.positive_exponent[row]), V(factors.negative[row]),
                           V(factors.negative_exponent[row])};
    for (int i = 0; i < kPanel; i += V::kWidth) {
      const V s = V::load(similarities + i);
      const Pairs pairs = pairs_of(query, block.reference_ids, i, s);
      V sum = derivatives_of(query, pairs, s, of_query);
      if (both) {
        const Pairs reversed = pairs_of(reference, roles.reference_ids, i, s);
        const Factors of_reference{V::load(others.scale + i), V::load(others.positive + i),
                                   V::load(others.positive_exponent + i),
                                   V::load(others.negative + i),
                                   V::load(others.negative_exponent + i)};
        sum = sum + derivatives_of(reference, reversed, s, of_reference);
      }
      sum.store(derivatives + i);
    }
  }

  // Adds the references of a panel, in order, to the sums of kCount queries.
  static constexpr int kSumRows = 4;
  template <int kCount>
  static SIMDLOSS_INLINE void add_to_rows(const ReferenceSums& sums, std::int64_t row) {
    const double* const numbers = sums.numbers + row * kPanel;
    for (std::int64_t k = 0; k < sums.pitch; k += V::kWidth) {
      V part[kCount];
      for (V& sum : part) sum = V(0.0);
      for (std::int64_t j = 0; j < sums.n_references; ++j) {
        const V reference = V::load(sums.references + j * sums.pitch + k);
        SIMDLOSS_UNROLL
        for (int r = 0; r < kCount; ++r) {
          part[r] = fma(V(numbers[r * kPanel + j]), reference, part[r]);
        }
      }
      for (int r = 0; r < kCount; ++r) {
        const std::int64_t at = (row + r) * sums.pitch + k;
        V hi = V::load(sums.hi + at);
        const V error = add_exactly(hi, part[r]);
        hi.store(sums.hi + at);
        (V::load(sums.lo + at) + error).store(sums.lo + at);
      }
    }
  }

  static SIMDLOSS_INLINE Scaled<V> first_of(const ScaledLanes& lanes, int begin, int n) {
    return {V::load_first(lanes.hi + begin, n), V::load_first(lanes.lo + begin, n),
            V::load_first(lanes.exponent + begin, n)};
  }

  // The logarithm of the sum over all lanes, which it uses up; -inf if that is 0.
  static SIMDLOSS_INLINE double log_of_sum(ScaledLanes& lanes) {
    for (int half = kPanel / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i += V::kWidth) {
        const int n = half - i < V::kWidth ? half - i : V::kWidth;
        const Scaled<V> sum = first_of(lanes, i, n) + first_of(lanes, i + half, n);
        sum.hi.store_first(lanes.hi + i, n);
        sum.lo.store_first(lanes.lo + i, n);
        sum.exponent.store_first(lanes.exponent + i, n);
      }
    }
    const Scaled<V> total = first_of(lanes, 0, 1);
    // The error of an infinite sum is NaN.
    const V sum = select(total.hi < V(Limits<double>::kInfinity), total.hi + total.lo, total.hi);
    const V result = fma(total.exponent, V(0x1.62e42fefa39efp-1), log(sum));
    return first_lane(select(sum == V(0.0), V(-Limits<double>::kInfinity), result));
  }

 public:
  static void add_pairs(const PairBlock& block, PairSums* sums) noexcept {
    Similarities similarities;
    for (std::int64_t row = 0; row < block.n_queries; row += kRows) {
      multiply(block, row, similarities);
      for (int r = 0; r < kRows && row + r < block.n_queries; ++r) {
        add_row(block, row + r, similarities.values + r * kPanel, sums[row + r]);
      }
    }
  }

  static void differentiate_pairs(const PairBlock& block, const PairRoles& roles,
                                  double* derivatives) noexcept {
    Similarities similarities;
    for (std::int64_t row = 0; row < block.n_queries; row += kRows) {
      multiply(block, row, similarities);
      for (int r = 0; r < kRows && row + r < block.n_queries; ++r) {
        differentiate_row(block, roles, row + r, similarities.values + r * kPanel,
                          derivatives + (row + r) * kPanel);
      }
    }
  }

  static void add_references(const ReferenceSums& sums) noexcept {
    std::int64_t row = 0;
    for (; row + kSumRows <= sums.n_queries; row += kSumRows) add_to_rows<kSumRows>(sums, row);
    for (; row < sums.n_queries; ++row) add_to_rows<1>(sums, row);
  }

  static void finish_pairs(PairSums* sums, std::int64_t n, double* losses) noexcept {
    const V none(-Limits<double>::kInfinity);
    for (std::int64_t i = 0; i < n; ++i) {
      const V positive(log_of_sum(sums[i].positive));
      const V negative(log_of_sum(sums[i].negative));
      const V sum = positive + negative;
      const auto no_pairs =
          ((positive == none) & !is_nan(negative)) | ((negative == none) & !is_nan(positive));
      losses[i] = first_lane(keep(!no_pairs, softplus(sum)));
    }
  }
};

}  // namespace simdloss
