// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "circle.hpp"
#include "circle_scratch.hpp"
#include "tiles.hpp"

namespace simdloss {

// Rows of the gradient of a block of queries, as sums of two.
struct CircleLosses::GradientScratch : Scratch {
  GradientScratch(std::int64_t n_queries, std::int64_t dimensions)
      : Scratch(n_queries, dimensions),
        derivatives(static_cast<std::size_t>(n_queries * kPanel)),
        hi(static_cast<std::size_t>(n_queries * pitch)),
        lo(hi.size()) {
    for (auto* values : {&scales, &positive, &positive_exponent, &negative, &negative_exponent,
                         &ref_ids_high, &ref_ids_low}) {
      values->resize(static_cast<std::size_t>(n_queries));
    }
  }

  std::vector<double> derivatives;
  std::vector<double> hi;
  std::vector<double> lo;
  // Of the queries, which need not be neighbours.
  std::vector<double> scales;
  std::vector<double> positive;
  std::vector<double> positive_exponent;
  std::vector<double> negative;
  std::vector<double> negative_exponent;
  // The ids of the queries as references, and of the panel's references as queries.
  std::vector<double> ref_ids_high;
  std::vector<double> ref_ids_low;
  double panel_query_high[kPanel] = {};
  double panel_query_low[kPanel] = {};
  double panel_scales[kPanel] = {};
};

void CircleLosses::gradients(std::int64_t begin, std::int64_t n, const double* scales,
                             const CircleStatistics& statistics,
                             const MutableArrayView& out) const {
  const Layout layout = to_layout(out, "out");
  const std::int64_t dims = embeddings_.layout.size[1];
  const std::int64_t capacity = block_rows(n);
  GradientScratch scratch(capacity, dims);
  const auto is_zero = [](double scale) { return scale == 0; };
  // Rows that are references of a query have a gradient, be their own scale 0.
  const bool all_rows =
      options_.references_are_queries && !std::all_of(scales, scales + queries(), is_zero);
  const auto store = [&](std::int64_t row, const double* values) {
    store_doubles(out.dtype, values, dims, static_cast<char*>(out.data) + row * layout.stride[0],
                  layout.stride[1]);
  };
  const std::vector<double> zeros(static_cast<std::size_t>(dims));
  std::int64_t rows[kCircleQueries];
  for (std::int64_t next = begin; next < begin + n;) {
    std::int64_t count = 0;
    for (; next < begin + n && count < capacity; ++next) {
      if (all_rows || scales[next] != 0) {
        rows[count++] = next;
      } else {
        store(next, zeros.data());
      }
    }
    differentiate_block(rows, count, scales, statistics, scratch);
    for (std::int64_t i = 0; i < count; ++i) {
      double* const hi = scratch.hi.data() + i * scratch.pitch;
      const double* const lo = scratch.lo.data() + i * scratch.pitch;
      for (std::int64_t k = 0; k < dims; ++k) {
        const double sum = hi[k] + lo[k];
        hi[k] = std::isnan(sum) ? hi[k] : sum + 0.0;  // the error of an infinite sum is NaN
      }
      store(rows[i], hi);
    }
  }
}

// The rows of n <= capacity queries, into scratch.hi and scratch.lo.
void CircleLosses::differentiate_block(const std::int64_t* rows, std::int64_t n,
                                       const double* scales, const CircleStatistics& statistics,
                                       GradientScratch& scratch) const {
  load_queries(rows, n, scratch);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto k = static_cast<std::size_t>(i);
    const auto row = static_cast<std::size_t>(rows[i]);
    scratch.scales[k] = scales[row];
    scratch.positive[k] = statistics.positive[row];
    scratch.positive_exponent[k] = statistics.positive_exponent[row];
    scratch.negative[k] = statistics.negative[row];
    scratch.negative_exponent[k] = statistics.negative_exponent[row];
    if (options_.references_are_queries) {
      put_id(ref_labels_, rows[i], scratch.ref_ids_high[k], scratch.ref_ids_low[k]);
    }
  }
  std::fill(scratch.hi.begin(), scratch.hi.end(), 0.0);
  std::fill(scratch.lo.begin(), scratch.lo.end(), 0.0);
  const PairFactors of_queries{scratch.scales.data(), scratch.positive.data(),
                               scratch.positive_exponent.data(), scratch.negative.data(),
                               scratch.negative_exponent.data()};
  for (std::int64_t first = 0; first < ref_labels_.layout.size[0]; first += kPanel) {
    const PairBlock block = load_panel(rows, n, first, scratch);
    PairRoles roles{of_queries, {}, {}, {}};
    if (options_.references_are_queries) {
      for (std::int64_t lane = 0; lane < block.n_references; ++lane) {
        scratch.panel_scales[lane] = scales[first + lane];
        put_id(labels_, first + lane, scratch.panel_query_high[lane],
               scratch.panel_query_low[lane]);
      }
      roles.of_references = {scratch.panel_scales, statistics.positive.data() + first,
                             statistics.positive_exponent.data() + first,
                             statistics.negative.data() + first,
                             statistics.negative_exponent.data() + first};
      roles.query_ids = {scratch.ref_ids_high.data(), scratch.ref_ids_low.data()};
      roles.reference_ids = {scratch.panel_query_high, scratch.panel_query_low};
    }
    table_.special.differentiate_pairs(block, roles, scratch.derivatives.data());
    table_.special.add_references({scratch.derivatives.data(), scratch.references.data(),
                                   scratch.pitch, n, block.n_references, scratch.hi.data(),
                                   scratch.lo.data()});
  }
}

}  // namespace simdloss
