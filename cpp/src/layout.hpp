// SPDX-License-Identifier: Apache-2.0
#pragma once

// Shapes and strides while a plan is being made.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "simdloss/array_view.hpp"
#include "simdloss/error.hpp"

namespace simdloss {

struct Layout {
  int rank = 0;
  std::int64_t size[kMaxRank + 1];
  std::int64_t stride[kMaxRank + 1];

  Layout() = default;
  // The dimensions that there are: copying room for all costs more than the rest of a plan.
  Layout(const Layout& other) { *this = other; }
  Layout& operator=(const Layout& other) {
    if (this == &other) return *this;
    rank = other.rank;
    std::copy_n(other.size, rank, size);
    std::copy_n(other.stride, rank, stride);
    return *this;
  }
};

inline std::string to_text(const std::int64_t* shape, int rank) {
  std::string text = "(";
  for (int d = 0; d < rank; ++d) {
    if (d > 0) text += ", ";
    text += std::to_string(shape[d]);
  }
  return text + (rank == 1 ? ",)" : ")");
}

inline std::string to_text(const Layout& layout) { return to_text(layout.size, layout.rank); }

// a * b, or an error: arrays that no memory holds can be described by zero strides.
inline std::int64_t checked_product(std::int64_t a, std::int64_t b, const char* name) {
  std::int64_t product;
  if (__builtin_mul_overflow(a, b, &product)) {
    throw Error(ErrorCode::kValue, name,
                std::string(name) + " has more elements than memory could hold.");
  }
  return product;
}

inline bool is_known(DType dtype) { return dtype <= DType::kFloat64; }

// The view's shape and strides, once they, its dtype and its data are found to make sense.
template <class View>
Layout to_layout(const View& view, const char* name) {
  const auto fail = [&](ErrorCode code, const std::string& message) {
    throw Error(code, name, std::string(name) + " " + message);
  };
  if (view.rank < 0 || view.rank > kMaxRank) {
    fail(ErrorCode::kValue, "must have at most " + std::to_string(kMaxRank) +
                                " dimensions; received " + std::to_string(view.rank) + ".");
  }
  if (view.rank > 0 && view.shape == nullptr) {
    fail(ErrorCode::kValue, "must have a shape; received a null pointer.");
  }
  if (!is_known(view.dtype)) {
    fail(ErrorCode::kType, "must have one of the values of DType as its dtype; received " +
                               std::to_string(static_cast<int>(view.dtype)) + ".");
  }
  Layout layout;
  layout.rank = view.rank;
  const auto item = static_cast<std::int64_t>(item_size(view.dtype));
  // As if no dimension was 0, so that the product of any of them can be taken later.
  std::int64_t extent = 1;
  bool is_empty = false;
  for (int d = view.rank - 1; d >= 0; --d) {
    const std::int64_t size = view.shape[d];
    if (size < 0) {
      fail(ErrorCode::kValue,
           "must not have negative dimensions; received " + to_text(view.shape, view.rank) + ".");
    }
    layout.size[d] = size;
    layout.stride[d] =
        view.strides != nullptr ? view.strides[d] : checked_product(extent, item, name);
    is_empty = is_empty || size == 0;
    extent = checked_product(extent, std::max<std::int64_t>(size, 1), name);
  }
  if (view.data == nullptr && !is_empty) {
    fail(ErrorCode::kValue, "must have data; received a null pointer and the shape " +
                                to_text(view.shape, view.rank) + ".");
  }
  return layout;
}

inline void append_one(Layout& layout) {
  layout.size[layout.rank] = 1;
  layout.stride[layout.rank] = 0;
  ++layout.rank;
}

// Keras's only tolerance: if ranks differ by one and the last dimension of the higher rank is 1, a
// rank-1 partner gets a dimension, otherwise the higher rank loses one.
inline void adjust_ranks(Layout& a, Layout& b) {
  Layout& low = a.rank < b.rank ? a : b;
  Layout& high = a.rank < b.rank ? b : a;
  if (high.rank - low.rank != 1 || high.size[high.rank - 1] != 1) return;
  if (low.rank == 1) {
    append_one(low);
  } else {
    --high.rank;
  }
}

inline bool same_shape(const Layout& a, const Layout& b) {
  return a.rank == b.rank && std::equal(a.size, a.size + a.rank, b.size);
}

inline std::int64_t element_count(const Layout& layout, const char* name) {
  std::int64_t count = 1;
  for (int d = 0; d < layout.rank; ++d) {
    if (layout.size[d] == 0) return 0;
    count = checked_product(count, layout.size[d], name);
  }
  return count;
}

// Strides of `aux` along `target`'s dimensions. False if it does not broadcast to them.
inline bool broadcast(const Layout& aux, const Layout& target, std::int64_t* strides) {
  if (aux.rank > target.rank) return false;
  const int shift = target.rank - aux.rank;
  for (int d = 0; d < target.rank; ++d) {
    const int a = d - shift;
    if (a >= 0 && aux.size[a] != target.size[d] && aux.size[a] != 1) return false;
    strides[d] = a < 0 || aux.size[a] == 1 ? 0 : aux.stride[a];
  }
  return true;
}

// Class ids as if they had y_pred's rank: with a dimension of size 1 where that has its classes.
// They may have come with it, without it, or with one at the end; nothing for other shapes.
inline std::optional<Layout> as_class_ids(const Layout& given, const Layout& p, int class_axis) {
  const auto fits = [&](const Layout& ids) {
    for (int d = 0; d < p.rank; ++d) {
      if (ids.size[d] != (d == class_axis ? 1 : p.size[d])) return false;
    }
    return true;
  };
  if (given.rank == p.rank && fits(given)) return given;
  if (given.rank == p.rank - 1 ||
      (given.rank == p.rank && p.rank > 0 && given.size[p.rank - 1] == 1)) {
    Layout ids;
    ids.rank = p.rank;
    for (int d = 0, from = 0; d < p.rank; ++d) {
      ids.size[d] = d == class_axis ? 1 : given.size[from];
      ids.stride[d] = d == class_axis ? 0 : given.stride[from];
      if (d != class_axis) ++from;
    }
    if (fits(ids)) return ids;
  }
  return std::nullopt;
}

inline Layout expand_class_ids(const Layout& given, const Layout& p, int class_axis) {
  if (const std::optional<Layout> ids = as_class_ids(given, p, class_axis)) return *ids;
  Layout expected;
  for (int d = 0; d < p.rank; ++d) {
    if (d == class_axis) continue;
    expected.size[expected.rank] = p.size[d];
    ++expected.rank;
  }
  std::string fix = "Fix: pass class ids of shape " + to_text(expected) + ".";
  if (same_shape(given, p)) {
    fix =
        "Fix: if y_true holds one-hot labels or probabilities, use the loss for those "
        "(categorical_crossentropy); otherwise pass class ids of shape " +
        to_text(expected) + ".";
  }
  throw Error(ErrorCode::kValue, "y_true",
              "y_true must hold one class id for each row: y_pred's shape without the axis of the "
              "classes, or with 1 there; received y_true.shape=" +
                  to_text(given) + " and y_pred.shape=" + to_text(p) + " with " +
                  std::to_string(p.size[class_axis]) + " classes. " + fix);
}

}  // namespace simdloss
