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

using AddLosses = void (*)(const double*, const double*, const double*, std::int64_t, const void*,
                           WideSum&);

template <class List>
struct Tables;
template <class... Losses>
struct Tables<LossList<Losses...>> {
  static constexpr AddLosses table[] = {&add_losses<Losses>...};
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
  Tables<AllLosses>::table[loss](t, p, plain, n, args, sum);
}

}  // namespace simdloss
