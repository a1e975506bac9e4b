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
// sums (194 KiB), 256 KiB or kPairRows rows of queries, and 32 rows of references, as doubles; for
// gradients twice the rows of queries more.
//
// Derivatives are those of the formula above in all of its parts, as in Keras: unlike in the paper,
// the factors max(margin + d, 0) and max(1 + margin - d, 0) are no constants. With P and N the two
// sums, of a pair of the same class and of another pair:
//
//   d loss / d s = -P_pair N / (1 + P N) 2 gamma d,    N_pair P / (1 + P N) 2 gamma min(s, 1)
//
// 0 where max() gives 0, and half of that derivative of max() in a tie: at s = 1, where a factor is 0.
// The gradient of query i is the sum over references j of d loss_i / d s_ij e_j; where the references
// are the queries themselves (no ref_embeddings), of (d loss_i / d s_ij + d loss_j / d s_ji) e_j. 0 if
// one of the sums is empty, NaN where the loss is NaN or infinite.
// Accuracy, for embeddings of unit length: (4 + 4 |gamma| (1 + |margin|)) u times the sum of the
// absolute values of these terms, where 2 d stands for |d - margin| + |d + margin| and 2 min(s, 1)
// for |1 - margin - d| + |1 + margin - d|, as the exponents' derivatives have them.

#include <cstdint>
#include <vector>

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
  bool references_are_queries = false;  // in gradients(): ref_embeddings are no array of their own
};

// What gradients need to know of every query: factors that turn e^exponent of a pair into the
// derivative of the loss by that exponent, as factor 2^exponent. 0 for queries that were not
// computed. Threads may set different queries at a time.
struct CircleStatistics {
  explicit CircleStatistics(std::int64_t queries);
  // From the loss of the query and the sums that finish_pairs() left.
  void set(std::int64_t query, double loss, const PairSums& sums);

  std::vector<double> positive;
  std::vector<double> positive_exponent;
  std::vector<double> negative;
  std::vector<double> negative_exponent;
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
  // at as queries and get the loss 0. `statistics`, if not null, gets those of the others.
  void compute(std::int64_t begin, std::int64_t n, const double* weights, double* losses,
               CircleStatistics* statistics = nullptr) const;

  // Writes rows [begin, begin + n) of the gradient of the sum of scales[i] times the loss of query
  // i, over all queries, rounded once, to `out`, which has the shape of all queries and does not
  // overlap the operands. `statistics` are those of all queries whose scale is not 0; the others are
  // not looked at as queries.
  void gradients(std::int64_t begin, std::int64_t n, const double* scales,
                 const CircleStatistics& statistics, const MutableArrayView& out) const;

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
  struct GradientScratch;
  static Side to_side(const ArrayView& view, int rank, const char* name);
  void load_row(const Side& embeddings, std::int64_t row, double* to) const;
  static void put_id(const Side& labels, std::int64_t i, double& high, double& low);
  std::int64_t block_rows(std::int64_t n) const;
  void load_queries(const std::int64_t* rows, std::int64_t n, Scratch& scratch) const;
  PairBlock load_panel(const std::int64_t* rows, std::int64_t n, std::int64_t first,
                       Scratch& scratch) const;
  void compute_block(const std::int64_t* rows, std::int64_t n, Scratch& scratch) const;

  void differentiate_block(const std::int64_t* rows, std::int64_t n, const double* scales,
                           const CircleStatistics& statistics, GradientScratch& scratch) const;

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
