// SPDX-License-Identifier: Apache-2.0
// gradient.hpp: memory that is touched, bits, rows that are computed again, errors.
#include "simdloss/gradient.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "calls.hpp"
#include "each_isa.hpp"
#include "guarded_page.hpp"

using namespace simdloss;
using namespace simdloss::test;

namespace {

constexpr int kRows = 3;
constexpr float kMaxFloat = std::numeric_limits<float>::max();

template <class T>
constexpr DType dtype_of() {
  return sizeof(T) == sizeof(float) ? DType::kFloat32 : DType::kFloat64;
}

bool has_rows(const LossInfo& info) { return info.axis_kind != AxisKind::kNone; }

// Rows at the end of pages, behind which nothing may be read or written.
template <class T>
struct GuardedRows {
  GuardedPage t_page, p_page, gradient_page, hessian_page;
  std::int64_t shape[2];
  std::int64_t strides[2];
  std::vector<std::int64_t> ids;
  T* gradient;
  T* hessian;
  Operands operands;

  GuardedRows(const LossInfo& info, int n_cols, std::mt19937& random, int n_rows = kRows)
      : shape{n_rows, n_cols},
        strides{n_cols * std::int64_t{sizeof(T)}, sizeof(T)},
        gradient(gradient_page.last<T>(n_rows * n_cols)),
        hessian(hessian_page.last<T>(n_rows * n_cols)) {
    T* const t = t_page.last<T>(n_rows * n_cols);
    T* const p = p_page.last<T>(n_rows * n_cols);
    std::uniform_real_distribution<T> unit(T(0.01), T(0.99));
    for (int i = 0; i < n_rows * n_cols; ++i) {
      t[i] = unit(random);
      p[i] = unit(random);
    }
    for (int i = 0; i < n_rows; ++i) ids.push_back(i % n_cols);
    operands.y_true = {t, dtype_of<T>(), 2, shape, strides};
    if (info.target == Target::kClassId)
      operands.y_true = {ids.data(), DType::kInt64, 1, shape, nullptr};
    operands.y_pred = {p, dtype_of<T>(), 2, shape, strides};
  }

  // The same matrices with columns that are contiguous.
  void lay_by_columns() {
    strides[0] = sizeof(T);
    strides[1] = shape[0] * std::int64_t{sizeof(T)};
    for (GuardedPage* const page : {&t_page, &p_page}) {
      T* const matrix = page->last<T>(static_cast<int>(shape[0] * shape[1]));
      const std::vector<T> rows(matrix, matrix + shape[0] * shape[1]);
      for (std::int64_t i = 0; i < shape[0] * shape[1]; ++i) {
        matrix[place(i)] = rows[static_cast<std::size_t>(i)];
      }
    }
  }

  std::vector<T> derive(const BoundLoss& loss, Curvature curvature) {
    T value = -1;
    const MutableArrayView to_value{&value, dtype_of<T>(), 0, nullptr, nullptr};
    const MutableArrayView to_gradient{gradient, dtype_of<T>(), 2, shape, strides};
    const MutableArrayView to_hessian{hessian, dtype_of<T>(), 2, shape, strides};
    std::vector<T> found;
    const auto add = [&](const T* matrix) {
      for (std::int64_t i = 0; i < shape[0] * shape[1]; ++i) found.push_back(matrix[place(i)]);
    };
    simdloss::gradient(loss, operands, {}, to_gradient);
    add(gradient);
    value_and_gradient(loss, operands, {}, to_value, to_gradient);
    add(gradient);
    found.push_back(value);
    if (!loss.info().has_hessian) return found;
    value_gradient_and_hessian(loss, operands, {}, curvature, to_value, to_gradient, to_hessian);
    add(gradient);
    add(hessian);
    return found;
  }

 private:
  // Where element i in the order of rows lies.
  std::int64_t place(std::int64_t i) const {
    const std::int64_t bytes = i / shape[1] * strides[0] + i % shape[1] * strides[1];
    return bytes / std::int64_t{sizeof(T)};
  }
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
void check_every_length(const LossInfo& info) {
  CAPTURE(info.name);
  const BoundLoss loss = loss_of(info.name);
  std::mt19937 random(1);
  for (int n_cols = 1; n_cols <= 70; ++n_cols) {
    CAPTURE(n_cols);
    // Less than a vector, or a vector and some more as long as a page holds them.
    for (const int n_rows : {kRows, n_cols <= 33 ? 64 / static_cast<int>(sizeof(T)) + 3 : 4}) {
      CAPTURE(n_rows);
      GuardedRows<T> rows(info, n_cols, random, n_rows);
      force_isa("scalar");
      const std::vector<T> expected = rows.derive(loss, Curvature::kUpperBound);
      std::vector<std::vector<T>> by_rows;
      for_each_isa([&](const KernelTable& table) {
        by_rows.push_back(rows.derive(loss, Curvature::kUpperBound));
        if (table.isa != Isa::kBaseline) CHECK(same_bits(by_rows.back(), expected));
      });
      rows.lay_by_columns();
      std::size_t index = 0;
      for_each_isa([&](const KernelTable&) {
        CHECK(same_bits(rows.derive(loss, Curvature::kUpperBound), by_rows[index]));
        ++index;
      });
    }
  }
}

// One array of each kind, of any rank, for a loss of elements.
struct Arrays {
  Array<float> t;
  Array<float> p;
  Operands operands() const {
    Operands arrays;
    arrays.y_true = t.view();
    arrays.y_pred = p.view();
    return arrays;
  }
};

std::vector<float> gradient_of(const char* name, const Arrays& arrays,
                               const Request& request = {}) {
  std::vector<float> found(arrays.p.values.size(), -1.0F);
  gradient(loss_of(name), arrays.operands(), request,
           {found.data(), DType::kFloat32, arrays.p.rank(), arrays.p.shape.data(), nullptr});
  return found;
}

TEST_CASE("derivatives of rows of every length stay in their memory and have the same bits") {
  for (const LossInfo& info : catalog()) {
    if (!has_rows(info)) continue;
    check_every_length<float>(info);
    check_every_length<double>(info);
  }
}

TEST_CASE("threads share long rows and batches without changing a bit") {
  std::mt19937 random(2);
  std::uniform_real_distribution<float> unit(0.01F, 0.99F);
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{2, 70'001}, std::vector<std::int64_t>{5'000, 30}}) {
    const auto n = static_cast<std::size_t>(shape[0] * shape[1]);
    Arrays arrays{{std::vector<float>(n), shape}, {std::vector<float>(n), shape}};
    for (float& x : arrays.t.values) x = unit(random);
    for (float& x : arrays.p.values) x = unit(random);
    for (const LossInfo& info : catalog()) {
      if (!has_rows(info) || info.target == Target::kClassId) continue;
      CAPTURE(info.name);
      Request request;
      request.threads = 1;
      const std::vector<float> expected = gradient_of(info.name, arrays, request);
      for (const int threads : {2, 3}) {
        request.threads = threads;
        CHECK(same_bits(gradient_of(info.name, arrays, request), expected));
#ifdef SIMDLOSS_OPENMP
        CHECK(last_num_threads() > 1);
#endif
      }
    }
  }
}

TEST_CASE("what overflows on the way is computed again") {
  for_each_isa([](const KernelTable&) {
    // 2 (p - t) / n, whose difference is beyond float.
    const Arrays large{{{-kMaxFloat, 0, 0, 0, 0, 0, 0, 0}, {1, 8}},
                       {{kMaxFloat, 0, 0, 0, 0, 0, 0, 0}, {1, 8}}};
    CHECK(gradient_of("mean_squared_error", large)[0] == kMaxFloat / 2);
    // A scale beyond float, and one below it.
    const Arrays one{{{0}, {1, 1}}, {{1e-30F}, {1, 1}}};
    Request request;
    request.scale = 1e50;
    CHECK(gradient_of("mean_squared_error", one, request)[0] ==
          static_cast<float>(2 * double{1e-30F} * 1e50));
    request.scale = 1e-50;
    const Arrays far{{{0}, {1, 1}}, {{1e30F}, {1, 1}}};
    CHECK(gradient_of("mean_squared_error", far, request)[0] ==
          static_cast<float>(2 * double{1e30F} * 1e-50));
    // Vectors whose squares underflow in float, and what one divides by them overflows.
    const Arrays short_one{{{1e-30F, 0}, {1, 2}}, {{1e-30F, 1e-30F}, {1, 2}}};
    const std::vector<float> slopes = gradient_of("cosine_similarity", short_one);
    CHECK(slopes[0] == doctest::Approx(-1e30 / (2 * std::sqrt(2.0))));
    CHECK(slopes[1] == doctest::Approx(1e30 / (2 * std::sqrt(2.0))));
  });
}

TEST_CASE("rows of weight 0 get zeros, whatever they hold") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<double> weights{0, 1};
  const std::int64_t n = 2;
  const ArrayView weight{weights.data(), DType::kFloat64, 1, &n, nullptr};
  for (const LossInfo& info : catalog()) {
    if (!has_rows(info) || info.target == Target::kClassId) continue;
    CAPTURE(info.name);
    const Arrays arrays{{{0, nan, 0, 1}, {2, 2}}, {{nan, 0.5F, 0.25F, 0.5F}, {2, 2}}};
    Operands operands = arrays.operands();
    operands.sample_weight = &weight;
    float found[4] = {-1, -1, -1, -1};
    gradient(loss_of(info.name), operands, {},
             {found, DType::kFloat32, 2, arrays.p.shape.data(), nullptr});
    CHECK(found[0] == 0);
    CHECK(found[1] == 0);
    CHECK(std::isfinite(found[2]));
    CHECK(std::isfinite(found[3]));
  }
}

// The gradient of some rows in a page, from byte `offset` on, and what is around it.
template <class T>
std::vector<char> page_with_gradient(const BoundLoss& loss, const GuardedRows<T>& rows,
                                     std::ptrdiff_t offset, bool with_value) {
  GuardedPage page;
  std::fill(page.begin(), page.end(), char{0x5A});
  const MutableArrayView to{page.begin() + offset, dtype_of<T>(), 2, rows.shape, nullptr};
  T value;
  if (with_value) {
    value_and_gradient(loss, rows.operands, {}, {&value, dtype_of<T>(), 0, nullptr, nullptr}, to);
  } else {
    gradient(loss, rows.operands, {}, to);
  }
  return {page.begin(), page.end()};
}

template <class T>
void check_streams(const LossInfo& info) {
  CAPTURE(info.name);
  const BoundLoss loss = loss_of(info.name);
  std::mt19937 random(15);
  for (const int n_cols : {1, 2, 9, 17, 32, 33, 47, 64, 100, static_cast<int>(2000 / sizeof(T))}) {
    CAPTURE(n_cols);
    const int fitting = (4096 - 80) / static_cast<int>(sizeof(T)) / n_cols;  // beside the offset
    const GuardedRows<T> rows(info, n_cols, random, fitting);
    for_each_isa([&](const KernelTable&) {
      for (const std::ptrdiff_t offset : {0, 1, 4, 8, 16, 40, 48, 60, 64, 72}) {
        for (const bool with_value : {false, true}) {
          set_streamed_bytes(1);
          const std::vector<char> streamed = page_with_gradient(loss, rows, offset, with_value);
          set_streamed_bytes(std::int64_t{1} << 60);
          CHECK(streamed == page_with_gradient(loss, rows, offset, with_value));
        }
      }
    });
  }
  set_streamed_bytes(0);
}

TEST_CASE("gradients that go past the caches are the same, wherever they lie") {
  for (const LossInfo& info : catalog()) {
    if (!has_rows(info)) continue;
    check_streams<float>(info);
    check_streams<double>(info);
  }
}

TEST_CASE("derivatives look for an interruption and can be stopped by it") {
  const Arrays arrays{broadcast(0.5F, {1 << 12, 1 << 12}), broadcast(0.25F, {1 << 12, 1 << 12})};
  std::vector<float> row(1 << 12);
  const std::int64_t strides[2] = {0, sizeof(float)};  // rows share their memory
  Request request;
  request.threads = 1;
  int looks = 0;
  request.interrupted = [](void* context) { return ++*static_cast<int*>(context) == 2; };
  request.interrupted_context = &looks;
  try {
    gradient(loss_of("mean_squared_error"), arrays.operands(), request,
             {row.data(), DType::kFloat32, 2, arrays.p.shape.data(), strides});
    FAIL("not interrupted");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kInterrupted);
  }
  CHECK(looks == 2);
}

template <class Call>
std::string error_of(ErrorCode code, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.code() == code);
    return error.argument() + ": " + error.what();
  }
  return "no error";
}

TEST_CASE("misuse is an error that names the argument") {
  const Arrays arrays{{{0, 1, 0, 1}, {2, 2}}, {{0.5F, 0.5F, 0.25F, 0.75F}, {2, 2}}};
  float found[4];
  const std::int64_t shape[] = {2, 2};
  const std::int64_t other[] = {4};
  const MutableArrayView good{found, DType::kFloat32, 2, shape, nullptr};
  const BoundLoss mse = loss_of("mean_squared_error");

  CHECK(error_of(ErrorCode::kValue, [&] {
          gradient(mse, arrays.operands(), {}, {found, DType::kFloat32, 1, other, nullptr});
        }) == "out: out must have the shape of y_pred, (2, 2); received (4,).");
  CHECK(error_of(ErrorCode::kType, [&] {
          gradient(mse, arrays.operands(), {}, {found, DType::kInt32, 2, shape, nullptr});
        }) == "out: out must have a floating dtype; received int32.");
  const double weight = 1;
  const ArrayView weights{&weight, DType::kFloat64, 0, nullptr, nullptr};
  Operands weighted = arrays.operands();
  weighted.sample_weight = &weights;
  CHECK(error_of(ErrorCode::kValue, [&] {
          vjp(mse, weighted, weights, {}, good);
        }).rfind("operands: ", 0) == 0);
  float value;
  CHECK(error_of(ErrorCode::kNotSupported, [&] {
          value_gradient_and_hessian(loss_of("dice"), arrays.operands(), {}, Curvature::kDiagonal,
                                     {&value, DType::kFloat32, 0, nullptr, nullptr}, good, good);
        }).rfind("loss: dice has no diagonal", 0) == 0);
}

}  // namespace
