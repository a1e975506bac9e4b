// SPDX-License-Identifier: Apache-2.0
// Evaluates one loss through the public headers, in C++17.
#include <cstdint>
#include <cstdio>

#include "simdloss/simdloss.hpp"

int main() {
  const float y_true[] = {0, 1, 2, 3};
  const float y_pred[] = {0, 2, 4, 7};
  const std::int64_t shape[] = {2, 2};
  float result = 0;

  simdloss::Operands operands;
  operands.y_true = {y_true, simdloss::DType::kFloat32, 2, shape};
  operands.y_pred = {y_pred, simdloss::DType::kFloat32, 2, shape};
  const simdloss::BoundLoss loss = simdloss::bind_loss(simdloss::find("mean_squared_error"), {});
  simdloss::evaluate(loss, operands, {}, {&result, simdloss::DType::kFloat32, 0, nullptr});

  std::printf("simdloss %s, %s: mean squared error %g\n", simdloss::build_info().version,
              simdloss::isa_name(simdloss::active_isa()), static_cast<double>(result));
  return result == 5.25F ? 0 : 1;
}
