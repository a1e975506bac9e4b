// SPDX-License-Identifier: Apache-2.0
#pragma once

// What passes over the rows of a call have in common: weights and labels of a tile of rows, sums that
// do not depend on losses, per-sample results.

#include <algorithm>
#include <cstdint>

#include "call.hpp"
#include "rows.hpp"
#include "simdloss/reduction.hpp"

namespace simdloss {

// Long rows whose segment sums are held at a time.
inline constexpr std::int64_t kLongRows = 16;

// The loss, unless it was moved from.
const BoundLoss* checked(const BoundLoss& loss);

// Whether {0, 1} labels stand for {-1, 1} if there are no others.
bool converts_automatically(const Call& call);
// Whether every label of rows [begin, end) is 0 or 1; stops early at the first that is not.
bool labels_are_binary(const Call& call, const RowLosses& rows, std::int64_t begin,
                       std::int64_t end);

// Losses of rows, in the computation type.
struct alignas(64) LossTile {
  unsigned char values[std::max<std::int64_t>(kBareTileBytes, kRowTile * sizeof(double))];
};

// How many rows make a tile in a pass that does not store their losses.
std::int64_t rows_of_tile(const Call& call);

// What comes with the rows of a tile, and room for it.
struct InputTile {
  RowInputs inputs;
  double weights[kRowTile];
  std::int64_t class_ids[kRowTile];
  bool excluded[kRowTile];  // by the mask that the loss makes; their weight is 0

  void load(const Call& call, std::int64_t begin, std::int64_t n);
  // Queries without a loss are not in the mask that the circle loss makes.
  void exclude_zeros(const Call& call, const void* losses, std::int64_t n);
};

// Everything or, for a value alone, what its reduction needs.
enum class Need { kAll, kValue };

// Partial sums with all that is known before any loss.
PartialSums start_sums(const Call& call, Need need);

// Per-sample losses times weights, stored to the output.
void store_rows(const Call& call, const void* losses, const double* weights, std::int64_t begin,
                std::int64_t n, char* out);

}  // namespace simdloss
