// SPDX-License-Identifier: Apache-2.0
#include "fingerprint.hpp"

#include <bit>

namespace simdloss {
namespace {

// FNV-1a.
class Fingerprint {
 public:
  void add(std::uint64_t word) {
    for (int byte = 0; byte < 8; ++byte) {
      hash_ = (hash_ ^ (word >> (8 * byte) & 0xFF)) * 0x100000001B3U;
    }
  }
  void add(const char* text) {
    for (; *text != '\0'; ++text) add(std::uint64_t{static_cast<unsigned char>(*text)});
    add(std::uint64_t{0});
  }
  void add(double x) { add(std::bit_cast<std::uint64_t>(x + 0.0)); }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xCBF29CE484222325U;
};

}  // namespace

std::uint64_t fingerprint_of(const BoundLoss& loss, const Request& request) {
  Fingerprint print;
  print.add(loss.info().name);
  for (const double x : loss.params()) print.add(x);
  for (const double weight : loss.class_weights()) print.add(weight);
  print.add(std::uint64_t{request.axes.all});
  if (!request.axes.all) {
    for (const std::int64_t axis : request.axes.list) print.add(static_cast<std::uint64_t>(axis));
  }
  print.add(request.epsilon);
  print.add(static_cast<std::uint64_t>(request.labels));
  if (request.ignore_class) print.add(static_cast<std::uint64_t>(*request.ignore_class));
  return print.value();
}

}  // namespace simdloss
