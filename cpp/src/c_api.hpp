// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the files of the C API share: C++ errors as statuses, and structs of C as those of C++,
// which trusts their enumerations and pointers where C cannot.

#include <cstddef>
#include <cstdint>
#include <string>

#include "simdloss.h"
#include "simdloss/error.hpp"
#include "simdloss/evaluate.hpp"

// NOLINTBEGIN(readability-identifier-naming): the names of C.
struct simdloss_loss {
  simdloss::BoundLoss bound;
};

struct simdloss_sums {
  simdloss::PartialSums state;
};
// NOLINTEND(readability-identifier-naming)

namespace simdloss::c_api {

// Says in `error` what is being thrown. To be called in a handler.
simdloss_status report_exception(simdloss_error* error) noexcept;
simdloss_status report_success(simdloss_error* error) noexcept;

// Calls body(), which may throw.
template <class Body>
simdloss_status guarded(simdloss_error* error, Body body) noexcept {
  try {
    body();
  } catch (...) {
    return report_exception(error);
  }
  return report_success(error);
}

[[noreturn]] void fail(ErrorCode code, const std::string& argument, const std::string& message);

// The object that an argument points to.
template <class T>
T& checked(T* pointer, const char* argument) {
  if (pointer == nullptr) {
    fail(ErrorCode::kValue, argument, std::string(argument) + " must not be a null pointer.");
  }
  return *pointer;
}

// The value of an enumeration of C++ whose last one is `last`.
template <class Enum>
Enum checked_enum(std::int32_t value, Enum last, const char* argument, const char* constants) {
  const auto end = static_cast<std::int32_t>(last);
  if (value < 0 || value > end) {
    fail(ErrorCode::kValue, argument,
         std::string(argument) + " must be one of the constants " + constants + ", from 0 to " +
             std::to_string(end) + "; received " + std::to_string(value) + ".");
  }
  return static_cast<Enum>(value);
}

Empty checked_empty(std::int32_t value);

ArrayView view_of(const simdloss_array& array, const char* argument);
MutableArrayView view_of(const simdloss_mutable_array* array, const char* argument);

// What a call gets, as C++ takes it.
class Inputs {
 public:
  // `given_request` may be null. Throws Error.
  Inputs(const simdloss_operands* given_operands, const simdloss_request* given_request);
  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;

  Operands operands;
  Request request;

 private:
  const ArrayView* optional(const simdloss_array* array, const char* argument, ArrayView& view);
  void read(const simdloss_request& given);

  ArrayView sample_weight_, mask_, ref_labels_, ref_embeddings_;
  struct Interruption {
    int (*function)(void*);
    void* context;
  } interruption_{};
};

// Calls body(loss, operands, request) with what C calls have in common.
template <class Body>
simdloss_status guarded_call(const simdloss_loss* loss, const simdloss_operands* operands,
                             const simdloss_request* request, simdloss_error* error,
                             Body body) noexcept {
  return guarded(error, [&] {
    const BoundLoss& bound = checked(loss, "loss").bound;
    const Inputs inputs(operands, request);
    body(bound, inputs.operands, inputs.request);
  });
}

// Structs with their defaults.
simdloss_request default_request() noexcept;
simdloss_operands default_operands() noexcept;

}  // namespace simdloss::c_api
