// SPDX-License-Identifier: Apache-2.0
#include "plan.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "cpu.hpp"
#include "layout.hpp"
#include "plan_weights.hpp"
#include "shape_advice.hpp"
#include "simdloss/runtime.hpp"

namespace simdloss {
namespace {

[[noreturn]] void throw_shape_mismatch(const Layout& t, const Layout& p, const LossInfo& info,
                                       const Axes& axes) {
  throw Error(ErrorCode::kValue, "y_true",
              "y_true and y_pred must have the same shape; received y_true.shape=" + to_text(t) +
                  " and y_pred.shape=" + to_text(p) + ". Fix: " + shape_advice(t, p, info, axes));
}

// Which dimensions are reduced.
std::array<bool, kMaxRank + 1> reduced_axes(const Axes& axes, int rank, const LossInfo& info) {
  std::array<bool, kMaxRank + 1> reduced{};
  if (info.axis_kind == AxisKind::kOne && (axes.all || axes.list.size() != 1)) {
    throw Error(ErrorCode::kType, "axis",
                "axis must be one int, the axis of the classes; received " +
                    std::string(axes.all ? "None" : "a tuple") + ".");
  }
  if (axes.all) {
    std::fill_n(reduced.begin(), rank, true);
    return reduced;
  }
  // A sum of a scalar over its last axis is the scalar; a mean is an error. As in Keras.
  const bool scalar_sum =
      rank == 0 && info.row_finish != RowFinish::kMean && info.axis_kind == AxisKind::kAny;
  const int limit = scalar_sum ? 1 : rank;
  for (const std::int64_t axis : axes.list) {
    const std::int64_t d = axis < 0 ? axis + limit : axis;
    if (d < 0 || d >= limit) {
      const char* const elementwise = info.axis_kind == AxisKind::kAny ? ", or axis=()." : ".";
      const std::string interval =
          rank == 0
              ? std::string(", which has no axes. Pass arrays of rank 1 or more") + elementwise
              : "; it must lie in [" + std::to_string(-rank) + ", " + std::to_string(rank) + ").";
      throw Error(ErrorCode::kValue, "axis",
                  "axis " + std::to_string(axis) + " is out of range for y_pred of rank " +
                      std::to_string(rank) + interval);
    }
    if (reduced[static_cast<std::size_t>(d)]) {
      throw Error(ErrorCode::kValue, "axis",
                  "axis names dimension " + std::to_string(d) + " more than once.");
    }
    reduced[static_cast<std::size_t>(d)] = !scalar_sum;
  }
  return reduced;
}

bool is_wide(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
    case DType::kInt32:
    case DType::kInt64:
    case DType::kUInt32:
    case DType::kUInt64:
      return true;
    default:
      return false;
  }
}

// Options that only a C++ program can get wrong.
void check_request(const Request& request) {
  const auto fail = [](ErrorCode code, const char* argument, const std::string& expected,
                       const std::string& received) {
    throw Error(code, argument,
                std::string(argument) + " must be " + expected + "; received " + received + ".");
  };
  const auto check_dtype = [&](DType dtype, const char* argument) {
    if (is_known(dtype) && is_floating(dtype)) return;
    fail(ErrorCode::kType, argument, "a floating dtype", dtype_name(dtype));
  };
  if (request.dtype) check_dtype(*request.dtype, "dtype");
  check_dtype(request.default_dtype, "default_dtype");
  if (!(request.epsilon >= 0 && request.epsilon < 0.5)) {
    fail(ErrorCode::kValue, "epsilon", "in [0, 0.5)", std::to_string(request.epsilon));
  }
  if (request.threads < 0 || request.threads > kMaxThreads) {
    fail(ErrorCode::kValue, "threads", "from 0 to " + std::to_string(kMaxThreads),
         std::to_string(request.threads));
  }
  if (request.reduction > Reduction::kMeanWithSampleWeight) {
    fail(ErrorCode::kValue, "reduction", "one of the values of Reduction",
         std::to_string(static_cast<int>(request.reduction)));
  }
}

void choose_types(const LossInfo* info, const Operands& operands, const Request& request,
                  Plan& plan) {
  const DType pred = operands.y_pred.dtype;
  const bool real_target = info != nullptr && info->target == Target::kReal;
  plan.result = request.dtype.value_or(is_floating(pred) ? pred : request.default_dtype);
  const bool wide = request.dtype == DType::kFloat64 || is_wide(pred) ||
                    (real_target && is_wide(operands.y_true.dtype));
  plan.compute = wide ? DType::kFloat64 : DType::kFloat32;
  plan.epsilon = request.epsilon;
  plan.one_minus_epsilon = 1.0 - request.epsilon;
  if (plan.result != DType::kFloat64) {
    plan.epsilon = static_cast<double>(static_cast<float>(plan.epsilon));
    plan.one_minus_epsilon = static_cast<double>(static_cast<float>(plan.one_minus_epsilon));
  }
}

// The layout of derivatives, which are written to an array of the shape that y_pred was given with and
// then seen like it: `pred`.
Layout derivative_layout(const MutableArrayView& view, const char* name, const ArrayView& y_pred,
                         const Layout& pred) {
  Layout layout = to_layout(view, name);
  const Layout given = to_layout(y_pred, "y_pred");
  if (!same_shape(layout, given)) {
    throw Error(ErrorCode::kValue, name,
                std::string(name) + " must have the shape of y_pred, " + to_text(given) +
                    "; received " + to_text(layout) + ".");
  }
  if (!is_floating(view.dtype)) {
    throw Error(ErrorCode::kType, name,
                std::string(name) + " must have a floating dtype; received " +
                    dtype_name(view.dtype) + ".");
  }
  if (pred.rank > layout.rank) append_one(layout);
  layout.rank = pred.rank;
  return layout;
}

// The losses of kSequence and kPairs: a loss for each entry of the first dimension. The rest is up to
// their evaluators.
Layout split_batch(const LossInfo& info, const Operands& operands, Plan& plan) {
  const Layout p = to_layout(operands.y_pred, "y_pred");
  const bool is_sequence = info.target == Target::kSequence;
  if (p.rank != (is_sequence ? 3 : 2)) {
    throw Error(ErrorCode::kValue, "y_pred",
                std::string("y_pred must have the shape ") +
                    (is_sequence ? "(batch, time, classes) and y_true the shape (batch, labels)"
                                 : "(batch, dimensions) and y_true the shape (batch,)") +
                    "; received y_pred.shape=" + to_text(p) +
                    " and y_true.shape=" + to_text(to_layout(operands.y_true, "y_true")) + ".");
  }
  Layout loss;
  loss.rank = 1;
  loss.size[0] = p.size[0];
  loss.stride[0] = 0;
  for (Dims* const dims : {&plan.outer, &plan.inner}) {
    dims->rank = 1;
    for (int k = 0; k < kOperands; ++k) dims->stride[k][0] = 0;
  }
  plan.outer.size[0] = p.size[0];
  plan.inner.size[0] = 1;
  plan.cols = 1;
  plan.divisor = 1.0;
  return loss;
}

// Splits y_true's and y_pred's dimensions into rows and their elements.
Layout split_rows(const LossInfo* info, const Operands& operands, const Request& request,
                  const DerivativeViews& derivatives, Plan& plan) {
  if (info != nullptr && info->axis_kind == AxisKind::kNone) {
    if (derivatives.gradient != nullptr) {
      derivative_layout(*derivatives.gradient, derivatives.gradient_name, operands.y_pred,
                        to_layout(operands.y_pred, "y_pred"));
    }
    return split_batch(*info, operands, plan);
  }
  Layout p = to_layout(operands.y_pred, "y_pred");
  Layout t = p;
  const bool has_class_ids = info != nullptr && info->target == Target::kClassId;
  if (info != nullptr) t = to_layout(operands.y_true, "y_true");
  if (info != nullptr && !has_class_ids) {
    adjust_ranks(t, p);
    if (!same_shape(t, p)) throw_shape_mismatch(t, p, *info, request.axes);
  }
  element_count(p, "y_pred");
  std::array<bool, kMaxRank + 1> reduced{};
  if (info != nullptr) reduced = reduced_axes(request.axes, p.rank, *info);
  if (has_class_ids) {
    const auto* const first = std::find(reduced.begin(), reduced.end(), true);
    t = expand_class_ids(t, p, static_cast<int>(first - reduced.begin()));
  }
  Layout written[2];
  const MutableArrayView* const views[2] = {derivatives.gradient, derivatives.hessian};
  const char* const names[2] = {derivatives.gradient_name, "hessian"};
  for (int k = 0; k < 2; ++k) {
    if (views[k] == nullptr) continue;
    written[k] = derivative_layout(*views[k], names[k], operands.y_pred, p);
    plan.dtype[kGradient + k] = views[k]->dtype;
    plan.derivatives[k] = static_cast<char*>(views[k]->data);
  }

  Layout loss;
  plan.inner.rank = plan.outer.rank = 0;
  plan.cols = 1;
  for (int d = 0; d < p.rank; ++d) {
    Dims& dims = reduced[static_cast<std::size_t>(d)] ? plan.inner : plan.outer;
    dims.size[dims.rank] = p.size[d];
    for (int k = 0; k < kOperands; ++k) dims.stride[k][dims.rank] = 0;
    dims.stride[kTrue][dims.rank] = info != nullptr ? t.stride[d] : 0;
    dims.stride[kPred][dims.rank] = p.stride[d];
    for (int k = 0; k < 2; ++k) {
      if (views[k] != nullptr) dims.stride[kGradient + k][dims.rank] = written[k].stride[d];
    }
    ++dims.rank;
    if (reduced[static_cast<std::size_t>(d)]) {
      plan.cols *= p.size[d];
    } else {
      loss.size[loss.rank] = p.size[d];
      ++loss.rank;
    }
  }
  if (info != nullptr && info->needs_elements && plan.cols == 0) {
    throw Error(ErrorCode::kValue, "y_pred",
                "y_pred must have at least one element along axis; received y_pred.shape=" +
                    to_text(p) + ".");
  }
  canonicalize(plan.inner);
  const bool averages = info != nullptr && info->row_finish == RowFinish::kMean;
  plan.divisor = averages ? static_cast<double>(plan.cols) : 1.0;
  return loss;
}

void check_class_weights(const BoundLoss& loss, const Plan& plan) {
  const std::size_t given = loss.class_weights().size();
  if (given == 0 || given == static_cast<std::size_t>(plan.cols)) return;
  // A vector of alphas is the weights of the classes too: simdloss.losses.
  const ParamInfo* const end = plan.info->params + plan.info->n_params;
  const bool has_alpha = std::any_of(plan.info->params, end, [](const ParamInfo& param) {
    return std::strcmp(param.name, "alpha") == 0;
  });
  throw Error(ErrorCode::kValue, "class_weight",
              std::string(has_alpha ? "a vector for alpha, or class_weight," : "class_weight") +
                  " must have one number for each of the " + std::to_string(plan.cols) +
                  " classes of y_pred; received " + std::to_string(given) + ".");
}

}  // namespace

void canonicalize(Dims& dims) {
  int rank = 0;
  for (int d = 0; d < dims.rank; ++d) {
    if (dims.size[d] == 1) continue;
    bool merges = rank > 0;
    for (int k = 0; merges && k < kOperands; ++k) {
      merges = dims.stride[k][rank - 1] == dims.stride[k][d] * dims.size[d];
    }
    if (merges) {
      dims.size[rank - 1] *= dims.size[d];
    } else {
      dims.size[rank] = dims.size[d];
      ++rank;
    }
    for (int k = 0; k < kOperands; ++k) dims.stride[k][rank - 1] = dims.stride[k][d];
  }
  if (rank == 0) {
    dims.size[0] = 1;
    for (int k = 0; k < kOperands; ++k) dims.stride[k][0] = 0;
    rank = 1;
  }
  dims.rank = rank;
}

void make_plan(const BoundLoss* loss, const Operands& operands, const Request& request, Plan& plan,
               const DerivativeViews& derivatives) {
  check_request(request);
  const LossInfo* const info = loss != nullptr ? &loss->info() : nullptr;
  plan.info = info;
  plan.empty = request.empty;
  choose_types(info, operands, request, plan);
  plan.data[kTrue] = info != nullptr ? static_cast<const char*>(operands.y_true.data) : nullptr;
  plan.dtype[kTrue] = operands.y_true.dtype;
  plan.data[kPred] = static_cast<const char*>(operands.y_pred.data);
  plan.dtype[kPred] = operands.y_pred.dtype;
  plan.data[kOut] = nullptr;
  plan.dtype[kOut] = plan.result;
  plan.derivatives[0] = plan.derivatives[1] = nullptr;
  plan.streams = false;
  Layout samples = split_rows(info, operands, request, derivatives, plan);
  if (loss != nullptr) check_class_weights(*loss, plan);
  plan.rows = element_count(samples, "y_pred");
  if (derivatives.gradient != nullptr) {
    const auto bytes = static_cast<double>(item_size(derivatives.gradient->dtype));
    plan.streams = static_cast<double>(plan.rows) * static_cast<double>(plan.cols) * bytes >=
                   static_cast<double>(streamed_bytes());
  }
  place_weights(operands, samples, plan);
  plan.loss_rank = samples.rank;
  std::copy_n(samples.size, samples.rank, plan.loss_shape);
  plan.reduction = request.reduction;
  if (request.reduction != Reduction::kNone) canonicalize(plan.outer);
}

bool is_unreduced(const Plan& plan) {
  const bool empty_batch = plan.loss_rank == 1 && plan.loss_shape[0] == 0;
  return plan.reduction == Reduction::kNone || (empty_batch && plan.empty == Empty::kZero);
}

void place_output(const MutableArrayView& out, const char* name, Plan& plan) {
  const Layout layout = to_layout(out, name);
  Layout expected;
  if (is_unreduced(plan)) {
    expected.rank = plan.loss_rank;
    std::copy_n(plan.loss_shape, plan.loss_rank, expected.size);
  }
  if (!same_shape(layout, expected)) {
    throw Error(ErrorCode::kValue, name,
                std::string(name) + " must have the shape of the result, " + to_text(expected) +
                    "; received " + to_text(layout) + ".");
  }
  if (!is_floating(out.dtype)) {
    throw Error(
        ErrorCode::kType, name,
        std::string(name) + " must have a floating dtype; received " + dtype_name(out.dtype) + ".");
  }
  plan.dtype[kOut] = out.dtype;
  if (plan.reduction != Reduction::kNone) return;
  set_strides(plan.outer, kOut, layout);
  canonicalize(plan.outer);
}

}  // namespace simdloss
