// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "c_api.hpp"

namespace {

using simdloss::ErrorCode;
using simdloss::PartialSums;
using simdloss::c_api::checked;
using simdloss::c_api::fail;
using simdloss::c_api::guarded;
using simdloss::c_api::guarded_call;

}  // namespace

simdloss_status simdloss_sums_create(simdloss_sums** sums, simdloss_error* error) noexcept {
  return guarded(error, [&] {
    checked(sums, "sums") = nullptr;
    *sums = std::make_unique<simdloss_sums>().release();
  });
}

void simdloss_sums_destroy(simdloss_sums* sums) noexcept { delete sums; }

simdloss_status simdloss_sums_add(simdloss_sums* sums, const simdloss_loss* loss,
                                  const simdloss_operands* operands,
                                  const simdloss_request* request, simdloss_error* error) noexcept {
  return guarded_call(loss, operands, request, error,
                      [&](const simdloss::BoundLoss& bound, const simdloss::Operands& o,
                          const simdloss::Request& r) {
                        PartialSums& state = checked(sums, "sums").state;
                        if (r.reduction == simdloss::Reduction::kNone) {
                          fail(ErrorCode::kValue, "reduction",
                               "reduction must be SIMDLOSS_REDUCTION_SUM, _MEAN or "
                               "_MEAN_WITH_SAMPLE_WEIGHT for sums; "
                               "received SIMDLOSS_REDUCTION_NONE.");
                        }
                        const PartialSums added = simdloss::partial_sums(bound, o, r);
                        try {
                          state.merge(added);
                        } catch (const simdloss::Error& refused) {  // it calls them "other"
                          fail(refused.code(), "loss", refused.what());
                        }
                      });
}

simdloss_status simdloss_sums_merge(simdloss_sums* sums, const simdloss_sums* other,
                                    simdloss_error* error) noexcept {
  return guarded(error, [&] {
    PartialSums& state = checked(sums, "sums").state;
    const PartialSums added = checked(other, "other").state;  // which may be the same
    state.merge(added);
  });
}

simdloss_status simdloss_sums_finalize(const simdloss_sums* sums, int32_t empty, double* value,
                                       simdloss_error* error) noexcept {
  return guarded(error, [&] {
    const PartialSums& state = checked(sums, "sums").state;
    checked(value, "value") = state.finalize(simdloss::c_api::checked_empty(empty));
  });
}

simdloss_status simdloss_sums_get_info(const simdloss_sums* sums, simdloss_sums_info* info,
                                       simdloss_error* error) noexcept {
  return guarded(error, [&] {
    const PartialSums& state = checked(sums, "sums").state;
    checked(info, "info") = {state.count, state.valid_count, state.weight_sum.value(),
                             static_cast<std::int32_t>(state.reduction),
                             static_cast<std::int32_t>(state.result_dtype)};
  });
}

simdloss_status simdloss_sums_to_bytes(const simdloss_sums* sums, void* buffer, size_t capacity,
                                       size_t* size, simdloss_error* error) noexcept {
  return guarded(error, [&] {
    const std::vector<std::uint8_t> bytes = checked(sums, "sums").state.to_bytes();
    checked(size, "size") = bytes.size();
    if (buffer == nullptr) return;
    if (capacity < bytes.size()) {
      fail(ErrorCode::kValue, "capacity",
           "capacity must be at least " + std::to_string(bytes.size()) + "; received " +
               std::to_string(capacity) + ".");
    }
    std::copy(bytes.begin(), bytes.end(), static_cast<std::uint8_t*>(buffer));
  });
}

simdloss_status simdloss_sums_from_bytes(const void* bytes, size_t n_bytes, simdloss_sums** sums,
                                         simdloss_error* error) noexcept {
  return guarded(error, [&] {
    checked(sums, "sums") = nullptr;
    const auto* const data = static_cast<const std::uint8_t*>(bytes);
    auto made = std::make_unique<simdloss_sums>();
    made->state = PartialSums::from_bytes(&checked(data, "bytes"), n_bytes);
    *sums = made.release();
  });
}
