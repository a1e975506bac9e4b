// SPDX-License-Identifier: Apache-2.0
#include "plan_weights.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace simdloss {
namespace {

void clear_strides(Dims& dims, Operand operand) {
  std::fill_n(dims.stride[operand], dims.rank, std::int64_t{0});
}

// One weight or mask entry per sample, whatever the rank of the loss.
void expand_per_sample(Layout& aux, const Layout& loss) {
  if (aux.rank != 1 || loss.rank < 2 || aux.size[0] != loss.size[0]) return;
  while (aux.rank < loss.rank) append_one(aux);
}

// `aux` and `loss` as they were compared; `operands` as they were given.
[[noreturn]] void throw_weight_mismatch(const char* name, const Layout& aux, const Layout& loss,
                                        const LossInfo* info, const Operands& operands) {
  const ArrayView& pred = operands.y_pred;
  const bool is_mask = std::strcmp(name, "mask") == 0;
  const ArrayView& given = is_mask ? *operands.mask : *operands.sample_weight;
  const std::string verb = is_mask ? "mask" : "weight";
  const bool has_axes = info != nullptr && pred.rank > 0;
  const bool elementwise = has_axes && given.rank == pred.rank &&
                           std::equal(given.shape, given.shape + given.rank, pred.shape);
  std::string fix;
  if (has_axes && pred.rank == 1) {
    fix = "Inputs of rank 1 are one sample. Fix: reshape y_true and y_pred to (" +
          (aux.rank > 0 ? std::to_string(aux.size[0]) : std::string("n")) + ", 1)" +
          (elementwise ? " or pass axis=()" : "") + " to " + verb +
          " each value, or pass a scalar.";
  } else if (elementwise) {
    fix = "Fix: to " + verb + " each element pass axis=(); to " + verb +
          " samples pass a scalar or an array that broadcasts to " + to_text(loss) + ".";
  } else if (has_axes && loss.rank == 0) {
    fix =
        "axis reduces every dimension of y_pred to one loss. Fix: pass a scalar, or leave out of "
        "axis the dimensions to " +
        verb + " along.";
  } else if (loss.rank == 0) {
    fix = "The loss is one number. Fix: pass a scalar.";
  } else {
    fix = "Fix: pass a scalar, one value per sample, or an array that broadcasts to " +
          to_text(loss) + ".";
  }
  throw Error(ErrorCode::kValue, name,
              std::string(name) + " of shape " + to_text(aux) +
                  " does not broadcast to the loss of shape " + to_text(loss) + ". " + fix);
}

}  // namespace

void place_weights(const Operands& operands, Layout& loss, Plan& plan) {
  const bool weighted = operands.sample_weight != nullptr;
  const bool masked = operands.mask != nullptr;
  plan.data[kWeight] = plan.data[kMask] = nullptr;
  plan.weighted = weighted;
  plan.masked = masked;
  plan.n_weights = 0;
  plan.mask_count = 0;
  if (!weighted && !masked) return;

  Layout weight;
  Layout mask;
  if (weighted) {
    weight = to_layout(*operands.sample_weight, "sample_weight");
    expand_per_sample(weight, loss);
  }
  if (masked) {
    mask = to_layout(*operands.mask, "mask");
    plan.mask_count = element_count(mask, "mask");
    plan.mask.rank = mask.rank;
    std::copy_n(mask.size, mask.rank, plan.mask.size);
    for (int k = 0; k < kOperands; ++k) clear_strides(plan.mask, static_cast<Operand>(k));
    set_strides(plan.mask, kMask, mask);
    canonicalize(plan.mask);
    expand_per_sample(mask, loss);
  }
  if (weighted && masked) adjust_ranks(mask, weight);

  // The shape of weight and mask together.
  Layout both = weighted ? weight : mask;
  const char* const name = weighted ? "sample_weight" : "mask";
  if (weighted && masked) {
    while (both.rank < mask.rank) {
      std::copy_backward(both.size, both.size + both.rank, both.size + both.rank + 1);
      both.size[0] = 1;
      ++both.rank;
    }
    for (int a = 0; a < mask.rank; ++a) {
      std::int64_t& size = both.size[both.rank - mask.rank + a];
      if (size == 1) size = mask.size[a];
    }
  }
  const int given_rank = both.rank;
  adjust_ranks(both, loss);
  // What happened to the last dimension of both happens to that of its parts.
  const auto follow = [&](Layout& part) {
    if (part.rank == 0) return;
    if (both.rank < given_rank) --part.rank;
    if (both.rank > given_rank) append_one(part);
  };
  plan.weights.rank = both.rank;
  std::copy_n(both.size, both.rank, plan.weights.size);
  for (int k = 0; k < kOperands; ++k) clear_strides(plan.weights, static_cast<Operand>(k));
  std::int64_t ignored[kMaxRank + 1];
  if (!broadcast(both, loss, ignored)) {
    if (weighted && masked && broadcast(weight, loss, ignored)) {
      throw_weight_mismatch("mask", mask, loss, plan.info, operands);
    }
    throw_weight_mismatch(name, both, loss, plan.info, operands);
  }
  const auto place = [&](Operand operand, Layout& part, const char* part_name) {
    follow(part);
    if (!broadcast(part, both, plan.weights.stride[operand]) ||
        !broadcast(part, loss, plan.outer.stride[operand])) {
      throw_weight_mismatch(part_name, part, loss, plan.info, operands);
    }
  };
  // The loss's own dimensions, to which outer's strides refer from here on.
  const int old_rank = plan.outer.rank;
  for (int d = old_rank; d < loss.rank; ++d) {
    plan.outer.size[d] = 1;
    for (int k = 0; k < kOperands; ++k) plan.outer.stride[k][d] = 0;
  }
  plan.outer.rank = loss.rank;
  if (weighted) {
    place(kWeight, weight, "sample_weight");
    plan.data[kWeight] = static_cast<const char*>(operands.sample_weight->data);
    plan.dtype[kWeight] = operands.sample_weight->dtype;
  }
  if (masked) {
    place(kMask, mask, "mask");
    plan.data[kMask] = static_cast<const char*>(operands.mask->data);
    plan.dtype[kMask] = operands.mask->dtype;
  }
  plan.n_weights = element_count(both, name);
  canonicalize(plan.weights);
}

}  // namespace simdloss
