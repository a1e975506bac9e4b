// SPDX-License-Identifier: Apache-2.0
#pragma once

// Calls of the public API on small or broadcast arrays.

#include <cstdint>
#include <utility>
#include <vector>

#include "simdloss/simdloss.hpp"

namespace simdloss::test {

// A C-order array that owns its shape; without strides of its own it reads `values`.
template <class T>
struct Array {
  std::vector<T> values;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides = {};  // empty: C order
  DType dtype = sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64;

  int rank() const { return static_cast<int>(shape.size()); }
  ArrayView view() const {
    return {values.data(), dtype, rank(), shape.data(), strides.empty() ? nullptr : strides.data()};
  }
};

// One value, whatever the shape.
inline Array<float> broadcast(float value, std::vector<std::int64_t> shape) {
  std::vector<std::int64_t> strides(shape.size(), 0);
  return {{value}, std::move(shape), std::move(strides)};
}

inline BoundLoss loss_of(const char* name) {
  const LossInfo& info = find(name);
  std::vector<double> params;
  for (int i = 0; i < info.n_params; ++i) params.push_back(info.params[i].default_value);
  return bind_loss(info, params);
}

inline double scalar_loss(const BoundLoss& loss, const Operands& operands, const Request& request) {
  double result = -1;
  evaluate(loss, operands, request, {&result, DType::kFloat64, 0, nullptr, nullptr});
  return result;
}

}  // namespace simdloss::test
