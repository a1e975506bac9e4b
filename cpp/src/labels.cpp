// SPDX-License-Identifier: Apache-2.0
#include "labels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "half.hpp"
#include "layout.hpp"
#include "text.hpp"

namespace simdloss {
namespace {

template <class T>
T read(const char* from) {
  T x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

// f(element), where element(from) is the element at an address as a 64-bit integer or a double.
template <class F>
auto with_reader(DType dtype, F f) {
  switch (dtype) {
    case DType::kBool:
      return f([](const char* from) { return std::int64_t{*from != 0}; });
    case DType::kInt8:
      return f([](const char* from) { return std::int64_t{read<std::int8_t>(from)}; });
    case DType::kInt16:
      return f([](const char* from) { return std::int64_t{read<std::int16_t>(from)}; });
    case DType::kInt32:
      return f([](const char* from) { return std::int64_t{read<std::int32_t>(from)}; });
    case DType::kInt64:
      return f([](const char* from) { return read<std::int64_t>(from); });
    case DType::kUInt8:
      return f([](const char* from) { return std::uint64_t{read<std::uint8_t>(from)}; });
    case DType::kUInt16:
      return f([](const char* from) { return std::uint64_t{read<std::uint16_t>(from)}; });
    case DType::kUInt32:
      return f([](const char* from) { return std::uint64_t{read<std::uint32_t>(from)}; });
    case DType::kUInt64:
      return f([](const char* from) { return read<std::uint64_t>(from); });
    case DType::kFloat16:
      return f(
          [](const char* from) { return double{float16_to_float(read<std::uint16_t>(from))}; });
    case DType::kBFloat16:
      return f(
          [](const char* from) { return double{bfloat16_to_float(read<std::uint16_t>(from))}; });
    case DType::kFloat32:
      return f([](const char* from) { return double{read<float>(from)}; });
    default:
      return f([](const char* from) { return read<double>(from); });
  }
}

ClassId id_of(std::int64_t x) { return {x >> 32, static_cast<std::uint32_t>(x), true}; }
ClassId id_of(std::uint64_t x) {
  return {static_cast<std::int64_t>(x >> 32), static_cast<std::uint32_t>(x), true};
}
ClassId id_of(double x) {
  if (!(x >= -0x1p63 && x < 0x1p64) || x != std::floor(x)) return {0, 0, false};
  return x < 0x1p63 ? id_of(static_cast<std::int64_t>(x)) : id_of(static_cast<std::uint64_t>(x));
}

// x if it is one of n classes, else -1.
std::int64_t index_below(std::int64_t x, std::int64_t n) { return x >= 0 && x < n ? x : -1; }
std::int64_t index_below(std::uint64_t x, std::int64_t n) {
  return x < static_cast<std::uint64_t>(n) ? static_cast<std::int64_t>(x) : -1;
}
std::int64_t index_below(double x, std::int64_t n) {
  const ClassId id = id_of(x);
  return id.is_below(n) ? id.value() : -1;
}

}  // namespace

ClassId read_class_id(const char* from, DType dtype) {
  return with_reader(dtype, [&](auto element) { return id_of(element(from)); });
}

std::string element_text(const char* from, DType dtype) {
  return with_reader(dtype, [&](auto element) {
    const auto x = element(from);
    if constexpr (std::is_floating_point_v<decltype(x)>) {
      return to_text(x);
    } else {
      return std::to_string(x);
    }
  });
}

void read_class_ids(const Plan& plan, std::int64_t begin, std::int64_t n,
                    std::optional<std::int64_t> ignore_class, const double* weights,
                    std::int64_t* ids, bool* ignored, BadLabels& bad) {
  BadIds found;
  const DType dtype = plan.dtype[kTrue];
  const std::int64_t stride = plan.outer.inner_stride(kTrue);
  const std::int64_t classes = plan.cols;
  for_each_run(plan.outer, begin, n,
               [&](std::int64_t position, std::int64_t run, const std::int64_t* offsets) {
                 const char* from = plan.data[kTrue] + offsets[kTrue];
                 const std::int64_t end = position + run;
                 with_reader(dtype, [&](auto element) {
                   if (!ignore_class && weights == nullptr) {  // no branches, unless one is wrong
                     std::int64_t signs = 0;
                     for (std::int64_t i = 0; i < run; ++i) {
                       ids[position + i] = index_below(element(from + i * stride), classes);
                       signs |= ids[position + i];
                     }
                     std::fill_n(ignored + position, run, false);
                     if (signs >= 0) return;
                   }
                   for (std::int64_t i = position; i < end; ++i, from += stride) {
                     const ClassId id = id_of(element(from));
                     ids[i] = 0;
                     ignored[i] = ignore_class && id == *ignore_class;
                     if (ignored[i] || (weights != nullptr && weights[i] == 0)) continue;
                     if (id.is_below(classes)) {
                       ids[i] = id.value();
                     } else {
                       found.add(begin + i, from, dtype);
                     }
                   }
                 });
               });
  bad.merge(found);
}

ClassIdTexts::ClassIdTexts(std::int64_t classes)
    : expected("class ids, whole numbers from 0 to " + std::to_string(classes - 1)),
      context(" where y_pred has " + std::to_string(classes) + " classes") {
  if (classes == 0) expected = "class ids";
}

void BadLabels::check(const char* argument, const std::int64_t* shape, int rank,
                      const std::string& expected, const std::string& context,
                      const std::string& fix) const {
  if (are_none()) return;
  std::int64_t index[kMaxRank + 1];
  std::int64_t rest = ids_.first;
  for (int d = rank - 1; d >= 0; --d) {
    index[d] = rest % shape[d];
    rest /= shape[d];
  }
  const std::string position = rank == 1 ? std::to_string(index[0]) : to_text(index, rank);
  const std::string others =
      ids_.count == 1 ? "; it is the only bad label."
                      : "; it is the first of " + std::to_string(ids_.count) + " bad labels.";
  throw Error(ErrorCode::kValue, argument,
              std::string(argument) + " must hold " + expected + "; received " + ids_.value +
                  " at position " + position + context + others + " Fix: " + fix);
}

void BadIds::add(std::int64_t position, const char* from, DType dtype) {
  if (count == 0 || position < first) {
    first = position;
    value = element_text(from, dtype);
  }
  ++count;
}

void BadIds::merge(const BadIds& other) {
  if (other.count == 0) return;
  if (count == 0 || other.first < first) {
    first = other.first;
    value = other.value;
  }
  count += other.count;
}

}  // namespace simdloss
