// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ctc.hpp"
#include "ctc_scratch.hpp"
#include "tiles.hpp"

namespace simdloss {
namespace {

// Forward variables that are kept anyway, so that few time steps are a single segment.
constexpr std::int64_t kKeptDoubles = std::int64_t{1} << 16;

}  // namespace

// The forward variables of one segment of time steps, and of the last one before each segment: the
// others are made again from them. Every row holds six arrays, blanks and labels.
struct CtcLosses::Segments {
  Segments(const Scratch& scratch, std::int64_t time, std::int64_t classes)
      : pitch(scratch.pitch),
        length(length_for(time)),
        rows(static_cast<std::size_t>(length * 6 * pitch)),
        checkpoints(static_cast<std::size_t>((time / length + 1) * 6 * pitch)),
        shares(static_cast<std::size_t>(2 * pitch)),
        order(scratch.ids.size()),
        softmax(static_cast<std::size_t>(classes)),
        rest(static_cast<std::size_t>(classes)) {
    for (std::int64_t r = 0; r < length; ++r) clear(row(r));
    clear(checkpoint(0));
    blank(checkpoint(0)).hi[0] = 1;
    blank(checkpoint(0)).exponent[0] = 0;
  }

  std::int64_t length_for(std::int64_t time) const {
    const auto root = static_cast<std::int64_t>(std::sqrt(static_cast<double>(time)));
    return std::clamp<std::int64_t>(std::max(root, kKeptDoubles / (6 * pitch)), 1,
                                    std::max<std::int64_t>(time, 1));
  }

  double* row(std::int64_t i) { return rows.data() + i * 6 * pitch; }
  double* checkpoint(std::int64_t segment) { return checkpoints.data() + segment * 6 * pitch; }
  // The forward variables before and after time step t.
  double* before(std::int64_t t) {
    return t % length == 0 ? checkpoint(t / length) : row(t % length - 1);
  }
  double* after(std::int64_t t) { return row(t % length); }

  ScaledArray array(double* row, int i) const {
    double* const first = row + i * pitch + kBefore;
    return {first, first + pitch, first + 2 * pitch};
  }
  ScaledArray blank(double* row) const { return array(row, 0); }
  ScaledArray label(double* row) const { return array(row, 3); }

  // Zeros from element `begin` of each array on: all of them or as many as a kernel reads.
  void clear(double* row, std::int64_t begin = -kBefore) const {
    for (int i = 0; i < 6; ++i) {
      std::fill_n(row + i * pitch + kBefore + begin, begin < 0 ? pitch : kAfter,
                  i % 3 == 2 ? kLeastExponent : 0.0);
    }
  }

  // The labels' indices, those of one class next to each other.
  void sort_labels(const Scratch& scratch) {
    for (std::int64_t i = 0; i < scratch.n_labels; ++i) order[static_cast<std::size_t>(i)] = i;
    std::sort(order.begin(), order.begin() + scratch.n_labels, [&](std::int64_t i, std::int64_t j) {
      return scratch.id(i) != scratch.id(j) ? scratch.id(i) < scratch.id(j) : i < j;
    });
  }

  std::int64_t pitch;
  std::int64_t length;
  std::vector<double> rows;
  std::vector<double> checkpoints;
  std::vector<double> shares;
  std::vector<std::int64_t> order;
  std::vector<double> softmax;  // of one time step; its logits at first
  std::vector<double> rest;
};

void CtcLosses::gradients(std::int64_t begin, std::int64_t n, const double* scales, double* losses,
                          const MutableArrayView& out, BadIds& bad) const {
  const Layout layout = to_layout(out, "out");
  const std::int64_t time = logits_.size[1];
  const std::int64_t classes = logits_.size[2];
  Scratch scratch(labels_.size[1], time);
  Segments segments(scratch, time, classes);
  for (std::int64_t i = 0; i < n; ++i) {
    double loss = 0;
    if (scales[i] != 0) {
      loss = read_labels(begin + i, scratch, bad) ? loss_of(begin + i, scratch)
                                                  : std::numeric_limits<double>::quiet_NaN();
    }
    if (losses != nullptr) losses[i] = loss;
    char* const sample = static_cast<char*>(out.data) + (begin + i) * layout.stride[0];
    const auto store = [&](std::int64_t t) {
      store_doubles(out.dtype, segments.softmax.data(), classes, sample + t * layout.stride[1],
                    layout.stride[2]);
    };
    if (scales[i] == 0 || !std::isfinite(loss)) {
      std::fill(segments.softmax.begin(), segments.softmax.end(), std::isnan(loss) ? loss : 0.0);
      for (std::int64_t t = 0; t < time; ++t) store(t);
    } else {
      differentiate(begin + i, scales[i], scratch, segments, store);
    }
  }
}

// Calls store(t) with the derivatives of each time step in segments.softmax.
template <class Store>
void CtcLosses::differentiate(std::int64_t sample, double scale, Scratch& scratch,
                              Segments& segments, Store store) const {
  const std::int64_t n_labels = scratch.n_labels;
  const std::int64_t time = logits_.size[1];
  if (time == 0) return;
  scratch.start(n_labels);
  segments.sort_labels(scratch);
  const std::int64_t last = (time - 1) / segments.length;
  for (std::int64_t segment = 0; segment <= last; ++segment) {
    advance_segment(sample, segment, scratch, segments);
    if (segment == last) break;
    std::copy_n(segments.row(segments.length - 1), 6 * segments.pitch,
                segments.checkpoint(segment + 1));
  }
  double* const final_row = segments.after(time - 1);
  const Total total = total_of(segments.blank(final_row), segments.label(final_row), n_labels);

  // After the last time step: the blank at the end, nothing else.
  scratch.blank[0].hi[0] = 0;
  scratch.blank[0].exponent[0] = kLeastExponent;
  scratch.blank[time % 2].hi[n_labels] = 1;
  scratch.blank[time % 2].exponent[n_labels] = 0;
  for (std::int64_t segment = last; segment >= 0; --segment) {
    if (segment < last) advance_segment(sample, segment, scratch, segments);
    const std::int64_t first = segment * segments.length;
    for (std::int64_t t = std::min(first + segments.length, time) - 1; t >= first; --t) {
      retreat_step(sample, t, total, scratch, segments);
      for (double& x : segments.softmax) x = x * scale + 0.0;
      store(t);
    }
  }
}

// The forward variables of all time steps of a segment.
void CtcLosses::advance_segment(std::int64_t sample, std::int64_t segment, Scratch& scratch,
                                Segments& segments) const {
  const std::int64_t time = logits_.size[1];
  const std::int64_t classes = logits_.size[2];
  const std::int64_t first = segment * segments.length;
  for (std::int64_t t = first; t < std::min(first + segments.length, time); ++t) {
    const char* const frame = logits_data_ + sample * logits_.stride[0] + t * logits_.stride[1];
    const double* tile = nullptr;
    if (classes <= kLogitTile) {
      read_logits(frame, 0, classes, scratch.tile.data());
      tile = scratch.tile.data();
    }
    const Window window = scratch.window(t, time);
    AlignmentStep step =
        make_step(frame, tile, window, scratch.maxima[static_cast<std::size_t>(t)], scratch);
    double* const from = segments.before(t);
    double* const to = segments.after(t);
    step.from_blank = segments.blank(from);
    step.from_label = segments.label(from);
    step.to_blank = segments.blank(to);
    step.to_label = segments.label(to);
    table_.special.advance_pairs(step, window.begin, window.end);
    if (t % kNormalizeEvery == kNormalizeEvery - 1) {
      table_.special.normalize(step.to_blank, window.begin, window.end);
      table_.special.normalize(step.to_label, window.begin, window.end);
    }
    segments.clear(to, window.end);  // what is left there from a later time step
  }
}

// From time step t + 1 to t: the derivatives by its logits, in segments.softmax.
void CtcLosses::retreat_step(std::int64_t sample, std::int64_t t, const Total& total,
                             Scratch& scratch, Segments& segments) const {
  const SpecialKernels& kernels = table_.special;
  const std::int64_t classes = logits_.size[2];
  const char* const frame = logits_data_ + sample * logits_.stride[0] + t * logits_.stride[1];
  double* const softmax = segments.softmax.data();
  read_logits(frame, 0, classes, softmax);

  const double max = scratch.maxima[static_cast<std::size_t>(t)];
  const Window window = scratch.window(t, logits_.size[1]);
  const int to = static_cast<int>(t % 2);
  AlignmentStep step = make_step(frame, softmax, window, max, scratch);
  step.from_blank = scratch.blank[1 - to];
  step.from_label = scratch.label[1 - to];
  step.to_blank = scratch.blank[to];
  step.to_label = scratch.label[to];
  double* const row = segments.after(t);
  double* const of_blank = segments.shares.data() + kBefore;
  double* const of_label = of_blank + segments.pitch;
  kernels.retreat(step,
                  {segments.blank(row),
                   segments.label(row),
                   {total.sum.hi, total.sum.lo},
                   total.exponent,
                   of_blank,
                   of_label},
                  window.begin, window.end);
  if (t % kNormalizeEvery == 0) {
    kernels.normalize(step.to_blank, window.begin, window.end);
    kernels.normalize(step.to_label, window.begin, window.end);
  }

  kernels.divide_pairs(softmax, segments.rest.data(), classes,
                       kernels.exp_pairs(softmax, segments.rest.data(), classes, max));
  std::int64_t id = 0;
  const RowSum blanks = kernels.sum(of_blank + window.begin, window.end - window.begin);
  Pair share{blanks.hi, blanks.lo};
  const auto subtract_share = [&] { softmax[id] = (softmax[id] - share.hi) - share.lo; };
  for (std::int64_t i = 0; i < scratch.n_labels; ++i) {
    const std::int64_t k = segments.order[static_cast<std::size_t>(i)];
    if (k < window.begin || k >= window.end) continue;
    if (scratch.id(k) != id) {
      subtract_share();
      id = scratch.id(k);
      share = {};
    }
    share.add(of_label[k]);
  }
  subtract_share();
}

}  // namespace simdloss
