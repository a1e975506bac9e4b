/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIMDLOSS_EXPORT_H
#define SIMDLOSS_EXPORT_H

/* Marks what the shared library exports: the public functions and classes, and nothing else. CMake
 * and pkg-config define SIMDLOSS_STATIC for the static library, which exports nothing. */
#if defined(SIMDLOSS_STATIC)
#define SIMDLOSS_API
#elif defined(__GNUC__) || defined(__clang__)
#define SIMDLOSS_API __attribute__((visibility("default")))
#elif defined(_MSC_VER)
#error "The shared library of simdloss needs GCC or Clang; the static one needs SIMDLOSS_STATIC"
#else
#define SIMDLOSS_API
#endif

#endif
