// SPDX-License-Identifier: Apache-2.0
#include "rescue.hpp"

#include <cmath>

#include "losses/all.hpp"
#include "two_sum.hpp"

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
  constexpr Stage counting = Loss::n_first > 0 ? kFirst : kTerms;
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
      if (stage == counting && x == row.max) row.ties = row.ties + Wide(1.0);
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
      for (int k = 0; k < Loss::n_sums; ++k) sums[k].add(terms.values[k]);
    }
  }
}

Terms<Wide> values_of(const WideSum* sums) {
  Terms<Wide> values;
  for (int k = 0; k < kMaxSums; ++k) values.values[k] = sums[k].value();
  return values;
}

template <class Loss>
void prepare_row(const WideSum* sums, const void* args, Row<Wide>& row) {
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

struct RowFormulas {
  decltype(&add_part<Dice>) add;
  decltype(&prepare_row<Dice>) prepare;
  decltype(&finish_row<Dice>) finish;
};

template <class Loss>
constexpr RowFormulas row_formulas() {
  if constexpr (Loss::kind == LossKind::kRowwise) {
    return {&add_part<Loss>, &prepare_row<Loss>, &finish_row<Loss>};
  } else {
    return {};
  }
}

template <class Loss>
constexpr auto element_formula() {
  using AddLosses = decltype(&add_losses<Hinge>);
  if constexpr (Loss::kind == LossKind::kPointwise) {
    return &add_losses<Loss>;
  } else {
    return AddLosses{};
  }
}

template <class List>
struct Tables;
template <class... Losses>
struct Tables<LossList<Losses...>> {
  static constexpr decltype(&add_losses<Hinge>) elements[] = {element_formula<Losses>()...};
  static constexpr RowFormulas rows[] = {row_formulas<Losses>()...};
};

}  // namespace

void WideSum::add(double x) {
  if (is_plain_ && std::fabs(x) < kPlainLimit && std::fabs(hi_) < kPlainLimit) {
    const auto [sum, error] = two_sum(hi_, x);
    hi_ = sum;
    lo_ += error;
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
  const auto [sum, error] = two_sum(wide_hi_, x);
  wide_hi_ = sum;
  wide_lo_ = wide_lo_ + error;
}

void rescue_elements(int loss, const double* t, const double* p, const double* plain,
                     std::int64_t n, const void* args, WideSum& sum) {
  Tables<AllLosses>::elements[loss](t, p, plain, n, args, sum);
}

bool is_pointwise(int loss) { return Tables<AllLosses>::elements[loss] != nullptr; }

void RowRescue::add(Stage stage, const double* t, const double* p, const double* class_weights,
                    std::int64_t n) {
  Tables<AllLosses>::rows[loss_].add(stage, t, p, class_weights, n, args_, row_, sums_);
}

void RowRescue::end_stage(Stage stage) {
  if (stage != kFirst) return;
  Tables<AllLosses>::rows[loss_].prepare(sums_, args_, row_);
  for (WideSum& sum : sums_) sum = WideSum();
}

double RowRescue::finish() const {
  return Tables<AllLosses>::rows[loss_].finish(sums_, args_, row_);
}

}  // namespace simdloss
