// SPDX-License-Identifier: Apache-2.0

// kernels/transpose.hpp on every instruction set that runs here, compared with two plain loops.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "guarded_page.hpp"
#include "vec_isas.hpp"
#include "vec_oracle.hpp"

namespace simdloss::test {
namespace {

constexpr std::size_t kMaxCols = 64;

// Rows in the page, at one end of it: the last byte of the last row is the page's last, or the
// first of the first row its first. `gap` bytes lie between two rows.
struct Layout {
  int n_rows, n_cols, gap;
  bool at_end, backwards;
};

template <class T>
struct Rows {
  char* first;
  std::int64_t stride;

  Rows(GuardedPage& page, const Layout& layout) {
    const int row_size = layout.n_cols * static_cast<int>(sizeof(T));
    const int pitch = row_size + layout.gap;
    const int size = layout.n_rows == 0 ? 0 : pitch * (layout.n_rows - 1) + row_size;
    char* const lowest = layout.at_end ? page.end() - size : page.begin();
    stride = layout.backwards ? -pitch : pitch;
    first = layout.backwards ? lowest + pitch * std::max(layout.n_rows - 1, 0) : lowest;
  }
  char* at(int row, int col) const {
    return first + row * stride + col * static_cast<int>(sizeof(T));
  }
};

std::vector<Layout> layouts(int width, int element_size) {
  std::vector<Layout> result;
  const int page_size = 4096;
  for (int n_cols = 1; n_cols <= static_cast<int>(kMaxCols); ++n_cols) {
    for (int n_rows = 0; n_rows <= width; ++n_rows) {
      for (const int gap : {0, 3, element_size}) {
        for (const bool at_end : {false, true}) {
          const Layout layout = {n_rows, n_cols, gap, at_end, gap == 3 && at_end};
          if ((n_cols * element_size + gap) * n_rows <= page_size) result.push_back(layout);
        }
      }
    }
  }
  return result;
}

std::string text(const Layout& l) {
  return std::to_string(l.n_rows) + " rows of " + std::to_string(l.n_cols) + ", gap " +
         std::to_string(l.gap);
}

template <class T>
void check_load(Tally& tally, int width, const TransposedFunctions<T>& f) {
  GuardedPage page;
  const auto place = [width](int col, int row) {
    return static_cast<std::size_t>(col) * static_cast<std::size_t>(width) +
           static_cast<std::size_t>(row);
  };
  std::mt19937_64 random(11);
  for (const Layout& layout : layouts(width, sizeof(T))) {
    const Rows<T> rows(page, layout);
    std::vector<T> expected(kMaxCols * 16, T(-5)), tile(kMaxCols * 16, T(-5));
    for (int r = 0; r < width; ++r) {
      for (int j = 0; j < layout.n_cols; ++j) {
        const T x = random_value<T>(random);
        if (r < layout.n_rows) std::memcpy(rows.at(r, j), &x, sizeof x);
        expected[place(j, r)] = r < layout.n_rows ? x : T(0);
      }
    }
    f.load(rows.first, rows.stride, layout.n_rows, layout.n_cols, tile.data());
    for (std::size_t i = 0; i < tile.size(); ++i) {
      tally.add_numbers(tile[i], expected[i], [&] { return "load of " + text(layout); });
    }
  }
}

template <class T>
void check_store(Tally& tally, int width, const TransposedFunctions<T>& f) {
  GuardedPage page;
  const auto place = [width](int col, int row) {
    return static_cast<std::size_t>(col) * static_cast<std::size_t>(width) +
           static_cast<std::size_t>(row);
  };
  std::mt19937_64 random(12);
  for (const Layout& layout : layouts(width, sizeof(T))) {
    const Rows<T> rows(page, layout);
    std::fill(page.begin(), page.end(), char{0x5A});
    std::vector<char> expected(page.begin(), page.end());
    std::vector<T> tile(kMaxCols * 16);
    for (T& x : tile) x = random_value<T>(random);
    for (int r = 0; r < layout.n_rows; ++r) {
      for (int j = 0; j < layout.n_cols; ++j) {
        const T x = tile[place(j, r)];
        std::memcpy(expected.data() + (rows.at(r, j) - page.begin()), &x, sizeof x);
      }
    }
    f.store(tile.data(), layout.n_rows, layout.n_cols, rows.first, rows.stride);
    tally.add(std::equal(expected.begin(), expected.end(), page.begin()),
              [&] { return "store of " + text(layout); });
  }
}

}  // namespace

TEST_CASE_TEMPLATE("rows become columns and columns rows", T, float, double) {
  for (const IsaUnderTest& isa : isas_under_test()) {
    const VecFunctions<T>& f = isa.of<T>();
    Tally tally(isa);
    check_load(tally, f.width, f.transposed);
    check_store(tally, f.width, f.transposed);
  }
}

}  // namespace simdloss::test
