// SPDX-License-Identifier: Apache-2.0
#pragma once

// [Streams] A store that goes through the caches reads the line it writes to, so a gradient of n
// bytes takes 2 n of what memory can do. A streamed one does not. But CPUs store in order, and other
// stores wait behind those: a loop that streams must store whole lines and nothing else, and what it
// reads must not have been stored just before. Then rows of 128 to 50257 elements of light formulas
// are 1.2 to 1.5 times as fast (Zen 4, gradients above 30 MB); otherwise streams cost more than they
// save. Heavy formulas leave memory idle anyway.

#include <cstdint>

#include "kernels/abi.hpp"
#include "simd/vec.hpp"

namespace simdloss {

// Adjacent elements that are streamed to their place. What is left of a vector when advance() ends is
// made once more with what comes next, and the vector is put together from both.
template <class V>
class Stream {
  using T = typename V::Element;

 public:
  // Whether the gradient of these rows can be one: rows of all three arrays are adjacent.
  static SIMDLOSS_INLINE bool suits(const RowBlock& rows, const RowDerivatives& to) {
    const std::int64_t size = rows.n_cols * static_cast<std::int64_t>(sizeof(T));
    return to.streams && rows.t_stride == size && rows.p_stride == size && to.stride == size &&
           reinterpret_cast<std::uintptr_t>(to.gradient) % sizeof(T) == 0;
  }

  Stream(T* to, std::int64_t n) : to_(to), n_(n) {}

  // Elements up to `end`, a cache line at least but in the last call: at(i, left) are those from i on,
  // as a vector of which `left` or all lanes count. Once, that begins before the end of the call before.
  template <class At>
  SIMDLOSS_INLINE void advance(std::int64_t end, const At& at) {
    if (done_ == 0) {
      // Before the first whole cache line.
      const auto before =
          static_cast<std::int64_t>(-reinterpret_cast<std::uintptr_t>(to_) % 64 / sizeof(T));
      store(before < end ? before : end, at);
    } else if (held_ > 0 && done_ + V::kWidth <= end) {
      stream(select_first(part_, held_, at(done_, V::kWidth)));
    }
    stream_vectors(end, at);
    held_ = end - done_;
    if (end == n_) {
      store(end, at);
    } else if (held_ > 0) {
      part_ = at(done_, held_);
    }
  }
  bool is_finite() const { return all(zero_ == V(T(0))); }

 private:
  // [Made ahead] A load waits for an earlier store in flight whose address has the same last 12 bits,
  // and streamed stores are long in flight. Where a gradient lies up to three lines ahead of what it
  // is made from, counted in those bits, that is every load: so vectors are made before the stores of
  // those before them. 65536x128 float32 there, ns an element: cosine similarity 1.55 / 1.05, mean
  // squared error 1.05 / 0.78 (Ice Lake, 1 thread); elsewhere it costs up to 3 %.
  template <class At>
  SIMDLOSS_INLINE void stream_vectors(std::int64_t end, const At& at) {
    constexpr std::int64_t size = kMade * V::kWidth;
    if (done_ + size <= end) {
      V made[kMade];
      make(made, 0, at);
      while (done_ + 2 * size <= end) {
        V next[kMade];
        make(next, size, at);
        stream(made);
        for (int k = 0; k < kMade; ++k) made[k] = next[k];
      }
      stream(made);
    }
    if (done_ + 2 * V::kWidth <= end) {
      V made[2];
      make(made, 0, at);
      stream(made);
    }
    if (done_ + V::kWidth <= end) stream(at(done_, V::kWidth));
  }
  template <int n, class At>
  SIMDLOSS_INLINE void make(V (&made)[n], std::int64_t ahead, const At& at) const {
    for (int k = 0; k < n; ++k) made[k] = at(done_ + ahead + k * V::kWidth, V::kWidth);
  }
  template <int n>
  SIMDLOSS_INLINE void stream(const V (&made)[n]) {
    for (int k = 0; k < n; ++k) stream(made[k]);
  }
  SIMDLOSS_INLINE void stream(V x) {
    x.stream(to_ + done_);
    zero_ = zero_ + (x - x);
    done_ += V::kWidth;
  }
  template <class At>
  SIMDLOSS_INLINE void store(std::int64_t end, const At& at) {
    while (done_ < end) {
      const std::int64_t left = end - done_ < V::kWidth ? end - done_ : V::kWidth;
      const V x = at(done_, left);
      x.store_first(to_ + done_, left);
      zero_ = zero_ + keep_first(x - x, left);
      done_ += left;
    }
  }

  static constexpr int kMade = 4;  // vectors

  T* to_;
  std::int64_t n_;
  std::int64_t done_ = 0;
  std::int64_t held_ = 0;  // elements from done_ on that part_ has
  V part_{T(0)};
  V zero_{T(0)};
};

// KernelTable::end_streams
template <class Isa>
void end_streams() noexcept {
  if constexpr (Vec<float, Isa>::kStreams) Vec<float, Isa>::end_streams();
}

}  // namespace simdloss
