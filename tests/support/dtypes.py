# SPDX-License-Identifier: Apache-2.0
"""Every dtype that arrays may have, and the default one for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import simdloss

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOATS = {
    "float16": np.dtype(np.float16),
    "bfloat16": BFLOAT16,
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
}
INTEGERS = {
    name: np.dtype(name)
    for name in (
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
    )
}
DTYPES: dict[str, np.dtype[Any]] = {"bool": np.dtype(bool), **INTEGERS, **FLOATS}

every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_float = pytest.mark.parametrize("dtype", FLOATS)


@contextmanager
def floatx(value: Any) -> Iterator[None]:
    """`set_floatx(value)` inside a with statement."""
    before = simdloss.floatx()
    simdloss.set_floatx(value)
    try:
        yield
    finally:
        simdloss.set_floatx(before)
