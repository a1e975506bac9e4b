// SPDX-License-Identifier: Apache-2.0

// Compares every loss, through the public API, with the bits in tests/golden: see
// tests/support/golden.py for the format and for the numbers that the batches consist of.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "simdloss/simdloss.hpp"

namespace {

using namespace simdloss;

std::uint64_t upper_bits(std::uint64_t seed, std::uint64_t i) {
  std::uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (z ^ (z >> 31)) >> 40;
}

DType dtype_of(const std::string& name) {
  for (const DType d : {DType::kFloat16, DType::kBFloat16, DType::kFloat32, DType::kFloat64}) {
    if (name == dtype_name(d)) return d;
  }
  FAIL("unknown dtype " << name);
  return DType::kFloat32;
}

int precision(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
      return 11;
    case DType::kBFloat16:
      return 8;
    default:
      return 24;  // as many as upper_bits() gives
  }
}

double lattice(const std::string& name, std::uint64_t number, DType dtype) {
  const int width = precision(dtype);
  const double unit = std::ldexp(static_cast<double>(number >> (24 - width)), -width);
  const double bit = static_cast<double>(number % 2);
  if (name == "real") return unit * 16 - 8;
  if (name == "logit") return unit * 64 - 32;
  if (name == "count") return unit * 16;
  if (name == "unit") return unit;
  if (name == "soft") return number % 8 < 2 ? unit : bit;
  REQUIRE_MESSAGE(name == "sign", "unknown lattice " << name);
  return 2 * bit - 1;
}

// The bit pattern of x, which the dtype holds exactly.
std::uint64_t encode(double x, DType dtype) {
  std::uint64_t wide = 0;
  std::memcpy(&wide, &x, sizeof x);
  if (dtype == DType::kFloat64) return wide;
  const float f = static_cast<float>(x);
  std::uint32_t narrow = 0;
  std::memcpy(&narrow, &f, sizeof f);
  if (dtype == DType::kFloat32) return narrow;
  if (dtype == DType::kBFloat16) return narrow >> 16;
  if (x == 0) return narrow >> 16;
  const std::uint64_t sign = wide >> 63 << 15;
  const auto exponent = static_cast<std::int64_t>(wide >> 52 & 0x7FF) - 1023;
  REQUIRE_MESSAGE(exponent >= -14, "the lattices have no subnormal numbers");
  return sign | static_cast<std::uint64_t>(exponent + 15) << 10 | (wide >> 42 & 0x3FF);
}

// At most so many elements of a derivative are in the file, evenly spaced.
constexpr std::size_t kMaxElements = 8;

struct Batch {
  std::string entry, params, dtype, y_true, y_pred;
  std::int64_t rows = 0, cols = 0;
  std::uint64_t seed = 0;
  std::vector<std::string> results;                   // the mean, then samples
  std::vector<std::vector<std::string>> derivatives;  // gradient and Hessian, as far as there
};

std::vector<Batch> read_batches(const std::string& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), "cannot read " << path);
  std::vector<Batch> batches;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    Batch batch;
    std::istringstream fields(line);
    fields >> batch.entry >> batch.params >> batch.dtype >> batch.y_true >> batch.y_pred >>
        batch.rows >> batch.cols >> batch.seed;
    for (std::string field; fields >> field;) {
      if (field == "/") {
        batch.derivatives.emplace_back();
      } else if (batch.derivatives.empty()) {
        batch.results.push_back(field);
      } else {
        batch.derivatives.back().push_back(field);
      }
    }
    REQUIRE(batch.results.size() >= 2);
    batches.push_back(batch);
  }
  return batches;
}

std::vector<double> parse_params(const std::string& text) {
  std::vector<double> params;
  if (text == "-") return params;
  std::istringstream fields(text);
  for (std::string field; std::getline(fields, field, ',');) params.push_back(std::stod(field));
  return params;
}

// Element i of class ids is number i of the stream, modulo the number of classes.
std::vector<char> make_ids(const Batch& batch) {
  std::vector<char> bytes(static_cast<std::size_t>(batch.rows) * sizeof(std::int64_t));
  for (std::int64_t i = 0; i < batch.rows; ++i) {
    const std::uint64_t number = upper_bits(batch.seed, static_cast<std::uint64_t>(i));
    const auto id = static_cast<std::int64_t>(number % static_cast<std::uint64_t>(batch.cols));
    std::memcpy(&bytes[static_cast<std::size_t>(i) * sizeof id], &id, sizeof id);
  }
  return bytes;
}

std::vector<char> make_array(const Batch& batch, const std::string& name, std::uint64_t seed) {
  if (name == "class") return make_ids(batch);
  const DType dtype = dtype_of(batch.dtype);
  const std::size_t size = item_size(dtype);
  const auto n = static_cast<std::size_t>(batch.rows * batch.cols);
  std::vector<char> bytes(n * size);
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t code = encode(lattice(name, upper_bits(seed, i), dtype), dtype);
    std::memcpy(&bytes[i * size], &code, size);  // little-endian, as every target is
  }
  return bytes;
}

std::uint64_t read_code(const char* bytes, std::size_t size) {
  std::uint64_t code = 0;
  std::memcpy(&code, bytes, size);
  return code;
}

void check_batch(const Batch& batch) {
  CAPTURE(batch.entry);
  CAPTURE(batch.params);
  CAPTURE(batch.seed);
  const DType dtype = dtype_of(batch.dtype);
  const std::size_t size = item_size(dtype);
  const std::vector<char> t = make_array(batch, batch.y_true, batch.seed);
  const std::vector<char> p = make_array(batch, batch.y_pred, batch.seed + 1);
  const std::int64_t shape[] = {batch.rows, batch.cols};
  Operands operands;
  const bool ids = batch.y_true == "class";
  operands.y_true = {t.data(), ids ? DType::kInt64 : dtype, ids ? 1 : 2, shape, nullptr};
  operands.y_pred = {p.data(), dtype, 2, shape, nullptr};
  const BoundLoss loss = bind_loss(find(batch.entry), parse_params(batch.params));

  Request request;
  request.dtype = dtype;
  std::vector<char> mean(size);
  evaluate(loss, operands, request, {mean.data(), dtype, 0, nullptr, nullptr});
  CHECK(read_code(mean.data(), size) == std::stoull(batch.results[0], nullptr, 16));

  request.reduction = Reduction::kNone;
  std::vector<char> samples(static_cast<std::size_t>(batch.rows) * size);
  evaluate(loss, operands, request, {samples.data(), dtype, 1, shape, nullptr});
  for (std::size_t i = 1; i < batch.results.size(); ++i) {
    CAPTURE(i);
    CHECK(read_code(&samples[(i - 1) * size], size) == std::stoull(batch.results[i], nullptr, 16));
  }

  request.reduction = Reduction::kSum;
  const auto n = static_cast<std::size_t>(batch.rows * batch.cols);
  std::vector<char> found[2] = {std::vector<char>(n * size), std::vector<char>(n * size)};
  const MutableArrayView gradient{found[0].data(), dtype, 2, shape, nullptr};
  const MutableArrayView hessian{found[1].data(), dtype, 2, shape, nullptr};
  const MutableArrayView value{mean.data(), dtype, 0, nullptr, nullptr};
  CHECK(batch.derivatives.size() == (loss.info().has_hessian ? 2 : 1));
  if (loss.info().has_hessian) {
    value_gradient_and_hessian(loss, operands, request, Curvature::kDiagonal, value, gradient,
                               hessian);
  } else {
    value_and_gradient(loss, operands, request, value, gradient);
  }
  for (std::size_t k = 0; k < batch.derivatives.size(); ++k) {
    const std::vector<std::string>& expected = batch.derivatives[k];
    const std::size_t step = (n + kMaxElements - 1) / kMaxElements;
    REQUIRE(expected.size() == (n + step - 1) / step);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CAPTURE(k);
      CAPTURE(i);
      CHECK(read_code(&found[k][i * step * size], size) == std::stoull(expected[i], nullptr, 16));
    }
  }
}

TEST_CASE("every instruction set reproduces its golden file") {
  for (const Isa isa : available_isas()) {
    CAPTURE(isa_name(isa));
    force_isa(isa_name(isa));
    REQUIRE(active_isa() == isa);
    const char* file = isa == Isa::kBaseline ? "/baseline.txt" : "/fma.txt";
    const std::vector<Batch> batches = read_batches(SIMDLOSS_GOLDEN_DIR + std::string(file));
    CHECK(batches.size() >= 300);
    for (const Batch& batch : batches) check_batch(batch);
  }
  force_isa("");
}

TEST_CASE("the golden files hold every entry of the catalogue") {
  const std::vector<Batch> batches = read_batches(SIMDLOSS_GOLDEN_DIR "/fma.txt");
  for (const LossInfo& info : catalog()) {
    if (info.axis_kind == AxisKind::kNone) continue;  // test_ctc and test_circle compare their bits
    bool found = false;
    for (const Batch& batch : batches) found = found || batch.entry == info.name;
    CHECK_MESSAGE(found, info.name);
  }
}

}  // namespace
