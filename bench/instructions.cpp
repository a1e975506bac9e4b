// SPDX-License-Identifier: Apache-2.0
// Some calls on one thread of the AVX2 kernels, each between two marks for Callgrind, which counts
// their instructions: see instructions.py.
#include <valgrind/callgrind.h>

#include <cstdio>
#include <string>

#include "workload.hpp"

namespace {

using namespace simdloss;
using bench::Result;
using bench::Shape;

struct Case {
  const char* loss;
  DType dtype;
  Shape shape;
  Result result;
};

// Rows of one, ten, some and many elements; light, prepared, softmax and double formulas; halves.
constexpr Case kCases[] = {
    {"mean_squared_error", DType::kFloat32, {64, 128}, Result::kMean},
    {"mean_squared_error", DType::kFloat32, {800, 10}, Result::kMean},
    {"mean_squared_error", DType::kFloat32, {800, 10}, Result::kGradient},
    {"mean_squared_error", DType::kFloat16, {64, 128}, Result::kMean},
    {"mean_squared_error", DType::kFloat64, {64, 128}, Result::kMean},
    {"huber", DType::kFloat32, {64, 128}, Result::kGradient},
    {"binary_crossentropy_from_logits", DType::kFloat32, {8000, 1}, Result::kMean},
    {"binary_crossentropy_from_logits", DType::kFloat32, {64, 128}, Result::kGradient},
    {"binary_focal_crossentropy", DType::kFloat32, {64, 128}, Result::kMean},
    {"kl_divergence", DType::kFloat32, {64, 128}, Result::kGradient},
    {"categorical_crossentropy_from_logits", DType::kFloat32, {64, 128}, Result::kGradient},
    {"sparse_categorical_crossentropy_from_logits", DType::kFloat32, {800, 10}, Result::kMean},
    {"sparse_categorical_crossentropy_from_logits", DType::kFloat32, {800, 10}, Result::kGradient},
    {"sparse_categorical_crossentropy_from_logits", DType::kFloat32, {8, 1000}, Result::kGradient},
    {"categorical_focal_crossentropy", DType::kFloat32, {64, 128}, Result::kMean},
    {"categorical_focal_crossentropy_from_logits", DType::kFloat32, {64, 128}, Result::kMean},
    {"cosine_similarity", DType::kFloat32, {64, 128}, Result::kMean},
    {"cosine_similarity", DType::kFloat32, {800, 10}, Result::kMean},
    {"dice", DType::kFloat32, {64, 128}, Result::kMean},
    {"mean_squared_error", DType::kFloat32, {1, 1}, Result::kMean},  // what a call costs
};

std::string name_of(const Case& c) {
  return std::string(c.loss) + " " + dtype_name(c.dtype) + " " + std::to_string(c.shape.rows) +
         "x" + std::to_string(c.shape.cols) + " " + bench::result_name(c.result);
}

}  // namespace

int main() {
  if (!RUNNING_ON_VALGRIND) {
    std::fprintf(stderr, "to be run by instructions.py\n");
    return 1;
  }
  force_isa("avx2");
  for (const Case& c : kCases) {
    const std::string name = name_of(c);
    bench::Workload workload(find(c.loss), c.dtype, c.shape, c.result);
    workload.set_threads(1);
    workload.run();  // what only the first call does
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    workload.run();
    CALLGRIND_DUMP_STATS_AT(name.c_str());
    CALLGRIND_STOP_INSTRUMENTATION;
  }
  return 0;
}
