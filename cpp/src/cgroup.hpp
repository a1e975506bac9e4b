// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace simdloss {

/// CPUs that the cgroup quota of this process allows, rounded down but at least 1; 0 without a
/// quota. The smallest quota between the process's cgroup and the root counts, in cgroup v1 and
/// v2. `root` stands for "/" in the paths that are read.
int cgroup_cpu_limit(const std::string& root);

}  // namespace simdloss
