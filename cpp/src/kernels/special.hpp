// SPDX-License-Identifier: Apache-2.0
#pragma once

// The kernels of losses that are no reduction over a row.

#include "kernels/abi.hpp"
#include "kernels/alignments.hpp"
#include "kernels/pairs.hpp"

namespace simdloss {

template <class Isa>
inline constexpr SpecialKernels kSpecialKernels = {
    &AlignmentKernels<Isa>::maximum,       &AlignmentKernels<Isa>::add_exps,
    &AlignmentKernels<Isa>::collect,       &AlignmentKernels<Isa>::log1p_all,
    &AlignmentKernels<Isa>::advance,       &AlignmentKernels<Isa>::normalize,
    &AlignmentKernels<Isa>::advance_pairs, &AlignmentKernels<Isa>::retreat,
    &AlignmentKernels<Isa>::sum,           &AlignmentKernels<Isa>::exp_pairs,
    &AlignmentKernels<Isa>::divide_pairs,  &PairKernels<Isa>::add_pairs,
    &PairKernels<Isa>::finish_pairs,       &PairKernels<Isa>::differentiate_pairs,
    &PairKernels<Isa>::add_references,
};

}  // namespace simdloss
