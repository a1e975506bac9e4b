// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "simdloss/array_view.hpp"
#include "simdloss/exact_sum.hpp"
#include "simdloss/export.h"

namespace simdloss {

/// How per-sample losses become one number (Keras 3 names). L loss, w weight, m mask, n entries:
enum class Reduction : std::uint8_t {
  kNone,  ///< they do not: the weighted per-sample losses are the result
  kSum,   ///< sum w L
  kMean,  ///< sum w L / n ("mean", "sum_over_batch_size"); a mask changes n to its valid part
  kMeanWithSampleWeight,  ///< sum w L / sum w, w before broadcasting
};

/// What a mean over nothing is: no entry takes part, or the denominator is 0. (A sum over nothing
/// is 0.)
enum class Empty : std::uint8_t { kZero, kNan, kRaise };

/// [PartialSums is a monoid] The mergeable state of a scalar reduction: what a chunk, thread,
/// stream or cluster partition contributes. merge() is exact, associative and commutative, and a
/// default-constructed state is its unit, so any split of a batch gives the same bytes and bits.
///
/// Members other than the sums are counts; see finalize() for the arithmetic. A value that owns no
/// memory, to be copied freely; threads may read one at the same time, or have one each and merge
/// them.
struct SIMDLOSS_API PartialSums {
  // What is being reduced, and how. Two states that differ here cannot be merged.
  std::uint64_t fingerprint = 0;  ///< of the loss and its options
  Reduction reduction = Reduction::kMean;
  DType result_dtype = DType::kFloat32;
  bool converts_labels = false;  ///< {0, 1} labels stand for {-1, 1} if all of y_true is 0/1

  std::uint64_t count = 0;        ///< n: entries of the loss after broadcasting with the weights
  std::uint64_t valid_count = 0;  ///< entries that were not skipped (weight 0, mask false, ignored)
  std::uint64_t mask_count = 0;   ///< n_m: entries of the mask as given; n without a mask
  ExactSum mask_sum;              ///< sum of the mask as given; n without a mask
  ExactSum weight_sum;  ///< sum of weights times mask before broadcasting; n without either
                        ///< (a class that is ignored is outside the mask)
  ExactSum loss_sum;    ///< sum of weight times loss over the entries that take part

  /// The state of one loss that is a number of its own (rank 0), which Keras never divides by its
  /// weight. Merged with another state, the unit apart, it is a sample like any other.
  bool is_scalar = false;

  // With converts_labels: the sum as it is with converted labels, kept until the first other label
  // has been seen. Otherwise, and after that, zero.
  ExactSum converted_sum;
  bool all_labels_binary = true;  ///< stays true without converts_labels

  bool operator==(const PartialSums& other) const noexcept;
  bool operator!=(const PartialSums& other) const noexcept { return !(*this == other); }

  /// Throws Error (kValue), and changes nothing, when fingerprint, reduction, result_dtype or
  /// converts_labels differ and neither side is the unit.
  void merge(const PartialSums& other);

  /// The reduced loss, rounded once to result_dtype: with s = converted_sum if converts_labels and
  /// all_labels_binary, else loss_sum,
  ///   kSum                   s
  ///   kMean                  (mask_count / mask_sum) s / count
  ///   kMeanWithSampleWeight  s / weight_sum; s if is_scalar
  /// A mean over nothing is what `empty` says. Sums with infinities or NaNs follow IEEE arithmetic.
  /// Zero is +0. Throws Error (kValue) for Empty::kRaise over nothing and for Reduction::kNone.
  double finalize(Empty empty = Empty::kZero) const;

  /// Fixed-size, little-endian, versioned. Equal states have equal bytes.
  std::vector<std::uint8_t> to_bytes() const;
  /// Throws Error (kValue) unless length and header are those of to_bytes() and the members agree
  /// with each other. There is no checksum: other damage to the sums goes unnoticed.
  static PartialSums from_bytes(const std::uint8_t* bytes, std::size_t n_bytes);
};

}  // namespace simdloss
