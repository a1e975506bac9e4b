// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "cpu.hpp"
#include "kernels/abi.hpp"
#include "simdloss/runtime.hpp"

namespace simdloss::test {

// Calls body(table) once for each instruction set of this machine.
template <class Body>
void for_each_isa(Body body) {
  for (const Isa isa : available_isas()) {
    const std::string name = isa_name(isa);
    CAPTURE(name);
    force_isa(name);
    REQUIRE(active_table().isa == isa);
    body(active_table());
  }
  force_isa("");
}

}  // namespace simdloss::test
