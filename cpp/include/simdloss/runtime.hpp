// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "simdloss/export.h"

namespace simdloss {

/// What the library runs on. Settings belong to the process; any thread may read or change them at
/// any time, and a call reads each once, at its start. All texts live as long as the program.

/// Instruction sets that the kernels exist for. kScalar, kAvx2, kAvx512 and kNeon give identical
/// bits; kBaseline (x86 without FMA) gives its own.
enum class Isa { kScalar, kBaseline, kAvx2, kAvx512, kNeon };

SIMDLOSS_API const char* isa_name(Isa isa);  ///< "scalar", "baseline", "avx2", "avx512", "neon"

/// What this build holds and this machine can run, best first.
SIMDLOSS_API std::vector<Isa> available_isas();

/// What the next call uses: the forced one, SIMDLOSS_ISA, or the best available. The first use of a
/// kernel chooses; it, and every later one, throws Error (kValue) while SIMDLOSS_ISA names what
/// cannot run here and nothing is forced.
SIMDLOSS_API Isa active_isa();

/// Makes every later call of the process use `name`; an empty name returns to the default. Throws
/// Error (kValue) if it cannot run here.
SIMDLOSS_API void force_isa(std::string_view name);

/// Why active_isa() is what it is: "detected", "forced" or "SIMDLOSS_ISA".
SIMDLOSS_API const char* isa_reason();

/// Threads that a large call uses: the number set, SIMDLOSS_NUM_THREADS, or the smallest of what
/// OpenMP allows, the CPUs of this process's affinity mask and its cgroup CPU quota rounded down.
SIMDLOSS_API int num_threads();

/// More are refused, because OpenMP runtimes end the process when they cannot start a thread.
inline constexpr int kMaxThreads = 1024;

/// Sets num_threads() for the process; 0 returns to the default. Throws Error (kValue) below 0 and
/// above kMaxThreads.
SIMDLOSS_API void set_num_threads(int n);

/// Where num_threads() comes from: "set", "SIMDLOSS_NUM_THREADS", "openmp", "affinity", "cgroup",
/// "no openmp" or "forked".
SIMDLOSS_API const char* num_threads_reason();

/// Threads that the calling thread's last evaluation ran on; 0 before its first one.
SIMDLOSS_API int last_num_threads();

/// The file of the OpenMP runtime that runs the threads, of which a process may hold several. Empty
/// without OpenMP, and where the runtime is part of the program.
SIMDLOSS_API std::string openmp_library();

/// Version, compiler and flags of this build, for bug reports.
struct BuildInfo {
  const char* version;
  const char* compiler;
  const char* flags;
  const char* openmp;  ///< "4.5 (201511)" or "off"
};
SIMDLOSS_API BuildInfo build_info();

}  // namespace simdloss
