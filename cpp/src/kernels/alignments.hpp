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

  // The factors of the recursion: exponentials that are rounded once for the loss, whose error is
  // that of a sum of logarithms, and pairs for its derivatives.
  static SIMDLOSS_INLINE ScaledExp<V> rounded_exp(V logit, V max) {
    return scaled_exp(below_max(logit, max));
  }
  static SIMDLOSS_INLINE ScaledExpPair<V> exp_pair(V logit, V max) {
    V x = logit;
    const V error = add_exactly(x, -max);
    return scaled_exp_pair(select(logit == max, V(0.0), x),
                           keep(abs(x) < V(Limits<double>::kInfinity), error));
  }

  // Blank i is reached from itself and from the label before it; a label from itself, from the
  // blank before it and, where it differs from the label before, from that one.
  template <auto factor>
  static SIMDLOSS_INLINE void advance_by(const AlignmentStep& step, std::int64_t begin,
                                         std::int64_t end) {
    const V max(step.max);
    const auto blank = factor(V(step.blank_logit), max);
    for (std::int64_t i = begin; i < end; i += V::kWidth) {
      const Scaled<V> from_blank = load_scaled<V>(step.from_blank, i);
      const Scaled<V> before = load_scaled<V>(step.from_label, i - 1);
      store_scaled((from_blank + before) * blank, step.to_blank, i);

      const auto skips = V::load(step.may_skip + i) > V(0.0);
      const Scaled<V> sum =
          (from_blank + load_scaled<V>(step.from_label, i)) + keep_scaled(skips, before);
      store_scaled(sum * factor(V::load(step.logits + i), max), step.to_label, i);
    }
  }
  static void advance(const AlignmentStep& step, std::int64_t begin, std::int64_t end) noexcept {
    advance_by<rounded_exp>(step, begin, end);
  }
  static void advance_pairs(const AlignmentStep& step, std::int64_t begin,
                            std::int64_t end) noexcept {
    advance_by<exp_pair>(step, begin, end);
  }
  static SIMDLOSS_INLINE Scaled<V> keep_scaled(typename V::Mask m, const Scaled<V>& x) {
    return {keep(m, x.hi), keep(m, x.lo), select(m, x.exponent, V(-Limits<double>::kMax))};
  }

  // The same way back: a blank leads to itself and to the label after it; a label to itself, to
  // the blank after it and, where that differs, to the label after it. The sum over what follows
  // comes before the factor of the state itself, which is in the forward variable already.
  static void retreat(const AlignmentStep& step, const AlignmentShares& shares, std::int64_t begin,
                      std::int64_t end) noexcept {
    const V max(step.max);
    const auto blank = exp_pair(V(step.blank_logit), max);
    const Inverse<V> scale = inverse(V(shares.total.hi), V(shares.total.lo));
    const V exponent(shares.exponent);
    for (std::int64_t i = begin; i < end; i += V::kWidth) {
      const Scaled<V> label = load_scaled<V>(step.from_label, i);
      const Scaled<V> from_blank = load_scaled<V>(step.from_blank, i) + label;
      share(load_scaled<V>(shares.blank, i), from_blank, scale, exponent)
          .store(shares.of_blank + i);
      store_scaled(from_blank * blank, step.to_blank, i);

      const auto skips = V::load(step.may_skip + i + 1) > V(0.0);
      const Scaled<V> from_label = (label + load_scaled<V>(step.from_blank, i + 1)) +
                                   keep_scaled(skips, load_scaled<V>(step.from_label, i + 1));
      share(load_scaled<V>(shares.label, i), from_label, scale, exponent)
          .store(shares.of_label + i);
      store_scaled(from_label * exp_pair(V::load(step.logits + i), max), step.to_label, i);
    }
  }
  // a b scale 2^-exponent, rounded once. At most 1, where exponents are so large that they are
  // not exact.
  static SIMDLOSS_INLINE V share(const Scaled<V>& a, const Scaled<V>& b, const Inverse<V>& scale,
                                 V exponent) {
    const V hi = a.hi * b.hi;
    const V lo = fma(a.hi, b.lo, fma(a.lo, b.hi, product_error(a.hi, b.hi, hi)));
    const V product = fma(hi, scale.hi, fma(hi, scale.lo, lo * scale.hi));
    return min(times_power_of_two(product, (a.exponent + b.exponent) - exponent), V(1.0));
  }

  static RowSum sum(const double* x, std::int64_t n) noexcept {
    LaneSums lanes = {};
    RowSums<double, Isa>::add(typename RowSums<double, Isa>::Stored{x}, 0, n, lanes);
    return collect(lanes);
  }

  static RowSum exp_pairs(double* x, double* rest, std::int64_t n, double max) noexcept {
    LaneSums lanes = {};
    for (std::int64_t first = 0; first < n; first += kLanes<double>) {
      const std::int64_t last = n - first < kLanes<double> ? n : first + kLanes<double>;
      for (std::int64_t i = first; i < last; i += V::kWidth) {
        const std::int64_t length = length_from(i, last);
        const ScaledExpPair<V> e = exp_pair(V::load_first(x + i, length), V(max));
        const V hi = keep_first(times_power_of_two(e.hi, e.exponent), length);
        const V lo = keep_first(times_power_of_two(e.lo, e.exponent), length);
        hi.store_first(x + i, length);
        lo.store_first(rest + i, length);
        double* const sum = lanes.values + (i - first);
        V sum_hi = V::load(sum);
        const V error = add_exactly(sum_hi, hi) + lo;
        sum_hi.store(sum);
        (V::load(sum + kLanes<double>) + error).store(sum + kLanes<double>);
      }
    }
    return collect(lanes);
  }

  static void divide_pairs(double* x, const double* rest, std::int64_t n, RowSum divisor) noexcept {
    const Inverse<V> scale = inverse(V(divisor.hi), V(divisor.lo));
    for (std::int64_t i = 0; i < n; i += V::kWidth) {
      const std::int64_t length = length_from(i, n);
      const V hi = V::load_first(x + i, length);
      const V lo = V::load_first(rest + i, length);
      fma(hi, scale.hi, fma(hi, scale.lo, lo * scale.hi)).store_first(x + i, length);
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
