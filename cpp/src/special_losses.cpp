// SPDX-License-Identifier: Apache-2.0
#include "special_losses.hpp"

#include <algorithm>
#include <string>

namespace simdloss {
namespace {

// Labels of shape (n, 1) or (1, n) as a vector; `view` points into it.
struct LabelVector {
  ArrayView view;
  std::int64_t size;
  std::int64_t stride;

  LabelVector(const ArrayView& labels, const char* name) : view(labels) {
    const Layout layout = to_layout(labels, name);
    if (layout.rank != 2 || (layout.size[0] != 1 && layout.size[1] != 1)) return;
    const int d = layout.size[0] == 1 ? 1 : 0;
    size = layout.size[d];
    stride = layout.stride[d];
    view.rank = 1;
    view.shape = &size;
    view.strides = &stride;
  }
  LabelVector(const LabelVector&) = delete;
  LabelVector& operator=(const LabelVector&) = delete;

  void check(const BadIds& ids, const char* name) const {
    BadLabels bad;
    bad.merge(ids);
    bad.check(name, view.shape, 1, "class ids, whole numbers", "",
              "give each class a whole number.");
  }
};

CircleLosses make_circle(const BoundLoss& loss, const Operands& operands,
                         const KernelTable& table) {
  const std::vector<double>& params = loss.params();
  const LabelVector labels(operands.y_true, "y_true");
  const bool has_references = operands.ref_labels != nullptr;
  const LabelVector ref_labels(has_references ? *operands.ref_labels : operands.y_true,
                               has_references ? "ref_labels" : "y_true");
  CircleLosses circle(
      labels.view, operands.y_pred, ref_labels.view,
      operands.ref_embeddings != nullptr ? *operands.ref_embeddings : operands.y_pred,
      {params[0], params[1], params[2] != 0, operands.ref_embeddings == nullptr}, table);
  labels.check(circle.bad_labels(), "y_true");
  ref_labels.check(circle.bad_ref_labels(), "ref_labels");
  return circle;
}

}  // namespace

SpecialLosses::Evaluator SpecialLosses::make(const BoundLoss& loss, const Operands& operands,
                                             const KernelTable& table) {
  if (loss.info().target == Target::kPairs) return make_circle(loss, operands, table);
  return CtcLosses(operands.y_true, operands.y_pred, table);
}

std::int64_t SpecialLosses::sample_cost() const {
  // Beyond that a sample is a unit of work of its own anyway; and arrays without memory of their
  // own may be of any size.
  constexpr double most = 0x1p40;
  const auto* const ctc = std::get_if<CtcLosses>(&evaluator_);
  const double cost =
      ctc != nullptr ? ctc->sample_cost() : std::get<CircleLosses>(evaluator_).query_cost();
  return static_cast<std::int64_t>(std::min(cost, most));
}

std::int64_t SpecialLosses::samples_at_a_time() const {
  return std::holds_alternative<CircleLosses>(evaluator_) ? kCircleQueries : 1;
}

void SpecialLosses::compute(std::int64_t begin, std::int64_t n, const double* weights,
                            double* losses, BadLabels& bad, CircleStatistics* statistics) const {
  if (const auto* const ctc = std::get_if<CtcLosses>(&evaluator_)) {
    BadIds found;
    ctc->compute(begin, n, weights, losses, found);
    bad.merge(found);
  } else {
    std::get<CircleLosses>(evaluator_).compute(begin, n, weights, losses, statistics);
  }
}

CircleStatistics SpecialLosses::make_statistics() const {
  return CircleStatistics(std::get<CircleLosses>(evaluator_).queries());
}

void SpecialLosses::gradients(std::int64_t begin, std::int64_t n, const double* all_scales,
                              const CircleStatistics& statistics,
                              const MutableArrayView& out) const {
  std::get<CircleLosses>(evaluator_).gradients(begin, n, all_scales, statistics, out);
}

void SpecialLosses::gradients(std::int64_t begin, std::int64_t n, const double* scales,
                              double* losses, const MutableArrayView& out, BadLabels& bad) const {
  BadIds found;
  std::get<CtcLosses>(evaluator_).gradients(begin, n, scales, losses, out, found);
  bad.merge(found);
}

}  // namespace simdloss
