// SPDX-License-Identifier: Apache-2.0
#include "simd/vec_neon.hpp"

#include "kernels/table.hpp"

// See [One exported symbol per ISA].
namespace simdloss {

static constexpr KernelTable kTable = make_kernel_table<isa::Neon>(Isa::kNeon);

const KernelTable& neon_kernels() noexcept { return kTable; }

}  // namespace simdloss
