// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace simdloss {

struct KernelTable;

/// The kernels of active_isa(): one atomic load once they are chosen. The first use chooses them,
/// and throws Error (kValue) if SIMDLOSS_ISA names something that cannot run here.
const KernelTable& active_table();

}  // namespace simdloss
