// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "simd/vec.hpp"

namespace simdloss {

// KernelTable::stream. The bytes before the first address that a vector can be streamed to, and
// those after the last, are stored as usual.
template <class Isa>
void stream(const void* source, std::int64_t n_bytes, void* target) noexcept {
  using V = Vec<float, Isa>;
  const char* from = static_cast<const char*>(source);
  char* to = static_cast<char*>(target);
  if constexpr (V::kStreams) {
    constexpr std::int64_t size = sizeof(V);
    const std::int64_t head = static_cast<std::int64_t>(-reinterpret_cast<std::uintptr_t>(to) %
                                                        static_cast<std::uintptr_t>(size));
    if (n_bytes >= head + size) {
      __builtin_memcpy(to, from, static_cast<std::uintptr_t>(head));
      std::int64_t done = head;
      for (; done + size <= n_bytes; done += size) {
        V::load(reinterpret_cast<const float*>(from + done))
            .stream(reinterpret_cast<float*>(to + done));
      }
      V::end_streams();
      from += done;
      to += done;
      n_bytes -= done;
    }
  }
  if (n_bytes > 0) __builtin_memcpy(to, from, static_cast<std::uintptr_t>(n_bytes));
}

}  // namespace simdloss
