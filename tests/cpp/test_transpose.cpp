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

// The same memory as rows, or as columns of as many elements as the layout has columns.
template <class T>
struct Matrix {
  Rows<T> rows;
  int n_rows, n_cols;
  bool by_columns;

  Matrix(GuardedPage& page, const Layout& layout, bool columns)
      : rows(page, layout),
        n_rows(columns ? layout.n_cols : layout.n_rows),
        n_cols(columns ? layout.n_rows : layout.n_cols),
        by_columns(columns) {}
  char* at(int row, int col) const { return by_columns ? rows.at(col, row) : rows.at(row, col); }
};

template <class T>
void check_load(Tally& tally, int width, const TransposedFunctions<T>& f, bool columns) {
  GuardedPage page;
  const auto place = [width](int col, int row) {
    return static_cast<std::size_t>(col) * static_cast<std::size_t>(width) +
           static_cast<std::size_t>(row);
  };
  std::mt19937_64 random(11);
  for (const Layout& layout : layouts(width, sizeof(T))) {
    const Matrix<T> from(page, layout, columns);
    if (from.n_rows > width) continue;
    std::vector<T> expected(kMaxCols * 16, T(-5)), tile(kMaxCols * 16, T(-5));
    for (int r = 0; r < width; ++r) {
      for (int j = 0; j < from.n_cols; ++j) {
        const T x = random_value<T>(random);
        if (r < from.n_rows) std::memcpy(from.at(r, j), &x, sizeof x);
        expected[place(j, r)] = r < from.n_rows ? x : T(0);
      }
    }
    const auto load = columns ? f.copy_in : f.load;
    load(from.rows.first, from.rows.stride, from.n_rows, from.n_cols, tile.data());
    for (std::size_t i = 0; i < tile.size(); ++i) {
      tally.add_numbers(tile[i], expected[i], [&] { return "load of " + text(layout); });
    }
  }
}

template <class T>
void check_store(Tally& tally, int width, const TransposedFunctions<T>& f, bool columns) {
  GuardedPage page;
  const auto place = [width](int col, int row) {
    return static_cast<std::size_t>(col) * static_cast<std::size_t>(width) +
           static_cast<std::size_t>(row);
  };
  std::mt19937_64 random(12);
  for (const Layout& layout : layouts(width, sizeof(T))) {
    const Matrix<T> to(page, layout, columns);
    if (to.n_rows > width) continue;
    std::fill(page.begin(), page.end(), char{0x5A});
    std::vector<char> expected(page.begin(), page.end());
    std::vector<T> tile(kMaxCols * 16);
    for (T& x : tile) x = random_value<T>(random);
    for (int r = 0; r < to.n_rows; ++r) {
      for (int j = 0; j < to.n_cols; ++j) {
        const T x = tile[place(j, r)];
        std::memcpy(expected.data() + (to.at(r, j) - page.begin()), &x, sizeof x);
      }
    }
    const auto store = columns ? f.copy_out : f.store;
    store(tile.data(), to.n_rows, to.n_cols, to.rows.first, to.rows.stride);
    tally.add(std::equal(expected.begin(), expected.end(), page.begin()),
              [&] { return "store of " + text(layout); });
  }
}

}  // namespace

TEST_CASE_TEMPLATE("rows become columns and columns rows", T, float, double) {
  for (const IsaUnderTest& isa : isas_under_test()) {
    const VecFunctions<T>& f = isa.of<T>();
    Tally tally(isa);
    for (const bool columns : {false, true}) {
      check_load(tally, f.width, f.transposed, columns);
      check_store(tally, f.width, f.transposed, columns);
    }
  }
}

}  // namespace simdloss::test
