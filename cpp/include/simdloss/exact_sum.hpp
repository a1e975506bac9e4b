// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "simdloss/array_view.hpp"
#include "simdloss/export.h"

namespace simdloss {

/// [Exact sum] A sum of doubles without any rounding, whatever the order and the grouping.
///
/// The finite part is a two's-complement integer in units of 2^-1074, the smallest subnormal;
/// infinities and NaNs are counted. Equal sums have equal members, so sums can be compared and
/// serialised by value. 2^63 additions cannot overflow. A value of 296 bytes that owns no memory;
/// one thread at a time may change it.
class SIMDLOSS_API ExactSum {
 public:
  static constexpr int kLimbs = 34;  // 64 bits each, least significant first

  /// Adds x, exactly. About 5 ns; kernels/sample_sum.hpp is the fast way for many.
  void add(double x) noexcept;
  /// Adds count * x, exactly.
  void add_multiple(double x, std::uint64_t count) noexcept;
  /// Adds all that was added to `other`.
  void merge(const ExactSum& other) noexcept;

  bool operator==(const ExactSum& other) const noexcept;
  bool operator!=(const ExactSum& other) const noexcept { return !(*this == other); }

  bool is_zero() const noexcept;    ///< finite and exactly 0
  bool is_finite() const noexcept;  ///< no infinity and no NaN was added
  /// The sum rounded once, to nearest even, to `dtype` (a floating dtype): NaN if a NaN or both
  /// infinities were added. Zero is +0.
  double value(DType dtype = DType::kFloat64) const noexcept;

  /// The finite part.
  const std::array<std::uint64_t, kLimbs>& limbs() const noexcept { return limbs_; }
  std::array<std::uint64_t, kLimbs>& limbs() noexcept { return limbs_; }
  std::uint64_t positive_infinities = 0, negative_infinities = 0, nans = 0;

 private:
  std::array<std::uint64_t, kLimbs> limbs_{};
};

/// (numerator * factor) / (denominator * divisor), rounded once, to nearest even, to `dtype` (a
/// floating dtype); the double returned is a number of that dtype. Non-finite sums follow IEEE
/// division of their values. A zero denominator or divisor is not allowed.
SIMDLOSS_API double rounded_ratio(const ExactSum& numerator, std::uint64_t factor,
                                  const ExactSum& denominator, std::uint64_t divisor,
                                  DType dtype) noexcept;

}  // namespace simdloss
