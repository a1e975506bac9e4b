// SPDX-License-Identifier: Apache-2.0
#pragma once

// The driver of losses that are a sum (or mean) over the elements of a row. Owns loops, tails and
// accumulators; the formula is Loss::value. See [Lane order is the contract].

#include <cstdint>

#include "kernels/abi.hpp"
#include "simd/vec_scalar.hpp"

namespace simdloss {

template <class T, class Isa>
struct RowAccumulator {
  using V = Vec<T, Isa>;
  static constexpr int kStep = kLanes<T>;

  // lanes[first ...] += x, one lane of x each.
  static SIMDLOSS_INLINE void add(V x, int first, LaneSums& lanes) {
    if constexpr (sizeof(T) == sizeof(float)) {
      add_widened(x, lanes.values + first);
    } else {
      double* const hi = lanes.values + first;
      double* const lo = hi + kStep;
      const V old = V::load(hi);
      const V sum = old + x;
      const V part = sum - old;
      (V::load(lo) + ((old - (sum - part)) + (x - part))).store(lo);
      sum.store(hi);
    }
  }

  // The halving tree over the lanes, of which only the first n hold anything but +0.
  static SIMDLOSS_INLINE RowSum finish(LaneSums lanes, std::int64_t n) {
    double* const hi = lanes.values;
    for (int half = kStep / 2; half > 0; half /= 2) {
      if (half >= n) continue;  // would add zeros
      if (half >= Vec<double, Isa>::kWidth) {
        for (int i = 0; i < half; i += Vec<double, Isa>::kWidth) {
          fold<Vec<double, Isa>>(hi + i, half);
        }
      } else {
        for (int i = 0; i < half; ++i) fold<Vec<double, isa::Scalar>>(hi + i, half);
      }
    }
    if constexpr (sizeof(T) == sizeof(float)) return RowSum{hi[0], 0.0};
    return RowSum{hi[0], hi[kStep]};
  }

 private:
  // Lane i += lane i + half, for U::kWidth lanes from `hi` on.
  template <class U>
  static SIMDLOSS_INLINE void fold(double* hi, int half) {
    const U a = U::load(hi);
    const U b = U::load(hi + half);
    const U sum = a + b;
    sum.store(hi);
    if constexpr (sizeof(T) == sizeof(double)) {
      double* const lo = hi + kStep;
      const U part = sum - a;
      const U error = (a - (sum - part)) + (b - part);
      ((U::load(lo) + U::load(lo + half)) + error).store(lo);
    }
  }
};

template <class Loss, class T, class Isa>
struct PointwiseKernel {
  using V = Vec<T, Isa>;
  using Args = typename Loss::template Args<T>;
  using Accumulator = RowAccumulator<T, Isa>;
  static constexpr int kStep = kLanes<T>;
  static constexpr int kWidth = V::kWidth;

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

  static void accumulate(const T* t, const T* p, std::int64_t n, const Args& shared,
                         LaneSums& lanes) {
    const Args args = shared;  // a local copy lets the compiler keep the constants in registers
    for (; n >= kBlock<T>; n -= kBlock<T>, t += kBlock<T>, p += kBlock<T>) {
      for (int lane = 0; lane < kStep; lane += kWidth) {
        Accumulator::add(tree<kBlockSteps>(t + lane, p + lane, args), lane, lanes);
      }
    }
    for (int lane = 0; lane < kStep && lane < n; lane += kWidth) {
      V values[kBlockSteps];
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
      for (; step < kBlockSteps; ++step) values[step] = V(T(0));
      Accumulator::add(((values[0] + values[1]) + (values[2] + values[3])) +
                           ((values[4] + values[5]) + (values[6] + values[7])),
                       lane, lanes);
    }
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
    const Args& typed = *static_cast<const Args*>(args);
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
      LaneSums lanes = {};
      accumulate(reinterpret_cast<const T*>(t), reinterpret_cast<const T*>(p), rows.n_cols, typed,
                 lanes);
      const RowSum sum = Accumulator::finish(lanes, rows.n_cols);
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

template <class T, class Isa>
RowSum finish_lanes(const LaneSums& lanes) noexcept {
  return RowAccumulator<T, Isa>::finish(lanes, kLanes<T>);
}

template <class T, class Isa>
bool all_finite(const void* values, std::int64_t n) noexcept {
  using V = Vec<T, Isa>;
  const T* const x = static_cast<const T*>(values);
  V sum(T(0));  // of x - x: 0 or NaN
  std::int64_t i = 0;
  for (; i + V::kWidth <= n; i += V::kWidth) {
    const V v = V::load(x + i);
    sum = sum + (v - v);
  }
  const V rest = V::load_first(x + i, n - i);
  return all(sum + (rest - rest) == V(T(0)));
}

}  // namespace simdloss
