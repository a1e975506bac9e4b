// SPDX-License-Identifier: Apache-2.0
#pragma once

// All public headers.

#include "simdloss/array_view.hpp"
#include "simdloss/catalog.hpp"
#include "simdloss/error.hpp"
#include "simdloss/evaluate.hpp"
#include "simdloss/exact_sum.hpp"
#include "simdloss/gradient.hpp"
#include "simdloss/reduction.hpp"
#include "simdloss/runtime.hpp"
