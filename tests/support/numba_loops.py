# SPDX-License-Identifier: Apache-2.0
"""Parallel loops by numba, kept in NUMBA_CACHE_DIR; NUMBA_THREADING_LAYER chooses who runs them."""

# Without numba its decorators have no types, and nothing is left to be ignored.
# mypy: disallow-untyped-decorators=False, warn-unused-ignores=False

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numba
import numpy as np


@numba.njit(parallel=True, cache=True)
def thread_ids(n: int) -> Any:
    ids = np.zeros(n, np.int64)
    for i in numba.prange(n):
        ids[i] = numba.get_thread_id()  # type: ignore[attr-defined]
    return ids


@numba.njit(parallel=True, nogil=True)
def _call_each(function: Any, n: int) -> Any:
    results = np.zeros(n, np.int64)
    for i in numba.prange(n):
        results[i] = function(i)
    return results


def call_in_loop(function: Callable[[int], int], n: int) -> list[int]:
    """What a Python function returned to the threads of a loop."""
    native = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(function)
    return list(_call_each(native, n))
