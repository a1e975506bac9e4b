// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace simdloss {

/// The shared library or program that holds an address.
struct LoadedObject {
  int position = -1;  ///< in the order of loading, the program being first; -1 if none holds it
  std::string path;   ///< empty for the program
};
LoadedObject object_of(const void* address);

/// Whether this process was forked and has executed no program since. False where the system does
/// not tell. `root` stands before /proc.
bool is_forked_without_exec(const std::string& root);

}  // namespace simdloss
