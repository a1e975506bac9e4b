// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace simdloss {

// a + b = sum + error, exactly, for doubles whose sum does not overflow (Knuth).
template <class T>
struct TwoSum {
  T sum;
  T error;
};

template <class T>
TwoSum<T> two_sum(T a, T b) {
  const T sum = a + b;
  const T part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}

}  // namespace simdloss
