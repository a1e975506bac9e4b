// SPDX-License-Identifier: Apache-2.0
#pragma once

// The driver of losses that are a sum (or mean) over the elements of a row. Owns loops, tails and
// accumulators; the formula is Loss::value. See [Lane order is the contract].

#include <cstdint>

#include "kernels/abi.hpp"
#include "kernels/row_sum.hpp"
#include "simd/vec.hpp"

namespace simdloss {

template <class Loss, class T, class Isa>
struct PointwiseKernel {
  using V = Vec<T, Isa>;
  using Args = typename Loss::template Args<T>;
  using Accumulator = RowAccumulator<T, Isa>;
  static constexpr int kStep = kLanes<T>;
  static constexpr int kWidth = V::kWidth;
  static constexpr int kGroups = Accumulator::kGroups;

  static SIMDLOSS_INLINE V value(const T* t, const T* p, const Args& args) {
    return Loss::value(V::load(t), V::load(p), args);
  }

  static SIMDLOSS_INLINE V value_first(const T* t, const T* p, std::int64_t n, const Args& args) {
    return keep_first(Loss::value(V::load_first(t, n), V::load_first(p, n), args), n);
  }

  // One lane group's share of a whole block.
  template <int kSteps>
  static SIMDLOSS_INLINE V tree(const T* t, const T* p, const Args& args) {
    if constexpr (kSteps == 1) {
      return value(t, p, args);
    } else {
      constexpr int half = kSteps / 2;
      const V left = tree<half>(t, p, args);
      return left + tree<half>(t + half * kStep, p + half * kStep, args);
    }
  }

  // One lane group's share of the first n < kMaxSteps * kStep elements, step by step.
  template <int kMaxSteps>
  static SIMDLOSS_INLINE V sum_by_steps(const T* t, const T* p, std::int64_t n, int lane,
                                        const Args& args) {
    V values[kMaxSteps];
    int step = 0;
    std::int64_t left = n - lane;
    for (; left >= kWidth; left -= kStep, ++step) {
      values[step] = value(t + lane + step * kStep, p + lane + step * kStep, args);
    }
    if (left > 0) {
      const T* const t_tail = t + lane + step * kStep;
      const T* const p_tail = p + lane + step * kStep;
      values[step++] = value_first(t_tail, p_tail, left, args);
    }
    return sum_of_steps<kMaxSteps>(values, step);
  }

  // The same for n < kBlock, with whole half blocks (common in short rows) without a loop.
  static SIMDLOSS_INLINE V sum_by_halves(const T* t, const T* p, std::int64_t n, int lane,
                                         const Args& args) {
    constexpr int half = kBlockSteps / 2;
    if (n - lane < (half - 1) * kStep + kWidth) return sum_by_steps<half>(t, p, n, lane, args);
    const V left = tree<half>(t + lane, p + lane, args);
    const std::int64_t rest = n - half * kStep;
    if (rest <= lane) return left;
    return left + sum_by_steps<half>(t + half * kStep, p + half * kStep, rest, lane, args);
  }

  // The tree over the first n of kSteps values; the others count as +0 and are not read.
  template <int kSteps>
  static SIMDLOSS_INLINE V sum_of_steps(const V* values, int n) {
    if constexpr (kSteps == 1) {
      return n > 0 ? values[0] : V(T(0));
    } else {
      constexpr int half = kSteps / 2;
      const V left = sum_of_steps<half>(values, n);
      return n <= half ? left : left + sum_of_steps<half>(values + half, n - half);
    }
  }

  static void accumulate(const T* t, const T* p, std::int64_t n, const Args& shared,
                         LaneSums& lanes) {
    const Args args = shared;  // a local copy lets the compiler keep the constants in registers
    constexpr int half = kBlockSteps / 2;
    for (; n >= kBlock<T>; n -= kBlock<T>, t += kBlock<T>, p += kBlock<T>) {
      for (int group = 0; group < kGroups; ++group) {
        V halves[2];
        for (int i = 0; i < 2; ++i) {  // a loop, because formulas are long
          const int first = group * kWidth + i * half * kStep;
          halves[i] = tree<half>(t + first, p + first, args);
        }
        Accumulator::add(halves[0] + halves[1], group, lanes);
      }
    }
    for (int group = 0; group < kGroups && group * kWidth < n; ++group) {
      const V sum = sum_by_steps<kBlockSteps>(t, p, n, group * kWidth, args);
      Accumulator::add(sum, group, lanes);
    }
  }

  // A row of less than a block needs no lanes in memory.
  static SIMDLOSS_INLINE RowSum short_row(const T* t, const T* p, std::int64_t n,
                                          const Args& args) {
    V block[kGroups];
    for (int group = 0; group < kGroups; ++group) {
      block[group] = sum_by_halves(t, p, n, group * kWidth, args);
    }
    return Accumulator::sum_of_block(block);
  }

  // Rows of one element: the same numbers without lanes, because x + 0 is x.
  static void elements(const T* t, const T* p, std::int64_t n, const Args& shared, T* losses) {
    const Args args = shared;
    std::int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth) (value(t + i, p + i, args) + V(T(0))).store(losses + i);
    const std::int64_t left = n - i;
    if (left > 0) (value_first(t + i, p + i, left, args) + V(T(0))).store_first(losses + i, left);
  }

  static void row_losses(const RowBlock& rows, double divisor, const void* args,
                         void* losses) noexcept {
    const Args typed = *static_cast<const Args*>(args);
    T* const out = static_cast<T*>(losses);
    const char* t = static_cast<const char*>(rows.t);
    const char* p = static_cast<const char*>(rows.p);
    constexpr std::int64_t size = sizeof(T);
    if (rows.n_cols == 1 && rows.t_stride == size && rows.p_stride == size) {
      elements(reinterpret_cast<const T*>(t), reinterpret_cast<const T*>(p), rows.n_rows, typed,
               out);
      return;
    }
    for (std::int64_t row = 0; row < rows.n_rows; ++row) {
      const T* const t_row = reinterpret_cast<const T*>(t);
      const T* const p_row = reinterpret_cast<const T*>(p);
      RowSum sum;
      if (rows.n_cols < kBlock<T>) {
        sum = short_row(t_row, p_row, rows.n_cols, typed);
      } else {
        LaneSums lanes = {};
        accumulate(t_row, p_row, rows.n_cols, typed, lanes);
        sum = Accumulator::finish(lanes);
      }
      out[row] = static_cast<T>((sum.hi + sum.lo) / divisor + 0.0);
      t += rows.t_stride;
      p += rows.p_stride;
    }
  }

  static void accumulate_untyped(const void* t, const void* p, std::int64_t n, const void* args,
                                 LaneSums& lanes) noexcept {
    accumulate(static_cast<const T*>(t), static_cast<const T*>(p), n,
               *static_cast<const Args*>(args), lanes);
  }

  static constexpr LossKernels kernels{&row_losses, &accumulate_untyped};
};

}  // namespace simdloss
