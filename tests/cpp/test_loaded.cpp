// SPDX-License-Identifier: Apache-2.0
// What is loaded in this process, and whether it was forked.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "loaded.hpp"
#include "simdloss/runtime.hpp"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

using simdloss::is_forked_without_exec;
using simdloss::object_of;

namespace {

const int a_constant_of_the_program = 1;

bool flagged(const std::string& stat) {
  std::string root = (std::filesystem::temp_directory_path() / "stat-XXXXXX").string();
  REQUIRE(mkdtemp(root.data()) != nullptr);
  std::filesystem::create_directories(root + "/proc/self");
  std::ofstream(root + "/proc/self/stat") << stat;
  const bool result = is_forked_without_exec(root);
  std::filesystem::remove_all(root);
  return result;
}

}  // namespace

TEST_CASE("objects are told apart by addresses, in the order of loading") {
  const auto program = object_of(&a_constant_of_the_program);
  const auto libc = object_of(reinterpret_cast<void*>(&::getpid));
  CHECK(program.position == 0);
  CHECK(program.path.empty());
  CHECK(libc.position >= program.position);  // the same in a static program
  CHECK(object_of(nullptr).position == -1);
  int on_the_stack = 0;
  CHECK(object_of(&on_the_stack).position == -1);
}

TEST_CASE("the flag of a forked process is read after any name") {
  CHECK(flagged("12 (python) S 1 2 3 0 -1 4194368 5\n"));
  CHECK(flagged("12 (a) b (c) S 1 2 3 0 -1 64 5\n"));
  CHECK_FALSE(flagged("12 (python) S 1 2 3 0 -1 4194304 5\n"));
  CHECK_FALSE(flagged("12 (python) S 1 2"));
  CHECK_FALSE(flagged("12"));
  CHECK_FALSE(flagged(""));
  CHECK_FALSE(is_forked_without_exec("/nonexistent"));
}

#if !defined(SIMDLOSS_EMULATED) && defined(__linux__)
TEST_CASE("a forked child is told from a program that was started") {
  CHECK_FALSE(is_forked_without_exec(""));
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(is_forked_without_exec("") ? 0 : 1);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif

TEST_CASE("the file of the OpenMP runtime") {
  const std::string path = simdloss::openmp_library();
#if !defined(SIMDLOSS_OPENMP)
  CHECK(path.empty());
#elif !defined(SIMDLOSS_EMULATED) && defined(__linux__)
  CHECK(path.find("omp") != std::string::npos);  // libgomp, or libomp
  CHECK(std::filesystem::exists(path));
#else
  CHECK((path.empty() || std::filesystem::exists(path)));
#endif
}
