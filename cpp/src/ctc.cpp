// SPDX-License-Identifier: Apache-2.0
#include "ctc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "ctc_scratch.hpp"
#include "tiles.hpp"

namespace simdloss {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

constexpr std::int64_t kMaxFrames = 64;

ScaledArray operator+(const ScaledArray& x, std::int64_t i) {
  return {x.hi + i, x.lo + i, x.exponent + i};
}

}  // namespace

// The softmax of a time step: max of its logits, and ln sum of e^(logit - max) as a sum of two.
struct CtcLosses::Frame {
  double max;
  double log_sum;
  double log_rest;
};

CtcLosses::CtcLosses(const ArrayView& labels, const ArrayView& logits, const KernelTable& table)
    : labels_(to_layout(labels, "y_true")),
      logits_(to_layout(logits, "y_pred")),
      labels_data_(static_cast<const char*>(labels.data)),
      logits_data_(static_cast<const char*>(logits.data)),
      labels_dtype_(labels.dtype),
      logits_dtype_(logits.dtype),
      table_(table) {
  if (labels_.rank != 2 || logits_.rank != 3 || labels_.size[0] != logits_.size[0]) {
    throw Error(ErrorCode::kValue, "y_true",
                "y_true must have the shape (batch, labels) and y_pred the shape (batch, time, "
                "classes); received "
                "y_true.shape=" +
                    to_text(labels_) + " and y_pred.shape=" + to_text(logits_) + ".");
  }
}

double CtcLosses::sample_cost() const {
  const auto labels = static_cast<double>(labels_.size[1]);
  return static_cast<double>(logits_.size[1]) *
         (static_cast<double>(logits_.size[2]) + 4 * labels + 8);
}

void CtcLosses::compute(std::int64_t begin, std::int64_t n, const double* weights, double* losses,
                        BadIds& bad) const {
  Scratch scratch(labels_.size[1]);
  for (std::int64_t i = 0; i < n; ++i) {
    if (weights != nullptr && weights[i] == 0) {
      losses[i] = 0;
    } else {
      losses[i] = read_labels(begin + i, scratch, bad) ? loss_of(begin + i, scratch) : kNan;
    }
  }
}

// The ids of the row, as many as are nonzero. False if there are bad ones.
bool CtcLosses::read_labels(std::int64_t sample, Scratch& scratch, BadIds& bad) const {
  const std::int64_t n = labels_.size[1];
  const char* const row = labels_data_ + sample * labels_.stride[0];
  std::int64_t nonzero = 0;
  bool all_good = true;
  for (std::int64_t i = 0; i < n; ++i) {
    const char* const from = row + i * labels_.stride[1];
    const ClassId id = read_class_id(from, labels_dtype_);
    if (!id.is_below(logits_.size[2])) {
      bad.add(sample * n + i, from, labels_dtype_);
      all_good = false;
      continue;
    }
    scratch.ids[static_cast<std::size_t>(i)] = id.value();
    if (!id.is_zero()) ++nonzero;
  }
  if (all_good) scratch.start(nonzero);
  return all_good;
}

void CtcLosses::read_logits(const char* frame, std::int64_t begin, std::int64_t n,
                            double* to) const {
  const std::int64_t stride = logits_.stride[2];
  load_doubles(table_.f64, logits_dtype_, frame + begin * stride, stride, n, to);
}

// The softmaxes of n time steps, n > 1 only if the logits of all fit the tile, where they stay.
// False if one is not defined.
bool CtcLosses::read_frames(const char* frames, std::int64_t n, Scratch& scratch, Frame* to) const {
  const std::int64_t classes = logits_.size[2];
  const SpecialKernels& kernels = table_.special;
  double rest[kMaxFrames];
  bool defined = true;
  for (std::int64_t t = 0; t < n; ++t) {
    const char* const frame = frames + t * logits_.stride[1];
    double* const tile = scratch.tile.data() + t * classes;
    double max = -kInfinity;
    for (std::int64_t c = 0; c < classes; c += kLogitTile) {
      const std::int64_t length = std::min(kLogitTile, classes - c);
      read_logits(frame, c, length, tile);
      max = kernels.maximum(tile, length, max);
    }
    LaneSums lanes = {};
    for (std::int64_t c = 0; c < classes; c += kLogitTile) {
      const std::int64_t length = std::min(kLogitTile, classes - c);
      if (classes > kLogitTile) read_logits(frame, c, length, tile);
      kernels.add_exps(tile, length, max, lanes);
    }
    const RowSum sum = kernels.collect(lanes);
    rest[t] = (sum.hi - 1) + sum.lo;
    to[t].max = max;
    // Infinite logits: one +inf has all of the probability, more have no limit.
    defined = defined && rest[t] == rest[t] && (std::isfinite(max) || rest[t] == 0);
  }
  double log_rest[kMaxFrames];
  kernels.log1p(rest, log_rest, n);
  for (std::int64_t t = 0; t < n; ++t) {
    to[t].log_sum = rest[t];
    to[t].log_rest = log_rest[t];
  }
  return defined;
}

// A time step but for the arrays. `tile` has the logits of all classes, or is null.
AlignmentStep CtcLosses::make_step(const char* frame, const double* tile, Window window, double max,
                                   Scratch& scratch) const {
  const auto logit = [&](std::int64_t id) {
    if (tile != nullptr) return tile[id];
    double x;
    read_logits(frame, id, 1, &x);
    return x;
  };
  const std::int64_t end = std::min(window.end, scratch.n_labels);
  for (std::int64_t k = window.begin; k < end; ++k) scratch.logits[k] = logit(scratch.id(k));
  AlignmentStep step{};
  step.logits = scratch.logits;
  step.may_skip = scratch.may_skip;
  step.blank_logit = logit(0);
  step.max = max;
  return step;
}

double CtcLosses::loss_of(std::int64_t sample, Scratch& scratch) const {
  const std::int64_t n_labels = scratch.n_labels;
  const std::int64_t time = logits_.size[1];
  const std::int64_t classes = logits_.size[2];
  std::int64_t needed = n_labels;
  for (std::int64_t i = 1; i < n_labels; ++i) needed += scratch.may_skip[i] == 0 ? 1 : 0;
  if (time < needed) return kInfinity;

  const std::int64_t step =
      std::clamp<std::int64_t>(kLogitTile / std::max<std::int64_t>(classes, 1), 1, kMaxFrames);
  const char* const data = logits_data_ + sample * logits_.stride[0];
  Frame frames[kMaxFrames];
  Pair loss;
  for (std::int64_t first = 0; first < time; first += step) {
    const std::int64_t n = std::min(step, time - first);
    if (!read_frames(data + first * logits_.stride[1], n, scratch, frames)) return kNan;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t t = first + i;
      loss.add(frames[i].log_sum);
      loss.add(frames[i].log_rest);
      if (!scratch.maxima.empty()) scratch.maxima[static_cast<std::size_t>(t)] = frames[i].max;
      const auto [begin, end] = scratch.window(t, time);
      const char* const frame = data + t * logits_.stride[1];
      const double* const tile = scratch.tile.data() + i * classes;
      const int from = static_cast<int>(t % 2);
      AlignmentStep alignment = make_step(frame, classes <= kLogitTile ? tile : nullptr,
                                          {begin, end}, frames[i].max, scratch);
      alignment.from_blank = scratch.blank[from];
      alignment.from_label = scratch.label[from];
      alignment.to_blank = scratch.blank[1 - from];
      alignment.to_label = scratch.label[1 - from];
      table_.special.advance(alignment, begin, end);
      if (t % kNormalizeEvery == kNormalizeEvery - 1) {
        table_.special.normalize(alignment.to_blank, begin, end);
        table_.special.normalize(alignment.to_label, begin, end);
      }
    }
  }
  return loss_after(loss, scratch, static_cast<int>(time % 2));
}

// The sum of both final states. The exponent is kLeastExponent if they have no probability, or one
// below all doubles.
CtcLosses::Total CtcLosses::total_of(const ScaledArray& blanks, const ScaledArray& labels,
                                     std::int64_t n) {
  const ScaledArray states[2] = {blanks + n, labels + (n - 1)};
  Total total;
  total.exponent = *states[0].exponent;
  if (n > 0) total.exponent = std::max(total.exponent, *states[1].exponent);
  for (int i = 0; i < (n > 0 ? 2 : 1); ++i) {
    const ScaledArray& x = states[i];
    const double shift = std::max(*x.exponent - total.exponent, -1000.0);
    total.sum.add(std::ldexp(*x.hi, static_cast<int>(shift)));
    total.sum.add(std::ldexp(*x.lo, static_cast<int>(shift)));
  }
  return total;
}

// `loss` minus the logarithm of the sum of both final states.
double CtcLosses::loss_after(Pair loss, const Scratch& scratch, int last) const {
  const std::int64_t n = scratch.n_labels;
  auto [sum, exponent] = total_of(scratch.blank[last], scratch.label[last], n);
  if (exponent == kLeastExponent) return kInfinity;
  int binary;
  std::frexp(sum.hi * (2.0 / 3), &binary);  // 0.75 <= hi 2^-binary < 1.5
  double rest = (std::ldexp(sum.hi, -binary) - 1) + std::ldexp(sum.lo, -binary);
  double log_rest;
  table_.special.log1p(&rest, &log_rest, 1);
  exponent += binary;
  constexpr double ln2 = 0x1.62e42fefa39efp-1;
  const double product = exponent * ln2;
  loss.add(-product);
  loss.add(-std::fma(exponent, ln2, -product));
  loss.add(exponent * -0x1.abc9e3b39803fp-56);
  loss.add(-rest);
  loss.add(-log_rest);
  const double result = loss.hi + loss.lo;
  // With a blank for a label several alignments are the same path, and are counted as often.
  const bool has_blank =
      std::find(scratch.ids.begin(), scratch.ids.begin() + n, 0) != scratch.ids.begin() + n;
  return has_blank ? result : std::max(result, 0.0);
}

}  // namespace simdloss
