# SPDX-License-Identifier: Apache-2.0
"""The same values in other memory layouts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def fortran(a: Array) -> Array:
    return np.asfortranarray(a)


def strided(a: Array) -> Array:
    """Every second element of an array twice as long in each dimension, the others NaN or 111."""
    filler = np.nan if a.dtype.kind in "fV" else 111
    big = np.full([2 * n for n in a.shape], filler, dtype=a.dtype)
    view = big[tuple(slice(None, None, 2) for _ in a.shape)]
    view[...] = a
    return view


def reversed_(a: Array) -> Array:
    """Negative strides in every dimension."""
    flip = tuple(slice(None, None, -1) for _ in a.shape)
    backwards: Array = np.ascontiguousarray(a[flip])[flip]
    return backwards


def transposed(a: Array) -> Array:
    """Dimensions stored in rotated order."""
    order = np.roll(np.arange(a.ndim), 1)
    stored: Array = np.ascontiguousarray(a.transpose(order))
    back: Array = stored.transpose(np.argsort(order))
    return back


def offset(a: Array) -> Array:
    """Starts one element past an allocation: aligned for the dtype, not for a vector."""
    big = np.empty(a.size + 1, a.dtype)
    big[1:] = a.ravel()
    return big[1:].reshape(a.shape)


def misaligned(a: Array) -> Array:
    """Starts one byte past an allocation."""
    raw = bytearray(b"\0" + np.ascontiguousarray(a).tobytes())
    return np.frombuffer(raw, np.uint8, offset=1).view(a.dtype).reshape(a.shape)


def read_only(a: Array) -> Array:
    a = a.copy()
    a.flags.writeable = False
    return a


def byte_swapped(a: Array) -> Array:
    return a.astype(a.dtype.newbyteorder())


def odd_strides(a: Array) -> Array:
    """A field of packed records: strides that are no multiple of the element size."""
    records = np.zeros(a.shape, np.dtype([("tag", np.uint8), ("value", a.dtype)]))
    values: Array = records["value"]
    values[...] = a
    return values


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": np.ascontiguousarray,
    "fortran": fortran,
    "strided": strided,
    "reversed": reversed_,
    "transposed": transposed,
    "offset": offset,
    "misaligned": misaligned,
    "read_only": read_only,
    "byte_swapped": byte_swapped,
    "odd_strides": odd_strides,
}
