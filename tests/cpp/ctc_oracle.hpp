// SPDX-License-Identifier: Apache-2.0
#pragma once

// Gradients of CTC by two ways that share nothing with ctc.hpp: all paths, and the textbook's
// lattice, both in long double; and cases for them.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "calls.hpp"
#include "simd/add_exactly.hpp"

namespace simdloss::test::ctc {

using Ids = Array<std::int64_t>;
using Logits = Array<double>;

inline Ids ids_of(std::vector<std::int64_t> values, std::int64_t batch) {
  const auto n = static_cast<std::int64_t>(values.size());
  return {std::move(values), {batch, batch > 0 ? n / batch : 0}, {}, DType::kInt64};
}

inline Logits random_logits(std::vector<std::int64_t> shape, double scale, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0, scale);
  std::int64_t n = 1;
  for (const std::int64_t size : shape) n *= size;
  Logits logits{std::vector<double>(static_cast<std::size_t>(n)), std::move(shape)};
  for (double& x : logits.values) x = normal(random);
  return logits;
}

// What a gradient should be, its two terms apart.
struct Expected {
  std::vector<long double> softmax;
  std::vector<long double> share;

  // The largest error, in units of 2^-53 (softmax + share).
  double worst(const std::vector<double>& gradient, double scale = 1) const {
    double result = 0;
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      const long double error = std::abs(gradient[i] - scale * (softmax[i] - share[i]));
      if (error <= 0x1p-1070L) continue;
      const long double unit = 0x1p-53L * std::abs(scale) * (softmax[i] + share[i]);
      result = std::max(result, static_cast<double>(error / unit));
      if (std::isnan(gradient[i])) result = std::numeric_limits<double>::infinity();
    }
    return result;
  }
};

inline std::vector<long double> softmax_of(const Logits& logits) {
  const auto classes = static_cast<std::size_t>(logits.shape[2]);
  std::vector<long double> result(logits.values.size());
  for (std::size_t first = 0; first < result.size(); first += classes) {
    const double* const z = logits.values.data() + first;
    const double max = *std::max_element(z, z + classes);
    long double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      double d = z[c];
      const double rest = add_exactly(d, -max);
      result[first + c] = std::isinf(d) ? 0.0L : std::exp(static_cast<long double>(d)) * (1 + rest);
      sum += result[first + c];
    }
    for (std::size_t c = 0; c < classes; ++c) result[first + c] /= sum;
  }
  return result;
}

// Over all classes at all time steps that spell `ids`, none of which is 0.
inline Expected all_paths(const std::vector<std::int64_t>& ids, const Logits& logits) {
  const auto time = static_cast<std::size_t>(logits.shape[1]);
  const auto classes = static_cast<std::size_t>(logits.shape[2]);
  Expected result{softmax_of(logits), std::vector<long double>(logits.values.size())};
  long double total = 0;
  std::vector<std::size_t> path(time, 0);
  for (bool more = true; more;) {
    std::vector<std::int64_t> spelled;
    long double product = 1;
    for (std::size_t t = 0; t < time; ++t) {
      product *= result.softmax[t * classes + path[t]];
      if (path[t] != 0 && (t == 0 || path[t] != path[t - 1])) {
        spelled.push_back(static_cast<std::int64_t>(path[t]));
      }
    }
    if (spelled == ids) {
      total += product;
      for (std::size_t t = 0; t < time; ++t) result.share[t * classes + path[t]] += product;
    }
    more = false;
    for (std::size_t t = 0; t < time && !more; ++t) {
      path[t] = (path[t] + 1) % classes;
      more = path[t] != 0;
    }
  }
  for (long double& share : result.share) share /= total;
  if (total == 0) result.softmax = result.share = std::vector<long double>(result.share.size());
  return result;
}

// A nonnegative number of any magnitude.
struct Big {
  long double mantissa = 0;
  long exponent = 0;

  Big() = default;
  Big(long double x, long e) {
    int binary = 0;
    mantissa = std::frexp(x, &binary);
    exponent = mantissa == 0 ? 0 : e + binary;
  }
  friend Big operator*(const Big& a, const Big& b) {
    return {a.mantissa * b.mantissa, a.exponent + b.exponent};
  }
  friend Big operator+(const Big& a, const Big& b) {
    if (a.mantissa == 0) return b;
    if (b.mantissa == 0) return a;
    if (a.exponent < b.exponent) return b + a;
    const long shift = std::max(b.exponent - a.exponent, -16000L);
    return {a.mantissa + std::ldexp(b.mantissa, static_cast<int>(shift)), a.exponent};
  }
  long double over(const Big& b) const {
    const long shift = std::clamp(exponent - b.exponent, -16000L, 16000L);
    return std::ldexp(mantissa / b.mantissa, static_cast<int>(shift));
  }
};

// e^(z - max) for long doubles whose exponential is one.
inline Big exp_below(double z, double max) {
  double d = z;
  const double rest = add_exactly(d, -max);
  if (std::isinf(d)) return {};
  return {std::exp(static_cast<long double>(d)) * (1 + static_cast<long double>(rest)), 0};
}

// The textbook's lattice of 2 L + 1 states, forward and backward, all of it in memory.
inline Expected lattice(const std::vector<std::int64_t>& ids, const Logits& logits) {
  const std::int64_t time = logits.shape[1];
  const std::int64_t classes = logits.shape[2];
  const auto states = static_cast<std::int64_t>(2 * ids.size() + 1);
  const auto id = [&](std::int64_t s) {
    return s % 2 == 0 ? 0 : ids[static_cast<std::size_t>(s / 2)];
  };
  const auto skips = [&](std::int64_t s) { return s % 2 == 1 && s > 1 && id(s) != id(s - 2); };
  const auto factor = [&](std::int64_t t, std::int64_t s) {
    const double* const z = logits.values.data() + t * classes;
    return exp_below(z[id(s)], *std::max_element(z, z + classes));
  };
  const auto at = [&](std::int64_t t, std::int64_t s) {
    return static_cast<std::size_t>(t * states + s);
  };
  std::vector<Big> forward(static_cast<std::size_t>(time * states));
  std::vector<Big> backward(forward.size());
  for (std::int64_t t = 0; t < time; ++t) {
    for (std::int64_t s = 0; s < states; ++s) {
      Big sum;
      if (t == 0) {
        if (s < 2) sum = Big(1, 0);
      } else {
        sum = forward[at(t - 1, s)];
        if (s > 0) sum = sum + forward[at(t - 1, s - 1)];
        if (skips(s)) sum = sum + forward[at(t - 1, s - 2)];
      }
      forward[at(t, s)] = sum * factor(t, s);
    }
  }
  for (std::int64_t t = time - 1; t >= 0; --t) {
    for (std::int64_t s = 0; s < states; ++s) {
      Big sum;
      if (t == time - 1) {
        if (s >= states - 2) sum = Big(1, 0);
      } else {
        sum = backward[at(t + 1, s)] * factor(t + 1, s);
        if (s + 1 < states) sum = sum + backward[at(t + 1, s + 1)] * factor(t + 1, s + 1);
        if (s + 2 < states && skips(s + 2)) {
          sum = sum + backward[at(t + 1, s + 2)] * factor(t + 1, s + 2);
        }
      }
      backward[at(t, s)] = sum;
    }
  }
  Expected result{softmax_of(logits), std::vector<long double>(logits.values.size())};
  for (std::int64_t t = 0; t < time; ++t) {
    Big total;
    for (std::int64_t s = 0; s < states; ++s) {
      total = total + forward[at(t, s)] * backward[at(t, s)];
    }
    for (std::int64_t s = 0; s < states; ++s) {
      result.share[static_cast<std::size_t>(t * classes + id(s))] +=
          (forward[at(t, s)] * backward[at(t, s)]).over(total);
    }
  }
  return result;
}

}  // namespace simdloss::test::ctc
