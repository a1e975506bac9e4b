// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace simdloss {

struct KernelTable;

/// The kernels of active_isa(): one atomic load once they are chosen. The first use chooses them,
/// and throws Error (kValue) if SIMDLOSS_ISA names something that cannot run here.
const KernelTable& active_table();

/// Outputs of that many bytes go past the caches. With the CPUs of Intel, where that was 20 to 25 %
/// faster (Ice Lake), 16 MiB, half of the last level of many; with others never: on Zen 4 it was 10 to
/// 50 % slower up to 512 MiB.
std::int64_t streamed_bytes() noexcept;

/// For tests; 0 brings back what the CPU wants.
void set_streamed_bytes(std::int64_t bytes) noexcept;

}  // namespace simdloss
