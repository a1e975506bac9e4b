// SPDX-License-Identifier: Apache-2.0
#include "parallel.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>

#include "cgroup.hpp"
#include "loaded.hpp"
#include "simdloss/error.hpp"
#include "simdloss/runtime.hpp"

#if !defined(_WIN32)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define SIMDLOSS_NO_TSAN __attribute__((no_sanitize("thread")))
#else
#define SIMDLOSS_NO_TSAN
#endif

namespace simdloss {
namespace {

[[maybe_unused]] constexpr const char* kEnvironment = "SIMDLOSS_NUM_THREADS";
constexpr int kUnread = -1;

std::atomic<int> g_set_threads{0};                // by set_num_threads(); 0: not set
std::atomic<int> g_environment_threads{kUnread};  // by the environment; 0: not set
std::atomic<bool> g_forked{false};
thread_local int t_last_num_threads = 0;

#if defined(_OPENMP)
LoadedObject openmp_object() { return object_of(reinterpret_cast<void*>(&omp_get_max_threads)); }
#endif

#if !defined(_WIN32)

// [Fork] A child has none of its parent's worker threads, but libgomp does not know: the next
// parallel region would wait for them for ever. Regions of other libraries in the process count
// too, so every forked child is serial, whatever ran before.
void mark_forked() { g_forked.store(true, std::memory_order_relaxed); }

// A child may also be forked before it loads this library. If it then finds the runtime loaded
// already, another library may have started threads before the fork.
bool may_have_lost_threads() {
#if defined(_OPENMP)
  return is_forked_without_exec("") &&
         openmp_object().position < object_of(reinterpret_cast<void*>(&mark_forked)).position;
#else
  return false;
#endif
}

[[maybe_unused]] const int g_fork_handler = [] {
  if (may_have_lost_threads()) mark_forked();
  return pthread_atfork(nullptr, nullptr, &mark_forked);
}();

#endif

struct ThreadCount {
  int n;
  const char* reason;
};

#if defined(_OPENMP)

int environment_threads() {
  int n = g_environment_threads.load(std::memory_order_relaxed);
  if (n != kUnread) return n;
  n = 0;
  if (const char* text = std::getenv(kEnvironment); text != nullptr && *text != '\0') {
    char* end = nullptr;
    errno = 0;
    const long value = std::strtol(text, &end, 10);
    if (*end != '\0' || errno != 0 || value < 1 || value > kMaxThreads)
      throw Error(ErrorCode::kValue, kEnvironment,
                  std::string(kEnvironment) + " must be a whole number from 1 to " +
                      std::to_string(kMaxThreads) + ", got '" + text + "'");
    n = static_cast<int>(value);
  }
  g_environment_threads.store(n, std::memory_order_relaxed);
  return n;
}

// CPUs that this process may be scheduled on. A runtime that binds threads to places, by
// OMP_PROC_BIND or OMP_PLACES, has bound the calling one too, which says nothing about the others.
int affinity_cpus() {
  if (omp_get_proc_bind() != omp_proc_bind_false) return omp_get_num_procs();
#if defined(__linux__)
  for (int capacity = CPU_SETSIZE; capacity <= 1 << 20; capacity *= 2) {
    cpu_set_t* set = CPU_ALLOC(capacity);
    if (set == nullptr) break;
    const std::size_t size = CPU_ALLOC_SIZE(capacity);
    const bool read = sched_getaffinity(0, size, set) == 0;
    const int n = read ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (read) return n;
    if (errno != EINVAL) break;  // EINVAL: the machine has more CPUs than the set has bits
  }
#endif
  return static_cast<int>(std::thread::hardware_concurrency());  // 0 if unknown
}

ThreadCount default_threads() {
  static const int quota = cgroup_cpu_limit("");
  ThreadCount count{std::min(omp_get_max_threads(), omp_get_thread_limit()), "openmp"};
  const ThreadCount others[] = {{affinity_cpus(), "affinity"}, {quota, "cgroup"}};
  for (const ThreadCount& other : others)
    if (other.n > 0 && other.n < count.n) count = other;
  return {std::clamp(count.n, 1, kMaxThreads), count.reason};
}

#endif

ThreadCount thread_count() {
#if defined(_OPENMP)
  if (g_forked.load(std::memory_order_relaxed)) return {1, "forked"};
  if (const int n = g_set_threads.load(std::memory_order_relaxed); n > 0) return {n, "set"};
  if (const int n = environment_threads(); n > 0) return {n, kEnvironment};
  return default_threads();
#else
  return {1, "no openmp"};
#endif
}

#if defined(_OPENMP)

struct Job {
  void (*body)(void* context, std::int64_t unit_begin, std::int64_t unit_end, int thread);
  void* context;
  std::int64_t n_units;
  int n_threads;  // that really run
  std::atomic<bool> failed;
  std::exception_ptr exception;  // the first one
  char started;                  // addresses for the two functions below
  char ended;
};

// libgomp is not built for ThreadSanitizer, which therefore sees neither that a region starts after
// what precedes it nor that it ends before what follows. Both are told to it here; the function
// with the region itself is exempt because the compiler passes its variables through memory that
// only libgomp orders.
void tell_before([[maybe_unused]] char* event) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(event);
#endif
}
void tell_after([[maybe_unused]] char* event) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(event);
#endif
}

__attribute__((noinline)) void run_share(Job* job, int thread, int n_threads) {
  tell_after(&job->started);
  if (thread == 0) job->n_threads = n_threads;
  const std::int64_t share = job->n_units / n_threads;
  const std::int64_t extra = job->n_units % n_threads;  // the first `extra` threads take one more
  const std::int64_t begin = thread * share + std::min<std::int64_t>(thread, extra);
  const std::int64_t end = begin + share + (thread < extra ? 1 : 0);
  try {
    if (begin < end) job->body(job->context, begin, end, thread);
  } catch (...) {  // must not leave the region
    if (!job->failed.exchange(true)) job->exception = std::current_exception();
  }
  tell_before(&job->ended);
}

SIMDLOSS_NO_TSAN void run_region(Job* job, int threads) {
#pragma omp parallel num_threads(threads)
  run_share(job, omp_get_thread_num(), omp_get_num_threads());
}

#endif

}  // namespace

int parallel_for([[maybe_unused]] int threads, std::int64_t n_units,
                 void (*body)(void* context, std::int64_t unit_begin, std::int64_t unit_end,
                              int thread),
                 void* context) {
  if (n_units <= 0) return t_last_num_threads = 1;
#if defined(_OPENMP)
  threads = static_cast<int>(std::min<std::int64_t>({threads, n_units, kMaxThreads}));
  // A region with one thread would still enter the OpenMP runtime: branch around it.
  if (threads > 1 && !g_forked.load(std::memory_order_relaxed) && omp_in_parallel() == 0) {
    Job job{body, context, n_units, 1, false, nullptr, 0, 0};
    tell_before(&job.started);
    run_region(&job, threads);
    tell_after(&job.ended);
    if (job.failed) std::rethrow_exception(job.exception);
    return t_last_num_threads = job.n_threads;
  }
#endif
  body(context, 0, n_units, 0);
  return t_last_num_threads = 1;
}

int requested_threads() {
#if defined(_OPENMP)
  if (const int n = g_set_threads.load(std::memory_order_relaxed); n > 0) return n;
  return environment_threads();
#else
  return 0;
#endif
}

void set_last_num_threads(int n) noexcept { t_last_num_threads = n; }

int num_threads() { return thread_count().n; }

void set_num_threads(int n) {
  if (n < 0 || n > kMaxThreads)
    throw Error(ErrorCode::kValue, "n",
                "the number of threads must be from 1 to " + std::to_string(kMaxThreads) +
                    ", or 0 for the default, got " + std::to_string(n));
  if (n == 0) g_environment_threads = kUnread;
  g_set_threads = n;
}

const char* num_threads_reason() { return thread_count().reason; }

int last_num_threads() { return t_last_num_threads; }

const char* openmp_version() noexcept {
#if !defined(_OPENMP)
  return "off";
#elif _OPENMP == 201511
  return "4.5 (201511)";
#elif _OPENMP == 201811
  return "5.0 (201811)";
#elif _OPENMP == 202011
  return "5.1 (202011)";
#else
  return "on";
#endif
}

std::string openmp_library() {
#if defined(_OPENMP)
  return openmp_object().path;
#else
  return "";
#endif
}

}  // namespace simdloss
