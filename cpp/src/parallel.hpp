// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace simdloss {

/// Cuts [0, n_units) into at most `threads` contiguous ranges and calls body(context, begin, end,
/// thread) once for each that is not empty, `thread` counting from 0 without gaps. OpenMP may start
/// fewer threads than asked for. Returns the number of those that really ran, which
/// last_num_threads() then reports too. What body throws, or one of what it throws in several
/// ranges, is thrown again once all have ended.
///
/// Serial, with one call of body on the calling thread, if threads <= 1, if the caller is already
/// inside a parallel region, in a forked child and without OpenMP.
int parallel_for(int threads, std::int64_t n_units,
                 void (*body)(void* context, std::int64_t unit_begin, std::int64_t unit_end,
                              int thread),
                 void* context);

/// The number of threads that set_num_threads() or the environment ask for; 0 if neither does.
int requested_threads();

/// Makes last_num_threads() of the calling thread `n`: for work done without parallel_for().
void set_last_num_threads(int n) noexcept;

/// "4.5 (201511)", or "off" in a build without OpenMP.
const char* openmp_version() noexcept;

}  // namespace simdloss
