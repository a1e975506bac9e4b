// SPDX-License-Identifier: Apache-2.0
#include "cgroup.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace simdloss {
namespace {

// Quotas are a pair of times: the CPU time to be used in each period. 0 stands for no limit.
int cpus(long long quota, long long period) {
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::clamp<long long>(quota / period, 1, 1 << 20));
}

int tighter(int a, int b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

// cgroup v2: cpu.max holds "quota period", or "max period" for none.
int read_v2(const std::string& directory) {
  long long quota = 0, period = 0;
  std::ifstream file(directory + "/cpu.max");
  return file >> quota >> period ? cpus(quota, period) : 0;  // "max" is no number
}

// cgroup v1: a quota of -1 means none.
int read_v1(const std::string& directory) {
  long long quota = 0, period = 0;
  std::ifstream quota_file(directory + "/cpu.cfs_quota_us");
  std::ifstream period_file(directory + "/cpu.cfs_period_us");
  return quota_file >> quota && period_file >> period ? cpus(quota, period) : 0;
}

// The tightest limit from mount/path up to mount. In a container `path` may be the host's and not
// exist below the mount; what is missing sets no limit.
int walk_up(const std::string& mount, std::string path, int (*read)(const std::string&)) {
  int limit = 0;
  for (;;) {
    while (!path.empty() && path.back() == '/') path.pop_back();
    limit = tighter(limit, read(mount + path));
    if (path.empty()) return limit;
    path.erase(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

bool lists_cpu(const std::string& controllers) {
  std::istringstream names(controllers);
  for (std::string name; std::getline(names, name, ',');)
    if (name == "cpu") return true;
  return false;
}

}  // namespace

int cgroup_cpu_limit(const std::string& root) {
  const std::string mounts = root + "/sys/fs/cgroup";
  int limit = 0;
  std::ifstream memberships(root + "/proc/self/cgroup");
  // Each line: hierarchy id, controllers (none in v2), path.
  for (std::string line; std::getline(memberships, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      limit = tighter(limit, walk_up(mounts, path, read_v2));
      limit = tighter(limit, walk_up(mounts + "/unified", path, read_v2));
    } else if (lists_cpu(controllers)) {
      limit = tighter(limit, walk_up(mounts + "/cpu", path, read_v1));
      limit = tighter(limit, walk_up(mounts + "/" + controllers, path, read_v1));
    }
  }
  return limit;
}

}  // namespace simdloss
