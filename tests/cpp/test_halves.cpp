// SPDX-License-Identifier: Apache-2.0

// The kernels of every instruction set that read half precision: LossKernels::reads_halves.

#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <vector>

#include "calls.hpp"
#include "each_isa.hpp"
#include "guarded_page.hpp"
#include "loss_args.hpp"

namespace simdloss::test {
namespace {

constexpr std::int64_t kHalfBytes = 2;

// Finite numbers of either format.
std::vector<std::uint16_t> random_halves(std::size_t n) {
  std::mt19937 random(7);
  std::vector<std::uint16_t> words(n);
  for (std::uint16_t& word : words) {
    word = static_cast<std::uint16_t>(0x3000 + random() % 0x1000 + random() % 2 * 0x8000);
  }
  return words;
}

// Rows of halves that end where a page ends, as blocks of halves and of floats.
struct Rows {
  GuardedPage t_page;
  GuardedPage p_page;
  std::vector<float> t;
  std::vector<float> p;
  RowBlock halves;
  RowBlock floats;

  Rows(const TypeKernels& kernels, DType dtype, std::int64_t n_rows, std::int64_t n_cols) {
    const std::int64_t n = n_rows * n_cols;
    const auto place = [&](GuardedPage& page, std::size_t first, std::vector<float>& to) {
      static const std::vector<std::uint16_t> words = random_halves(4096);
      char* const from = page.end() - n * kHalfBytes;
      std::memcpy(from, words.data() + first, static_cast<std::size_t>(n * kHalfBytes));
      to.resize(static_cast<std::size_t>(n));
      kernels.load[static_cast<int>(dtype)](from, n, to.data());
      return from;
    };
    const std::int64_t stride = n_cols * kHalfBytes;
    halves = {place(t_page, 0, t), place(p_page, 2000, p), stride, stride, n_rows, n_cols};
    halves.halves = dtype == DType::kFloat16 ? Halves::kFloat16 : Halves::kBFloat16;
    floats = {t.data(), p.data(), 2 * stride, 2 * stride, n_rows, n_cols};
  }
};

// Calls body(kernels, args) for each loss that reads halves.
template <class Body>
void for_each_reader(const KernelTable& table, Body body) {
  for (const LossInfo& info : catalog()) {
    CHECK_FALSE(table.f64.losses[info.index].reads_halves);
    const LossKernels& kernels = table.f32.losses[info.index];
    if (!kernels.reads_halves) continue;
    CAPTURE(info.name);
    const BoundLoss loss = loss_of(info.name);
    const Settings settings{loss.params().data(), 0x1p-23, 1 - 0x1p-23, false, 1.0};
    body(kernels, derive_args(info.index, settings, DType::kFloat32).bytes);
  }
}

}  // namespace

TEST_CASE("halves have the losses of the same floats, and nothing beyond them is read") {
  for_each_isa([](const KernelTable& table) {
    int readers = 0;
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
      for (std::int64_t n_cols = 2; n_cols <= 140; ++n_cols) {
        const Rows rows(table.f32, dtype, 2000 / n_cols, n_cols);
        for_each_reader(table, [&](const LossKernels& kernels, const void* args) {
          ++readers;
          std::vector<float> found(1000);
          std::vector<float> expected(1000);
          kernels.row_losses(rows.halves, 3.0, args, found.data());
          kernels.row_losses(rows.floats, 3.0, args, expected.data());
          CHECK(std::memcmp(found.data(), expected.data(), 4000) == 0);
        });
      }
    }
    CHECK(readers >= 5 * 2 * 139);
  });
}

TEST_CASE("parts of a row in half precision have the sums of the same floats") {
  for_each_isa([](const KernelTable& table) {
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
      for (const std::int64_t n : {1, 31, 64, 100, 1000, 2000}) {
        const Rows rows(table.f32, dtype, 1, n);
        for_each_reader(table, [&](const LossKernels& kernels, const void* args) {
          const auto sum = [&](const RowBlock& row) {
            RowState state = {};
            kernels.accumulate(kTerms, {row.t, row.p, nullptr, n, row.halves}, {}, args, state);
            return kernels.collect(state.sums[0]).hi;
          };
          CHECK(sum(rows.halves) == sum(rows.floats));
        });
      }
    }
  });
}

}  // namespace simdloss::test
