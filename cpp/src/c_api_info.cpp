// SPDX-License-Identifier: Apache-2.0

// The catalogue and the process, as the C API shows them.

#include <string>
#include <vector>

#include "c_api.hpp"
#include "simdloss/catalog.hpp"
#include "simdloss/runtime.hpp"

namespace {

using simdloss::AxisKind;
using simdloss::ErrorCode;
using simdloss::LossInfo;
using simdloss::ParamInfo;
using simdloss::RowFinish;
using simdloss::Target;
using simdloss::c_api::checked;
using simdloss::c_api::fail;
using simdloss::c_api::guarded;

static_assert(static_cast<int>(Target::kReal) == SIMDLOSS_TARGET_REAL &&
              static_cast<int>(Target::kLabel) == SIMDLOSS_TARGET_LABEL &&
              static_cast<int>(Target::kClassId) == SIMDLOSS_TARGET_CLASS_ID &&
              static_cast<int>(Target::kSequence) == SIMDLOSS_TARGET_SEQUENCE &&
              static_cast<int>(Target::kPairs) == SIMDLOSS_TARGET_PAIRS);
static_assert(static_cast<int>(RowFinish::kMean) == SIMDLOSS_ROW_MEAN &&
              static_cast<int>(RowFinish::kSum) == SIMDLOSS_ROW_SUM &&
              static_cast<int>(RowFinish::kWhole) == SIMDLOSS_ROW_WHOLE);
static_assert(static_cast<int>(AxisKind::kAny) == SIMDLOSS_AXIS_ANY &&
              static_cast<int>(AxisKind::kOne) == SIMDLOSS_AXIS_ONE &&
              static_cast<int>(AxisKind::kNone) == SIMDLOSS_AXIS_NONE);

int checked_index(std::int32_t index, int n, const char* argument) {
  if (index < 0 || index >= n) {
    fail(ErrorCode::kValue, argument,
         std::string(argument) + " must be in [0, " + std::to_string(n) + "); received " +
             std::to_string(index) + ".");
  }
  return index;
}

int catalog_size() {
  const simdloss::Catalog catalog = simdloss::catalog();
  return static_cast<int>(catalog.end() - catalog.begin());
}

const LossInfo& entry(std::int32_t index) {
  return simdloss::catalog().begin()[checked_index(index, catalog_size(), "index")];
}

std::uint32_t bit_if(bool holds, std::uint32_t bit) { return holds ? bit : 0; }

}  // namespace

const char* simdloss_status_name(simdloss_status status) noexcept {
  switch (status) {
    case SIMDLOSS_OK:
      return "ok";
    case SIMDLOSS_VALUE:
      return "value";
    case SIMDLOSS_TYPE:
      return "type";
    case SIMDLOSS_NOT_SUPPORTED:
      return "not_supported";
    case SIMDLOSS_INTERRUPTED:
      return "interrupted";
    case SIMDLOSS_OUT_OF_MEMORY:
      return "out_of_memory";
    case SIMDLOSS_INTERNAL:
      return "internal";
    default:
      return nullptr;
  }
}

const char* simdloss_dtype_name(int32_t dtype) noexcept {
  if (dtype < SIMDLOSS_BOOL || dtype > SIMDLOSS_FLOAT64) return nullptr;
  return simdloss::dtype_name(static_cast<simdloss::DType>(dtype));
}

size_t simdloss_dtype_size(int32_t dtype) noexcept {
  if (dtype < SIMDLOSS_BOOL || dtype > SIMDLOSS_FLOAT64) return 0;
  return simdloss::item_size(static_cast<simdloss::DType>(dtype));
}

int32_t simdloss_catalog_size(void) noexcept { return catalog_size(); }

simdloss_status simdloss_catalog_entry(int32_t index, simdloss_loss_info* info,
                                       simdloss_error* error) noexcept {
  return guarded(error, [&] {
    const LossInfo& loss = entry(index);
    checked(info, "info") = {
        loss.name,
        static_cast<std::int32_t>(loss.target),
        static_cast<std::int32_t>(loss.row_finish),
        static_cast<std::int32_t>(loss.axis_kind),
        bit_if(loss.has_classes, SIMDLOSS_HAS_CLASSES) |
            bit_if(loss.needs_elements, SIMDLOSS_NEEDS_ELEMENTS) |
            bit_if(loss.has_hessian, SIMDLOSS_HAS_HESSIAN) |
            bit_if(loss.converts_binary_labels, SIMDLOSS_CONVERTS_BINARY_LABELS),
        loss.n_params,
        0};
  });
}

simdloss_status simdloss_catalog_param(int32_t index, int32_t param, simdloss_param_info* info,
                                       simdloss_error* error) noexcept {
  return guarded(error, [&] {
    const LossInfo& loss = entry(index);
    const ParamInfo& found = loss.params[checked_index(param, loss.n_params, "param")];
    checked(info, "info") = {
        found.name,
        found.default_value,
        found.low,
        found.high,
        bit_if(found.low_open, SIMDLOSS_LOW_OPEN) | bit_if(found.is_bool, SIMDLOSS_IS_BOOL),
        0};
  });
}

uint32_t simdloss_api_version(void) noexcept { return SIMDLOSS_API_VERSION; }

void simdloss_build_info(simdloss_build* info) noexcept {
  if (info == nullptr) return;
  const simdloss::BuildInfo build = simdloss::build_info();
  *info = {build.version, build.compiler, build.flags, build.openmp};
}

const char* simdloss_available_isa(int32_t index) noexcept {
  const char* name = nullptr;
  guarded(nullptr, [&] {
    const std::vector<simdloss::Isa> isas = simdloss::available_isas();
    if (index < 0 || static_cast<std::size_t>(index) >= isas.size()) return;
    name = simdloss::isa_name(isas[static_cast<std::size_t>(index)]);
  });
  return name;
}

simdloss_status simdloss_active_isa(const char** name, const char** reason,
                                    simdloss_error* error) noexcept {
  return guarded(error, [&] {
    const char* const active = simdloss::isa_name(simdloss::active_isa());
    const char* const why = simdloss::isa_reason();
    checked(name, "name") = active;
    if (reason != nullptr) *reason = why;
  });
}

simdloss_status simdloss_force_isa(const char* isa, simdloss_error* error) noexcept {
  return guarded(error, [&] { simdloss::force_isa(isa != nullptr ? isa : ""); });
}

simdloss_status simdloss_num_threads(int32_t* n, const char** reason,
                                     simdloss_error* error) noexcept {
  return guarded(error, [&] {
    const int threads = simdloss::num_threads();
    const char* const why = simdloss::num_threads_reason();
    checked(n, "n") = threads;
    if (reason != nullptr) *reason = why;
  });
}

simdloss_status simdloss_set_num_threads(int32_t n, simdloss_error* error) noexcept {
  return guarded(error, [&] { simdloss::set_num_threads(n); });
}

int32_t simdloss_last_num_threads(void) noexcept { return simdloss::last_num_threads(); }
