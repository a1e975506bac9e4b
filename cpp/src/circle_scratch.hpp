// SPDX-License-Identifier: Apache-2.0
#pragma once

// What circle.cpp and circle_gradient.cpp share.

#include <vector>

#include "circle.hpp"

namespace simdloss {

inline constexpr std::int64_t kPanel = kLanes<double>;
// Doubles that the queries of a block may take, unless kPairRows of them are more.
inline constexpr std::int64_t kQueryDoubles = std::int64_t{1} << 15;

// A block of queries and a panel of references.
struct CircleLosses::Scratch {
  Scratch(std::int64_t n_queries, std::int64_t dimensions)
      : dims(dimensions),
        pitch((dims + kPairPitch - 1) / kPairPitch * kPairPitch),
        queries(static_cast<std::size_t>(n_queries * dims)),
        panel(static_cast<std::size_t>(kPanel * dims)),
        references(static_cast<std::size_t>(kPanel * pitch)),
        sums(static_cast<std::size_t>(n_queries)),
        ids_high(static_cast<std::size_t>(n_queries)),
        ids_low(static_cast<std::size_t>(n_queries)),
        self(static_cast<std::size_t>(n_queries)),
        losses(static_cast<std::size_t>(n_queries)) {}

  std::int64_t dims;
  std::int64_t pitch;  // of references
  std::vector<double> queries;
  std::vector<double> panel;
  std::vector<double> references;
  std::vector<PairSums> sums;
  std::vector<double> ids_high;
  std::vector<double> ids_low;
  std::vector<double> self;
  std::vector<double> losses;
  double panel_high[kPanel] = {};
  double panel_low[kPanel] = {};
};

}  // namespace simdloss
