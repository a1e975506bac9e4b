# SPDX-License-Identifier: Apache-2.0
"""Where the C++ package lies that an installed wheel carries."""

from __future__ import annotations

from pathlib import Path

__all__ = ["get_cmake_dir", "get_include", "get_library_dir"]

_PACKAGE = Path(__file__).parent


def _directory(below: str, file: str) -> str:
    """A directory of the package, which must hold a file of that name."""
    path = _PACKAGE / below
    if not (path / file).is_file():
        raise FileNotFoundError(
            f"this installation of simdloss has no C++ package: {path / file} does not exist. "
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
    """The directory of the shared library, for programs that are built without CMake.

    Returns:
        Its path, for `-L` and `-Wl,-rpath,`.

    Raises:
        FileNotFoundError: where this installation has no C++ package; wheels have one.

    Example:
        >>> import simdloss
        >>> simdloss.get_library_dir()  # doctest: +SKIP
        '.../site-packages/simdloss/lib'
    """
    return _directory("lib", "libsimdloss.so")
