// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace simdloss {

struct KernelTable;

/// The kernels of active_isa(): one atomic load once they are chosen. The first use chooses them,
/// and throws Error (kValue) if SIMDLOSS_ISA names something that cannot run here.
const KernelTable& active_table();

/// Gradients of that many bytes go past the caches, if their kernels can do that: 16 MiB, half of the
/// last level of many CPUs, unless set.
std::int64_t streamed_bytes() noexcept;

/// For tests; 0 brings back the default.
void set_streamed_bytes(std::int64_t bytes) noexcept;

}  // namespace simdloss
