# SPDX-License-Identifier: Apache-2.0
"""What the numba loops are written with: decorators, and exp and log that LLVM can vectorise.

numba's own are calls of libm, one element each, unless LLVM is patched for SVML, which the wheels
of llvmlite are not. So an expert writes float32 polynomials (those of Cephes); float64 stays with
libm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba import types
from numba.extending import overload

F = TypeVar("F", bound=Callable[..., Any])

BLOCK = 4096  # elements that are summed in their own type; blocks are summed in float64


def parallel(function: F) -> F:
    """Compiled with threads for prange and sums in any order; kept on disk."""
    return cast(F, numba.njit(parallel=True, fastmath=True, cache=True)(function))


f32, i32 = np.float32, np.int32


def _exp32(x: Any) -> Any:
    x = min(max(x, f32(-87.3)), f32(88.3))
    n = np.floor(x * f32(1.44269504) + f32(0.5))
    r = x - n * f32(0.693359375) + n * f32(2.12194440e-4)
    y = f32(1.9875691500e-4) * r + f32(1.3981999507e-3)
    y = y * r + f32(8.3334519073e-3)
    y = y * r + f32(4.1665795894e-2)
    y = y * r + f32(1.6666665459e-1)
    y = y * r + f32(0.5)
    y = y * (r * r) + r + f32(1)
    return y * i32((i32(n) + i32(127)) << i32(23)).view(f32)


def _log32(x: Any) -> Any:
    bits = f32(x).view(i32)
    e = f32(i32(bits >> i32(23)) - i32(126))
    m = i32((bits & i32(0x7FFFFF)) | i32(0x3F000000)).view(f32)
    small = m < f32(0.707106781)
    e = e - f32(1) if small else e
    m = m + m - f32(1) if small else m - f32(1)
    z = m * m
    y = f32(7.0376836292e-2) * m - f32(1.1514610310e-1)
    y = y * m + f32(1.1676998740e-1)
    y = y * m - f32(1.2420140846e-1)
    y = y * m + f32(1.4249322787e-1)
    y = y * m - f32(1.6668057665e-1)
    y = y * m + f32(2.0000714765e-1)
    y = y * m - f32(2.4999993993e-1)
    y = y * m + f32(3.3333331174e-1)
    y = y * m * z - f32(2.12194440e-4) * e - f32(0.5) * z
    return m + y + f32(0.693359375) * e


def exp(x: Any) -> Any:
    """e^x."""
    return math.exp(x)


def log(x: Any) -> Any:
    """ln x of a normal number > 0."""
    return math.log(x)


def _exp64(x: Any) -> Any:
    return math.exp(x)


def _log64(x: Any) -> Any:
    return math.log(x)


def _exp_of(x: Any) -> Any:
    return _exp32 if x == types.float32 else _exp64


def _log_of(x: Any) -> Any:
    return _log32 if x == types.float32 else _log64


overload(exp, jit_options={"fastmath": True})(_exp_of)
overload(log, jit_options={"fastmath": True})(_log_of)
