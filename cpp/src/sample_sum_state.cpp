// SPDX-License-Identifier: Apache-2.0
#include "sample_sum_state.hpp"

#include <bit>

#include "simdloss/exact_sum.hpp"

namespace simdloss {
namespace {

// Exponents of doubles: of the lowest bit of a subnormal, and below that of an infinity.
constexpr int kFractionBits = 52;
constexpr int kUnitExponent = -1074;
constexpr int kSpecial = 0x7ff;

// Of the windows: where they stand at first, and where their constants are all normal numbers.
constexpr int kFirstTop = 16;
constexpr int kMinTop = -900;
constexpr int kMaxTop = 1000;
// Above the largest sample that was set aside, when the windows move to it.
constexpr int kHeadroom = 6;

double power_of_two(int exponent) noexcept {
  const int subnormal_bit = exponent - kUnitExponent;
  return std::bit_cast<double>(subnormal_bit < kFractionBits
                                   ? std::uint64_t{1} << subnormal_bit
                                   : static_cast<std::uint64_t>(subnormal_bit - kFractionBits + 1)
                                         << kFractionBits);
}

void place_windows(SampleSum& scratch, int top) noexcept {
  top = top < kMinTop ? kMinTop : top > kMaxTop ? kMaxTop : top;
  scratch.high = power_of_two(top);
  scratch.low_float = power_of_two(top - 56);
  scratch.low_double = power_of_two(top - 67);
  scratch.anchors[0] = 1.5 * power_of_two(top - 39 + 52);
  scratch.anchors[1] = 1.5 * power_of_two(top - 79 + 52);
}

double total_of(const double (&window)[kWindowLanes]) noexcept {
  double even = 0.0;
  double odd = 0.0;
  for (int i = 0; i < kWindowLanes; i += 2) {
    even += window[i];
    odd += window[i + 1];
  }
  return even + odd;
}

void add_windows(SampleSum& scratch) noexcept {
  for (auto& window : scratch.windows) {
    const double sum = total_of(window);
    if (sum != 0.0) scratch.sum->add(sum);
    for (double& lane : window) lane = 0.0;
  }
  scratch.n_addends = 0;
}

// Adds the samples set aside, as integers in units of 2^-1074 cut into digits of 32 bits. Digits
// are int64, so the carries of kMaxAside samples fit in them: much faster than adding each sample
// to the sum, where a carry may run through all limbs. Returns the exponent that all finite ones
// are below, or kFirstTop if none is finite.
int add_aside(SampleSum& scratch) noexcept {
  constexpr int digit_bits = 32;
  constexpr int max_digits = kSpecial / digit_bits + 2;
  constexpr std::uint64_t hidden_bit = std::uint64_t{1} << kFractionBits;
  std::int64_t digits[max_digits] = {};
  int min_shift = kSpecial;
  int max_shift = -1;
  for (int i = 0; i < scratch.n_aside; ++i) {
    const auto bits = std::bit_cast<std::uint64_t>(scratch.aside[i]);
    const int exponent = static_cast<int>(bits >> kFractionBits) & kSpecial;
    if (exponent == kSpecial) {
      scratch.sum->add(scratch.aside[i]);
      continue;
    }
    const std::uint64_t stored = bits & (hidden_bit - 1);
    const std::uint64_t fraction = exponent == 0 ? stored : stored + hidden_bit;
    const int shift = exponent == 0 ? 0 : exponent - 1;
    const int digit = shift / digit_bits;
    const int offset = shift % digit_bits;
    const std::uint64_t lower = (fraction << offset) & 0xffffffff;
    const std::uint64_t upper = fraction >> (digit_bits - offset);
    const std::uint64_t sign = 0 - (bits >> 63);  // all ones if negative: (x ^ sign) - sign is -x
    digits[digit] += static_cast<std::int64_t>((lower ^ sign) - sign);
    digits[digit + 1] += static_cast<std::int64_t>((upper ^ sign) - sign);
    min_shift = shift < min_shift ? shift : min_shift;
    max_shift = shift > max_shift ? shift : max_shift;
  }
  scratch.n_aside = 0;
  if (max_shift < 0) return kFirstTop;
  for (int i = min_shift / digit_bits; i <= max_shift / digit_bits + 1; ++i) {
    const double unit = power_of_two(kUnitExponent + digit_bits * i);
    const auto digit = static_cast<std::uint64_t>(digits[i]);
    if (digits[i] > 0) scratch.sum->add_multiple(unit, digit);
    if (digits[i] < 0) scratch.sum->add_multiple(-unit, 0 - digit);
  }
  return kUnitExponent + kFractionBits + 1 + max_shift;
}

}  // namespace

void begin_samples(SampleSum& scratch, ExactSum& sum) noexcept {
  scratch.sum = &sum;
  scratch.n_aside = 0;
  scratch.n_addends = 0;
  scratch.flushed = false;
  for (auto& window : scratch.windows) {
    for (double& lane : window) lane = 0.0;
  }
  place_windows(scratch, kFirstTop);
}

void flush_samples(SampleSum& scratch) noexcept {
  // Room aside ran out before the windows had taken as much.
  const bool misplaced =
      scratch.n_aside > kMaxAside - kWindowLanes && scratch.n_addends < kMaxAside / kWindowLanes;
  scratch.flushed = true;
  if (scratch.n_addends > 0) add_windows(scratch);
  if (scratch.n_aside > 0) {
    const int top = add_aside(scratch);
    if (misplaced) place_windows(scratch, top + kHeadroom);
  }
}

bool window_totals(const SampleSum& scratch, double (&totals)[kWindows]) noexcept {
  for (int i = 0; i < kWindows; ++i) totals[i] = total_of(scratch.windows[i]);
  return scratch.n_aside == 0 && !scratch.flushed;
}

}  // namespace simdloss
