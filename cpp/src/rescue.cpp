// SPDX-License-Identifier: Apache-2.0
#include "rescue.hpp"

#include <cmath>

#include "losses/all.hpp"
#include "simd/add_exactly.hpp"

namespace simdloss {
namespace {

// Numbers that no formula takes out of double's normal range, but by exponentials: every number
// that is a float, and more.
bool is_ordinary(double x) {
  const double magnitude = std::fabs(x);
  return magnitude <= 0x1p150 && (magnitude >= 0x1p-150 || magnitude == 0);
}

// Doubles below this can be added without overflow, also on the way.
constexpr double kPlainLimit = 0x1p1000;

template <class Loss>
void add_losses(const double* t, const double* p, const double* plain, std::int64_t n,
                const void* args, WideSum& sum) {
  const auto& typed = *static_cast<const typename Loss::template Args<double>*>(args);
  for (std::int64_t i = 0; i < n; ++i) {
    if (std::isfinite(plain[i]) && is_ordinary(t[i]) && is_ordinary(p[i])) {
      sum.add(plain[i]);
    } else {
      sum.add(element_loss<Loss>(Wide(t[i]), Wide(p[i]), typed));
    }
  }
}

template <class Loss>
void add_part(Stage stage, const double* t, const double* p, const double* w, std::int64_t n,
              const void* args, Row<Wide>& row, WideSum* sums) {
  const auto& typed = *static_cast<const typename Loss::template Args<double>*>(args);
  for (std::int64_t i = 0; i < n; ++i) {
    const Wide label(Loss::target == Target::kClassId ? 0.0 : t[i]);
    const Wide prediction(p[i]);
    const Wide weight(w == nullptr ? 1.0 : w[i]);
    if constexpr (Loss::has_max) {
      const Wide x = Loss::scan(label, prediction, typed);
      if (stage == kMax) {
        row.max = max(row.max, x);
        continue;
      }
      const bool counts = Loss::n_first > 0 ? stage == kFirst : stage != kFirst;
      if (counts && x == row.max) row.ties = row.ties + Wide(1.0);
    }
    Terms<Wide> terms;
    if constexpr (Loss::n_first > 0) {
      if (stage == kFirst) {
        terms = Loss::first(label, prediction, weight, row, typed);
        for (int k = 0; k < Loss::n_first; ++k) sums[k].add(terms.values[k]);
        continue;
      }
    }
    if constexpr (Loss::n_sums > 0) {
      terms = Loss::terms(label, prediction, weight, row, typed);
      const int n_sums = stage == kSlopeTerms ? Loss::n_slope_sums : Loss::n_sums;
      for (int k = 0; k < n_sums; ++k) sums[k].add(terms.values[k]);
    }
  }
}

Terms<Wide> values_of(const WideSum* sums) {
  Terms<Wide> values;
  for (int k = 0; k < kMaxSums; ++k) values.values[k] = sums[k].value();
  return values;
}

// Null sums: the stage that ended is kMax.
template <class Loss>
void prepare_row(const WideSum* sums, const void* args, Row<Wide>& row) {
  if (sums == nullptr) {
    if constexpr (Loss::has_center) Loss::template center<double>(row);
    return;
  }
  if constexpr (Loss::n_first > 0) {
    const auto& typed = *static_cast<const typename Loss::template Args<double>*>(args);
    Loss::template prepare<double>(values_of(sums), row, typed);
  }
}

template <class Loss>
double finish_row(const WideSum* sums, const void* args, const Row<Wide>& row) {
  const auto& typed = *static_cast<const typename Loss::template Args<double>*>(args);
  return Loss::finish(values_of(sums), row, typed).value();
}

template <class Loss>
void derive_row(const WideSum* sums, const void* args, const Row<Wide>& row, const double* t,
                const double* p, const double* w, std::int64_t n, double scale, bool upper_bound,
                double* gradient, double* hessian) {
  const auto& typed = *static_cast<const typename Loss::template Args<double>*>(args);
  const Slopes<Wide> slopes = Loss::slopes(values_of(sums), row, Wide(scale), typed);
  for (std::int64_t i = 0; i < n; ++i) {
    const Wide weight(w == nullptr ? 1.0 : w[i]);
    gradient[i] = Loss::gradient(Wide(t[i]), Wide(p[i]), weight, row, slopes, typed).value() + 0.0;
    if constexpr (Loss::has_hessian) {
      if (hessian == nullptr) continue;
      const Wide h = Loss::curvature(Wide(t[i]), Wide(p[i]), weight, row, slopes, typed);
      hessian[i] = (upper_bound ? Loss::upper_bound(h) : h).value() + 0.0;
    }
  }
}

template <class Loss>
void derive_element(double t, double p, const void* args, double scale, double divisor,
                    bool upper_bound, double* gradient, double* hessian) {
  const auto& typed = *static_cast<const typename Loss::template Args<double>*>(args);
  const Wide label(t);
  const Wide prediction(p);
  const Wide factor = Wide(scale) / Wide(divisor);
  Wide half = label;
  if constexpr (Loss::is_prepared) half = Loss::prepare(label, prediction, typed);
  *gradient = (element_gradient<Loss>(label, prediction, half, typed) * factor).value() + 0.0;
  if (hessian == nullptr) return;
  Wide h = element_curvature<Loss>(label, prediction, half, typed);
  if (upper_bound) h = max(h, Wide(0.0));
  *hessian = (h * factor).value() + 0.0;
}

struct RowFormulas {
  decltype(&add_part<Dice>) add;
  decltype(&prepare_row<Dice>) prepare;
  decltype(&finish_row<Dice>) finish;
  decltype(&derive_row<Dice>) derive;
};
struct ElementFormulas {
  decltype(&add_losses<Hinge>) add;
  decltype(&derive_element<Hinge>) derive;
};

template <class Loss>
constexpr RowFormulas row_formulas() {
  if constexpr (Loss::kind == LossKind::kRowwise) {
    return {&add_part<Loss>, &prepare_row<Loss>, &finish_row<Loss>, &derive_row<Loss>};
  } else {
    return {};
  }
}

template <class Loss>
constexpr ElementFormulas element_formulas() {
  if constexpr (Loss::kind == LossKind::kPointwise) {
    return {&add_losses<Loss>, &derive_element<Loss>};
  } else {
    return {};
  }
}

template <class List>
struct Tables;
template <class... Losses>
struct Tables<LossList<Losses...>> {
  static constexpr ElementFormulas elements[] = {element_formulas<Losses>()...};
  static constexpr RowFormulas rows[] = {row_formulas<Losses>()...};
};

}  // namespace

void WideSum::add(double x) {
  if (is_plain_ && std::fabs(x) < kPlainLimit && std::fabs(hi_) < kPlainLimit) {
    lo_ += add_exactly(hi_, x);
    return;
  }
  // An infinity stays what it is, whatever finite follows.
  if (is_plain_ || wide_hi_.is_finite() || !std::isfinite(x)) add(Wide(x));
}

void WideSum::add(Wide x) {
  if (is_plain_) {
    if (x.is_finite() && x.fits_double() && std::fabs(hi_) < kPlainLimit) return add(x.value());
    is_plain_ = false;
    wide_hi_ = Wide(hi_);
    wide_lo_ = Wide(lo_);
  }
  if (const Wide sum = wide_hi_ + x; !sum.is_finite()) {
    wide_hi_ = sum;
    wide_lo_ = Wide(0.0);
    return;
  }
  wide_lo_ = wide_lo_ + add_exactly(wide_hi_, x);
}

void rescue_elements(int loss, const double* t, const double* p, const double* plain,
                     std::int64_t n, const void* args, WideSum& sum) {
  Tables<AllLosses>::elements[loss].add(t, p, plain, n, args, sum);
}

void rescue_derivatives(int loss, double t, double p, const void* args, double scale,
                        double divisor, bool upper_bound, double* gradient, double* hessian) {
  Tables<AllLosses>::elements[loss].derive(t, p, args, scale, divisor, upper_bound, gradient,
                                           hessian);
}

bool is_pointwise(int loss) { return Tables<AllLosses>::elements[loss].add != nullptr; }

void RowRescue::add(Stage stage, const double* t, const double* p, const double* class_weights,
                    std::int64_t n) {
  Tables<AllLosses>::rows[loss_].add(stage, t, p, class_weights, n, args_, row_, sums_);
}

void RowRescue::end_stage(Stage stage) {
  if (stage != kMax && stage != kFirst) return;
  Tables<AllLosses>::rows[loss_].prepare(stage == kMax ? nullptr : sums_, args_, row_);
  for (WideSum& sum : sums_) sum = WideSum();
}

double RowRescue::finish() const {
  return Tables<AllLosses>::rows[loss_].finish(sums_, args_, row_);
}

void RowRescue::derive(const double* t, const double* p, const double* class_weights,
                       std::int64_t n, double scale, bool upper_bound, double* gradient,
                       double* hessian) const {
  Tables<AllLosses>::rows[loss_].derive(sums_, args_, row_, t, p, class_weights, n, scale,
                                        upper_bound, gradient, hessian);
}

}  // namespace simdloss
