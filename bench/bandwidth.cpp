// SPDX-License-Identifier: Apache-2.0
// How close losses come to the read bandwidth of the machine: a scalar mean over arrays that do not
// fit the caches, against loops that only read the same arrays. Everything is measured in turns, so
// that a disturbance meets all alike, and the medians are printed.
//
//   bandwidth [loss ...]       (default: mean_squared_error binary_crossentropy_from_logits)
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "parallel.hpp"
#include "simdloss/simdloss.hpp"

namespace {

using namespace simdloss;

constexpr std::int64_t kShape[] = {65536, 128};
constexpr std::int64_t kSize = kShape[0] * kShape[1];
constexpr int kRounds = 31;

struct alignas(64) Line {
  char bytes[64];
};
constexpr std::int64_t kLines = kSize * static_cast<std::int64_t>(sizeof(float)) / 64;

struct Arrays {
  const Line* t;
  const Line* p;
};

// Loads of one line into registers that nobody reads.
struct LoadWords {
  static void load(const Line* line) {
    for (int i = 0; i < 64; i += 8) {
      std::uint64_t word;
      std::memcpy(&word, line->bytes + i, sizeof word);
      asm volatile("" ::"r"(word));
    }
  }
};
#if defined(__x86_64__)
struct LoadAvx2 {
  static void load(const Line* line) {
    struct Half {
      char bytes[32];
    };
    const auto* halves = reinterpret_cast<const Half*>(line);
    asm volatile("vmovdqa %0, %%ymm0" ::"m"(halves[0]) : "xmm0");
    asm volatile("vmovdqa %0, %%ymm0" ::"m"(halves[1]) : "xmm0");
  }
};
struct LoadAvx512 {
  static void load(const Line* line) { asm volatile("vmovdqa64 %0, %%zmm0" ::"m"(*line) : "xmm0"); }
};
#endif

// Reads lines [begin, end) of both arrays, with a prefetch 2 KiB ahead or not.
template <class Load, bool kPrefetch>
void read(void* context, std::int64_t begin, std::int64_t end, int /*thread*/) {
  const Arrays arrays = *static_cast<const Arrays*>(context);
  for (std::int64_t i = begin; i < end; ++i) {
    if (kPrefetch) {
      __builtin_prefetch(arrays.t + i + 32);
      __builtin_prefetch(arrays.p + i + 32);
    }
    Load::load(arrays.t + i);
    Load::load(arrays.p + i);
  }
}

using Reader = void (*)(void* context, std::int64_t begin, std::int64_t end, int thread);

std::vector<Reader> readers() {
  std::vector<Reader> found{read<LoadWords, false>, read<LoadWords, true>};
#if defined(__x86_64__)
  for (Isa isa : available_isas()) {
    if (isa == Isa::kAvx2) found.insert(found.end(), {read<LoadAvx2, false>, read<LoadAvx2, true>});
    if (isa == Isa::kAvx512)
      found.insert(found.end(), {read<LoadAvx512, false>, read<LoadAvx512, true>});
  }
#endif
  return found;
}

template <class Call>
double seconds(Call&& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

// A subject: what is timed, on a number of threads, and the times.
struct Subject {
  std::string name;
  Isa isa;
  std::optional<BoundLoss> loss;
  Reader reader;  // instead of a loss
  int threads;
  std::vector<double> times;
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> names(argv + 1, argv + argc);
  if (names.empty()) names = {"mean_squared_error", "binary_crossentropy_from_logits"};

  std::vector<Line> t_memory(kLines), p_memory(kLines);
  auto* t = reinterpret_cast<float*>(t_memory.data());
  auto* p = reinterpret_cast<float*>(p_memory.data());
  std::uint32_t random = 1;
  for (std::int64_t i = 0; i < kSize; ++i) {
    random = random * 1664525u + 1013904223u;
    t[i] = static_cast<float>(random >> 31);
    p[i] = static_cast<float>(random >> 8 & 0xffff) / 0x1p13F - 4;
  }
  Arrays arrays{t_memory.data(), p_memory.data()};
  Operands operands;
  operands.y_true = {t, DType::kFloat32, 2, kShape, nullptr};
  operands.y_pred = {p, DType::kFloat32, 2, kShape, nullptr};
  float result = 0;
  const MutableArrayView out{&result, DType::kFloat32, 0, nullptr, nullptr};

  std::vector<Subject> subjects;
  for (int threads : {1, 2}) {
    for (Reader reader : readers())
      subjects.push_back({"read", Isa::kScalar, {}, reader, threads, {}});
    for (Isa isa : available_isas()) {
      if (isa == Isa::kScalar || isa == Isa::kBaseline) continue;
      for (const std::string& name : names) {
        const LossInfo& info = find(name);
        std::vector<double> params;
        for (int i = 0; i < info.n_params; ++i) params.push_back(info.params[i].default_value);
        subjects.push_back({name, isa, bind_loss(info, params), nullptr, threads, {}});
      }
    }
  }

  for (int round = 0; round < kRounds + 1; ++round)
    for (Subject& subject : subjects) {
      Request request;
      request.threads = subject.threads;
      if (subject.reader == nullptr) force_isa(isa_name(subject.isa));
      const double time = seconds([&] {
        if (subject.reader != nullptr) {
          parallel_for(subject.threads, kLines, subject.reader, &arrays);
        } else {
          evaluate(*subject.loss, operands, request, out);
        }
      });
      if (last_num_threads() != subject.threads) {
        std::fprintf(stderr, "%d threads ran, not %d\n", last_num_threads(), subject.threads);
        return 1;
      }
      if (round > 0) subject.times.push_back(time);  // the first warms up
    }

  constexpr double kGigabytes = 2 * kSize * sizeof(float) * 1e-9;
  std::printf("simdloss %s, %lld x %lld float32, median of %d\n", build_info().version,
              static_cast<long long>(kShape[0]), static_cast<long long>(kShape[1]), kRounds);
  std::printf("%-36s %-7s %7s %8s %14s\n", "", "isa", "threads", "GB/s", "% of read");
  for (int threads : {1, 2}) {
    double read = 0;  // the best reader
    for (const Subject& subject : subjects)
      if (subject.threads == threads && subject.reader != nullptr)
        read = std::max(read, kGigabytes / median(subject.times));
    std::printf("%-36s %-7s %7d %8.2f\n", "read", "", threads, read);
    for (const Subject& subject : subjects) {
      if (subject.threads != threads || subject.reader != nullptr) continue;
      const double speed = kGigabytes / median(subject.times);
      std::printf("%-36s %-7s %7d %8.2f %14.1f\n", subject.name.c_str(), isa_name(subject.isa),
                  threads, speed, 100 * speed / read);
    }
  }
  return 0;
}
