// SPDX-License-Identifier: Apache-2.0
#include "cpu.hpp"

#include <atomic>
#include <cstdlib>
#include <string>

#include "kernels/abi.hpp"
#include "simdloss/error.hpp"
#include "simdloss/runtime.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace simdloss {
namespace {

bool always() { return true; }

#if defined(__x86_64__)

struct CpuidLeaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

CpuidLeaf cpuid(unsigned leaf, unsigned subleaf) {
  CpuidLeaf r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);  // zeros if there is no leaf
  return r;
}

constexpr bool has_all(unsigned word, unsigned bits) { return (word & bits) == bits; }

// Register state that the operating system saves and restores (XCR0); 0 without XSAVE.
unsigned saved_state() {
  if (!has_all(cpuid(1, 0).ecx, bit_OSXSAVE)) return 0;
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

// x86-64-v3, which is what the AVX2 object is compiled for.
[[maybe_unused]] bool runs_avx2() {
  constexpr unsigned kXmmYmm = 0x06;
  constexpr unsigned kLeaf1 = bit_SSE3 | bit_SSSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT |
                              bit_MOVBE | bit_AVX | bit_FMA | bit_F16C;
  return has_all(cpuid(1, 0).ecx, kLeaf1) &&
         has_all(cpuid(7, 0).ebx, bit_AVX2 | bit_BMI | bit_BMI2) &&
         has_all(cpuid(0x80000001u, 0).ecx, bit_LZCNT) && has_all(saved_state(), kXmmYmm);
}

// x86-64-v4, which is what the AVX-512 object is compiled for, and VBMI: it came with Ice Lake and
// Zen 4, whose clock does not fall noticeably for 512-bit work as that of earlier CPUs does.
[[maybe_unused]] bool runs_avx512() {
  constexpr unsigned kOpmaskZmm = 0xe0;
  return runs_avx2() &&
         has_all(cpuid(7, 0).ebx,
                 bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL) &&
         has_all(cpuid(7, 0).ecx, bit_AVX512VBMI) && has_all(saved_state(), kOpmaskZmm);
}

#endif

struct Candidate {
  Isa isa;
  const KernelTable& (*kernels)() noexcept;  // not to be called unless runs()
  bool (*runs)();
};

// Best first. Emulated FMA makes `scalar` far slower than `baseline` on the x86 CPUs without it,
// and elsewhere both stand behind a vector set, so the first that runs is the default.
constexpr Candidate kCandidates[] = {
#if defined(SIMDLOSS_HAVE_AVX512)
    {Isa::kAvx512, avx512_kernels, runs_avx512},
#endif
#if defined(SIMDLOSS_HAVE_AVX2)
    {Isa::kAvx2, avx2_kernels, runs_avx2},
#endif
#if defined(SIMDLOSS_HAVE_NEON)
    {Isa::kNeon, neon_kernels, always},
#endif
#if defined(SIMDLOSS_HAVE_BASELINE)
    {Isa::kBaseline, baseline_kernels, always},
#endif
    {Isa::kScalar, scalar_kernels, always},
};

constexpr const char* kDetected = "detected";
constexpr const char* kForced = "forced";
constexpr const char* kEnvironment = "SIMDLOSS_ISA";

std::atomic<std::int64_t> g_streamed_bytes{0};

// The choice. Null until the first use.
std::atomic<const KernelTable*> g_table{nullptr};
std::atomic<const char*> g_reason{kDetected};

const Candidate& find_candidate(std::string_view name, const char* argument) {
  for (const Candidate& candidate : kCandidates)
    if (name == isa_name(candidate.isa) && candidate.runs()) return candidate;
  std::string possible;
  for (Isa isa : available_isas())
    possible += (possible.empty() ? "'" : ", '") + std::string(isa_name(isa)) + "'";
  throw Error(ErrorCode::kValue, argument,
              std::string(argument) + " must be one of " + possible + " on this machine, got '" +
                  std::string(name) + "'");
}

struct Choice {
  const KernelTable* table;
  const char* reason;
};

Choice default_choice() {
  const char* name = std::getenv(kEnvironment);
  if (name != nullptr && *name != '\0')
    return {&find_candidate(name, kEnvironment).kernels(), kEnvironment};
  for (const Candidate& candidate : kCandidates)
    if (candidate.runs()) return {&candidate.kernels(), kDetected};
  return {&scalar_kernels(), kDetected};
}

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return "baseline";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kNeon:
      return "neon";
    default:
      return "scalar";
  }
}

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  for (const Candidate& candidate : kCandidates)
    if (candidate.runs()) isas.push_back(candidate.isa);
  return isas;
}

const KernelTable& active_table() {
  const KernelTable* table = g_table.load(std::memory_order_acquire);
  if (table == nullptr) {
    const Choice choice = default_choice();
    // Another thread may have chosen, or forced, in the meantime: its choice stands.
    if (g_table.compare_exchange_strong(table, choice.table)) {
      g_reason = choice.reason;
      table = choice.table;
    }
  }
  return *table;
}

Isa active_isa() { return active_table().isa; }

void force_isa(std::string_view name) {
  const Choice choice =
      name.empty() ? default_choice() : Choice{&find_candidate(name, "isa").kernels(), kForced};
  g_reason = choice.reason;
  g_table.store(choice.table, std::memory_order_release);
}

const char* isa_reason() {
  active_table();
  return g_reason;
}

std::int64_t streamed_bytes() noexcept {
  const std::int64_t set = g_streamed_bytes.load(std::memory_order_relaxed);
  return set != 0 ? set : std::int64_t{1} << 24;
}

void set_streamed_bytes(std::int64_t bytes) noexcept { g_streamed_bytes.store(bytes); }

}  // namespace simdloss
