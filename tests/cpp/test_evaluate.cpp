// SPDX-License-Identifier: Apache-2.0
// evaluate.hpp as a C++ program uses it: interruption, and arguments that make no sense.
#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "simdloss/simdloss.hpp"

using namespace simdloss;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

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
Array<float> broadcast(float value, std::vector<std::int64_t> shape) {
  std::vector<std::int64_t> strides(shape.size(), 0);
  return {{value}, std::move(shape), std::move(strides)};
}

BoundLoss loss_of(const char* name) {
  const LossInfo& info = find(name);
  std::vector<double> params;
  for (int i = 0; i < info.n_params; ++i) params.push_back(info.params[i].default_value);
  return bind_loss(info, params);
}

double scalar_loss(const BoundLoss& loss, const Operands& operands, const Request& request) {
  double result = -1;
  evaluate(loss, operands, request, {&result, DType::kFloat64, 0, nullptr, nullptr});
  return result;
}

// Counts the looks and interrupts at one of them.
struct Looks {
  int seen = 0;
  int interrupt_at = 0;  // 0: never

  void attach(Request& request) {
    request.interrupted = [](void* context) {
      auto& looks = *static_cast<Looks*>(context);
      return ++looks.seen == looks.interrupt_at;
    };
    request.interrupted_context = this;
  }
};

// How often a call of that many elements is to look: each thread at least every 2^23 elements.
int least_looks(std::int64_t elements, int threads) {
  return static_cast<int>(elements / threads >> 23);
}

}  // namespace

TEST_CASE("every way through a call looks for an interruption") {
  const Array<float> one_weight = broadcast(1.0f, {1, 1});
  for (const std::int64_t cols : {1, 16, 65536, 65537, 1 << 18, 1 << 21}) {
    const std::int64_t rows = (std::int64_t{1} << 25) / cols;
    const Array<float> data = broadcast(0.5f, {rows, cols});
    for (const int threads : {1, 2}) {
      for (const Reduction reduction : {Reduction::kMean, Reduction::kNone}) {
        for (const char* name : {"mean_squared_error", "hinge"}) {
          CAPTURE(cols);
          CAPTURE(threads);
          CAPTURE(name);
          Request request;
          request.threads = threads;
          request.reduction = reduction;
          Looks looks;
          looks.attach(request);
          const Operands operands{data.view(), data.view()};
          const bool scalar = reduction == Reduction::kMean;
          std::vector<float> out(scalar ? 1 : static_cast<std::size_t>(rows));
          const MutableArrayView target{out.data(), DType::kFloat32, scalar ? 0 : 1, &rows,
                                        nullptr};
          evaluate(loss_of(name), operands, request, target);
          CHECK(looks.seen >= least_looks(rows * cols, threads));
          CHECK(looks.seen <= 40);

          Looks once{0, 2};
          once.attach(request);
          ErrorCode code = ErrorCode::kValue;
          try {
            evaluate(loss_of(name), operands, request, target);
          } catch (const Error& error) {
            code = error.code();
          }
          CHECK(code == ErrorCode::kInterrupted);
          CHECK(once.seen == 2);
        }
      }
    }
  }
}

TEST_CASE("adding up weights looks for an interruption") {
  // Its own pass over the entries, before the losses are made.
  constexpr std::int64_t n = std::int64_t{1} << 24;
  const Array<float> data = broadcast(0.5f, {n, 1});
  const Array<float> weights = broadcast(2.0f, {n});
  const ArrayView weight = weights.view();
  Operands operands{data.view(), data.view()};
  Request request;
  request.threads = 1;
  request.reduction = Reduction::kMeanWithSampleWeight;
  Looks without;
  without.attach(request);
  scalar_loss(loss_of("mean_squared_error"), operands, request);
  operands.sample_weight = &weight;
  Looks with;
  with.attach(request);
  scalar_loss(loss_of("mean_squared_error"), operands, request);
  CHECK(with.seen >= without.seen + least_looks(n, 1));
}

TEST_CASE("long rows that are computed again look for an interruption") {
  constexpr std::int64_t rows = 8;
  constexpr std::int64_t cols = std::int64_t{1} << 21;
  const Array<float> t = broadcast(0.0f, {rows, cols});
  const Array<float> p = broadcast(std::numeric_limits<float>::infinity(), {rows, cols});
  const Operands operands{t.view(), p.view()};
  Request request;
  request.threads = 1;
  Looks looks;
  looks.attach(request);
  CHECK(scalar_loss(loss_of("mean_absolute_error"), operands, request) == kInfinity);
  CHECK(looks.seen >= least_looks(2 * rows * cols, 1));
}
