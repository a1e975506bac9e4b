// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string_view>

#include "c_api.hpp"
#include "simdloss/runtime.hpp"

namespace simdloss::c_api {
namespace {

template <class Enum>
constexpr bool same(Enum value, int constant) {
  return static_cast<int>(value) == constant;
}
static_assert(same(DType::kBool, SIMDLOSS_BOOL) && same(DType::kInt8, SIMDLOSS_INT8) &&
              same(DType::kInt16, SIMDLOSS_INT16) && same(DType::kInt32, SIMDLOSS_INT32) &&
              same(DType::kInt64, SIMDLOSS_INT64) && same(DType::kUInt8, SIMDLOSS_UINT8) &&
              same(DType::kUInt16, SIMDLOSS_UINT16) && same(DType::kUInt32, SIMDLOSS_UINT32) &&
              same(DType::kUInt64, SIMDLOSS_UINT64) && same(DType::kFloat16, SIMDLOSS_FLOAT16) &&
              same(DType::kBFloat16, SIMDLOSS_BFLOAT16) &&
              same(DType::kFloat32, SIMDLOSS_FLOAT32) && same(DType::kFloat64, SIMDLOSS_FLOAT64));
static_assert(same(Reduction::kNone, SIMDLOSS_REDUCTION_NONE) &&
              same(Reduction::kSum, SIMDLOSS_REDUCTION_SUM) &&
              same(Reduction::kMean, SIMDLOSS_REDUCTION_MEAN) &&
              same(Reduction::kMeanWithSampleWeight, SIMDLOSS_REDUCTION_MEAN_WITH_SAMPLE_WEIGHT));
static_assert(same(Empty::kZero, SIMDLOSS_EMPTY_ZERO) && same(Empty::kNan, SIMDLOSS_EMPTY_NAN) &&
              same(Empty::kRaise, SIMDLOSS_EMPTY_ERROR));
static_assert(same(Labels::kAuto, SIMDLOSS_LABELS_AUTO) &&
              same(Labels::kBinary, SIMDLOSS_LABELS_BINARY) &&
              same(Labels::kSigned, SIMDLOSS_LABELS_SIGNED));
static_assert(kMaxRank == SIMDLOSS_MAX_RANK);

// The text, or as many whole characters of it as there is room for, and a zero byte.
void copy_text(std::string_view text, char* to, std::size_t capacity) noexcept {
  if (text.size() < capacity) {
    std::memcpy(to, text.data(), text.size());
    to[text.size()] = '\0';
    return;
  }
  constexpr char kEnd[] = "...";
  std::size_t n = capacity - sizeof kEnd;
  // The bytes of a character behind its first one are 10xxxxxx.
  const auto continues = [&] { return (static_cast<unsigned char>(text[n]) & 0xC0U) == 0x80U; };
  for (int i = 0; i < 3 && continues(); ++i) --n;
  std::memcpy(to, text.data(), n);
  std::memcpy(to + n, kEnd, sizeof kEnd);
}

simdloss_status report(simdloss_error* error, simdloss_status status, std::string_view argument,
                       std::string_view message) noexcept {
  if (error != nullptr) {
    error->status = status;
    copy_text(argument, error->argument, sizeof error->argument);
    copy_text(message, error->message, sizeof error->message);
  }
  return status;
}

simdloss_status status_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kValue:
      return SIMDLOSS_VALUE;
    case ErrorCode::kType:
      return SIMDLOSS_TYPE;
    case ErrorCode::kNotSupported:
      return SIMDLOSS_NOT_SUPPORTED;
    case ErrorCode::kInterrupted:
      return SIMDLOSS_INTERRUPTED;
  }
  return SIMDLOSS_INTERNAL;
}

constexpr const char* kOutOfMemory = "There is not enough memory.";

// A struct of options larger than this is one whose size was not set.
constexpr std::size_t kMaxStruct = 4096;

// The sizes that structs of options had in version 0.1 of the API: never to be changed. Members that
// are added leave no padding at the end, whose bytes would be taken for members.
template <class Struct>
constexpr std::size_t kFirstSize = 0;
template <>
constexpr std::size_t kFirstSize<simdloss_request> = offsetof(simdloss_request,
                                                              interrupted_context) +
                                                     sizeof(void*);
template <>
constexpr std::size_t kFirstSize<simdloss_operands> = offsetof(simdloss_operands, ref_embeddings) +
                                                      sizeof(void*);

// A copy of a struct of options, of any version; members that it does not have are 0.
template <class Struct>
Struct read_struct(const Struct& given, const char* argument) {
  constexpr std::size_t kFirst = kFirstSize<Struct>;
  const std::size_t size = given.struct_size;
  if (size < kFirst || size > kMaxStruct) {
    const std::string type = std::string("simdloss_") + argument;
    fail(ErrorCode::kValue, argument,
         std::string(argument) + ".struct_size must be sizeof(" + type + "), from " +
             std::to_string(kFirst) + " to " + std::to_string(kMaxStruct) + "; received " +
             std::to_string(size) + ". Fix: call " + type + "_init() first.");
  }
  const auto* const bytes = reinterpret_cast<const unsigned char*>(&given);
  const auto is_set = [](unsigned char byte) { return byte != 0; };
  if (std::any_of(bytes + std::min(size, sizeof(Struct)), bytes + size, is_set)) {
    fail(ErrorCode::kNotSupported, argument,
         std::string(argument) + " sets members that simdloss " + build_info().version +
             " does not have. Fix: leave them 0, or use a newer library.");
  }
  Struct copy{};
  std::memcpy(&copy, &given, std::min(size, sizeof copy));
  return copy;
}

template <class View, class Array>
View to_view(const Array& array, const char* argument) {
  const auto expect = [&](bool holds, ErrorCode code, const char* member,
                          const std::string& expected, const std::string& received) {
    if (holds) return;
    fail(code, argument,
         std::string(argument) + "." + member + " must be " + expected + "; received " + received +
             ".");
  };
  expect(array.dtype >= SIMDLOSS_BOOL && array.dtype <= SIMDLOSS_FLOAT64, ErrorCode::kType, "dtype",
         "one of the constants SIMDLOSS_BOOL to SIMDLOSS_FLOAT64, from 0 to 12",
         std::to_string(array.dtype));
  expect(array.rank >= 0 && array.rank <= kMaxRank, ErrorCode::kValue, "rank",
         "from 0 to " + std::to_string(kMaxRank), std::to_string(array.rank));
  expect(array.rank == 0 || array.shape != nullptr, ErrorCode::kValue, "shape",
         "an array of " + std::to_string(array.rank) + " numbers", "a null pointer");
  return {array.data, static_cast<DType>(array.dtype), array.rank, array.shape, array.strides};
}

}  // namespace

simdloss_status report_exception(simdloss_error* error) noexcept {
  try {
    throw;
  } catch (const Error& e) {
    return report(error, status_of(e.code()), e.argument(), e.what());
  } catch (const std::bad_alloc&) {
    return report(error, SIMDLOSS_OUT_OF_MEMORY, "", kOutOfMemory);
  } catch (const std::length_error&) {
    return report(error, SIMDLOSS_OUT_OF_MEMORY, "", kOutOfMemory);
  } catch (const std::exception& e) {
    return report(error, SIMDLOSS_INTERNAL, "", e.what());
  } catch (...) {
    return report(error, SIMDLOSS_INTERNAL, "", "An exception of unknown type was thrown.");
  }
}

simdloss_status report_success(simdloss_error* error) noexcept {
  return report(error, SIMDLOSS_OK, "", "");
}

void fail(ErrorCode code, const std::string& argument, const std::string& message) {
  throw Error(code, argument, message);
}

Empty checked_empty(std::int32_t value) {
  return checked_enum(value, Empty::kRaise, "empty", "SIMDLOSS_EMPTY_ZERO, _NAN and _ERROR");
}

ArrayView view_of(const simdloss_array& array, const char* argument) {
  return to_view<ArrayView>(array, argument);
}

MutableArrayView view_of(const simdloss_mutable_array* array, const char* argument) {
  return to_view<MutableArrayView>(checked(array, argument), argument);
}

Inputs::Inputs(const simdloss_operands* given_operands, const simdloss_request* given_request) {
  const auto given = read_struct(checked(given_operands, "operands"), "operands");
  if (given.reserved != 0) {
    fail(ErrorCode::kNotSupported, "operands",
         "operands.reserved must be 0; received " + std::to_string(given.reserved) +
             ". Fix: call simdloss_operands_init() first.");
  }
  operands.y_true = view_of(given.y_true, "y_true");
  operands.y_pred = view_of(given.y_pred, "y_pred");
  operands.sample_weight = optional(given.sample_weight, "sample_weight", sample_weight_);
  operands.mask = optional(given.mask, "mask", mask_);
  operands.ref_labels = optional(given.ref_labels, "ref_labels", ref_labels_);
  operands.ref_embeddings = optional(given.ref_embeddings, "ref_embeddings", ref_embeddings_);
  if (given_request != nullptr) read(read_struct(*given_request, "request"));
}

const ArrayView* Inputs::optional(const simdloss_array* array, const char* argument,
                                  ArrayView& view) {
  if (array == nullptr) return nullptr;
  view = view_of(*array, argument);
  return &view;
}

void Inputs::read(const simdloss_request& given) {
  request.reduction = checked_enum(given.reduction, Reduction::kMeanWithSampleWeight, "reduction",
                                   "SIMDLOSS_REDUCTION_NONE, _SUM, ...");
  request.empty = checked_empty(given.empty);
  request.labels = checked_enum(given.labels, Labels::kSigned, "labels",
                                "SIMDLOSS_LABELS_AUTO, _BINARY and _SIGNED");
  constexpr const char* kDTypes = "SIMDLOSS_BOOL to SIMDLOSS_FLOAT64";
  if (given.dtype != SIMDLOSS_DTYPE_DEFAULT) {
    request.dtype = checked_enum(given.dtype, DType::kFloat64, "dtype", kDTypes);
  }
  request.default_dtype =
      checked_enum(given.default_dtype, DType::kFloat64, "default_dtype", kDTypes);
  request.threads = given.threads;
  request.epsilon = given.epsilon;
  switch (given.axes_kind) {
    case SIMDLOSS_AXES_LAST:
      break;
    case SIMDLOSS_AXES_ALL:
      request.axes.all = true;
      break;
    case SIMDLOSS_AXES_LIST:
      if (given.n_axes > kMaxRank) {
        fail(ErrorCode::kValue, "axes",
             "axes must be at most " + std::to_string(kMaxRank) + " numbers; received " +
                 std::to_string(given.n_axes) + ".");
      }
      if (given.n_axes > 0) checked(given.axes, "axes");
      request.axes.list.assign(given.axes, given.axes + given.n_axes);
      break;
    default:
      fail(
          ErrorCode::kValue, "axes_kind",
          "axes_kind must be one of the constants SIMDLOSS_AXES_LAST, _ALL and _LIST, from 0 to 2; "
          "received " +
              std::to_string(given.axes_kind) + ".");
  }
  if (given.has_scale != 0) {
    if (!std::isfinite(given.scale)) {
      fail(ErrorCode::kValue, "scale",
           "scale must be a finite number; received " + std::to_string(given.scale) + ".");
    }
    request.scale = given.scale;
  }
  if (given.has_ignore_class != 0) request.ignore_class = given.ignore_class;
  if (given.interrupted != nullptr) {
    interruption_ = {given.interrupted, given.interrupted_context};
    request.interrupted = [](void* untyped) {
      const auto& interruption = *static_cast<const Interruption*>(untyped);
      return interruption.function(interruption.context) != 0;
    };
    request.interrupted_context = &interruption_;
  }
}

simdloss_request default_request() noexcept {
  simdloss_request request{};
  request.reduction = SIMDLOSS_REDUCTION_MEAN;
  request.dtype = SIMDLOSS_DTYPE_DEFAULT;
  request.default_dtype = SIMDLOSS_FLOAT32;
  request.epsilon = 1e-7;
  return request;
}

simdloss_operands default_operands() noexcept {
  simdloss_operands operands{};
  operands.y_true.dtype = operands.y_pred.dtype = SIMDLOSS_FLOAT32;
  return operands;
}

}  // namespace simdloss::c_api
