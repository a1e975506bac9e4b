# SPDX-License-Identifier: Apache-2.0
"""Comparisons of bit patterns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def bits(x: Any) -> npt.NDArray[np.unsignedinteger[Any]]:
    """The bit patterns of floats, all NaNs alike (their payload is not promised)."""
    a = np.array(x, copy=True)
    a[np.isnan(a)] = np.nan
    return a.view(UNSIGNED[a.itemsize])


def same_bits(x: Any, y: Any) -> bool:
    """Equal dtype, shape and bit patterns."""
    x, y = np.asarray(x), np.asarray(y)
    return x.dtype == y.dtype and x.shape == y.shape and np.array_equal(bits(x), bits(y))


def assert_same_bits(actual: Any, expected: Any, what: object = "") -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), what
    different = np.flatnonzero(bits(actual).ravel() != bits(expected).ravel())
    if different.size:
        i = different[0]
        raise AssertionError(
            f"{what}: {different.size} of {actual.size} differ, first at {i}: "
            f"{actual.ravel()[i]!r} instead of {expected.ravel()[i]!r}"
        )
