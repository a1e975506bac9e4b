# SPDX-License-Identifier: Apache-2.0
"""numba, with loops written by hand; and the streams that bandwidth is measured by."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numba
import numpy as np
from numba import prange

from ..data import Array
from ..subject import STREAMING, Job, Subject
from ..workloads import ELEMENTWISE
from . import numba_elementwise, numba_gradient, numba_rows
from .numba_math import BLOCK, parallel

LEAST_PARALLEL = 1 << 14  # elements: fewer are done before a second thread has started


def subjects(job: Job) -> Iterator[Subject]:
    if "16" in job.workload.dtype:  # not on CPUs
        return
    numba.set_num_threads(job.n_threads)
    loss, t, p = job.workload.loss, job.y_true, job.y_pred
    module: ModuleType = numba_rows
    if job.workload.axis >= 0:
        loss = f"{loss.removesuffix('_from_logits')}_of_planes"
        t, p = t.reshape(*t.shape[:-2], -1), p.reshape(*p.shape[:-2], -1)
    elif loss in (*ELEMENTWISE, "dice"):
        module = numba_elementwise
        t, p = t.reshape(-1), p.reshape(-1)
    if job.workload.gradient:
        module = numba_gradient
    function: Any = getattr(module, loss, None)
    if function is None:
        return
    if p.size < LEAST_PARALLEL:  # prange is then range
        function = numba.njit(fastmath=True)(function.py_func)
    if not job.workload.gradient:
        yield Subject("numba", lambda: function(t, p))
        return
    out = np.empty_like(p)
    yield Subject(
        "numba",
        lambda: function(t, p, out),
        lambda value: (value, out.reshape(job.workload.shape)),
    )


@parallel
def _read(a: Any, b: Any) -> Any:
    """The sum of both: adding integers is faster than memory, whatever the dtype is."""
    total = 0
    for block in prange((b.size + BLOCK - 1) // BLOCK):
        x, y = a[block * BLOCK :][:BLOCK], b[block * BLOCK :][:BLOCK]
        part = 0
        for i in range(y.size):
            part += y[i]
        for i in range(x.size):
            part += x[i]
        total += part
    return total


@parallel
def _read_and_write(a: Any, b: Any, out: Any) -> None:
    for block in prange((b.size + BLOCK - 1) // BLOCK):
        x, y = a[block * BLOCK :][:BLOCK], b[block * BLOCK :][:BLOCK]
        z = out[block * BLOCK :][:BLOCK]
        if x.size == y.size:
            for i in range(z.size):
                z[i] = x[i] + y[i]
        else:
            for i in range(z.size):
                z[i] = y[i]


def streaming(job: Job) -> Subject:
    """Reads the arrays of the job once and, for a gradient, writes as much as it has."""
    numba.set_num_threads(job.n_threads)
    a, b = _words(job.y_true), _words(job.y_pred)
    if not job.workload.gradient:
        return Subject(STREAMING, lambda: _read(a, b))
    out = np.empty_like(b)
    return Subject(STREAMING, lambda: _read_and_write(a, b, out))


def _words(array: Array) -> Array:
    """The memory of an array as 64-bit integers, but for up to 7 bytes at the end."""
    flat = array.reshape(-1).view(np.uint8)
    return flat[: flat.size // 8 * 8].view(np.int64)
