// SPDX-License-Identifier: Apache-2.0
// runtime.hpp: the choice of instruction set and of the number of threads, and parallel_for().
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "cpu.hpp"
#include "kernels/abi.hpp"
#include "parallel.hpp"
#include "simdloss/error.hpp"
#include "simdloss/runtime.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace simdloss;

namespace {

// Sets an environment variable, or unsets it for null, until the end of the scope.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old, was_set_ = true;
    set(value);
  }
  ~Environment() { set(was_set_ ? old_.c_str() : nullptr); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void set(const char* value) const {
    if (value != nullptr) {
      setenv(name_, value, 1);
    } else {
      unsetenv(name_);
    }
  }
  const char* name_;
  std::string old_;
  bool was_set_ = false;
};

struct Default {
  ~Default() {
    force_isa("");
    set_num_threads(0);
  }
};

bool contains(const std::vector<Isa>& isas, Isa isa) {
  return std::find(isas.begin(), isas.end(), isa) != isas.end();
}

// What body was called with: each unit's thread, and how many times.
struct Record {
  explicit Record(std::size_t n) : threads(n, -1), calls(n, 0) {}
  std::vector<int> threads;
  std::vector<int> calls;

  static void body(void* context, std::int64_t begin, std::int64_t end, int thread) {
    auto* record = static_cast<Record*>(context);
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      record->threads[i] = thread;
      ++record->calls[i];
    }
  }
  bool each_once() const {
    return std::all_of(calls.begin(), calls.end(), [](int n) { return n == 1; });
  }
};

constexpr bool kOpenMp =
#if defined(SIMDLOSS_OPENMP)
    true;
#else
    false;
#endif

}  // namespace

TEST_CASE("scalar is always available and every available set can be forced") {
  const Default restore;
  const std::vector<Isa> isas = available_isas();
  REQUIRE(contains(isas, Isa::kScalar));
#if defined(SIMDLOSS_HAVE_BASELINE)
  CHECK(contains(isas, Isa::kBaseline));
#endif
  CHECK(std::set<Isa>(isas.begin(), isas.end()).size() == isas.size());
  for (Isa isa : isas) {
    force_isa(isa_name(isa));
    CHECK(active_isa() == isa);
    CHECK(active_table().isa == isa);
    CHECK(std::string(isa_reason()) == "forced");
  }
}

TEST_CASE("the default is the best set, never an unvectorised one beside a vector set") {
  const Default restore;
  const Environment unset("SIMDLOSS_ISA", nullptr);
  force_isa("");
  CHECK(active_isa() == available_isas().front());
  CHECK(std::string(isa_reason()) == "detected");
  for (Isa isa : {Isa::kAvx2, Isa::kAvx512, Isa::kNeon})
    if (contains(available_isas(), isa)) {
      CHECK(active_isa() != Isa::kScalar);
      CHECK(active_isa() != Isa::kBaseline);
    }
}

TEST_CASE("SIMDLOSS_ISA decides, and force_isa overrides it") {
  const Default restore;
  const Environment scalar("SIMDLOSS_ISA", "scalar");
  force_isa("");
  CHECK(active_isa() == Isa::kScalar);
  CHECK(std::string(isa_reason()) == "SIMDLOSS_ISA");
  const char* best = isa_name(available_isas().front());
  force_isa(best);
  CHECK(isa_name(active_isa()) == best);
  CHECK(std::string(isa_reason()) == "forced");
}

TEST_CASE("a set that cannot run here is an error that lists the possible ones") {
  const Default restore;
  force_isa("scalar");
  for (const char* name : {
         "sse9", "AVX2", " scalar",
#if defined(__x86_64__)
             "neon"
#else
                           "avx2"
#endif
       }) {
    CAPTURE(name);
    try {
      force_isa(name);
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::kValue);
      const std::string what = error.what();
      CHECK(what.find("'" + std::string(name) + "'") != std::string::npos);
      for (Isa isa : available_isas())
        CHECK(what.find("'" + std::string(isa_name(isa)) + "'") != std::string::npos);
    }
    CHECK(active_isa() == Isa::kScalar);  // unchanged
    const Environment wrong("SIMDLOSS_ISA", name);
    CHECK_THROWS_AS(force_isa(""), Error);
  }
}

TEST_CASE("isa_name is what force_isa takes") {
  CHECK(std::string(isa_name(Isa::kScalar)) == "scalar");
  CHECK(std::string(isa_name(Isa::kBaseline)) == "baseline");
  CHECK(std::string(isa_name(Isa::kAvx2)) == "avx2");
  CHECK(std::string(isa_name(Isa::kAvx512)) == "avx512");
  CHECK(std::string(isa_name(Isa::kNeon)) == "neon");
}

TEST_CASE("the number of threads: set, environment, default") {
  const Default restore;
  const Environment env("SIMDLOSS_NUM_THREADS", "3");
  set_num_threads(0);
  CHECK(num_threads() == (kOpenMp ? 3 : 1));
  CHECK(std::string(num_threads_reason()) == (kOpenMp ? "SIMDLOSS_NUM_THREADS" : "no openmp"));
  set_num_threads(5);
  CHECK(num_threads() == (kOpenMp ? 5 : 1));
  CHECK(std::string(num_threads_reason()) == (kOpenMp ? "set" : "no openmp"));
  const Environment unset("SIMDLOSS_NUM_THREADS", nullptr);
  set_num_threads(0);
  CHECK(num_threads() >= 1);
  const std::string reason = num_threads_reason();
  if (kOpenMp) {
    CHECK((reason == "openmp" || reason == "affinity" || reason == "cgroup"));
  } else {
    CHECK(reason == "no openmp");
  }
}

TEST_CASE("impossible numbers of threads are errors") {
  const Default restore;
  CHECK_THROWS_AS(set_num_threads(-1), Error);
  CHECK_THROWS_AS(set_num_threads(kMaxThreads + 1), Error);
  if (!kOpenMp) return;  // the environment is not read
  for (const char* text : {"0", "-2", "two", "2x", "1.5", "99999999999999999999"}) {
    CAPTURE(text);
    const Environment env("SIMDLOSS_NUM_THREADS", text);
    set_num_threads(0);
    CHECK_THROWS_AS(num_threads(), Error);
  }
  const Environment empty("SIMDLOSS_NUM_THREADS", "");
  set_num_threads(0);
  CHECK(num_threads() >= 1);
}

TEST_CASE("parallel_for covers every unit once, in contiguous ranges, on the threads asked for") {
  for (int threads : {1, 2, 3, 7})
    for (std::size_t n : {0u, 1u, 2u, 3u, 6u, 7u, 8u, 100u}) {
      CAPTURE(threads);
      CAPTURE(n);
      Record record(n);
      const int ran = parallel_for(threads, static_cast<std::int64_t>(n), Record::body, &record);
      CHECK(record.each_once());
      CHECK(std::is_sorted(record.threads.begin(), record.threads.end()));
      const int expected = kOpenMp ? std::max(1, std::min(threads, static_cast<int>(n))) : 1;
      CHECK(ran == expected);
      CHECK(last_num_threads() == expected);
      if (n > 0) {
        CHECK(record.threads.front() == 0);
        CHECK(record.threads.back() == expected - 1);
      }
    }
}

TEST_CASE("parallel_for throws what one of its ranges threw, once all have ended") {
  struct Thrower {
    std::atomic<int> units{0};
    static void body(void* context, std::int64_t begin, std::int64_t end, int) {
      static_cast<Thrower*>(context)->units += static_cast<int>(end - begin);
      if (begin % 2 == 0) throw std::bad_alloc();
    }
  };
  for (int threads : {1, 2, 4}) {
    CAPTURE(threads);
    Thrower thrower;
    CHECK_THROWS_AS(parallel_for(threads, 8, Thrower::body, &thrower), std::bad_alloc);
    CHECK(thrower.units == 8);
  }
}

TEST_CASE("last_num_threads belongs to the calling thread") {
  Record record(8);
  parallel_for(2, 8, Record::body, &record);
  int other = -1;
  std::thread([&other] {
    other = last_num_threads();
    set_last_num_threads(1);
  }).join();
  CHECK(other == 0);
  CHECK(last_num_threads() == (kOpenMp ? 2 : 1));
}

TEST_CASE("nested calls run serially") {
  struct Outer {
    std::atomic<int> inner_threads{0};
    std::atomic<int> calls{0};
  } outer;
  parallel_for(
      2, 2,
      [](void* context, std::int64_t, std::int64_t, int) {
        auto* out = static_cast<Outer*>(context);
        Record record(10);
        const int ran = parallel_for(4, 10, Record::body, &record);
        out->inner_threads = std::max(out->inner_threads.load(), record.each_once() ? ran : 99);
        ++out->calls;
      },
      &outer);
  CHECK(outer.calls == (kOpenMp ? 2 : 1));
  CHECK(outer.inner_threads == (kOpenMp ? 1 : 1));
}

TEST_CASE("several threads may call at once") {
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&wrong] {
      for (int i = 0; i < 20; ++i) {
        Record record(50);
        const int ran = parallel_for(3, 50, Record::body, &record);
        if (!record.each_once() || ran != last_num_threads()) ++wrong;
        if (active_table().isa != active_isa()) ++wrong;
      }
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
}

TEST_CASE("a child forked after a parallel region works, serially") {
  const Default restore;
  set_num_threads(2);
  Record warm_up(8);
  parallel_for(2, 8, Record::body, &warm_up);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    Record record(8);
    const int ran = parallel_for(2, 8, Record::body, &record);
    const std::string reason = num_threads_reason();
    const bool right = ran == 1 && record.each_once() && num_threads() == 1 &&
                       reason == (kOpenMp ? "forked" : "no openmp");
    _exit(right ? 0 : 1);
  }
  int status = 0;
  pid_t ended = 0;
  for (int i = 0; i < 1000 && ended == 0; ++i) {  // 10 s
    ended = waitpid(child, &status, WNOHANG);
    if (ended == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (ended == 0) {
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    FAIL("the child hangs");
  }
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(parallel_for(2, 8, Record::body, &warm_up) == (kOpenMp ? 2 : 1));  // the parent still can
}

TEST_CASE("build_info tells what was built") {
  const BuildInfo info = build_info();
  CHECK(std::string(info.version).find('.') != std::string::npos);
  CHECK(std::string(info.compiler).size() > 3);
  CHECK(std::string(info.flags).find("-ffp-contract=off") != std::string::npos);
  CHECK((std::string(info.openmp) == "off") == !kOpenMp);
}
