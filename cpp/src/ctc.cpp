// SPDX-License-Identifier: Apache-2.0
#include "ctc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "tiles.hpp"
#include "two_sum.hpp"

namespace simdloss {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kLeastExponent = -std::numeric_limits<double>::max();

// Logits that are read at a time: many time steps of few classes or a part of one.
constexpr std::int64_t kLogitTile = 512;
constexpr std::int64_t kMaxFrames = 64;
// hi grows less than sixfold in a time step: see SpecialKernels::normalize.
constexpr std::int64_t kNormalizeEvery = 64;
// Elements before and after an array that kernels may touch.
constexpr std::int64_t kBefore = 8;
constexpr std::int64_t kAfter = 8;

ScaledArray operator+(const ScaledArray& x, std::int64_t i) {
  return {x.hi + i, x.lo + i, x.exponent + i};
}

}  // namespace

// A sum of doubles that is rounded once.
struct CtcLosses::Pair {
  double hi = 0;
  double lo = 0;

  void add(double x) {
    const auto [sum, error] = two_sum(hi, x);
    hi = sum;
    lo += error;
  }
};

// The softmax of a time step: max of its logits, and ln sum of e^(logit - max) as a sum of two.
struct CtcLosses::Frame {
  double max;
  double log_sum;
  double log_rest;
};

// Buffers of a thread, for up to `capacity` labels.
struct CtcLosses::Scratch {
  explicit Scratch(std::int64_t capacity)
      : pitch(kBefore + capacity + 1 + kAfter),
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
    std::fill_n(logits, n + 1 + kAfter, -kInfinity);
    std::fill_n(may_skip, n + 1 + kAfter, 0.0);
    for (std::int64_t i = 1; i < n; ++i) may_skip[i] = id(i) != id(i - 1) ? 1.0 : 0.0;
  }

  std::int64_t id(std::int64_t i) const { return ids[static_cast<std::size_t>(i)]; }

  std::int64_t pitch;
  std::int64_t n_labels = 0;
  std::vector<std::int64_t> ids;
  std::vector<double> doubles;
  std::vector<double> tile;
  ScaledArray blank[2];  // this time step's and the next one's, in turns
  ScaledArray label[2];
  double* may_skip;
  double* logits;
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
      // Labels that can be reached by now and leave time for those after them.
      const std::int64_t begin = std::max<std::int64_t>(0, n_labels - time + t);
      const std::int64_t end = std::min(n_labels, t) + 1;
      const char* const frame = data + t * logits_.stride[1];
      const double* const tile = scratch.tile.data() + i * classes;
      const auto logit = [&](std::int64_t id) {
        if (classes <= kLogitTile) return tile[id];
        double x;
        read_logits(frame, id, 1, &x);
        return x;
      };
      for (std::int64_t k = begin; k < std::min(end, n_labels); ++k) {
        scratch.logits[k] = logit(scratch.id(k));
      }
      const int from = static_cast<int>(t % 2);
      const AlignmentStep alignment{scratch.blank[from],
                                    scratch.label[from],
                                    scratch.blank[1 - from],
                                    scratch.label[1 - from],
                                    scratch.logits,
                                    scratch.may_skip,
                                    logit(0),
                                    frames[i].max};
      table_.special.advance(alignment, begin, end);
      if (t % kNormalizeEvery == kNormalizeEvery - 1) {
        table_.special.normalize(alignment.to_blank, begin, end);
        table_.special.normalize(alignment.to_label, begin, end);
      }
    }
  }
  return loss_after(loss, scratch, static_cast<int>(time % 2));
}

// `loss` minus the logarithm of the sum of both final states.
double CtcLosses::loss_after(Pair loss, const Scratch& scratch, int last) const {
  const std::int64_t n = scratch.n_labels;
  const ScaledArray blank = scratch.blank[last] + n;
  const ScaledArray label = scratch.label[last] + (n - 1);
  double exponent = *blank.exponent;
  if (n > 0) exponent = std::max(exponent, *label.exponent);
  if (exponent == kLeastExponent) return kInfinity;  // no probability or one below all doubles
  Pair sum;
  for (int i = 0; i < (n > 0 ? 2 : 1); ++i) {
    const ScaledArray& x = i == 0 ? blank : label;
    const double shift = std::max(*x.exponent - exponent, -1000.0);
    sum.add(std::ldexp(*x.hi, static_cast<int>(shift)));
    sum.add(std::ldexp(*x.lo, static_cast<int>(shift)));
  }
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
