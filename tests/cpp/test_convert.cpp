// SPDX-License-Identifier: Apache-2.0

// The kernels of every instruction set that write results: TypeKernels::store.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "each_isa.hpp"
#include "guarded_page.hpp"
#include "simdloss/array_view.hpp"
#include "vec_oracle.hpp"

namespace simdloss::test {
namespace {

template <class T>
const TypeKernels& kernels_of(const KernelTable& table) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return table.f32;
  } else {
    return table.f64;
  }
}

constexpr DType kTargets[] = {DType::kFloat16, DType::kBFloat16, DType::kFloat32, DType::kFloat64};

// x as a dtype, in the first bytes of the result.
std::vector<char> encoded(double x, DType dtype) {
  std::vector<char> bytes(item_size(dtype));
  const float as_float = static_cast<float>(x);
  const std::uint16_t as_half =
      dtype == DType::kFloat16 ? encoded_half(x, 5, 10) : encoded_half(x, 8, 7);
  const void* from = dtype == DType::kFloat64   ? static_cast<const void*>(&x)
                     : dtype == DType::kFloat32 ? static_cast<const void*>(&as_float)
                                                : static_cast<const void*>(&as_half);
  std::memcpy(bytes.data(), from, bytes.size());
  return bytes;
}

// Numbers over the range of a half, and beyond both ends of it.
template <class T>
std::vector<T> random_numbers(std::size_t n) {
  std::mt19937_64 random(13);
  std::vector<T> result(n);
  for (T& x : result) {
    x = static_cast<T>(std::ldexp(static_cast<double>(random() >> 11), int(random() % 70) - 98));
    if (random() % 2 == 0) x = -x;
  }
  return result;
}

// The first number that a store kernel gets wrong, or nothing.
template <class T>
std::string wrong_number(const TypeKernels& kernels, const std::vector<double>& numbers,
                         DType dtype) {
  const std::size_t size = item_size(dtype);
  std::vector<T> from(numbers.size());
  std::transform(numbers.begin(), numbers.end(), from.begin(),
                 [](double x) { return static_cast<T>(x); });
  std::vector<char> got(from.size() * size);
  kernels.store[static_cast<int>(dtype)](from.data(), static_cast<std::int64_t>(from.size()),
                                         got.data());
  for (std::size_t i = 0; i < from.size(); ++i) {
    // NaN is compared with test_vec.cpp.
    const std::vector<char> expected = encoded(static_cast<double>(from[i]), dtype);
    if (!std::isnan(from[i]) && std::memcmp(got.data() + i * size, expected.data(), size) != 0) {
      char text[100];
      std::snprintf(text, sizeof text, "%a as %s", static_cast<double>(from[i]), dtype_name(dtype));
      return text;
    }
  }
  return "";
}

}  // namespace

TEST_CASE_TEMPLATE("numbers of every length are stored, and nothing else", T, float, double) {
  const std::vector<T> numbers = random_numbers<T>(1000);
  for_each_isa([&](const KernelTable& table) {
    const TypeKernels& kernels = kernels_of<T>(table);
    GuardedPage page;
    for (int type = 0; type <= static_cast<int>(DType::kFloat64); ++type) {
      const bool is_target = is_floating(static_cast<DType>(type));
      CHECK((kernels.store[type] != nullptr) == is_target);
    }
    for (const DType dtype : kTargets) {
      const std::size_t size = item_size(dtype);
      std::vector<std::size_t> lengths = {255, 256, 257, 300, 512};
      for (std::size_t n = 0; n <= 70; ++n) lengths.push_back(n);
      bool all_right = true;
      for (const std::size_t n : lengths) {
        if (n * size + 1 > static_cast<std::size_t>(page.end() - page.begin())) continue;
        std::vector<T> exact(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(n));
        for (char* const place : {page.begin(), page.begin() + 1, page.end() - n * size}) {
          std::fill(page.begin(), page.end(), char{0x5A});
          std::vector<char> expected(page.begin(), page.end());
          for (std::size_t i = 0; i < n; ++i) {
            const std::vector<char> bytes = encoded(static_cast<double>(exact[i]), dtype);
            std::copy(
                bytes.begin(), bytes.end(),
                expected.begin() + (place - page.begin()) + static_cast<std::ptrdiff_t>(i * size));
          }
          kernels.store[static_cast<int>(dtype)](exact.data(), static_cast<std::int64_t>(n), place);
          all_right = all_right && std::equal(expected.begin(), expected.end(), page.begin());
        }
      }
      CHECK_MESSAGE(all_right, dtype_name(dtype));
    }
  });
}

TEST_CASE_TEMPLATE("a store kernel reads its elements only", T, float, double) {
  for_each_isa([&](const KernelTable& table) {
    GuardedPage page;
    char target[70 * sizeof(double)];
    for (const DType dtype : kTargets) {
      for (int n = 0; n <= 70; ++n) {
        T* const last = page.last<T>(n);
        std::fill(last, last + n, T(1));
        kernels_of<T>(table).store[static_cast<int>(dtype)](last, n, target);
      }
    }
  });
}

TEST_CASE_TEMPLATE("halves are rounded once from either type", T, float, double) {
  std::vector<double> numbers = rounding_edges<T>(decoded_float16);
  const std::vector<double> more = rounding_edges<T>(decoded_bfloat16);
  numbers.insert(numbers.end(), more.begin(), more.end());
  for (const T x : random_numbers<T>(100000)) numbers.push_back(static_cast<double>(x));
  for (const T x : special_values<T>()) numbers.push_back(static_cast<double>(x));
  // Just beside a tie, by less than a float can tell: twice rounded, they would go to even.
  if (sizeof(T) == sizeof(double)) {
    for (int word = 0; word < 0x7C00; ++word) {
      const double x = decoded_float16(static_cast<std::uint16_t>(word));
      const double next = decoded_float16(static_cast<std::uint16_t>(word + 1));
      if (!std::isinf(next)) numbers.push_back((x + next) / 2 + (next - x) * 0x1p-35);
    }
  }
  for_each_isa([&](const KernelTable& table) {
    for (const DType dtype : kTargets) {
      CHECK(wrong_number<T>(kernels_of<T>(table), numbers, dtype) == "");
    }
  });
}

TEST_CASE_TEMPLATE("NaN and infinity stay", T, float, double) {
  const T values[] = {std::numeric_limits<T>::quiet_NaN(), -std::numeric_limits<T>::quiet_NaN(),
                      value_of<T>(word_of(std::numeric_limits<T>::infinity()) | 1),
                      std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity()};
  for_each_isa([&](const KernelTable& table) {
    std::uint16_t got[5];
    kernels_of<T>(table).store[static_cast<int>(DType::kFloat16)](values, 5, got);
    for (int i = 0; i < 3; ++i) CHECK((got[i] & 0x7E00) == 0x7E00);
    CHECK(got[3] == 0x7C00);
    CHECK(got[4] == 0xFC00);
    kernels_of<T>(table).store[static_cast<int>(DType::kBFloat16)](values, 5, got);
    for (int i = 0; i < 3; ++i) CHECK((got[i] & 0x7FC0) == 0x7FC0);
    CHECK(got[3] == 0x7F80);
    CHECK(got[4] == 0xFF80);
  });
}

TEST_CASE_TEMPLATE("columns become rows and rows columns", T, float, double) {
  const std::vector<T> numbers = random_numbers<T>(4096 / sizeof(T));
  for_each_isa([&](const KernelTable& table) {
    const TypeKernels& kernels = kernels_of<T>(table);
    GuardedPage page;
    constexpr std::int64_t size = sizeof(T);
    bool all_right = true;
    for (const std::int64_t n_cols : {1, 2, 3, 4, 5, 7, 31, 32, 33, 40}) {
      for (std::int64_t n_rows = 0; n_rows <= 4096 / size / n_cols && n_rows <= 40; ++n_rows) {
        // Adjacent columns that end with the page, or backwards ones that begin with it.
        for (const bool backwards : {false, true}) {
          const std::int64_t stride = (backwards ? -n_rows : n_rows) * size;
          char* const lowest = backwards ? page.begin() : page.end() - n_rows * n_cols * size;
          char* const first = backwards ? lowest + (n_cols - 1) * n_rows * size : lowest;
          const auto at = [&](std::int64_t i, std::int64_t j) {
            return first + j * stride + i * size;
          };
          std::memcpy(lowest, numbers.data(), static_cast<std::size_t>(n_rows * n_cols * size));
          const std::int64_t pitch = n_cols + 3;
          std::vector<T> rows(static_cast<std::size_t>((n_rows + 1) * pitch), T(-5));
          std::vector<T> expected = rows;
          for (std::int64_t i = 0; i < n_rows; ++i) {
            for (std::int64_t j = 0; j < n_cols; ++j) {
              std::memcpy(&expected[static_cast<std::size_t>(i * pitch + j)], at(i, j), sizeof(T));
            }
          }
          kernels.gather_columns(first, stride, n_rows, n_cols, pitch, rows.data());
          all_right = all_right && rows == expected;
          std::vector<char> whole(page.begin(), page.end());
          std::fill(lowest, lowest + n_rows * n_cols * size, char{0x5A});
          kernels.scatter_columns(expected.data(), pitch, n_rows, n_cols, stride, first);
          all_right = all_right && std::equal(whole.begin(), whole.end(), page.begin());
        }
      }
    }
    CHECK(all_right);
  });
}

}  // namespace simdloss::test
