# SPDX-License-Identifier: Apache-2.0
"""Where the C++ package lies that an installed wheel carries."""

from __future__ import annotations

from pathlib import Path

__all__ = ["get_cmake_dir", "get_include", "get_library_dir", "get_pkgconfig_dir"]

_PACKAGE = Path(__file__).parent

# On Linux, on macOS, and what a static library is called.
_LIBRARIES = ("libsimdloss.so*", "libsimdloss*.dylib", "libsimdloss.a", "simdloss.lib")


def _directory(below: str, *names: str) -> str:
    """A directory of the package, which must hold a file of one of those names or patterns."""
    path = _PACKAGE / below
    if not any(file.is_file() for name in names for file in path.glob(name)):
        raise FileNotFoundError(
            f"this installation of simdloss has no C++ package: no {' or '.join(names)} in {path}. "
            "Wheels have one; for a build of your own, see CMake's --install."
        )
    return str(path)


def get_include() -> str:
    """The directory of the C++ headers, for `#include <simdloss/...>`.

    Returns:
        Its path, for `-I`.

    Raises:
        FileNotFoundError: where this installation has no C++ package; wheels have one.

    Example:
        >>> import simdloss
        >>> simdloss.get_include()  # doctest: +SKIP
        '.../site-packages/simdloss/include'
    """
    return _directory("include", "simdloss/runtime.hpp")


def get_cmake_dir() -> str:
    """The directory that makes `find_package(simdloss)` work.

    Returns:
        Its path, for `-Dsimdloss_DIR=`.

    Raises:
        FileNotFoundError: where this installation has no C++ package; wheels have one.

    Example:
        >>> import simdloss
        >>> simdloss.get_cmake_dir()  # doctest: +SKIP
        '.../site-packages/simdloss/lib/cmake/simdloss'
    """
    return _directory("lib/cmake/simdloss", "simdloss-config.cmake")


def get_library_dir() -> str:
    """The directory of the C++ library, which programs need where they run if it is shared.

    It is in wheels for Linux and macOS; those for Windows have a static one.

    Returns:
        Its path, for `-Wl,-rpath,` and `-L`.

    Raises:
        FileNotFoundError: where this installation has no C++ package; wheels have one.

    Example:
        >>> import simdloss
        >>> simdloss.get_library_dir()  # doctest: +SKIP
        '.../site-packages/simdloss/lib'
    """
    return _directory("lib", *_LIBRARIES)


def get_pkgconfig_dir() -> str:
    """The directory that makes `pkg-config simdloss` work.

    Returns:
        Its path, for `PKG_CONFIG_PATH`.

    Raises:
        FileNotFoundError: where this installation has no C++ package; wheels have one.

    Example:
        >>> import simdloss
        >>> simdloss.get_pkgconfig_dir()  # doctest: +SKIP
        '.../site-packages/simdloss/lib/pkgconfig'
    """
    return _directory("lib/pkgconfig", "simdloss.pc")
