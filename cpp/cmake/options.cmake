# SPDX-License-Identifier: Apache-2.0
include(CheckCXXCompilerFlag)

# GCC sets and copies constant sizes by `rep stos` and `rep movs`, which take some 30 cycles to start:
# without them a call on 32x10 elements takes 6 % less (Ice Lake, g++ 12).
set(simdloss_inline_strings
    -mmemset-strategy=vector_loop:1024:noalign,libcall:-1:noalign
    -mmemcpy-strategy=vector_loop:512:noalign,libcall:-1:noalign
    CACHE INTERNAL "")
check_cxx_compiler_flag("${simdloss_inline_strings}" SIMDLOSS_HAVE_INLINE_STRINGS)

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
            $<$<BOOL:${SIMDLOSS_HAVE_INLINE_STRINGS}>:${simdloss_inline_strings}>
            -Wall
            -Wextra
            -Wpedantic
            -Wconversion
            -Wshadow
            $<$<BOOL:${SIMDLOSS_WERROR}>:-Werror>)
endfunction()
