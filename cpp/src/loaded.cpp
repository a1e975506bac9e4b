// SPDX-License-Identifier: Apache-2.0
#include "loaded.hpp"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <sstream>

#if defined(__linux__)
#include <link.h>
#endif

namespace simdloss {

LoadedObject object_of([[maybe_unused]] const void* address) {
  LoadedObject object;
#if defined(__linux__)
  struct Search {
    std::uintptr_t address;
    int n_seen;
    LoadedObject* object;
  } search{reinterpret_cast<std::uintptr_t>(address), 0, &object};
  const auto visit = [](dl_phdr_info* info, std::size_t, void* data) {
    auto* s = static_cast<Search*>(data);
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const auto& header = info->dlpi_phdr[i];
      if (header.p_type == PT_LOAD &&
          s->address - info->dlpi_addr - header.p_vaddr < header.p_memsz) {
        *s->object = {s->n_seen, info->dlpi_name};
        return 1;
      }
    }
    ++s->n_seen;
    return 0;
  };
  dl_iterate_phdr(visit, &search);
#endif
  return object;
}

bool is_forked_without_exec(const std::string& root) {
  std::ifstream file(root + "/proc/self/stat");
  std::string line;
  std::getline(file, line);
  // pid (name) state ppid pgrp session tty_nr tpgid flags; the name may hold anything.
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 6; ++i) fields >> skipped;
  unsigned long flags = 0;
  constexpr unsigned long kForkNoExec = 0x40;  // PF_FORKNOEXEC in Linux's sched.h
  return fields >> flags && (flags & kForkNoExec) != 0;
}

}  // namespace simdloss
