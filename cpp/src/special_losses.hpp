// SPDX-License-Identifier: Apache-2.0
#pragma once

// The losses that have an evaluator of their own, behind one face: CTC and circle.

#include <cstdint>
#include <variant>

#include "circle.hpp"
#include "ctc.hpp"
#include "simdloss/evaluate.hpp"

namespace simdloss {

// Immutable, shared by threads.
class SpecialLosses {
 public:
  // Throws Error for shapes that do not fit and, of circle, for labels that are no class ids.
  SpecialLosses(const BoundLoss& loss, const Operands& operands, const KernelTable& table)
      : evaluator_(make(loss, operands, table)) {}

  // About what a sample costs, in elements of other losses, and how many of them should be computed
  // together.
  std::int64_t sample_cost() const;
  std::int64_t samples_at_a_time() const;

  // See CtcLosses::compute.
  // `statistics`, where they are needed, are to be set.
  void compute(std::int64_t begin, std::int64_t n, const double* weights, double* losses,
               BadLabels& bad, CircleStatistics* statistics = nullptr) const;

  // Derivatives. Where a sample is part of the losses of others (circle), compute() for all samples,
  // in any split, sets statistics; after that rows of the gradient can be made in any split, from
  // the scales of all samples. The other samples (CTC) stand alone.
  bool needs_statistics() const { return std::holds_alternative<CircleLosses>(evaluator_); }
  CircleStatistics make_statistics() const;
  // See CircleLosses::gradients. Needs statistics.
  void gradients(std::int64_t begin, std::int64_t n, const double* all_scales,
                 const CircleStatistics& statistics, const MutableArrayView& out) const;
  // See CtcLosses::gradients. Needs none.
  void gradients(std::int64_t begin, std::int64_t n, const double* scales, double* losses,
                 const MutableArrayView& out, BadLabels& bad) const;

 private:
  using Evaluator = std::variant<CtcLosses, CircleLosses>;
  static Evaluator make(const BoundLoss& loss, const Operands& operands, const KernelTable& table);
  Evaluator evaluator_;
};

}  // namespace simdloss
