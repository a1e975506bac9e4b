// SPDX-License-Identifier: Apache-2.0
// Every loss of the catalogue x instruction set x dtype x shape, as a mean and as per-sample
// losses. Names read loss/isa/dtype/rows x cols/result, so --benchmark_filter selects by any part.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "simdloss/simdloss.hpp"

namespace {

using namespace simdloss;

struct Shape {
  std::int64_t rows, cols;
  std::int64_t size() const { return rows * cols; }
};
// One sample; what a batch of binary or ten-class outputs is; a wide layer; larger than the caches.
constexpr Shape kShapes[] = {{1, 16}, {4096, 1}, {4096, 10}, {256, 1000}, {65536, 128}};

// Numbers in (0, 1), which every loss takes as targets and as predictions.
template <class T>
std::vector<T> numbers(std::int64_t n, std::uint32_t seed) {
  std::vector<T> values(static_cast<std::size_t>(n));
  for (T& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = (static_cast<T>(seed >> 9) + T(0.5)) / T(1 << 23);
  }
  return values;
}

template <class T>
void run(benchmark::State& state, const LossInfo& info, Isa isa, Shape shape, Reduction reduction) {
  constexpr DType kDType = sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64;
  const std::vector<T> t = numbers<T>(shape.size(), 1);
  const std::vector<T> p = numbers<T>(shape.size(), 2);
  std::vector<T> result(static_cast<std::size_t>(reduction == Reduction::kNone ? shape.rows : 1));
  const std::int64_t extents[] = {shape.rows, shape.cols};

  std::vector<double> params;
  for (int i = 0; i < info.n_params; ++i) params.push_back(info.params[i].default_value);
  const BoundLoss loss = bind_loss(info, params);
  Operands operands;
  operands.y_true = {t.data(), kDType, 2, extents, nullptr};
  operands.y_pred = {p.data(), kDType, 2, extents, nullptr};
  Request request;
  request.reduction = reduction;
  const MutableArrayView out{result.data(), kDType, reduction == Reduction::kNone ? 1 : 0, extents,
                             nullptr};
  force_isa(isa_name(isa));
  for (auto _ : state) {
    evaluate(loss, operands, request, out);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * shape.size());
  state.SetBytesProcessed(state.iterations() * shape.size() * 2 * static_cast<int>(sizeof(T)));
  state.counters["threads"] = last_num_threads();
}

template <class T>
void add(const LossInfo& info, Isa isa, const char* dtype) {
  for (const Shape& shape : kShapes)
    for (Reduction reduction : {Reduction::kMean, Reduction::kNone}) {
      const std::string name = std::string(info.name) + "/" + isa_name(isa) + "/" + dtype + "/" +
                               std::to_string(shape.rows) + "x" + std::to_string(shape.cols) +
                               (reduction == Reduction::kMean ? "/mean" : "/samples");
      benchmark::RegisterBenchmark(name.c_str(), [&info, isa, shape,
                                                  reduction](benchmark::State& state) {
        run<T>(state, info, isa, shape, reduction);
      })->UseRealTime();
    }
}

}  // namespace

int main(int argc, char** argv) {
  for (const LossInfo& info : catalog())
    for (Isa isa : available_isas()) {
      add<float>(info, isa, "float32");
      add<double>(info, isa, "float64");
    }
  benchmark::AddCustomContext("simdloss", build_info().version);
  benchmark::AddCustomContext("flags", build_info().flags);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
