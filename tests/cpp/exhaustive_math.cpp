// SPDX-License-Identifier: Apache-2.0

// Runs all 2^32 floats through every one-argument function of simd/math.hpp and prints the largest
// errors as a Markdown table. Arguments: names of instruction sets (default: the best one here) and
// of functions (default: all).

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "math_isas.hpp"
#include "math_oracle.hpp"

namespace simdloss::test {
namespace {

constexpr int kCount = MathFunctions<float>::kCount;
constexpr std::int64_t kBlock = 4096;
constexpr std::int64_t kBlocks = (std::int64_t{1} << 32) / kBlock;

struct Worst {
  double ulp = 0;
  float x = 0;
  std::int64_t n = 0;

  void add(float got, double exact, float input) {
    ++n;
    // An ULP is at least 2^-24 of the number: most results need no closer look.
    if (std::fabs(got - exact) <= ulp * 0x1p-24 * std::fabs(exact)) return;
    const double error = ulp_error<float>(got, exact);
    if (error > ulp) {
      ulp = error;
      x = input;
    }
  }
  void add(const Worst& other) {
    n += other.n;
    if (other.ulp <= ulp) return;
    ulp = other.ulp;
    x = other.x;
  }
};
using WorstOfIsas = std::vector<std::vector<Worst>>;  // [isa][function]

// Every `step`-th block of inputs from block `first` on.
WorstOfIsas sweep(const std::vector<MathOfIsa>& isas, const std::vector<int>& functions,
                  std::int64_t first, std::int64_t step) {
  WorstOfIsas worst(isas.size(), std::vector<Worst>(kCount));
  std::vector<float> x(kBlock), results(kBlock);
  std::vector<double> exact(kBlock);
  for (std::int64_t block = first; block < kBlocks; block += step) {
    for (std::int64_t i = 0; i < kBlock; ++i) {
      const auto word = static_cast<std::uint32_t>(block * kBlock + i);
      std::memcpy(&x[static_cast<std::size_t>(i)], &word, sizeof word);
    }
    double (*computed)(double) = nullptr;
    for (const int f : functions) {
      const Expectation<float>& expected = expectations<float>()[f];
      if (expected.value != computed) {
        std::transform(x.begin(), x.end(), exact.begin(), expected.value);
        computed = expected.value;
      }
      for (std::size_t k = 0; k < isas.size(); ++k) {
        isas[k].functions.for_float.unary[f].run(x.data(), kBlock, results.data());
        Worst& w = worst[k][static_cast<std::size_t>(f)];
        for (std::size_t i = 0; i < x.size(); ++i) {
          if (expected.in_domain(x[i])) w.add(results[i], exact[i], x[i]);
        }
      }
    }
  }
  return worst;
}

// Whether an argument is `name`; takes it from those that are left.
bool take(std::vector<std::string>& arguments, const char* name) {
  const auto found = std::find(arguments.begin(), arguments.end(), name);
  if (found == arguments.end()) return false;
  arguments.erase(found);
  return true;
}

std::vector<MathOfIsa> take_isas(std::vector<std::string>& arguments) {
  std::vector<MathOfIsa> chosen;
  std::vector<MathOfIsa> best;
  for (const MathOfIsa& isa : math_isas()) {
    if (take(arguments, isa_name(isa.isa))) chosen.push_back(isa);
    if (isa.isa == available_isas().front()) best.push_back(isa);
  }
  return chosen.empty() ? best : chosen;
}

std::vector<int> take_functions(std::vector<std::string>& arguments) {
  std::vector<int> chosen;
  std::vector<int> all;
  for (int f = 0; f < kCount; ++f) {
    if (take(arguments, expectations<float>()[f].name)) chosen.push_back(f);
    all.push_back(f);
  }
  return chosen.empty() ? all : chosen;
}

int run(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::vector<MathOfIsa> isas = take_isas(arguments);
  const std::vector<int> functions = take_functions(arguments);
  if (!arguments.empty()) {
    std::fprintf(stderr, "no such instruction set or function here: %s\n", arguments[0].c_str());
    return 2;
  }
  const unsigned n_threads = std::max(1U, std::thread::hardware_concurrency());
  std::vector<WorstOfIsas> parts(n_threads);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < n_threads; ++i) {
    threads.emplace_back([&, i] { parts[i] = sweep(isas, functions, i, n_threads); });
  }
  for (std::thread& thread : threads) thread.join();

  bool within_bounds = true;
  std::printf(
      "| instruction set | function | inputs in its domain | max error, ULP | at | stated |\n");
  std::printf("|---|---|---|---|---|---|\n");
  for (std::size_t k = 0; k < isas.size(); ++k) {
    for (const int function : functions) {
      const auto f = static_cast<std::size_t>(function);
      Worst worst;
      for (const WorstOfIsas& part : parts) worst.add(part[k][f]);
      const Expectation<float>& expected = expectations<float>()[f];
      const double stated =
          isas[k].isa == Isa::kBaseline ? expected.max_ulp_baseline : expected.max_ulp;
      within_bounds = within_bounds && worst.ulp <= stated;
      std::printf("| %s | %s | %lld | %.4f | %.9g | %.2f |\n", isa_name(isas[k].isa), expected.name,
                  static_cast<long long>(worst.n), worst.ulp, static_cast<double>(worst.x), stated);
    }
  }
  return within_bounds ? 0 : 1;
}

}  // namespace
}  // namespace simdloss::test

int main(int argc, char** argv) { return simdloss::test::run(argc, argv); }
