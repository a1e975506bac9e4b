// SPDX-License-Identifier: Apache-2.0
#pragma once

// Connectionist temporal classification: minus the logarithm of the probability that a sequence of
// logits spells a sequence of labels, in any alignment.
//
//   loss = sum over t of ln sum over c of e^(z[t][c])
//          - ln sum over alignments of prod over t of e^(z[t][state at t])
//
// Class 0 is the blank. The labels of a sample are the first n of its row, where n is the number of
// nonzero ones in it. A label is emitted for one time step or several; blanks may stand before,
// between and after labels and must stand between two equal ones. No alignment: +inf; without time
// steps the empty sequence alone has one, whose loss is 0. Infinite logits count as their limit; a
// time step where that is not defined, and a NaN in a sample that has an alignment, give NaN.
// Source: keras.losses.ctc; Graves et al. (2006), doi:10.1145/1143844.1143891.
//
// Accuracy, beside the rounding of the result: 4 u A, u = 2^-53, A = sum over t of ln sum over c of
// e^(z[t][c] - max z[t]) + |ln sum over alignments of prod over t of e^(z[t][state] - max z[t])|,
// whatever the dtype of the logits; see [Scaled numbers].

#include <cstdint>

#include "kernels/abi.hpp"
#include "labels.hpp"
#include "layout.hpp"

namespace simdloss {

// Immutable and shared by threads.
class CtcLosses {
 public:
  // `labels` of shape (B, L) and any dtype, `logits` of shape (B, T, C). Throws Error if they are
  // not.
  CtcLosses(const ArrayView& labels, const ArrayView& logits, const KernelTable& table);

  // Losses of samples [begin, begin + n). Those whose `weights` (if not null) are 0 are not looked
  // at and get the loss 0. A sample whose row of labels holds anything but integers from 0 to
  // C - 1 is recorded in `bad`, by positions in the whole array, and gets NaN.
  void compute(std::int64_t begin, std::int64_t n, const double* weights, double* losses,
               BadIds& bad) const;

  std::int64_t samples() const { return labels_.size[0]; }
  // About what a sample costs, in elements that are read with one exponential each.
  double sample_cost() const;

 private:
  struct Scratch;
  struct Frame;
  struct Pair;
  bool read_labels(std::int64_t sample, Scratch& scratch, BadIds& bad) const;
  double loss_of(std::int64_t sample, Scratch& scratch) const;
  double loss_after(Pair loss, const Scratch& scratch, int last) const;
  bool read_frames(const char* frames, std::int64_t n, Scratch& scratch, Frame* to) const;
  void read_logits(const char* frame, std::int64_t begin, std::int64_t n, double* to) const;

  Layout labels_;
  Layout logits_;
  const char* labels_data_;
  const char* logits_data_;
  DType labels_dtype_;
  DType logits_dtype_;
  const KernelTable& table_;
};

}  // namespace simdloss
