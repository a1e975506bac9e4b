// SPDX-License-Identifier: Apache-2.0
#include "rescue.hpp"

#include "losses/all.hpp"

namespace simdloss {
namespace {

template <class Loss>
void add_losses(const double* t, const double* p, std::int64_t n, const void* args, WideSum& sum) {
  const auto& typed = *static_cast<const typename Loss::template Args<double>*>(args);
  for (std::int64_t i = 0; i < n; ++i) sum.add(element_loss<Loss>(Wide(t[i]), Wide(p[i]), typed));
}

using AddLosses = void (*)(const double*, const double*, std::int64_t, const void*, WideSum&);

template <class List>
struct Tables;
template <class... Losses>
struct Tables<LossList<Losses...>> {
  static constexpr AddLosses table[] = {&add_losses<Losses>...};
};

}  // namespace

void WideSum::add(Wide x) {
  const Wide sum = hi + x;
  if (!sum.is_finite()) {
    hi = sum;
    lo = Wide(0.0);
    return;
  }
  const Wide part = sum - hi;
  lo = lo + ((hi - (sum - part)) + (x - part));
  hi = sum;
}

void rescue_elements(int loss, const double* t, const double* p, std::int64_t n, const void* args,
                     WideSum& sum) {
  Tables<AllLosses>::table[loss](t, p, n, args, sum);
}

}  // namespace simdloss
