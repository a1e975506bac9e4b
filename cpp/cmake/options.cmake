# SPDX-License-Identifier: Apache-2.0

# Options of everything that is compiled here, tests and bindings included.
#
# The bits of a result depend on -ffp-contract=off and on the absence of -ffast-math, so both are
# stated even where a parent project sets flags of its own.
#
# g++ 12's straight-line vectoriser drops the rounding in a pair like
#   p[0] = (double)(float)p[0]; p[1] = (double)(float)p[1];
# so it is off. Loops are not affected.
function(simdloss_compile_options target)
  set_target_properties(
    ${target}
    PROPERTIES CXX_STANDARD 20
               CXX_STANDARD_REQUIRED ON
               CXX_EXTENSIONS OFF
               CXX_VISIBILITY_PRESET hidden
               VISIBILITY_INLINES_HIDDEN ON
               POSITION_INDEPENDENT_CODE ON)
  target_compile_options(
    ${target}
    PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O2>
            -fno-fast-math
            -ffp-contract=off
            -fno-math-errno
            $<$<CXX_COMPILER_ID:GNU>:-fno-tree-slp-vectorize>
            -Wall
            -Wextra
            -Wpedantic
            -Wconversion
            -Wshadow
            $<$<BOOL:${SIMDLOSS_WERROR}>:-Werror>)
endfunction()
