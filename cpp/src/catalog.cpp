// SPDX-License-Identifier: Apache-2.0
#include "simdloss/catalog.hpp"

#include <cmath>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>

#include "loss_args.hpp"
#include "losses/all.hpp"
#include "simdloss/error.hpp"
#include "simdloss/evaluate.hpp"
#include "text.hpp"

namespace simdloss {
namespace {

template <class Loss>
constexpr bool needs_elements() {
  if constexpr (Loss::kind == LossKind::kRowwise) return Loss::has_max;
  return false;
}

template <class Loss>
constexpr LossInfo make_info(int index) {
  return {Loss::name,
          Loss::target,
          Loss::row_finish,
          Loss::axis_kind,
          Loss::has_classes,
          needs_elements<Loss>(),
          Loss::has_hessian,
          Loss::converts_binary_labels,
          Loss::params,
          Loss::n_params,
          index};
}

template <class Loss, class T>
void derive(const Settings& settings, LossArgs& args) {
  using Args = typename Loss::template Args<T>;
  static_assert(sizeof(Args) <= LossArgs::kMaxBytes && std::is_trivially_copyable_v<Args>);
  new (args.bytes) Args(Loss::template args<T>(settings));
}

using Derive = void (*)(const Settings&, LossArgs&);

template <class List>
struct Tables;
template <class... Losses>
struct Tables<LossList<Losses...>> {
  template <int... kIndex>
  struct Numbered {
    static constexpr LossInfo infos[] = {make_info<Losses>(kIndex)...};
  };
  template <int... kIndex>
  static constexpr const LossInfo* number(std::integer_sequence<int, kIndex...>) {
    return Numbered<kIndex...>::infos;
  }
  static constexpr const LossInfo* infos =
      number(std::make_integer_sequence<int, sizeof...(Losses)>());
  static constexpr Derive derive_float[] = {&derive<Losses, float>...};
  static constexpr Derive derive_double[] = {&derive<Losses, double>...};
};

using Entries = Tables<AllLosses>;

std::string domain_text(const ParamInfo& param) {
  if (param.is_bool) return "True or False";
  if (std::isinf(param.low)) return "a finite number";
  if (std::isinf(param.high)) return (param.low_open ? "> " : ">= ") + to_text(param.low);
  return std::string("in ") + (param.low_open ? "(" : "[") + to_text(param.low) + ", " +
         to_text(param.high) + "]";
}

}  // namespace

Catalog catalog() { return {Entries::infos, Entries::infos + AllLosses::size}; }

const LossInfo& find(std::string_view name) {
  for (const LossInfo& info : catalog()) {
    if (info.name == name) return info;
  }
  throw Error(ErrorCode::kValue, "name", "There is no loss named '" + std::string(name) + "'.");
}

BoundLoss bind_loss(const LossInfo& given, const std::vector<double>& params,
                    std::vector<double> class_weights) {
  // The caller's may be a copy, which need not live as long as the loss.
  const bool is_entry = given.index >= 0 && given.index < AllLosses::size &&
                        given.name != nullptr &&
                        std::strcmp(given.name, Entries::infos[given.index].name) == 0;
  if (!is_entry) {
    throw Error(ErrorCode::kValue, "info", "info must be an entry of catalog().");
  }
  const LossInfo& info = Entries::infos[given.index];
  if (static_cast<int>(params.size()) != info.n_params) {
    throw Error(ErrorCode::kValue, "params",
                std::string(info.name) + " takes " + std::to_string(info.n_params) +
                    " parameters; received " + std::to_string(params.size()) + ".");
  }
  for (int i = 0; i < info.n_params; ++i) {
    const ParamInfo& param = info.params[i];
    const double x = params[static_cast<std::size_t>(i)];
    const bool is_number = std::isfinite(x) || std::isfinite(param.low);
    const bool inside =
        is_number && (param.low_open ? x > param.low : x >= param.low) && x <= param.high;
    if (!inside || (param.is_bool && x != 0 && x != 1)) {
      throw Error(ErrorCode::kValue, param.name,
                  std::string(param.name) + " must be " + domain_text(param) + "; received " +
                      to_text(x) + ".");
    }
  }
  if (!class_weights.empty() && !info.has_classes) {
    throw Error(ErrorCode::kValue, "class_weight",
                std::string(info.name) + " has no classes to give weights to.");
  }
  for (const double weight : class_weights) {
    if (weight >= 0 && std::isfinite(weight)) continue;
    throw Error(ErrorCode::kValue, "class_weight",
                "class_weight must hold finite numbers >= 0; received " + to_text(weight) + ".");
  }
  BoundLoss loss;
  loss.info_ = &info;
  loss.params_ = params;
  loss.class_weights_ = std::move(class_weights);
  return loss;
}

LossArgs derive_args(int loss, const Settings& settings, DType compute) {
  LossArgs args;
  const auto index = static_cast<std::size_t>(loss);
  (compute == DType::kFloat32 ? Entries::derive_float : Entries::derive_double)[index](settings,
                                                                                       args);
  return args;
}

const char* dtype_name(DType dtype) {
  static constexpr const char* names[] = {"bool",     "int8",    "int16",  "int32",  "int64",
                                          "uint8",    "uint16",  "uint32", "uint64", "float16",
                                          "bfloat16", "float32", "float64"};
  return dtype <= DType::kFloat64 ? names[static_cast<std::size_t>(dtype)] : "unknown";
}

}  // namespace simdloss
