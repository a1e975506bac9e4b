// SPDX-License-Identifier: Apache-2.0
#pragma once

// All losses on one instruction set, as the KernelTable that the object of that ISA exports.

#include "kernels/checks.hpp"
#include "kernels/columns.hpp"
#include "kernels/convert.hpp"
#include "kernels/pointwise.hpp"
#include "kernels/rowwise.hpp"
#include "kernels/sample_sum.hpp"
#include "kernels/special.hpp"
#include "kernels/stream.hpp"
#include "losses/all.hpp"

namespace simdloss {

template <class Loss, class T, class Isa>
constexpr LossKernels kernels_of() {
  if constexpr (Loss::kind == LossKind::kRowwise) {
    return RowKernel<Loss, T, Isa>::kernels;
  } else if constexpr (Loss::kind == LossKind::kPointwise) {
    return PointwiseKernel<Loss, T, Isa>::kernels;
  } else {
    return {};
  }
}

template <class T, class Isa, class List>
struct KernelsOf;

template <class T, class Isa, class... Losses>
struct KernelsOf<T, Isa, LossList<Losses...>> {
  static constexpr LossKernels losses[] = {kernels_of<Losses, T, Isa>()...};
};

template <class T, class Isa>
inline constexpr TypeKernels kTypeKernels = {
    KernelsOf<T, Isa, AllLosses>::losses,
    &all_finite<T, Isa>,
    &all_binary<T, Isa>,
    &add_samples<T, Isa>,
    Loaders<T, Isa>::table,
    Storers<T, Isa>::table,
    &Columns<T, Isa>::gather,
    &Columns<T, Isa>::scatter,
};

template <class Tag>
inline constexpr KernelTable make_kernel_table(Isa isa) {
  return {isa, kTypeKernels<float, Tag>, kTypeKernels<double, Tag>, kSpecialKernels<Tag>,
          &end_streams<Tag>};
}

}  // namespace simdloss
