// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "losses/binary_focal.hpp"
#include "losses/categorical.hpp"
#include "losses/categorical_focal.hpp"
#include "losses/classification.hpp"
#include "losses/hinge.hpp"
#include "losses/regression.hpp"
#include "losses/segmentation.hpp"
#include "losses/sequence.hpp"
#include "losses/similarity.hpp"

namespace simdloss {

template <class... Losses>
struct LossList {
  static constexpr int size = sizeof...(Losses);
};

// The catalogue. The order is that of LossInfo::index.
using AllLosses =
    LossList<MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError,
             MeanSquaredLogarithmicError, Huber, LogCosh, Poisson, BinaryCrossentropy,
             BinaryCrossentropyFromLogits, BinaryFocalCrossentropy,
             BinaryFocalCrossentropyFromLogits, KlDivergence, Hinge, SquaredHinge, CategoricalHinge,
             CategoricalCrossentropy, CategoricalCrossentropyFromLogits,
             CategoricalFocalCrossentropy, CategoricalFocalCrossentropyFromLogits,
             SparseCategoricalCrossentropy, SparseCategoricalCrossentropyFromLogits,
             CategoricalGeneralizedCrossEntropy, Dice, Tversky, CosineSimilarity, Circle, Ctc>;

}  // namespace simdloss
