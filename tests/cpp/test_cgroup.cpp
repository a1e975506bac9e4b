// SPDX-License-Identifier: Apache-2.0
// cgroup_cpu_limit() on made-up /proc and /sys trees.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "cgroup.hpp"

#include <stdlib.h>

using simdloss::cgroup_cpu_limit;

namespace {

// A directory that stands for "/", removed at the end.
class Root {
 public:
  Root() {
    std::string name = (std::filesystem::temp_directory_path() / "cgroup-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Root() { std::filesystem::remove_all(path_); }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  Root& file(const std::string& name, const std::string& text) {
    const std::filesystem::path path = path_ + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return *this;
  }
  Root& member(const std::string& text) { return file("/proc/self/cgroup", text); }
  int limit() const { return cgroup_cpu_limit(path_); }

 private:
  std::string path_;
};

const std::string kMount = "/sys/fs/cgroup";

}  // namespace

TEST_CASE("no cgroup, no limit") {
  CHECK(Root().limit() == 0);
  CHECK(Root().member("0::/\n").limit() == 0);
  CHECK(Root().member("nonsense\n:\n").limit() == 0);
  CHECK(Root().member("0::/a\n").file(kMount + "/a/cpu.max", "max 100000\n").limit() == 0);
  CHECK(Root().member("0::/a\n").file(kMount + "/a/cpu.max", "").limit() == 0);
}

TEST_CASE("v2: the quota is rounded down, but to 1 at least") {
  const auto limit = [](const std::string& text) {
    return Root().member("0::/a\n").file(kMount + "/a/cpu.max", text).limit();
  };
  CHECK(limit("400000 100000\n") == 4);
  CHECK(limit("399999 100000\n") == 3);
  CHECK(limit("100000 100000\n") == 1);
  CHECK(limit("50000 100000\n") == 1);
  CHECK(limit("30000 10000\n") == 3);
  CHECK(limit("100000 0\n") == 0);
}

TEST_CASE("v2: the tightest quota on the way to the root counts") {
  Root root;
  root.member("0::/a/b/c\n").file(kMount + "/a/b/c/cpu.max", "800000 100000\n");
  CHECK(root.limit() == 8);
  root.file(kMount + "/a/cpu.max", "300000 100000\n");
  CHECK(root.limit() == 3);
  root.file(kMount + "/a/b/cpu.max", "max 100000\n");
  CHECK(root.limit() == 3);
  root.file(kMount + "/cpu.max", "200000 100000\n");
  CHECK(root.limit() == 2);
  root.file(kMount + "/elsewhere/cpu.max", "100000 100000\n");
  CHECK(root.limit() == 2);
}

TEST_CASE("v1: quota and period, with -1 for none") {
  for (const std::string directory : {"/cpu", "/cpu,cpuacct"}) {
    Root root;
    root.member("11:memory:/m\n4:cpu,cpuacct:/a/b\n1:name=systemd:/s\n");
    const std::string at = kMount + directory;
    root.file(at + "/a/b/cpu.cfs_quota_us", "-1\n").file(at + "/a/b/cpu.cfs_period_us", "100000\n");
    CHECK(root.limit() == 0);
    root.file(at + "/a/cpu.cfs_quota_us", "250000\n").file(at + "/a/cpu.cfs_period_us", "100000\n");
    CHECK(root.limit() == 2);
  }
}

TEST_CASE("v1: a container's path may not exist below the mount; the mount itself then counts") {
  Root root;
  root.member("4:cpu:/docker/0123\n");
  root.file(kMount + "/cpu/cpu.cfs_quota_us", "600000\n");
  root.file(kMount + "/cpu/cpu.cfs_period_us", "100000\n");
  CHECK(root.limit() == 6);
}

TEST_CASE("both versions at once: the tighter one") {
  Root root;
  root.member("4:cpu:/a\n0::/b\n");
  root.file(kMount + "/cpu/a/cpu.cfs_quota_us", "600000\n");
  root.file(kMount + "/cpu/a/cpu.cfs_period_us", "100000\n");
  CHECK(root.limit() == 6);
  root.file(kMount + "/unified/b/cpu.max", "200000 100000\n");
  CHECK(root.limit() == 2);
}

TEST_CASE("controllers whose names only contain cpu do not count") {
  Root root;
  root.member("4:cpuset:/a\n");
  root.file(kMount + "/cpu/a/cpu.cfs_quota_us", "100000\n");
  root.file(kMount + "/cpu/a/cpu.cfs_period_us", "100000\n");
  CHECK(root.limit() == 0);
}
