// SPDX-License-Identifier: Apache-2.0
#pragma once

// One loss of one pair of arrays, for the benchmarks of the C++ API.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "simdloss/simdloss.hpp"

namespace simdloss::bench {

struct Shape {
  std::int64_t rows, cols;
  std::int64_t size() const { return rows * cols; }
};

enum class Result { kMean, kSamples, kGradient };

inline const char* result_name(Result result) {
  return result == Result::kMean ? "mean" : result == Result::kSamples ? "samples" : "gradient";
}

// Losses of rows and their classes; CTC and circle, which take other shapes, are no workloads.
inline bool is_workload(const LossInfo& info) {
  return info.target != Target::kSequence && info.target != Target::kPairs;
}

// Bound to its arrays: numbers in (0, 1), which every loss takes as targets and as predictions, or
// class ids.
class Workload {
 public:
  Workload(const LossInfo& info, DType dtype, Shape shape, Result result)
      : shape_(shape), result_(result), dtype_(dtype), loss_(bind_loss(info, defaults(info))) {
    has_ids_ = info.target == Target::kClassId;
    t_ = has_ids_ ? ids() : numbers(shape.size(), 1);
    p_ = numbers(shape.size(), 2);
    out_ = std::vector<char>(static_cast<std::size_t>(shape.size()) * item_size(dtype));
    request_.reduction = result == Result::kSamples ? Reduction::kNone : Reduction::kMean;
  }
  Workload(const Workload&) = delete;

  void set_threads(int threads) { request_.threads = threads; }

  void run() {
    const std::int64_t extents[] = {shape_.rows, shape_.cols};
    Operands operands;
    operands.y_true = {t_.data(), has_ids_ ? DType::kInt32 : dtype_, has_ids_ ? 1 : 2, extents,
                       nullptr};
    operands.y_pred = {p_.data(), dtype_, 2, extents, nullptr};
    double scalar;
    const MutableArrayView value{&scalar, dtype_, 0, nullptr, nullptr};
    if (result_ == Result::kGradient) {
      value_and_gradient(loss_, operands, request_, value,
                         {out_.data(), dtype_, 2, extents, nullptr});
    } else if (result_ == Result::kSamples) {
      evaluate(loss_, operands, request_, {out_.data(), dtype_, 1, extents, nullptr});
    } else {
      evaluate(loss_, operands, request_, value);
    }
  }

  // Read and written by one run at least.
  std::int64_t bytes() const {
    const auto item = static_cast<std::int64_t>(item_size(dtype_));
    const std::int64_t labels = static_cast<std::int64_t>(t_.size());
    const std::int64_t written = result_ == Result::kGradient  ? shape_.size()
                                 : result_ == Result::kSamples ? shape_.rows
                                                               : 0;
    return labels + (shape_.size() + written) * item;
  }

 private:
  static std::vector<double> defaults(const LossInfo& info) {
    std::vector<double> params;
    for (int i = 0; i < info.n_params; ++i) params.push_back(info.params[i].default_value);
    return params;
  }
  static std::uint32_t next(std::uint32_t& seed) { return seed = seed * 1664525U + 1013904223U; }

  template <class Element>
  static void put(std::vector<char>& bytes, std::int64_t i, Element x) {
    std::memcpy(bytes.data() + static_cast<std::size_t>(i) * sizeof x, &x, sizeof x);
  }
  std::vector<char> numbers(std::int64_t n, std::uint32_t seed) const {
    std::vector<char> bytes(static_cast<std::size_t>(n) * item_size(dtype_));
    for (std::int64_t i = 0; i < n; ++i) {
      const std::uint32_t word = next(seed);
      const float x = (static_cast<float>(word >> 9) + 0.5F) / 0x1p23F;
      switch (dtype_) {
        case DType::kFloat16:  // of [1/2, 1), any fraction
          put(bytes, i, static_cast<std::uint16_t>(0x3800 | word >> 22));
          break;
        case DType::kBFloat16:
          put(bytes, i, static_cast<std::uint16_t>(0x3F00 | word >> 25));
          break;
        case DType::kFloat32:
          put(bytes, i, x);
          break;
        default:
          put(bytes, i, static_cast<double>(x));
      }
    }
    return bytes;
  }
  std::vector<char> ids() const {
    std::vector<char> bytes(static_cast<std::size_t>(shape_.rows) * sizeof(std::int32_t));
    std::uint32_t seed = 3;
    for (std::int64_t i = 0; i < shape_.rows; ++i) {
      put(bytes, i, static_cast<std::int32_t>((next(seed) >> 8) % shape_.cols));
    }
    return bytes;
  }

  Shape shape_;
  Result result_;
  DType dtype_;
  BoundLoss loss_;
  bool has_ids_ = false;
  std::vector<char> t_, p_, out_;
  Request request_;
};

}  // namespace simdloss::bench
