// SPDX-License-Identifier: Apache-2.0
#include "circle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "circle_scratch.hpp"
#include "tiles.hpp"

namespace simdloss {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

BadIds find_bad_ids(const char* data, DType dtype, std::int64_t n, std::int64_t stride) {
  BadIds bad;
  for (std::int64_t i = 0; i < n; ++i) {
    const char* const from = data + i * stride;
    if (!read_class_id(from, dtype).valid) bad.add(i, from, dtype);
  }
  return bad;
}

}  // namespace

CircleLosses::Side CircleLosses::to_side(const ArrayView& view, int rank, const char* name) {
  const char* const expected = rank == 1 ? "(n,), (n, 1) or (1, n)" : "(n, dimensions)";
  Side side{to_layout(view, name), static_cast<const char*>(view.data), view.dtype};
  if (side.layout.rank != rank) {
    const bool is_one_hot = rank == 1 && side.layout.rank == 2;
    throw Error(ErrorCode::kValue, name,
                std::string(name) + " must have the shape " + expected + "; received the shape " +
                    to_text(side.layout) + "." +
                    (is_one_hot ? " Fix: if it holds one-hot labels, pass class ids: " +
                                      std::string(name) + ".argmax(axis=1)."
                                : ""));
  }
  return side;
}

CircleLosses::CircleLosses(const ArrayView& labels, const ArrayView& embeddings,
                           const ArrayView& ref_labels, const ArrayView& ref_embeddings,
                           const CircleOptions& options, const KernelTable& table)
    : labels_(to_side(labels, 1, "y_true")),
      embeddings_(to_side(embeddings, 2, "y_pred")),
      ref_labels_(to_side(ref_labels, 1, "ref_labels")),
      ref_embeddings_(to_side(ref_embeddings, 2, "ref_embeddings")),
      options_(options),
      table_(table) {
  const auto require_equal = [](const Side& a, int a_axis, const Side& b, int b_axis,
                                const char* name, const char* other, const char* fix) {
    if (a.layout.size[a_axis] == b.layout.size[b_axis]) return;
    throw Error(ErrorCode::kValue, name,
                std::string(name) + " and " + other + " must agree in size; received the shapes " +
                    to_text(a.layout) + " and " + to_text(b.layout) + ". Fix: " + fix);
  };
  require_equal(labels_, 0, embeddings_, 0, "y_true", "y_pred",
                "pass one label for each row of y_pred.");
  require_equal(ref_labels_, 0, ref_embeddings_, 0, "ref_labels", "ref_embeddings",
                "pass one label for each row of ref_embeddings; where one of both is missing, "
                "y_true or y_pred takes its place.");
  require_equal(ref_embeddings_, 1, embeddings_, 1, "ref_embeddings", "y_pred",
                "give both the same number of columns.");
  bad_labels_ = find_bad_ids(labels_.data, labels_.dtype, queries(), labels_.layout.stride[0]);
  bad_ref_labels_ = find_bad_ids(ref_labels_.data, ref_labels_.dtype, ref_labels_.layout.size[0],
                                 ref_labels_.layout.stride[0]);
}

double CircleLosses::query_cost() const {
  return static_cast<double>(ref_labels_.layout.size[0]) *
         (static_cast<double>(embeddings_.layout.size[1]) + 32);
}

void CircleLosses::load_row(const Side& embeddings, std::int64_t row, double* to) const {
  load_doubles(table_.f64, embeddings.dtype, embeddings.data + row * embeddings.layout.stride[0],
               embeddings.layout.stride[1], embeddings.layout.size[1], to);
}

std::int64_t CircleLosses::block_rows(std::int64_t n) const {
  const std::int64_t fitting =
      kQueryDoubles / std::max<std::int64_t>(embeddings_.layout.size[1], 1);
  const std::int64_t most = std::clamp(fitting / kPairRows * kPairRows, kPairRows, kCircleQueries);
  return std::min(most, (n + kPairRows - 1) / kPairRows * kPairRows);
}

void CircleLosses::compute(std::int64_t begin, std::int64_t n, const double* weights,
                           double* losses, CircleStatistics* statistics) const {
  const std::int64_t capacity = block_rows(n);
  Scratch scratch(capacity, embeddings_.layout.size[1]);
  std::int64_t rows[kCircleQueries];
  for (std::int64_t next = 0; next < n;) {
    std::int64_t count = 0;
    for (; next < n && count < capacity; ++next) {
      losses[next] = 0;
      if (weights == nullptr || weights[next] != 0) rows[count++] = begin + next;
    }
    compute_block(rows, count, scratch);
    for (std::int64_t i = 0; i < count; ++i) {
      const double loss = scratch.losses[static_cast<std::size_t>(i)];
      losses[rows[i] - begin] = loss;
      if (statistics != nullptr) {
        statistics->set(rows[i], loss, scratch.sums[static_cast<std::size_t>(i)]);
      }
    }
  }
}

void CircleLosses::put_id(const Side& labels, std::int64_t i, double& high, double& low) {
  const ClassId id = read_class_id(labels.data + i * labels.layout.stride[0], labels.dtype);
  high = static_cast<double>(id.high);
  low = id.low;
}

// Queries of a block and their ids.
void CircleLosses::load_queries(const std::int64_t* rows, std::int64_t n, Scratch& scratch) const {
  for (std::int64_t i = 0; i < n; ++i) {
    const auto k = static_cast<std::size_t>(i);
    load_row(embeddings_, rows[i], scratch.queries.data() + i * scratch.dims);
    put_id(labels_, rows[i], scratch.ids_high[k], scratch.ids_low[k]);
  }
}

// All pairs of n loaded queries with the references from `first` on, which it loads.
PairBlock CircleLosses::load_panel(const std::int64_t* rows, std::int64_t n, std::int64_t first,
                                   Scratch& scratch) const {
  const std::int64_t n_references = std::min(kPanel, ref_labels_.layout.size[0] - first);
  for (std::int64_t lane = 0; lane < n_references; ++lane) {
    put_id(ref_labels_, first + lane, scratch.panel_high[lane], scratch.panel_low[lane]);
    double* const row = scratch.references.data() + lane * scratch.pitch;
    load_row(ref_embeddings_, first + lane, row);
    double* const to = scratch.panel.data() + lane;
    for (std::int64_t k = 0; k < scratch.dims; ++k) to[k * kPanel] = row[k];
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t place = rows[i] - first;
    const bool inside = options_.remove_diagonal && place >= 0 && place < kPanel;
    scratch.self[static_cast<std::size_t>(i)] = inside ? static_cast<double>(place) : -1.0;
  }
  return {scratch.queries.data(),
          scratch.panel.data(),
          scratch.dims,
          n,
          n_references,
          {scratch.ids_high.data(), scratch.ids_low.data()},
          {scratch.panel_high, scratch.panel_low},
          scratch.self.data(),
          options_.gamma,
          options_.margin};
}

// Losses of n <= capacity queries, into scratch.losses.
void CircleLosses::compute_block(const std::int64_t* rows, std::int64_t n, Scratch& scratch) const {
  load_queries(rows, n, scratch);
  for (std::int64_t i = 0; i < n; ++i) {
    PairSums& sums = scratch.sums[static_cast<std::size_t>(i)];
    sums = {};
    for (ScaledLanes* lanes : {&sums.positive, &sums.negative}) {
      std::fill_n(lanes->exponent, kPanel, -std::numeric_limits<double>::max());
    }
  }
  for (std::int64_t first = 0; first < ref_labels_.layout.size[0]; first += kPanel) {
    table_.special.add_pairs(load_panel(rows, n, first, scratch), scratch.sums.data());
  }
  table_.special.finish_pairs(scratch.sums.data(), n, scratch.losses.data());
}

CircleStatistics::CircleStatistics(std::int64_t queries) {
  const std::int64_t padded = (queries + kPanel - 1) / kPanel * kPanel;
  for (auto* values : {&positive, &positive_exponent, &negative, &negative_exponent}) {
    values->resize(static_cast<std::size_t>(padded));
  }
}

// With the sums P and N, the loss is ln(1 + P N), and the factors N / (1 + P N) and P / (1 + P N);
// where P N is large it is left out of both sides, so that nothing overflows.
void CircleStatistics::set(std::int64_t query, double loss, const PairSums& sums) {
  const auto i = static_cast<std::size_t>(query);
  positive[i] = positive_exponent[i] = negative[i] = negative_exponent[i] = 0;
  const double p = sums.positive.hi[0] + sums.positive.lo[0];
  const double n = sums.negative.hi[0] + sums.negative.lo[0];
  const double p_exponent = sums.positive.exponent[0];
  const double n_exponent = sums.negative.exponent[0];
  if (std::isnan(loss)) {
    positive[i] = negative[i] = kNan;
  } else if (p != 0 && n != 0) {
    const double exponent = std::clamp(p_exponent + n_exponent, -3000.0, 3000.0);
    const double product = std::ldexp(p * n, static_cast<int>(exponent));
    const bool large = product > 1;
    const double share = large ? 1 / (1 + 1 / product) : 1 / (1 + product);
    positive[i] = large ? share / p : share * n;
    negative[i] = large ? share / n : share * p;
    positive_exponent[i] = large ? -p_exponent : n_exponent;
    negative_exponent[i] = large ? -n_exponent : p_exponent;
  }
}

}  // namespace simdloss
