// SPDX-License-Identifier: Apache-2.0
#include "c_api.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "simdloss/catalog.hpp"
#include "simdloss/gradient.hpp"

namespace {

using simdloss::BoundLoss;
using simdloss::Curvature;
using simdloss::ErrorCode;
using simdloss::Operands;
using simdloss::Request;
using simdloss::c_api::checked;
using simdloss::c_api::fail;
using simdloss::c_api::guarded;
using simdloss::c_api::guarded_call;
using simdloss::c_api::view_of;

static_assert(static_cast<int>(Curvature::kDiagonal) == SIMDLOSS_CURVATURE_DIAGONAL);
static_assert(static_cast<int>(Curvature::kUpperBound) == SIMDLOSS_CURVATURE_UPPER_BOUND);

const simdloss::LossInfo& find(const char* name) {
  for (const simdloss::LossInfo& info : simdloss::catalog()) {
    if (std::strcmp(info.name, name) == 0) return info;
  }
  fail(ErrorCode::kValue, "name",
       "name must be that of a loss, see simdloss_catalog_entry(); received '" + std::string(name) +
           "'.");
}

// The values of all parameters, in the order of the catalogue.
std::vector<double> values_of(const simdloss::LossInfo& info, const simdloss_param* given,
                              std::size_t n_given) {
  const auto n = static_cast<std::size_t>(info.n_params);
  std::vector<double> values(n);
  std::vector<bool> is_given(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = info.params[i].default_value;
  if (n_given > 0) checked(given, "params");
  for (std::size_t k = 0; k < n_given; ++k) {
    const char* const name = &checked(given[k].name, "params");
    std::size_t i = 0;
    while (i < n && std::strcmp(info.params[i].name, name) != 0) ++i;
    if (i == n) {
      std::string known;
      for (std::size_t j = 0; j < n; ++j) {
        known += (j == 0 ? "" : ", ") + std::string(info.params[j].name);
      }
      const bool is_logits = std::strcmp(name, "from_logits") == 0;
      fail(ErrorCode::kValue, name,
           std::string(info.name) + " has " +
               (n == 0 ? "no parameters" : "the parameters " + known) + "; received '" + name +
               "'." + (is_logits ? " Fix: losses of logits are named ..._from_logits." : ""));
    }
    if (is_given[i]) {
      fail(ErrorCode::kValue, name, std::string(name) + " must not be given more than once.");
    }
    is_given[i] = true;
    values[i] = given[k].value;
  }
  return values;
}

void init(const void* defaults, std::size_t n_defaults, void* to, std::size_t struct_size) {
  if (to == nullptr) return;
  const std::size_t n = std::min(n_defaults, struct_size);
  std::memcpy(to, defaults, n);
  std::memset(static_cast<char*>(to) + n, 0, struct_size - n);
}

simdloss_array_type to_c(const simdloss::ResultType& type) {
  simdloss_array_type result{};
  result.dtype = static_cast<std::int32_t>(type.dtype);
  result.rank = static_cast<std::int32_t>(type.shape.size());
  std::copy(type.shape.begin(), type.shape.end(), result.shape);
  return result;
}

}  // namespace

simdloss_status simdloss_loss_create(const char* name, const simdloss_param* params,
                                     size_t n_params, const double* class_weight,
                                     size_t n_class_weight, simdloss_loss** loss,
                                     simdloss_error* error) noexcept {
  return guarded(error, [&] {
    checked(loss, "loss") = nullptr;
    const simdloss::LossInfo& info = find(&checked(name, "name"));
    const std::vector<double> values = values_of(info, params, n_params);
    if (n_class_weight > 0) checked(class_weight, "class_weight");
    std::vector<double> weights(class_weight, class_weight + n_class_weight);
    auto made = std::make_unique<simdloss_loss>(
        simdloss_loss{simdloss::bind_loss(info, values, std::move(weights))});
    *loss = made.release();
  });
}

void simdloss_loss_destroy(simdloss_loss* loss) noexcept { delete loss; }

void simdloss_request_init(simdloss_request* request, size_t struct_size) noexcept {
  simdloss_request defaults = simdloss::c_api::default_request();
  defaults.struct_size = static_cast<std::uint32_t>(struct_size);
  init(&defaults, sizeof defaults, request, struct_size);
}

void simdloss_operands_init(simdloss_operands* operands, size_t struct_size) noexcept {
  simdloss_operands defaults = simdloss::c_api::default_operands();
  defaults.struct_size = static_cast<std::uint32_t>(struct_size);
  init(&defaults, sizeof defaults, operands, struct_size);
}

simdloss_status simdloss_result_type(const simdloss_loss* loss, const simdloss_operands* operands,
                                     const simdloss_request* request, simdloss_array_type* type,
                                     simdloss_error* error) noexcept {
  return guarded_call(loss, operands, request, error,
                      [&](const BoundLoss& bound, const Operands& o, const Request& r) {
                        checked(type, "type") = to_c(simdloss::result_type(bound, o, r));
                      });
}

simdloss_status simdloss_gradient_type(const simdloss_loss* loss, const simdloss_operands* operands,
                                       const simdloss_request* request, simdloss_array_type* type,
                                       simdloss_error* error) noexcept {
  return guarded_call(loss, operands, request, error,
                      [&](const BoundLoss& bound, const Operands& o, const Request& r) {
                        checked(type, "type") = to_c(simdloss::gradient_type(bound, o, r));
                      });
}

simdloss_status simdloss_evaluate(const simdloss_loss* loss, const simdloss_operands* operands,
                                  const simdloss_request* request,
                                  const simdloss_mutable_array* out,
                                  simdloss_error* error) noexcept {
  return guarded_call(loss, operands, request, error,
                      [&](const BoundLoss& bound, const Operands& o, const Request& r) {
                        simdloss::evaluate(bound, o, r, view_of(out, "out"));
                      });
}

simdloss_status simdloss_gradient(const simdloss_loss* loss, const simdloss_operands* operands,
                                  const simdloss_request* request,
                                  const simdloss_mutable_array* out,
                                  simdloss_error* error) noexcept {
  return guarded_call(loss, operands, request, error,
                      [&](const BoundLoss& bound, const Operands& o, const Request& r) {
                        simdloss::gradient(bound, o, r, view_of(out, "out"));
                      });
}

simdloss_status simdloss_value_and_gradient(const simdloss_loss* loss,
                                            const simdloss_operands* operands,
                                            const simdloss_request* request,
                                            const simdloss_mutable_array* value,
                                            const simdloss_mutable_array* gradient,
                                            simdloss_error* error) noexcept {
  return guarded_call(loss, operands, request, error,
                      [&](const BoundLoss& bound, const Operands& o, const Request& r) {
                        simdloss::value_and_gradient(bound, o, r, view_of(value, "value"),
                                                     view_of(gradient, "gradient"));
                      });
}

simdloss_status simdloss_value_gradient_and_hessian(
    const simdloss_loss* loss, const simdloss_operands* operands, const simdloss_request* request,
    int32_t curvature, const simdloss_mutable_array* value, const simdloss_mutable_array* gradient,
    const simdloss_mutable_array* hessian, simdloss_error* error) noexcept {
  return guarded_call(
      loss, operands, request, error,
      [&](const BoundLoss& bound, const Operands& o, const Request& r) {
        const Curvature kind = simdloss::c_api::checked_enum(
            curvature, Curvature::kUpperBound, "curvature", "SIMDLOSS_CURVATURE_DIAGONAL, ...");
        simdloss::value_gradient_and_hessian(bound, o, r, kind, view_of(value, "value"),
                                             view_of(gradient, "gradient"),
                                             view_of(hessian, "hessian"));
      });
}

simdloss_status simdloss_vjp(const simdloss_loss* loss, const simdloss_operands* operands,
                             const simdloss_array* cotangent, const simdloss_request* request,
                             const simdloss_mutable_array* out, simdloss_error* error) noexcept {
  return guarded_call(loss, operands, request, error,
                      [&](const BoundLoss& bound, const Operands& o, const Request& r) {
                        simdloss::vjp(bound, o,
                                      view_of(checked(cotangent, "cotangent"), "cotangent"), r,
                                      view_of(out, "out"));
                      });
}
