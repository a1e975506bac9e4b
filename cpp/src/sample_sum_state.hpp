// SPDX-License-Identifier: Apache-2.0
#pragma once

// [Sample sum] The fast way into an ExactSum: the scratch of one thread, which the kernels of
// kernels/sample_sum.hpp add samples to. Every ISA's object includes this header, hence plain data
// and no inline functions.
//
//   SampleSum scratch;                       // 1.5 KB, on the stack
//   begin_samples(scratch, sums.loss_sum);
//   for each tile                            // of any length
//     kernels.add_samples(losses, weights, n, scratch);
//   flush_samples(scratch);                  // now sums.loss_sum holds all of them
//
// One scratch serves one sum. Samples in float and in double may alternate. A full scratch flushes
// itself, so nobody else may use the sum before flush_samples().
//
// [Windows] A sample below 2^top is cut into at most three multiples of fixed units, each of which
// is added to lanes of doubles without rounding:
//   window 0   multiples of 2^(top - 39)     below 2^top
//   window 1   multiples of 2^(top - 79)     what is left: at most 2^(top - 40)
//   window 2   multiples of 2^(top - 119)    what is left: at most 2^(top - 80)
// A lane takes at most kMaxAddends = 2^10 samples before it is flushed, so it stays within 2^49
// units, and the 16 lanes of a window add up to at most 2^53 units: all of it exact. A float of at
// least 2^(top - 56) ends in window 1, a double of at least 2^(top - 67) in window 2. Samples
// outside that range, infinities and NaNs are set aside for integer arithmetic; where most samples
// are, the windows move to them. The sum is exact wherever they stand.

#include <cstdint>

namespace simdloss {

class ExactSum;

inline constexpr int kWindows = 3;
inline constexpr int kWindowLanes = 16;
inline constexpr int kMaxAddends = 1024;
inline constexpr int kMaxAside = 128;

struct alignas(64) SampleSum {
  double windows[kWindows][kWindowLanes];
  double aside[kMaxAside];       // samples outside the windows
  double high;                   // 2^top
  double low_float;              // 2^(top - 56)
  double low_double;             // 2^(top - 67)
  double anchors[kWindows - 1];  // 1.5 * 2^52 units
  std::int32_t n_aside;
  std::int32_t n_addends;  // at least what any lane has taken
  bool flushed;            // whether the sum holds some of the samples
  ExactSum* sum;
};

// Starts adding to `sum`.
void begin_samples(SampleSum& scratch, ExactSum& sum) noexcept;

// Adds what is in the scratch to its sum. The scratch can be used on.
void flush_samples(SampleSum& scratch) noexcept;

// The sums of the windows, exactly. Whether they are that of all samples: of few ordinary ones.
bool window_totals(const SampleSum& scratch, double (&totals)[kWindows]) noexcept;

}  // namespace simdloss
