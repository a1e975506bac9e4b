// SPDX-License-Identifier: Apache-2.0
#include "shape_advice.hpp"

#include <string_view>

namespace simdloss {
namespace {

// For labels over the classes of one axis, for which class ids are often passed.
std::string class_label_advice(const Layout& t, const Layout& p, std::int64_t axis,
                               std::string_view loss) {
  const std::int64_t d = axis < 0 ? axis + p.rank : axis;
  if (d < 0 || d >= p.rank || !as_class_ids(t, p, static_cast<int>(d))) {
    return "give y_true the shape of y_pred.";
  }
  constexpr std::string_view has_sparse_form = "categorical_crossentropy";
  return std::string("if y_true holds class ids, ") +
         (loss.substr(0, has_sparse_form.size()) == has_sparse_form
              ? "use sparse_categorical_crossentropy, or one-hot labels"
              : "pass one-hot labels") +
         (d == p.rank - 1 ? ": to_categorical(y_true, " + std::to_string(p.size[d]) + ")."
                          : " of shape " + to_text(p) + ".");
}

// For other losses.
std::string element_advice(const Layout& t, const Layout& p) {
  const bool same_rows = t.rank > 0 && p.rank > 0 && t.size[0] == p.size[0];
  if (same_rows && t.rank == 1 && p.rank == 2) {
    return "y_true has one value per row; y_pred has " + std::to_string(p.size[1]) +
           ". Pass y_pred with shape " + to_text(t) + ", or y_true with shape " + to_text(p) + ".";
  }
  if (same_rows && t.rank == 2 && p.rank == 2 && t.size[1] == 1) {
    return "y_true has one value per row; y_pred has " + std::to_string(p.size[1]) +
           ". If the values are class indices, pass one-hot labels with shape " + to_text(p) +
           "; otherwise pass y_pred with shape " + to_text(t) + ".";
  }
  if (same_rows && t.rank == 2 && p.rank == 1) {
    return "pass y_true with shape " + to_text(p) + ", or y_pred with shape " + to_text(t) + ".";
  }
  return "give both the same shape.";
}

}  // namespace

std::string shape_advice(const Layout& t, const Layout& p, const LossInfo& info, const Axes& axes) {
  if (t.rank == p.rank && element_count(t, "y_true") == element_count(p, "y_pred")) {
    return "one of them is transposed or reshaped; reshape y_true to " + to_text(p) + ".";
  }
  if (info.has_classes && axes.list.size() == 1) {
    return class_label_advice(t, p, axes.list[0], info.name);
  }
  return element_advice(t, p);
}

}  // namespace simdloss
