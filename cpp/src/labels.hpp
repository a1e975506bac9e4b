// SPDX-License-Identifier: Apache-2.0
#pragma once

// Class ids in arrays of any dtype, exactly: integers, and floats that hold integers.

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "plan.hpp"

namespace simdloss {

// high 2^32 + low: any int64 or uint64. Not `valid`: no such integer, or NaN.
struct ClassId {
  std::int64_t high;
  std::uint32_t low;
  bool valid;

  bool is_zero() const { return valid && high == 0 && low == 0; }
  // Whether the id is one of n classes, and then which.
  bool is_below(std::int64_t n) const {
    return valid && high >= 0 && high <= INT32_MAX && value() < n;
  }
  std::int64_t value() const { return (high << 32) | low; }
  bool operator==(std::int64_t id) const {
    return valid && high == id >> 32 && low == static_cast<std::uint32_t>(id);
  }
};

ClassId read_class_id(const char* from, DType dtype);

// The element in decimal, for messages.
std::string element_text(const char* from, DType dtype);

// Ids that are not what they should be: how many, and the first one's place in C order and value.
struct BadIds {
  std::int64_t count = 0;
  std::int64_t first = 0;
  std::string value;

  void add(std::int64_t position, const char* from, DType dtype);
  void merge(const BadIds& other);
};

// Bad ids of a whole call, which all threads find.
class BadLabels {
 public:
  void merge(const BadIds& ids) {
    if (ids.count == 0) return;
    const std::lock_guard lock(mutex_);
    ids_.merge(ids);
  }
  // To be asked when all threads are done.
  bool are_none() const { return ids_.count == 0; }
  // Throws Error (kValue) if there are any in `argument`, whose positions are those of an array of
  // that shape. `expected` says what they should be, `context` what that goes by, `fix` what to do.
  void check(const char* argument, const std::int64_t* shape, int rank, const std::string& expected,
             const std::string& context, const std::string& fix) const;

 private:
  std::mutex mutex_;
  BadIds ids_;
};

// Ids of these classes.
struct ClassIdTexts {
  std::string expected;
  std::string context;
  explicit ClassIdTexts(std::int64_t classes);
};

// Sets ids[i] for rows [begin, begin + n) to the class of the row, and ignored[i] to whether that is
// ignore_class. The id is 0 for ignored rows, for those of weight 0 (null `weights` are all 1), and
// for labels that are no class, which go to `bad`.
void read_class_ids(const Plan& plan, std::int64_t begin, std::int64_t n,
                    std::optional<std::int64_t> ignore_class, const double* weights,
                    std::int64_t* ids, bool* ignored, BadLabels& bad);

}  // namespace simdloss
