// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Keras losses of plain arrays; all public headers.
///
///   catalog.hpp   the losses, with their formulas: find("huber")
///   evaluate.hpp  a loss with its parameters, bind_loss(); the loss of arrays, evaluate();
///                 the mergeable sums of pieces of a batch, partial_sums() (reduction.hpp)
///   gradient.hpp  its derivatives by the predictions: gradient(), value_and_gradient(), vjp()
///   runtime.hpp   instruction set and threads
///
/// Arrays are views of the caller's memory (array_view.hpp), failures exceptions (error.hpp):
///
///   const float y_true[] = {0, 1, 2, 3}, y_pred[] = {0, 2, 4, 7};
///   const std::int64_t shape[] = {2, 2};
///   simdloss::Operands operands;
///   operands.y_true = {y_true, simdloss::DType::kFloat32, 2, shape};
///   operands.y_pred = {y_pred, simdloss::DType::kFloat32, 2, shape};
///   const simdloss::BoundLoss loss = simdloss::bind_loss(simdloss::find("huber"), {1.0});
///   float mean = 0;
///   simdloss::evaluate(loss, operands, {}, {&mean, simdloss::DType::kFloat32, 0, nullptr});
///
/// docs/embedding.md is the guide.

#include "simdloss/array_view.hpp"
#include "simdloss/catalog.hpp"
#include "simdloss/error.hpp"
#include "simdloss/evaluate.hpp"
#include "simdloss/exact_sum.hpp"
#include "simdloss/gradient.hpp"
#include "simdloss/reduction.hpp"
#include "simdloss/runtime.hpp"
