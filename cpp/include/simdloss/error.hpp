// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "simdloss/export.h"

namespace simdloss {

/// What kind of failure an Error is.
enum class ErrorCode {
  kValue,         ///< a value, shape or option that is not allowed
  kType,          ///< a dtype or kind of argument that is not allowed
  kNotSupported,  ///< something that the loss does not have
  kInterrupted,   ///< Request::interrupted returned true
};

/// Every failure of the library but std::bad_alloc. what() says which argument, what was expected,
/// what was received and how to mend it. It owns its texts.
class SIMDLOSS_API Error : public std::runtime_error {
 public:
  Error(ErrorCode code, std::string argument, const std::string& message)
      : std::runtime_error(message), code_(code), argument_(std::move(argument)) {}

  ErrorCode code() const noexcept { return code_; }
  /// The argument at fault ("y_pred", "axis", "delta", ...).
  const std::string& argument() const noexcept { return argument_; }

 private:
  ErrorCode code_;
  std::string argument_;
};

}  // namespace simdloss
