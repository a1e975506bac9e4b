// SPDX-License-Identifier: Apache-2.0
// Every loss of rows x instruction set x dtype x shape, as a mean, as per-sample losses and with its
// gradient. Names read loss/isa/dtype/rows x cols/result, so --benchmark_filter selects by any part.
//
// Beside times there are bytes per second, those as a part of what one thread reads from memory (in
// percent; more than 100 from caches), and elements per cycle of the nominal clock.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "workload.hpp"

namespace {

using namespace simdloss;
using bench::Result;
using bench::Shape;

// One sample; what a batch of binary or ten-class outputs is; a wide layer; larger than the caches.
constexpr Shape kShapes[] = {{1, 16}, {4096, 1}, {4096, 10}, {256, 1000}, {65536, 128}};
constexpr DType kTypes[] = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16};

// Bytes per second that one thread reads from memory: the best of some passes.
double read_bandwidth() {
  const std::vector<std::uint64_t> words(std::size_t{1} << 25, 1);
  double best = 0;
  for (int pass = 0; pass < 9; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    std::uint64_t sums[8] = {};
    for (std::size_t i = 0; i < words.size(); i += 8) {
      for (std::size_t k = 0; k < 8; ++k) sums[k] += words[i + k];
    }
    benchmark::DoNotOptimize(sums);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(words.size() * sizeof(std::uint64_t)) / time.count());
  }
  return best;
}

void run(benchmark::State& state, const LossInfo& info, Isa isa, DType dtype, Shape shape,
         Result result) {
  static const double bandwidth = read_bandwidth();
  bench::Workload workload(info, dtype, shape, result);
  force_isa(isa_name(isa));
  for (auto _ : state) {
    workload.run();
    benchmark::ClobberMemory();
  }
  const auto runs = static_cast<double>(state.iterations());
  const double bytes = runs * static_cast<double>(workload.bytes());
  const double cycles = benchmark::CPUInfo::Get().cycles_per_second;
  using benchmark::Counter;
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["%_of_read"] = Counter(100 * bytes / bandwidth, Counter::kIsRate);
  state.counters["elements/cycle"] =
      Counter(runs * static_cast<double>(shape.size()) / cycles, Counter::kIsRate);
  state.counters["threads"] = last_num_threads();
}

void add(const LossInfo& info, Isa isa, DType dtype) {
  for (const Shape& shape : kShapes)
    for (Result result : {Result::kMean, Result::kSamples, Result::kGradient}) {
      const std::string name = std::string(info.name) + "/" + isa_name(isa) + "/" +
                               dtype_name(dtype) + "/" + std::to_string(shape.rows) + "x" +
                               std::to_string(shape.cols) + "/" + bench::result_name(result);
      benchmark::RegisterBenchmark(name.c_str(), [&info, isa, dtype, shape,
                                                  result](benchmark::State& state) {
        run(state, info, isa, dtype, shape, result);
      })->UseRealTime();
    }
}

}  // namespace

int main(int argc, char** argv) {
  for (const LossInfo& info : catalog()) {
    if (!bench::is_workload(info)) continue;
    for (Isa isa : available_isas())
      for (DType dtype : kTypes) add(info, isa, dtype);
  }
  benchmark::AddCustomContext("simdloss", build_info().version);
  benchmark::AddCustomContext("flags", build_info().flags);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
