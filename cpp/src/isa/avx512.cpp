// SPDX-License-Identifier: Apache-2.0
#include "simd/vec_avx512.hpp"

#include "kernels/table.hpp"

// See [One exported symbol per ISA].
namespace simdloss {

static constexpr KernelTable kTable = make_kernel_table<isa::Avx512>(Isa::kAvx512);

const KernelTable& avx512_kernels() noexcept { return kTable; }

}  // namespace simdloss
