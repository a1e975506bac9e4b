// SPDX-License-Identifier: Apache-2.0

// Compares every operation of Vec, on every instruction set that runs here, with plain C++ written
// independently of it: bit for bit, except that any NaN equals any other.

#include <doctest/doctest.h>

#include <algorithm>
#include <bitset>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "guarded_page.hpp"
#include "vec_isas.hpp"
#include "vec_oracle.hpp"

namespace simdloss::test {
namespace {

// A full load and load_first for every n.
template <class T, class Stored, class Random, class Decode>
void check_loads(Tally& tally, const char* name, int width, void (*load)(const Stored*, T*),
                 void (*load_first)(const Stored*, std::int64_t, T*), Random random_stored,
                 Decode decode) {
  GuardedPage page;
  std::mt19937_64 random(7);
  const auto check = [&](int n, bool is_full) {
    for (char* const place : tight_places(page, n, sizeof(Stored))) {
      Stored stored[16];
      for (int i = 0; i < n; ++i) stored[i] = random_stored(random);
      std::memcpy(place, stored, static_cast<std::size_t>(n) * sizeof(Stored));
      T got[16];
      const Stored* const from = reinterpret_cast<const Stored*>(place);
      if (is_full) {
        load(from, got);
      } else {
        load_first(from, n, got);
      }
      for (int i = 0; i < width; ++i) {
        const T expected = i < n ? static_cast<T>(decode(stored[i])) : T(0);
        tally.add_numbers(got[i], expected, [&] {
          return std::string(name) + ", lane " + std::to_string(i) + " of " + std::to_string(n);
        });
      }
    }
  };
  for (int repeat = 0; repeat < 100; ++repeat) {
    check(width, true);
    for (int n = 0; n <= width; ++n) check(n, false);
  }
}

// A full store and store_first, if there is one, for every n: what they write, and that they write
// nothing else.
template <class T, class Stored, class Encode>
void check_stores(Tally& tally, const char* name, int width, void (*store)(const T*, Stored*),
                  void (*store_first)(const T*, Stored*, std::int64_t), Encode encode) {
  GuardedPage page;
  std::mt19937_64 random(8);
  const auto check = [&](int n, bool is_full) {
    for (char* const place : tight_places(page, n, sizeof(Stored))) {
      T values[16];
      for (T& x : values) x = random_value<T>(random);
      std::fill(page.begin(), page.end(), char{0x5A});
      std::vector<char> expected(page.begin(), page.end());
      for (int i = 0; i < n; ++i) {
        const Stored x = encode(values[i]);
        std::memcpy(expected.data() + (place - page.begin()) + i * static_cast<int>(sizeof x), &x,
                    sizeof x);
      }
      if (is_full) {
        store(values, reinterpret_cast<Stored*>(place));
      } else {
        store_first(values, reinterpret_cast<Stored*>(place), n);
      }
      tally.add(std::equal(expected.begin(), expected.end(), page.begin()),
                [&] { return std::string(name) + ": store of " + std::to_string(n); });
    }
  };
  for (int repeat = 0; repeat < 10; ++repeat) {
    check(width, true);
    for (int n = 0; store_first != nullptr && n <= width; ++n) check(n, false);
  }
}

// All 2^16 numbers of a type.
template <class Decode>
void check_every_word(Tally& tally, const char* name, int width,
                      void (*load)(const std::uint16_t*, float*), Decode decode) {
  for (int first = 0; first < 0x10000; first += width) {
    std::uint16_t words[16];
    for (int i = 0; i < width; ++i) words[i] = static_cast<std::uint16_t>(first + i);
    float got[16];
    load(words, got);
    for (int i = 0; i < width; ++i) {
      tally.add_numbers(got[i], static_cast<float>(decode(words[i])),
                        [&] { return std::string(name) + " " + std::to_string(words[i]); });
    }
  }
}

// A type's numbers, what lies halfway between them, and the floats on both sides of each.
template <class Decode, class Encode>
void check_narrowing(Tally& tally, const char* name, int width,
                     void (*store)(const float*, std::uint16_t*), Decode decode, Encode encode) {
  const std::vector<double> edges = rounding_edges<float>(decode);
  REQUIRE(edges.size() > 300000);
  for (std::size_t first = 0; first < edges.size(); first += static_cast<std::size_t>(width)) {
    float x[16] = {};
    for (std::size_t i = 0; i < static_cast<std::size_t>(width) && first + i < edges.size(); ++i) {
      x[i] = static_cast<float>(edges[first + i]);
    }
    std::uint16_t got[16];
    store(x, got);
    for (int i = 0; i < width; ++i) {
      tally.add(got[i] == encode(x[i]), [&] { return name + (" of " + std::to_string(x[i])); });
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("lane operations give the oracle's bits", T, float, double) {
  const Triples<T> in = input_triples<T>();
  const std::size_t n = in.x.size();
  for (const IsaUnderTest& isa : isas_under_test()) {
    const VecFunctions<T>& f = isa.of<T>();
    const bool has_fma = isa.isa != Isa::kBaseline;
    const std::vector<Oracle<T>> expected = oracles<T>(has_fma);
    REQUIRE(static_cast<std::size_t>(f.n_operations) == expected.size());
    REQUIRE(16 % f.width == 0);
    Tally tally(isa);
    for (std::size_t k = 0; k < expected.size(); ++k) {
      const std::string name = f.operations[k].name;
      REQUIRE(name == expected[k].name);
      const bool needs_range = name == "product_error" && !has_fma && std::is_same_v<T, double>;
      std::vector<Word<T>> out(n);
      f.operations[k].run(in.x.data(), in.y.data(), in.z.data(), static_cast<std::int64_t>(n),
                          out.data());
      for (std::size_t i = 0; i < n; ++i) {
        if (needs_range && !has_exact_split_product(in.x[i], in.y[i])) continue;
        const Expected<T> e = expected[k].value(in.x[i], in.y[i], in.z[i]);
        const bool same_nan =
            e.is_number && std::isnan(value_of<T>(e.word)) && std::isnan(value_of<T>(out[i]));
        tally.add(same_nan || out[i] == e.word, [&] {
          char text[200];
          std::snprintf(text, sizeof text, "%s of %a, %a, %a: got %#llx, expected %#llx",
                        name.c_str(), double(in.x[i]), double(in.y[i]), double(in.z[i]),
                        static_cast<unsigned long long>(out[i]),
                        static_cast<unsigned long long>(e.word));
          return std::string(text);
        });
      }
    }
  }
}

TEST_CASE_TEMPLATE("any, all and count_first see every set of lanes", T, float, double) {
  for (const IsaUnderTest& isa : isas_under_test()) {
    const VecFunctions<T>& f = isa.of<T>();
    Tally tally(isa);
    const unsigned full = (1U << f.width) - 1;
    for (unsigned set = 0; set <= full; ++set) {
      T x[16];
      for (int i = 0; i < f.width; ++i) {
        x[i] = (set >> i & 1) != 0 ? std::numeric_limits<T>::quiet_NaN() : T(i);
      }
      const bool right[] = {f.any_nan(x) == (set != 0), f.all_nan(x) == (set == full),
                            f.any_not_nan(x) == (set != full), f.all_not_nan(x) == (set == 0)};
      for (const bool is_right : right) {
        tally.add(is_right, [&] { return "lanes " + std::to_string(set); });
      }
      for (int n = 0; n <= f.width; ++n) {
        const auto expected = std::bitset<16>(set & ((1U << n) - 1)).count();
        tally.add(f.count_nan_first(x, n) == static_cast<int>(expected),
                  [&] { return "count of lanes " + std::to_string(set); });
      }
    }
  }
}

TEST_CASE_TEMPLATE("max_lane finds the largest lane wherever it is", T, float, double) {
  const T infinity = std::numeric_limits<T>::infinity();
  for (const IsaUnderTest& isa : isas_under_test()) {
    const VecFunctions<T>& f = isa.of<T>();
    Tally tally(isa);
    for (const T largest : {T(5), -std::numeric_limits<T>::denorm_min(), infinity, -infinity}) {
      for (int lane = 0; lane < f.width; ++lane) {
        T x[16];
        for (int i = 0; i < f.width; ++i) x[i] = i % 2 == 0 ? -infinity : largest - T(i + 1);
        x[lane] = largest;
        tally.add_numbers(f.max_lane(x), largest, [] { return std::string("max_lane"); });
      }
    }
  }
}

TEST_CASE_TEMPLATE("loads and stores touch their elements only", T, float, double) {
  for (const IsaUnderTest& isa : isas_under_test()) {
    const VecFunctions<T>& f = isa.of<T>();
    Tally tally(isa);
    check_loads(tally, "load", f.width, f.load_store, f.load_first, random_value<T>, unchanged<T>);
    check_stores(tally, "store", f.width, f.load_store, f.store_first, unchanged<T>);
  }
}

TEST_CASE_TEMPLATE("keep_first keeps the first lanes", T, float, double) {
  const std::vector<T> special = special_values<T>();
  for (const IsaUnderTest& isa : isas_under_test()) {
    const VecFunctions<T>& f = isa.of<T>();
    Tally tally(isa);
    for (std::size_t first = 0; first + 16 <= special.size(); ++first) {
      for (int n = 0; n <= f.width; ++n) {
        T got[16];
        f.keep_first(special.data() + first, n, got);
        for (int i = 0; i < f.width; ++i) {
          const T x = special[first + static_cast<std::size_t>(i)];
          tally.add_numbers(got[i], i < n ? x : T(0),
                            [&] { return "keep_first of " + std::to_string(n); });
        }
      }
    }
  }
}

TEST_CASE("narrow numbers are widened exactly") {
  for (const IsaUnderTest& isa : isas_under_test()) {
    Tally tally(isa);
    const VecFunctions<float>& f = isa.of<float>();
    check_every_word(tally, "float16", f.width, f.load_float16, decoded_float16);
    check_every_word(tally, "bfloat16", f.width, f.load_bfloat16, decoded_bfloat16);
    check_loads(tally, "float16", f.width, f.load_float16, f.load_float16_first, random_word,
                decoded_float16);
    check_loads(tally, "bfloat16", f.width, f.load_bfloat16, f.load_bfloat16_first, random_word,
                decoded_bfloat16);
    const VecFunctions<double>& d = isa.of<double>();
    check_loads(tally, "float", d.width, d.load_float, d.load_float_first, random_value<float>,
                unchanged<float>);
  }
}

TEST_CASE("wide numbers are rounded once, to nearest even") {
  const auto as_float = [](double x) { return static_cast<float>(x); };
  for (const IsaUnderTest& isa : isas_under_test()) {
    Tally tally(isa);
    const VecFunctions<float>& f = isa.of<float>();
    check_narrowing(tally, "float16", f.width, f.store_float16, decoded_float16, encoded_float16);
    check_narrowing(tally, "bfloat16", f.width, f.store_bfloat16, decoded_bfloat16,
                    encoded_bfloat16);
    check_stores(tally, "float16", f.width, f.store_float16, f.store_float16_first,
                 encoded_float16);
    check_stores(tally, "bfloat16", f.width, f.store_bfloat16, f.store_bfloat16_first,
                 encoded_bfloat16);
    const VecFunctions<double>& d = isa.of<double>();
    check_stores<double, float>(tally, "float", d.width, d.store_float, nullptr, as_float);
    // Over the range of float and beyond both ends of it.
    std::mt19937_64 random(10);
    for (int repeat = 0; repeat < 20000; ++repeat) {
      double x[16];
      float got[16];
      for (double& value : x) {
        const int exponent = static_cast<int>(random() % 300) - 213;
        value = std::ldexp(static_cast<double>(random() >> 11), exponent);
        if (random() % 2 == 0) value = -value;
      }
      d.store_float(x, got);
      for (int i = 0; i < d.width; ++i) {
        tally.add_numbers(got[i], as_float(x[i]), [] { return std::string("store_float"); });
      }
      f.load_double(x, got);
      for (int i = 0; i < f.width; ++i) {
        tally.add_numbers(got[i], as_float(x[i]), [] { return std::string("load_double"); });
      }
    }
  }
}

TEST_CASE("blocks of two vectors alternate") {
  std::mt19937_64 random(11);
  for (const IsaUnderTest& isa : isas_under_test()) {
    const VecFunctions<double>& d = isa.of<double>();
    if (d.width == 1) continue;
    Tally tally(isa);
    for (int repeat = 0; repeat < 1000; ++repeat) {
      double x[8];
      double y[8];
      for (double& value : x) value = random_value<double>(random);
      for (double& value : y) value = random_value<double>(random);
      for (int n = 1; 2 * n <= d.width; n *= 2) {
        double even[8] = {};
        double odd[8] = {};
        d.blocks(x, y, n, even, odd);
        for (int i = 0; i < d.width; ++i) {
          const int lane = i % n + i / (2 * n) * 2 * n;  // of the even block
          const double* const from = i / n % 2 == 0 ? x : y;
          tally.add_numbers(even[i], from[lane],
                            [&] { return "even_blocks " + std::to_string(n); });
          tally.add_numbers(odd[i], from[lane + n],
                            [&] { return "odd_blocks " + std::to_string(n); });
        }
      }
    }
  }
}

TEST_CASE("parts and upper lanes are found where they belong") {
  std::mt19937_64 random(9);
  for (const IsaUnderTest& isa : isas_under_test()) {
    const VecFunctions<float>& f = isa.of<float>();
    const VecFunctions<double>& d = isa.of<double>();
    Tally tally(isa);
    for (int repeat = 0; repeat < 1000; ++repeat) {
      float narrow[16];
      double wide[16];
      for (float& x : narrow) x = random_value<float>(random);
      f.widen_parts(narrow, wide);
      for (int i = 0; i < f.width; ++i) {
        tally.add_numbers(wide[i], static_cast<double>(narrow[i]),
                          [&] { return "widen_part, lane " + std::to_string(i); });
      }
      for (double& x : wide) x = random_value<double>(random);
      tally.add_numbers(d.first_lane(wide), wide[0], [] { return std::string("first_lane"); });
      for (int n = 1; 2 * n <= d.width; n *= 2) {
        double got[16] = {};
        d.lower(wide, n, got);
        for (int i = 0; i < n; ++i) {
          tally.add_numbers(got[i], wide[i + n],
                            [&] { return "lower<" + std::to_string(n) + ">"; });
        }
      }
    }
  }
}

}  // namespace simdloss::test
