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

  // Writes the derivatives of samples [begin, begin + n) by their logits, times scales[i] and rounded
  // once, to `out`, which has the shape of all logits and does not overlap them:
  //
  //   d loss / d z[t][c] = softmax(z[t])[c] - probability that class c is emitted at time t,
  //
  // given the labels. Samples of scale 0 get zeros and are not looked at. 0 where the loss is +inf,
  // whatever the logits; NaN where it is NaN, and for bad labels. `losses`, if not null, gets what
  // compute() gives with `scales` for weights.
  //
  // Accuracy, beside the rounding to the type of `out`: 4 u (softmax + probability) |scale|,
  // u = 2^-53, for up to 5000 time steps, whatever the dtype of the logits: the exponentials in
  // forward variables are pairs of doubles, so errors of the time steps do not add up. What is below
  // 2^-1022 is rounded as subnormal numbers are; where logits differ by 2^40 and more, probabilities
  // are between 0 and 1 and no more is said. A sample takes about four times as long as its loss,
  // and memory for O(sqrt(T) L + T + C) doubles.
  void gradients(std::int64_t begin, std::int64_t n, const double* scales, double* losses,
                 const MutableArrayView& out, BadIds& bad) const;

  std::int64_t samples() const { return labels_.size[0]; }
  // About what a sample costs, in elements that are read with one exponential each.
  double sample_cost() const;

 private:
  struct Scratch;
  struct Frame;
  struct Pair;
  struct Total;
  struct Window;
  struct Segments;
  bool read_labels(std::int64_t sample, Scratch& scratch, BadIds& bad) const;
  double loss_of(std::int64_t sample, Scratch& scratch) const;
  double loss_after(Pair loss, const Scratch& scratch, int last) const;
  AlignmentStep make_step(const char* frame, const double* tile, Window window, double max,
                          Scratch& scratch) const;
  static Total total_of(const ScaledArray& blanks, const ScaledArray& labels, std::int64_t n);
  template <class Store>
  void differentiate(std::int64_t sample, double scale, Scratch& scratch, Segments& segments,
                     Store store) const;
  void advance_segment(std::int64_t sample, std::int64_t segment, Scratch& scratch,
                       Segments& segments) const;
  void retreat_step(std::int64_t sample, std::int64_t t, const Total& total, Scratch& scratch,
                    Segments& segments) const;
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
