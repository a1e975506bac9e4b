// SPDX-License-Identifier: Apache-2.0
#include "simd/vec_scalar.hpp"

#include "kernels/table.hpp"

// See [One exported symbol per ISA].
namespace simdloss {

static constexpr KernelTable kTable = make_kernel_table<isa::Scalar>(Isa::kScalar);

const KernelTable& scalar_kernels() noexcept { return kTable; }

}  // namespace simdloss
