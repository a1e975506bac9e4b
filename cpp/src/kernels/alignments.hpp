// SPDX-License-Identifier: Apache-2.0
#pragma once

// The sum over all alignments of a sequence of labels with more time steps (Graves et al. 2006,
// doi:10.1145/1143844.1143891), a time step at a time, and the softmax of one. The forward
// variables are [Scaled numbers] in place of logarithms: no operation of the recursion then costs
// an exponential or a logarithm, and none cancels. Blanks and labels, which alternate in the
// sequence of states, lie in arrays of their own: label i stands between blanks i and i + 1.

#include <cstdint>

#include "kernels/abi.hpp"
#include "kernels/row_sum.hpp"
#include "kernels/scaled.hpp"
#include "simd/log.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class Isa>
struct AlignmentKernels {
  using V = Vec<double, Isa>;

  static double maximum(const double* x, std::int64_t n, double start) noexcept {
    V m(start);
    std::int64_t i = 0;
    for (; i + V::kWidth <= n; i += V::kWidth) m = max(m, V::load(x + i));
    double lanes[V::kWidth];
    m.store(lanes);
    double result = start;
    for (const double lane : lanes) result = lane > result ? lane : result;
    for (; i < n; ++i) result = x[i] > result ? x[i] : result;
    return result;
  }

  // logit - max, and 0 where both are the same infinity.
  static SIMDLOSS_INLINE V below_max(V logit, V max) {
    return select(logit == max, V(0.0), logit - max);
  }

  // A source for RowSums.
  struct Exps {
    const double* x;
    V max;
    SIMDLOSS_INLINE V whole(std::int64_t i) const {
      return exp_nonpositive(below_max(V::load(x + i), max));
    }
    SIMDLOSS_INLINE V first(std::int64_t i, std::int64_t n) const {
      return keep_first(exp_nonpositive(below_max(V::load_first(x + i, n), max)), n);
    }
  };

  static RowSum collect(const LaneSums& lanes) noexcept {
    return RowSums<double, Isa>::finish(lanes);
  }
  static void add_exps(const double* x, std::int64_t n, double max, LaneSums& lanes) noexcept {
    RowSums<double, Isa>::add(Exps{x, V(max)}, 0, n, lanes);
  }

  static void log1p_all(double* x, double* rest, std::int64_t n) noexcept {
    for (std::int64_t i = 0; i < n; i += V::kWidth) {
      const LogPair<V> log = log1p_regular_pair(V::load_first(x + i, length_from(i, n)));
      log.value.store_first(x + i, length_from(i, n));
      log.rest.store_first(rest + i, length_from(i, n));
    }
  }
  static SIMDLOSS_INLINE std::int64_t length_from(std::int64_t i, std::int64_t n) {
    return n - i < V::kWidth ? n - i : V::kWidth;
  }

  // Blank i is reached from itself and from the label before it; a label from itself, from the
  // blank before it and, where it differs from the label before, from that one.
  static void advance(const AlignmentStep& step, std::int64_t begin, std::int64_t end) noexcept {
    const V max(step.max);
    const ScaledExp<V> blank = scaled_exp(below_max(V(step.blank_logit), max));
    for (std::int64_t i = begin; i < end; i += V::kWidth) {
      const Scaled<V> from_blank = load_scaled<V>(step.from_blank, i);
      Scaled<V> before = load_scaled<V>(step.from_label, i - 1);
      store_scaled((from_blank + before) * blank, step.to_blank, i);

      const auto skips = V::load(step.may_skip + i) > V(0.0);
      before = {keep(skips, before.hi), keep(skips, before.lo),
                select(skips, before.exponent, V(-Limits<double>::kMax))};
      const Scaled<V> sum = (from_blank + load_scaled<V>(step.from_label, i)) + before;
      const ScaledExp<V> label = scaled_exp(below_max(V::load(step.logits + i), max));
      store_scaled(sum * label, step.to_label, i);
    }
  }

  static void normalize(const ScaledArray& x, std::int64_t begin, std::int64_t end) noexcept {
    using Bits = typename V::Bits;
    for (std::int64_t i = begin; i < end; i += V::kWidth) {
      const Scaled<V> old = load_scaled<V>(x, i);
      const Bits biased = shift_right<52>(to_bits(old.hi));
      const V e = keep(old.hi > V(0.0), V::from_int(biased - Bits(1023)));
      const V scale = power_of_two(-e);
      store_scaled(Scaled<V>{old.hi * scale, old.lo * scale, old.exponent + e}, x, i);
    }
  }
};

}  // namespace simdloss
