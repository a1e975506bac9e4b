// SPDX-License-Identifier: Apache-2.0
#pragma once

// Keras's formula of the circle loss and its derivative, a pair at a time in long double; and cases
// for them.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "calls.hpp"
#include "circle.hpp"

namespace simdloss::test::circle {

// One side: n labels and n rows of d components.
struct Side {
  Array<std::int64_t> labels;
  Array<double> rows;

  std::int64_t n() const { return labels.shape[0]; }
  std::int64_t d() const { return rows.shape[1]; }
  double at(std::int64_t i, std::int64_t k) const {
    return rows.values[static_cast<std::size_t>(i * d() + k)];
  }
  double& at(std::int64_t i, std::int64_t k) {
    return rows.values[static_cast<std::size_t>(i * d() + k)];
  }
  std::int64_t label(std::int64_t i) const { return labels.values[static_cast<std::size_t>(i)]; }
};

inline Side side_of(std::vector<std::int64_t> labels, std::vector<double> rows) {
  const auto n = static_cast<std::int64_t>(labels.size());
  const std::int64_t d = n > 0 ? static_cast<std::int64_t>(rows.size()) / n : 1;
  return {{std::move(labels), {n}, {}, DType::kInt64}, {std::move(rows), {n, d}}};
}

inline Side random_side(std::int64_t n, std::int64_t d, int classes, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<std::int64_t> labels;
  std::vector<double> rows;
  for (std::int64_t i = 0; i < n; ++i) {
    labels.push_back(static_cast<std::int64_t>(random() % static_cast<unsigned>(classes)));
    double square = 0;
    for (std::int64_t k = 0; k < d; ++k) {
      rows.push_back(normal(random));
      square += rows.back() * rows.back();
    }
    for (auto x = rows.end() - d; x != rows.end(); ++x) *x /= std::sqrt(square);
  }
  return side_of(std::move(labels), std::move(rows));
}

// d max(x, 0) / dx as torch.maximum has it.
inline long double step_of(long double x) { return x > 0 ? 1 : x == 0 ? 0.5L : 0; }

// What a gradient should be, and the sums of the absolute values of its terms.
struct Expected {
  std::vector<long double> loss;
  std::vector<long double> gradient;
  std::vector<long double> size;

  // The largest error, as a part of the bound that circle.hpp states.
  double worst(const std::vector<double>& values, const CircleOptions& options) const {
    const long double factor = 4 + 4 * std::abs(options.gamma) * (1 + std::abs(options.margin));
    double result = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const long double error = std::abs(values[i] - gradient[i]);
      if (std::isnan(values[i])) result = std::numeric_limits<double>::infinity();
      if (error <= 0x1p-1000L) continue;
      result = std::max(result, static_cast<double>(error / (0x1p-53L * factor * size[i])));
    }
    return result;
  }
};

inline Expected differentiated(const Side& queries, const Side& references,
                               const CircleOptions& options, const std::vector<double>& scales) {
  const std::int64_t n = queries.n();
  const std::int64_t m = references.n();
  const std::int64_t dims = queries.d();
  const long double gamma = options.gamma;
  const long double margin = options.margin;
  Expected result;
  result.gradient.resize(static_cast<std::size_t>(n * dims));
  result.size.resize(result.gradient.size());
  const auto add = [&](std::int64_t row, long double number, long double size, const Side& side,
                       std::int64_t other) {
    for (std::int64_t k = 0; k < dims; ++k) {
      const auto at = static_cast<std::size_t>(row * dims + k);
      result.gradient[at] += number * side.at(other, k);
      result.size[at] += std::abs(size * side.at(other, k));
    }
  };
  for (std::int64_t i = 0; i < n; ++i) {
    struct Pair {
      bool same, counts;
      long double exponent, slope, size;
    };
    std::vector<Pair> pairs;
    long double sums[2] = {0, 0};
    for (std::int64_t j = 0; j < m; ++j) {
      long double s = 0;
      for (std::int64_t k = 0; k < dims; ++k) {
        s += static_cast<long double>(queries.at(i, k)) * references.at(j, k);
      }
      const long double d = std::max(1 - s, 0.0L);
      const bool same = queries.label(i) == references.label(j);
      const bool counts = !same || !(options.remove_diagonal && i == j);
      const long double weight = same ? margin + d : 1 + margin - d;
      const long double distance = same ? margin - d : 1 - margin - d;
      const long double sign = same ? -gamma : gamma;
      // Both factors fall or rise with d, by the product rule.
      const long double by_weight = step_of(weight) * (same ? 1 : -1) * distance;
      const long double by_distance = -std::max(weight, 0.0L);
      const long double by_similarity = -step_of(1 - s);
      pairs.push_back(
          {same, counts, sign * std::max(weight, 0.0L) * distance,
           by_similarity * sign * (by_weight + by_distance),
           std::abs(by_similarity * gamma) * (std::abs(by_weight) + std::abs(by_distance))});
      if (counts) sums[same ? 0 : 1] += std::exp(pairs.back().exponent);
    }
    const long double product = sums[0] * sums[1];
    result.loss.push_back(std::log1p(product));
    if (product == 0) continue;
    for (std::int64_t j = 0; j < m; ++j) {
      const Pair& pair = pairs[static_cast<std::size_t>(j)];
      if (!pair.counts) continue;
      const long double share = scales[static_cast<std::size_t>(i)] * std::exp(pair.exponent) /
                                sums[pair.same ? 0 : 1] * (product / (1 + product));
      add(i, share * pair.slope, share * pair.size, references, j);
      if (options.references_are_queries) {
        add(j, share * pair.slope, share * pair.size, queries, i);
      }
    }
  }
  return result;
}

}  // namespace simdloss::test::circle
