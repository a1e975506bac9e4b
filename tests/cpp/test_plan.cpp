// SPDX-License-Identifier: Apache-2.0
// What a call refuses: arguments that only a C++ program can get wrong, and the advice of errors.
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "calls.hpp"
#include "simdloss/simdloss.hpp"

using namespace simdloss;
using namespace simdloss::test;

namespace {

// The argument that the error names and its message; empty if there was no error.
template <class Body>
std::string error_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error.argument() + "|" + error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A call that is right until a test spoils it.
struct Call {
  BoundLoss loss = loss_of("binary_crossentropy");
  Array<float> data{{0.25f, 0.5f, 0.75f, 0.125f}, {2, 2}};
  Array<float> weights{{1.0f, 2.0f}, {2}};
  ArrayView weight = weights.view();
  Operands operands{data.view(), data.view()};
  Request request;
  double result = -1;
  MutableArrayView out{&result, DType::kFloat64, 0, nullptr, nullptr};

  Call() = default;
  Call(const Call&) = delete;  // out points into it
  Call& operator=(const Call&) = delete;

  std::string error() {
    const std::string text = error_of([&] { evaluate(loss, operands, request, out); });
    CHECK(result == -1);
    return text;
  }
};

}  // namespace

static_assert(!std::is_default_constructible_v<BoundLoss>);

TEST_CASE("a loss that was moved from is an error") {
  BoundLoss loss = loss_of("huber");
  const BoundLoss moved = std::move(loss);
  Call call;
  CHECK(
      contains(error_of([&] { evaluate(loss, call.operands, call.request, call.out); }), "loss|"));
  CHECK(contains(error_of([&] { result_type(loss, call.operands, call.request); }), "loss|"));
  CHECK(contains(error_of([&] { partial_sums(loss, call.operands, call.request); }), "loss|"));
}

TEST_CASE("a loss outlives the LossInfo that it was bound with") {
  LossInfo copy = find("hinge");
  const BoundLoss loss = bind_loss(copy, {});
  CHECK(&loss.info() == &find("hinge"));
  copy.index = 1000;
  CHECK(contains(error_of([&] { bind_loss(copy, {}); }), "info|"));
  CHECK(contains(error_of([] { bind_loss(LossInfo(), {}); }), "info|"));
}

TEST_CASE("null data is an error where there are elements") {
  for (ArrayView Operands::*operand : {&Operands::y_true, &Operands::y_pred}) {
    Call call;
    (call.operands.*operand).data = nullptr;
    CHECK(contains(call.error(), "must have data"));
  }
  for (const ArrayView* Operands::*operand : {&Operands::sample_weight, &Operands::mask}) {
    Call call;
    call.operands.*operand = &call.weight;
    call.weight.data = nullptr;
    CHECK(contains(call.error(), "must have data"));
  }
  Call call;
  call.out.data = nullptr;
  CHECK(contains(call.error(), "out|out must have data"));
  Call second;
  second.operands.y_pred.shape = nullptr;
  CHECK(contains(second.error(), "y_pred|y_pred must have a shape"));
}

TEST_CASE("weights without entries are weights, also with null data") {
  const std::int64_t shape[] = {0, 2};
  const ArrayView empty{nullptr, DType::kFloat32, 2, shape, nullptr};
  const ArrayView weight{nullptr, DType::kFloat32, 1, shape, nullptr};
  const ArrayView none{nullptr, DType::kFloat32, 1, shape, nullptr};
  Operands operands{empty, empty, &weight, nullptr};
  Request request;
  const PartialSums weighted = partial_sums(loss_of("hinge"), operands, request);
  CHECK(weighted.count == 0);
  CHECK(weighted.weight_sum.is_zero());
  operands.mask = &none;
  CHECK(partial_sums(loss_of("hinge"), operands, request).mask_count == 0);
  // That do not fit are found out too.
  const std::int64_t other[] = {3, 0};
  const ArrayView wrong{nullptr, DType::kFloat32, 2, other, nullptr};
  operands.mask = &wrong;
  CHECK(contains(error_of([&] { partial_sums(loss_of("hinge"), operands, request); }), "mask|"));
}

TEST_CASE("impossible shapes and dtypes are errors") {
  const std::int64_t negative[] = {-2, -2};
  const std::int64_t huge[] = {0, std::int64_t{1} << 40, std::int64_t{1} << 40};
  Call call;
  call.operands.y_true.shape = call.operands.y_pred.shape = negative;
  CHECK(contains(call.error(), "negative dimensions; received (-2, -2)"));
  for (const bool all : {true, false}) {
    Call second;
    second.operands.y_true = second.operands.y_pred = {nullptr, DType::kFloat32, 3, huge, nullptr};
    second.request.axes.all = all;
    second.request.axes.list = {1, 2};
    CHECK(contains(second.error(), "more elements than memory"));
  }
  Call third;
  third.operands.y_pred.dtype = static_cast<DType>(13);
  CHECK(contains(third.error(), "y_pred|y_pred must have one of the values of DType"));
  Call fourth;
  fourth.out.dtype = static_cast<DType>(255);
  CHECK(contains(fourth.error(), "out|out must have one of the values of DType"));
  Call fifth;
  fifth.operands.y_pred.rank = 65;
  CHECK(contains(fifth.error(), "y_pred|y_pred must have at most 64"));
}

TEST_CASE("options outside their range are errors") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double epsilon : {nan, -1e-7, 0.5, 1e300}) {
    Call call;
    call.request.epsilon = epsilon;
    CHECK(contains(call.error(), "epsilon|epsilon must be in [0, 0.5)"));
  }
  for (const int threads : {-1, 1025, std::numeric_limits<int>::max()}) {
    Call call;
    call.request.threads = threads;
    CHECK(contains(call.error(), "threads|threads must be from 0 to 1024"));
  }
  for (const DType dtype : {DType::kInt32, DType::kBool, static_cast<DType>(13)}) {
    Call call;
    call.request.dtype = dtype;
    CHECK(contains(call.error(), "dtype|dtype must be a floating dtype"));
    Call second;
    second.request.default_dtype = dtype;
    CHECK(contains(second.error(), "default_dtype|default_dtype must be a floating dtype"));
  }
  Call call;
  call.request.reduction = static_cast<Reduction>(4);
  CHECK(contains(call.error(), "reduction|"));
  Call third;
  third.request.epsilon = 0;
  third.request.threads = 1024;
  evaluate(third.loss, third.operands, third.request, third.out);
  CHECK(third.result > 0);
}

TEST_CASE("errors of shapes name the way out") {
  const auto text = [](const std::vector<std::int64_t>& t, const std::vector<std::int64_t>& p,
                       const std::vector<std::int64_t>& w, const Axes& axes, bool masks = false) {
    const Array<float> y_true = broadcast(0.5f, t);
    const Array<float> y_pred = broadcast(0.5f, p);
    const Array<float> weights = broadcast(1.0f, w);
    const ArrayView weight = weights.view();
    Operands operands{y_true.view(), y_pred.view()};
    (masks ? operands.mask : operands.sample_weight) = &weight;
    Request request;
    request.axes = axes;
    return error_of([&] { scalar_loss(loss_of("mean_squared_error"), operands, request); });
  };
  const Axes last;
  const Axes all{true, {}};
  CHECK(contains(text({3}, {3}, {3}, last), "Inputs of rank 1 are one sample"));
  CHECK(contains(text({3}, {3}, {3}, last), "(3, 1) or pass axis=() to weight each value"));
  const std::string reduced = text({3, 2}, {3, 2}, {3}, all);
  CHECK(contains(reduced, "axis reduces every dimension"));
  CHECK_FALSE(contains(reduced, "rank 1"));
  CHECK(contains(text({3, 2}, {3, 2}, {3, 2}, all), "to weight each element pass axis=()"));
  CHECK(contains(text({3, 2}, {3, 2}, {3, 2}, last), "to weight each element pass axis=()"));
  CHECK(contains(text({3, 2}, {3, 2}, {3, 2}, last, true), "to mask each element pass axis=()"));
  CHECK(contains(text({3, 2}, {3, 2}, {4}, last), "one value per sample"));
  CHECK(contains(text({3, 1}, {3, 5}, {}, last), "one-hot labels with shape (3, 5)"));
  const std::string scalar = text({}, {}, {}, last);
  CHECK(contains(scalar, "axis|axis -1 is out of range for y_pred of rank 0, which has no axes"));
  CHECK_FALSE(contains(scalar, "[0, 0)"));
}

TEST_CASE("advice for y_true and y_pred of other shapes") {
  using Shape = std::vector<std::int64_t>;
  const auto text = [](const char* name, Shape t, Shape p, std::int64_t axis = -1) {
    const Array<float> labels = broadcast(0.0f, std::move(t));
    const Array<float> predictions = broadcast(0.0f, std::move(p));
    Request request;
    request.axes.list = {axis};
    return error_of([&] {
      scalar_loss(loss_of(name), {labels.view(), predictions.view()}, request);
    });
  };
  for (const char* name : {"categorical_crossentropy", "categorical_crossentropy_from_logits",
                           "categorical_focal_crossentropy"}) {
    const bool has_sparse_form = std::string(name).find("focal") == std::string::npos;
    const std::string use =
        has_sparse_form ? "use sparse_categorical_crossentropy, or one-hot" : "pass one-hot";
    for (const Shape& ids : {Shape{6}, Shape{6, 1}}) {
      const std::string found = text(name, ids, {6, 4});
      CHECK(contains(found,
                     "if y_true holds class ids, " + use + " labels: to_categorical(y_true, 4)."));
      CHECK_FALSE(contains(found, "y_pred with"));
    }
    CHECK(contains(text(name, {4}, {6, 4}, 0), "one-hot labels of shape (6, 4)"));
    CHECK(contains(text(name, {4, 6}, {6, 4}), "transposed"));
    CHECK(contains(text(name, {5, 6}, {6, 4}), "give y_true the shape of y_pred"));
  }
  CHECK(contains(text("mean_squared_error", {6}, {6, 4}), "Pass y_pred with shape (6,)"));
}
