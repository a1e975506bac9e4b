// SPDX-License-Identifier: Apache-2.0
#include "simd/vec_avx2.hpp"

#include "kernels/table.hpp"

// See [One exported symbol per ISA].
namespace simdloss {

static constexpr KernelTable kTable = make_kernel_table<isa::Avx2>(Isa::kAvx2);

const KernelTable& avx2_kernels() noexcept { return kTable; }

}  // namespace simdloss
