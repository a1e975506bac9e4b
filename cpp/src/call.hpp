// SPDX-License-Identifier: Apache-2.0
#pragma once

// One call: its plan, its threads, and the loops that divide its work into units and look for an
// interruption.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "cpu.hpp"
#include "kernels/abi.hpp"
#include "labels.hpp"
#include "parallel.hpp"
#include "plan.hpp"
#include "rows.hpp"
#include "simdloss/runtime.hpp"
#include "special_losses.hpp"

namespace simdloss {

// A row above kSegmentMin elements is cut into segments, at most kMaxSegments, whose length
// depends on the row's length alone. Their sums are merged in order.
inline constexpr std::int64_t kSegmentMin = std::int64_t{1} << 16;
inline constexpr std::int64_t kMaxSegments = 64;

// Elements below which a second thread costs more than it saves: about 100 us of work.
inline constexpr std::int64_t kParallelElements = std::int64_t{1} << 17;
// Elements of a unit of parallel work.
inline constexpr std::int64_t kUnitElements = std::int64_t{1} << 16;
// Elements that a thread computes between two looks at Request::interrupted: about 0.1 s of the
// heaviest losses, and enough to hide what a parallel region costs under the lightest.
inline constexpr std::int64_t kPollElements = std::int64_t{1} << 22;

// Looks at Request::interrupted between pieces of work, on the calling thread. Every loop that may
// be long reports to the call's one poller, so that many short loops are interrupted like a long
// one.
class Poller {
 public:
  explicit Poller(const Request& request) : request_(request) {}

  // A thread has computed `elements` more. Throws Error (kInterrupted).
  void add(std::int64_t elements) {
    elements_ += elements;
    if (elements_ < kPollElements) return;
    elements_ = 0;
    if (request_.interrupted != nullptr && request_.interrupted(request_.interrupted_context)) {
      throw Error(ErrorCode::kInterrupted, "", "The call was interrupted.");
    }
  }

 private:
  const Request& request_;
  std::int64_t elements_ = 0;
};

// One call.
struct Call {
  Plan plan;
  const Request& request;
  const KernelTable& table;
  const BoundLoss* loss;  // null: y_pred holds the losses
  const Operands& operands;
  std::optional<SpecialLosses> special;
  int threads;
  mutable Poller poller;  // for the calling thread alone
  mutable BadLabels bad_labels;

  Call(const BoundLoss* bound, const Operands& arrays, const Request& req,
       const DerivativeViews& derivatives = {})
      : request(req), table(active_table()), loss(bound), operands(arrays), poller(req) {
    make_plan(bound, operands, req, plan, derivatives);
    if (bound != nullptr && bound->info().axis_kind == AxisKind::kNone) {
      special.emplace(*bound, operands, table);
      plan.cols = special->sample_cost();
    }
    threads = thread_count();
    set_last_num_threads(1);
  }

  // Whether rows are so long that threads share one.
  bool is_long() const {
    return plan.cols > kSegmentMin && loss != nullptr &&
           kernels().losses[loss->info().index].stages[kTerms];
  }
  bool has_target(Target target) const { return loss != nullptr && loss->info().target == target; }
  // Whether the loss decides which of its entries are in the mask.
  bool makes_mask() const {
    return has_target(Target::kPairs) ||
           (has_target(Target::kClassId) && request.ignore_class.has_value());
  }
  // Throws Error for labels that were found to be no class ids.
  void check_labels() const {
    if (bad_labels.are_none()) return;  // before texts are made
    if (has_target(Target::kClassId)) {
      const ClassIdTexts ids(plan.cols);
      const std::string others =
          request.ignore_class ? ", or ignore_class=" + std::to_string(*request.ignore_class) : "";
      bad_labels.check(
          "y_true", plan.loss_shape, plan.loss_rank, ids.expected + others, ids.context,
          "classes count from 0; what marks padding is left out by ignore_class, where "
          "the loss has it, or by a mask.");
    } else if (has_target(Target::kSequence)) {
      const ClassIdTexts ids(operands.y_pred.shape[2]);
      bad_labels.check("y_true", operands.y_true.shape, operands.y_true.rank, ids.expected,
                       ids.context, "pad rows with 0, the blank.");
    }
  }
  const TypeKernels& kernels() const {
    return plan.compute == DType::kFloat32 ? table.f32 : table.f64;
  }

 private:
  // A number for this call is used as given; that of the process by large calls.
  int thread_count() const {
    if (request.threads > 0) return request.threads;
    const int requested = requested_threads();  // throws if the environment is unusable
    const std::int64_t cols = std::max<std::int64_t>(plan.cols, 1);
    if (plan.rows < (kParallelElements + cols - 1) / cols) return 1;
    return requested > 0 ? requested : num_threads();
  }
};

// Whether the reduction divides by the sum of weights or of a mask, not by a count or nothing.
inline bool divides_by_sum(const Call& call) {
  const Plan& plan = call.plan;
  const bool is_mean = plan.reduction == Reduction::kMean;
  const bool is_weighted_mean = plan.reduction == Reduction::kMeanWithSampleWeight;
  if (plan.masked || call.makes_mask()) return is_mean || is_weighted_mean;
  return plan.weighted && is_weighted_mean;
}

// Calls body(begin, end) for ranges that make up [0, n_units), in parallel, and looks for an
// interruption after chunks.
template <class Body>
void for_units(const Call& call, std::int64_t n_units, std::int64_t unit_elements, Body body) {
  const std::int64_t thread_units =
      std::max<std::int64_t>(kPollElements / std::max<std::int64_t>(unit_elements, 1), 1);
  const std::int64_t chunk = call.threads * thread_units;
  int most_threads = 1;
  struct Context {
    Body& body;
    std::int64_t first;
  };
  for (std::int64_t first = 0; first < n_units; first += chunk) {
    Context context{body, first};
    const auto run = [](void* untyped, std::int64_t begin, std::int64_t end, int) {
      const Context& c = *static_cast<const Context*>(untyped);
      c.body(c.first + begin, c.first + end);
    };
    const std::int64_t n = std::min(chunk, n_units - first);
    const int ran = parallel_for(call.threads, n, run, &context);
    most_threads = std::max(most_threads, ran);
    call.poller.add((n + ran - 1) / ran * unit_elements);
  }
  set_last_num_threads(most_threads);
}

// Calls body(row_begin, row_end) for ranges that make up all rows.
template <class Body>
void for_rows(const Call& call, Body body) {
  const std::int64_t rows = call.plan.rows;
  const std::int64_t cols = std::max<std::int64_t>(call.plan.cols, 1);
  const std::int64_t share = std::max<std::int64_t>(rows / call.threads, 1);
  const std::int64_t least = call.special ? call.special->samples_at_a_time() : 1;
  const std::int64_t unit = std::min(share, std::max(kUnitElements / cols, least));
  for_units(call, (rows + unit - 1) / unit, unit * cols, [&](std::int64_t begin, std::int64_t end) {
    body(begin * unit, std::min(end * unit, rows));
  });
}

}  // namespace simdloss
