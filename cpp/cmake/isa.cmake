# SPDX-License-Identifier: Apache-2.0
include(CheckCXXSourceCompiles)

# simdloss_add_isa(<name> ARCH <x86_64|aarch64|any> FLAGS <flag>...)
#
# Compiles src/isa/<name>.cpp with FLAGS into the target simdloss, if this is ARCH and the compiler
# knows the flags. The code then sees SIMDLOSS_HAVE_<NAME>. Nothing but these objects, and the test
# helpers of simdloss_use_isa(), may be compiled with such flags: [One exported symbol per ISA].
function(simdloss_add_isa name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "ARCH" "FLAGS")
  string(TOUPPER ${name} upper)
  if(arg_ARCH STREQUAL "any")
    set(guard "")
  else()
    set(guard "#ifndef __${arg_ARCH}__\n#error other architecture\n#endif\n")
  endif()
  string(GENEX_STRIP "${arg_FLAGS}" checked_flags)
  string(REPLACE ";" " " CMAKE_REQUIRED_FLAGS "${checked_flags}")
  check_cxx_source_compiles("${guard}int main() { return 0; }" SIMDLOSS_HAVE_${upper})
  if(NOT SIMDLOSS_HAVE_${upper})
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY SIMDLOSS_ISAS ${name})
  set_property(GLOBAL PROPERTY SIMDLOSS_FLAGS_${name} "${arg_FLAGS}")
  add_library(simdloss_isa_${name} OBJECT ${PROJECT_SOURCE_DIR}/cpp/src/isa/${name}.cpp)
  target_include_directories(simdloss_isa_${name} PRIVATE ${PROJECT_SOURCE_DIR}/cpp/include
                                                          ${PROJECT_SOURCE_DIR}/cpp/src)
  simdloss_use_isa(simdloss_isa_${name} ${name})
  target_sources(simdloss PRIVATE $<TARGET_OBJECTS:simdloss_isa_${name}>)
  target_compile_definitions(simdloss PRIVATE SIMDLOSS_HAVE_${upper}=1)
endfunction()

# Gives `target` the options of the ISA objects of that name.
function(simdloss_use_isa target name)
  get_property(flags GLOBAL PROPERTY SIMDLOSS_FLAGS_${name})
  simdloss_compile_options(${target})
  target_compile_options(${target} PRIVATE ${flags} -fno-exceptions
                                           $<$<CXX_COMPILER_ID:GNU>:-fvect-cost-model=dynamic>)
  if(name STREQUAL "avx512" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 warns of its own AVX-512 headers.
    target_compile_options(${target} PRIVATE -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
endfunction()
