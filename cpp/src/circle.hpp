// SPDX-License-Identifier: Apache-2.0
#pragma once

// Circle loss of each query against all references. With s the dot product of query and reference
// and d = max(1 - s, 0),
//
//   loss = ln(1 + sum over references of the same class of e^(gamma max(margin + d, 0) (d - margin))
//                 times sum over the others of e^(gamma max(1 + margin - d, 0) (1 - margin - d)))
//
// and 0 if one of the sums is empty. With remove_diagonal, reference i is no pair of the same class
// for query i. A NaN in the query or in any reference gives NaN. Embeddings should have unit length.
// Source: keras.losses.circle; Sun et al. (2020), doi:10.1109/CVPR42600.2020.00643.
//
// Pairs are made a block at a time and never kept: a thread needs kCircleQueries 776 bytes of
// sums (194 KiB), 256 KiB or kPairRows rows of queries, and 16 rows of references, as doubles.

#include <cstdint>

#include "kernels/abi.hpp"
#include "labels.hpp"
#include "layout.hpp"

namespace simdloss {

// Queries whose similarities to a panel of references are made while that is in the cache. Calls of
// compute() for fewer convert the references as often.
inline constexpr std::int64_t kCircleQueries = 256;

struct CircleOptions {
  double gamma = 80;
  double margin = 0.4;
  bool remove_diagonal = true;
};

// Immutable and shared by threads.
class CircleLosses {
 public:
  // Labels of shape (n,) or (m,) and any dtype, embeddings of shape (n, d) and (m, d). Throws Error
  // if they are not. Labels that are no integers are recorded and belong to no class that matters.
  CircleLosses(const ArrayView& labels, const ArrayView& embeddings, const ArrayView& ref_labels,
               const ArrayView& ref_embeddings, const CircleOptions& options,
               const KernelTable& table);

  const BadIds& bad_labels() const { return bad_labels_; }
  const BadIds& bad_ref_labels() const { return bad_ref_labels_; }

  // Losses of queries [begin, begin + n). Those whose `weights` (if not null) are 0 are not looked
  // at as queries and get the loss 0.
  void compute(std::int64_t begin, std::int64_t n, const double* weights, double* losses) const;

  std::int64_t queries() const { return embeddings_.layout.size[0]; }
  // Products that a query costs.
  double query_cost() const;

 private:
  struct Side {
    Layout layout;
    const char* data;
    DType dtype;
  };
  struct Scratch;
  static Side to_side(const ArrayView& view, int rank, const char* name);
  void load_row(const Side& embeddings, std::int64_t row, double* to) const;
  void compute_block(const std::int64_t* rows, std::int64_t n, Scratch& scratch) const;

  Side labels_;
  Side embeddings_;
  Side ref_labels_;
  Side ref_embeddings_;
  CircleOptions options_;
  const KernelTable& table_;
  BadIds bad_labels_;
  BadIds bad_ref_labels_;
};

}  // namespace simdloss
