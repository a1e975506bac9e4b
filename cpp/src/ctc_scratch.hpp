// SPDX-License-Identifier: Apache-2.0
#pragma once

// What ctc.cpp and ctc_gradient.cpp share.

#include <algorithm>
#include <limits>
#include <vector>

#include "ctc.hpp"
#include "simd/add_exactly.hpp"

namespace simdloss {

// Where a number is 0: see [Scaled numbers].
inline constexpr double kLeastExponent = -std::numeric_limits<double>::max();
// Logits that are read at a time: many time steps of few classes or a part of one.
inline constexpr std::int64_t kLogitTile = 512;
// hi grows less than sixfold in a time step: see SpecialKernels::normalize.
inline constexpr std::int64_t kNormalizeEvery = 64;
// Elements before and after an array that kernels may touch.
inline constexpr std::int64_t kBefore = 8;
inline constexpr std::int64_t kAfter = 8;

// A sum of doubles that is rounded once.
struct CtcLosses::Pair {
  double hi = 0;
  double lo = 0;

  void add(double x) { lo += add_exactly(hi, x); }
};

// sum 2^exponent
struct CtcLosses::Total {
  Pair sum;
  double exponent;
};

// Labels that can be reached by a time step and leave time for those after them.
struct CtcLosses::Window {
  std::int64_t begin;
  std::int64_t end;
};

// Buffers of a thread, for up to `capacity` labels.
struct CtcLosses::Scratch {
  // Room for the maxima of `time` time steps.
  explicit Scratch(std::int64_t capacity, std::int64_t time = 0)
      : pitch(kBefore + capacity + 1 + kAfter),
        maxima(static_cast<std::size_t>(time)),
        ids(static_cast<std::size_t>(capacity)),
        doubles(static_cast<std::size_t>(14 * pitch)),
        tile(kLogitTile) {
    for (int i = 0; i < 2; ++i) {
      blank[i] = array(6 * i);
      label[i] = array(6 * i + 3);
    }
    may_skip = row(12);
    logits = row(13);
  }

  double* row(int i) { return doubles.data() + i * pitch + kBefore; }
  ScaledArray array(int i) { return {row(i), row(i + 1), row(i + 2)}; }

  // The forward variables before the first time step: the blank at the start, nothing else.
  void start(std::int64_t n) {
    n_labels = n;
    for (int i = 0; i < 12; ++i) {
      std::fill_n(row(i) - kBefore, kBefore + n + 1 + kAfter, i % 3 == 2 ? kLeastExponent : 0.0);
    }
    blank[0].hi[0] = 1;
    blank[0].exponent[0] = 0;
    std::fill_n(logits, n + 1 + kAfter, -std::numeric_limits<double>::infinity());
    std::fill_n(may_skip, n + 1 + kAfter, 0.0);
    for (std::int64_t i = 1; i < n; ++i) may_skip[i] = id(i) != id(i - 1) ? 1.0 : 0.0;
  }

  std::int64_t id(std::int64_t i) const { return ids[static_cast<std::size_t>(i)]; }

  Window window(std::int64_t t, std::int64_t time) const {
    return {std::max<std::int64_t>(0, n_labels - time + t), std::min(n_labels, t) + 1};
  }

  std::int64_t pitch;
  std::int64_t n_labels = 0;
  std::vector<double> maxima;
  std::vector<std::int64_t> ids;
  std::vector<double> doubles;
  std::vector<double> tile;
  ScaledArray blank[2];  // this time step's and the next one's, in turns
  ScaledArray label[2];
  double* may_skip;
  double* logits;
};

}  // namespace simdloss
