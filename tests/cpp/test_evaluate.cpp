// SPDX-License-Identifier: Apache-2.0
// evaluate.hpp: interruption, rows that are computed again, and the loss of one sample alone.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "calls.hpp"
#include "cpu.hpp"
#include "kernels/abi.hpp"
#include "loss_args.hpp"
#include "losses/all.hpp"
#include "rescue.hpp"
#include "simdloss/simdloss.hpp"

using namespace simdloss;
using namespace simdloss::test;

namespace {

// Counts the looks and interrupts at one of them.
struct Looks {
  int seen = 0;
  int interrupt_at = 0;  // 0: never

  void attach(Request& request) {
    request.interrupted = [](void* context) {
      auto& looks = *static_cast<Looks*>(context);
      return ++looks.seen == looks.interrupt_at;
    };
    request.interrupted_context = this;
  }
};

// The shapes of 2^25 elements whose calls are interrupted; ThreadSanitizer makes each of them take
// seconds, and cares for the threads alone.
#ifdef __SANITIZE_THREAD__
const std::vector<std::int64_t> kCols{16, 65537, 1 << 21};
const std::vector<int> kThreads{2};
#else
const std::vector<std::int64_t> kCols{1, 16, 65536, 65537, 1 << 18, 1 << 21};
const std::vector<int> kThreads{1, 2};
#endif

// How often a call of that many elements is to look: each thread at least every 2^23 elements.
int least_looks(std::int64_t elements, int threads) {
  return static_cast<int>(elements / threads >> 23);
}

// The sum of the losses by Wide numbers alone.
struct Reference {
  Wide hi{0.0};
  Wide lo{0.0};

  void add(Wide x) {
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
};

template <class... Losses>
Reference reference_sum(LossList<Losses...>, int index, const std::vector<double>& t,
                        const std::vector<double>& p, const void* args) {
  Reference sum;
  int i = 0;
  const auto add = [&]<class Loss>() {
    if (i++ != index) return;
    if constexpr (Loss::kind == LossKind::kPointwise) {
      const auto& typed = *static_cast<const typename Loss::template Args<double>*>(args);
      for (std::size_t k = 0; k < t.size(); ++k) {
        sum.add(element_loss<Loss>(Wide(t[k]), Wide(p[k]), typed));
      }
    }
  };
  (add.template operator()<Losses>(), ...);
  return sum;
}

bool same_bits(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

}  // namespace

TEST_CASE("every way through a call looks for an interruption") {
  const Array<float> one_weight = broadcast(1.0f, {1, 1});
  for (const std::int64_t cols : kCols) {
    const std::int64_t rows = (std::int64_t{1} << 25) / cols;
    const Array<float> data = broadcast(0.5f, {rows, cols});
    for (const int threads : kThreads) {
      for (const Reduction reduction : {Reduction::kMean, Reduction::kNone}) {
        for (const char* name : {"mean_squared_error", "hinge"}) {
          CAPTURE(cols);
          CAPTURE(threads);
          CAPTURE(name);
          Request request;
          request.threads = threads;
          request.reduction = reduction;
          Looks looks;
          looks.attach(request);
          const Operands operands{data.view(), data.view()};
          const bool scalar = reduction == Reduction::kMean;
          std::vector<float> out(scalar ? 1 : static_cast<std::size_t>(rows));
          const MutableArrayView target{out.data(), DType::kFloat32, scalar ? 0 : 1, &rows,
                                        nullptr};
          evaluate(loss_of(name), operands, request, target);
          CHECK(looks.seen >= least_looks(rows * cols, threads));
          CHECK(looks.seen <= 40);

          Looks once{0, 2};
          once.attach(request);
          ErrorCode code = ErrorCode::kValue;
          try {
            evaluate(loss_of(name), operands, request, target);
          } catch (const Error& error) {
            code = error.code();
          }
          CHECK(code == ErrorCode::kInterrupted);
          CHECK(once.seen == 2);
        }
      }
    }
  }
}

TEST_CASE("adding up weights looks for an interruption") {
  // Its own pass over the entries, before the losses are made.
  constexpr std::int64_t n = std::int64_t{1} << 24;
  const Array<float> data = broadcast(0.5f, {n, 1});
  const Array<float> weights = broadcast(2.0f, {n});
  const ArrayView weight = weights.view();
  Operands operands{data.view(), data.view()};
  Request request;
  request.threads = 1;
  request.reduction = Reduction::kMeanWithSampleWeight;
  Looks without;
  without.attach(request);
  scalar_loss(loss_of("mean_squared_error"), operands, request);
  operands.sample_weight = &weight;
  Looks with;
  with.attach(request);
  scalar_loss(loss_of("mean_squared_error"), operands, request);
  CHECK(with.seen >= without.seen + least_looks(n, 1));
}

TEST_CASE("long rows that are computed again look for an interruption") {
  constexpr std::int64_t rows = 8;
  constexpr std::int64_t cols = std::int64_t{1} << 21;
  const Array<float> t = broadcast(0.0f, {rows, cols});
  const Array<float> p = broadcast(std::numeric_limits<float>::infinity(), {rows, cols});
  const Operands operands{t.view(), p.view()};
  Request request;
  request.threads = 1;
  Looks looks;
  looks.attach(request);
  CHECK(scalar_loss(loss_of("mean_absolute_error"), operands, request) == kInfinity);
  CHECK(looks.seen >= least_looks(2 * rows * cols, 1));
}

TEST_CASE("what is computed again in double has the bits of Wide numbers") {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform(-1, 1);
  // Of any size, about as large as ordinary data, probabilities, labels, and the ends.
  const auto draw = [&](int kind) {
    const double x = uniform(random);
    switch (kind) {
      case 0:
        return std::ldexp(x, static_cast<int>(random() % 2000) - 1000);
      case 1:
        return 8 * x;
      case 2:
        return std::fabs(x);
      case 3:
        return static_cast<double>(random() % 2);
      case 4:
        return std::ldexp(x, static_cast<int>(random() % 300) - 150);
      default:
        return std::copysign(random() % 2 == 0 ? kInfinity : 1.7e308, x);
    }
  };
  std::vector<const KernelTable*> tables;
  for (const Isa isa : available_isas()) {
    if (isa == Isa::kBaseline) continue;
    force_isa(isa_name(isa));
    tables.push_back(&active_table());
  }
  force_isa("");
  for (const LossInfo& info : catalog()) {
    CAPTURE(info.name);
    if (!is_pointwise(info.index)) continue;  // other losses are Wide altogether, or not at all
    const BoundLoss loss = loss_of(info.name);
    for (int round = 0; round < 4000; ++round) {
      CAPTURE(round);
      const double epsilon = round % 2 == 0 ? 1e-7 : 0.0;
      const Settings settings{loss.params().data(), epsilon, 1 - epsilon, round % 4 < 2, 1};
      const LossArgs args = derive_args(info.index, settings, DType::kFloat64);
      std::vector<double> t(1 + random() % 20);
      std::vector<double> p(t.size());
      const int t_kind = static_cast<int>(random() % 6);
      const int p_kind = static_cast<int>(random() % 6);
      for (std::size_t i = 0; i < t.size(); ++i) {
        t[i] = draw(random() % 16 == 0 ? 5 : t_kind);
        p[i] = draw(random() % 16 == 0 ? 5 : p_kind);
      }
      const Reference expected = reference_sum(AllLosses(), info.index, t, p, args.bytes);
      const double wanted = ((expected.hi + expected.lo) / Wide(3.0)).value() + 0.0;
      for (const KernelTable* table : tables) {
        const auto n = static_cast<std::int64_t>(t.size());
        std::vector<double> plain(t.size());
        const RowBlock elements{t.data(), p.data(), sizeof(double), sizeof(double), n, 1};
        table->f64.losses[info.index].row_losses(elements, 1.0, args.bytes, plain.data());
        WideSum sum;
        rescue_elements(info.index, t.data(), p.data(), plain.data(), n, args.bytes, sum);
        REQUIRE(same_bits((sum.value() / Wide(3.0)).value() + 0.0, wanted));
      }
    }
  }
}

TEST_CASE("a NaN at the end of a row with an infinity makes it NaN") {
  for (const std::int64_t cols : {2, 500, 513, 2000, 70000}) {
    Array<float> t = broadcast(0.5f, {1, cols});
    Array<float> p{std::vector<float>(static_cast<std::size_t>(cols), 0.5f), {1, cols}};
    p.values.front() = std::numeric_limits<float>::infinity();
    const Operands operands{t.view(), p.view()};
    CHECK(scalar_loss(loss_of("mean_squared_error"), operands, Request()) == kInfinity);
    p.values.back() = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(scalar_loss(loss_of("mean_squared_error"), operands, Request())));
  }
}

TEST_CASE("rows without weight are not computed again") {
  constexpr std::int64_t rows = 8;
  constexpr std::int64_t cols = std::int64_t{1} << 21;
  const Array<float> t = broadcast(0.0f, {rows, cols});
  const Array<float> p = broadcast(std::numeric_limits<float>::infinity(), {rows, cols});
  const Array<float> weights = broadcast(0.0f, {rows});
  const ArrayView weight = weights.view();
  Operands operands{t.view(), p.view()};
  Request request;
  request.threads = 1;
  Looks all;
  all.attach(request);
  CHECK(scalar_loss(loss_of("mean_absolute_error"), operands, request) == kInfinity);
  operands.sample_weight = &weight;
  Looks none;
  none.attach(request);
  CHECK(scalar_loss(loss_of("mean_absolute_error"), operands, request) == 0.0);
  CHECK(2 * none.seen <= all.seen);
}

TEST_CASE("the loss of one sample alone keeps its reduction") {
  const Array<float> t{{1.0f}, {1}};
  const Array<float> p{{3.0f}, {1}};
  const Array<float> zero{{0.0f}, {}};
  const Array<float> two{{2.0f}, {}};
  const ArrayView mask = zero.view();
  const ArrayView weight = two.view();
  Operands operands{t.view(), p.view()};
  const BoundLoss loss = loss_of("mean_squared_error");
  Request request;
  request.reduction = Reduction::kMeanWithSampleWeight;
  operands.sample_weight = &weight;
  CHECK(scalar_loss(loss, operands, request) == 8.0);
  PartialSums sums = partial_sums(loss, operands, request);
  CHECK(sums.finalize() == 8.0);

  operands.mask = &mask;
  CHECK(scalar_loss(loss, operands, request) == 0.0);
  request.empty = Empty::kNan;
  CHECK(std::isnan(scalar_loss(loss, operands, request)));
  request.empty = Empty::kRaise;
  CHECK_THROWS_AS(scalar_loss(loss, operands, request), Error);

  // Beside a batch it is a sample of it.
  const Array<float> batch_t{{1.0f, 1.0f}, {2, 1}};
  const Array<float> batch_p{{2.0f, 4.0f}, {2, 1}};
  const Operands batch{batch_t.view(), batch_p.view()};
  sums.merge(partial_sums(loss, batch, request));
  CHECK(sums.finalize() == (2 * 4 + 1 + 9) / 4.0);
}

TEST_CASE("the callback may throw") {
  const Array<float> data = broadcast(0.5f, {std::int64_t{1} << 24, 1});
  Request request;
  request.interrupted = [](void*) -> bool { throw std::string("stop"); };
  CHECK_THROWS_AS(scalar_loss(loss_of("hinge"), {data.view(), data.view()}, request), std::string);
}
