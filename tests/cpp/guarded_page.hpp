// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

namespace simdloss::test {

// A page of memory between two that must not be touched.
class GuardedPage {
 public:
  GuardedPage() : size_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    void* const p = mmap(nullptr, 3 * size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(p != MAP_FAILED);
    pages_ = static_cast<char*>(p);
    REQUIRE(mprotect(begin(), size_, PROT_READ | PROT_WRITE) == 0);
  }
  GuardedPage(const GuardedPage&) = delete;
  ~GuardedPage() { munmap(pages_, 3 * size_); }

  char* begin() { return pages_ + size_; }
  char* end() { return begin() + size_; }
  template <class Element>
  Element* first() {
    return reinterpret_cast<Element*>(begin());
  }
  // The last n elements that fit.
  template <class Element>
  Element* last(int n) {
    return reinterpret_cast<Element*>(end()) - n;
  }

 private:
  std::size_t size_;
  char* pages_;
};

}  // namespace simdloss::test
