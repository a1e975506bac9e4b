# SPDX-License-Identifier: Apache-2.0
"""SimSIMD and NumKong: distances of vectors.

They leave threads to the caller, so long arrays are cut into one part for each thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from ..data import Array
from ..subject import Job, Subject


def _optional(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ImportError:
        return None


simsimd, numkong = map(_optional, ("simsimd", "numkong"))

DTYPES = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}
PARALLEL = 1 << 16  # elements from which on threads pay


def subjects(job: Job) -> Iterator[Subject]:
    if job.workload.gradient:
        return
    dtype = DTYPES[job.workload.dtype]
    if dtype == "bf16":  # NumPy's buffer protocol does not know it
        job = replace(job, y_true=job.y_true.view(np.uint16), y_pred=job.y_pred.view(np.uint16))
    for title, module, cosine, divergence in (
        ("SimSIMD", simsimd, "cosine", "kullbackleibler"),
        ("NumKong", numkong, "angular", "kld"),
    ):
        if module is None:
            continue
        if job.workload.loss == "mean_squared_error":
            yield _flat(title, job, module.sqeuclidean, dtype, job.y_pred.size)
        elif job.workload.loss == "kl_divergence":
            yield _flat(title, job, getattr(module, divergence), dtype, len(job.y_pred))
        elif job.workload.loss == "cosine_similarity":
            yield _rows(title, job, getattr(module, cosine), dtype)


def _parts(job: Job, t: Array, p: Array) -> list[tuple[Array, Array]]:
    n_parts = job.n_threads if p.size >= PARALLEL else 1
    return list(zip(np.array_split(t, n_parts), np.array_split(p, n_parts), strict=True))


def _flat(title: str, job: Job, distance: Any, dtype: str, n: int) -> Subject:
    """The sum over all elements is the distance of two long vectors."""
    parts = _parts(job, job.y_true.reshape(-1), job.y_pred.reshape(-1))
    if len(parts) == 1:
        t, p = parts[0]
        return Subject(title, lambda: float(distance(t, p, dtype)) / n)
    pool = ThreadPoolExecutor(len(parts))

    def of_part(part: tuple[Array, Array]) -> float:
        return float(distance(*part, dtype))

    return Subject(title, lambda: sum(pool.map(of_part, parts)) / n)


def _rows(title: str, job: Job, distance: Any, dtype: str) -> Subject:
    """Distances of the rows of two matrices."""
    parts = _parts(job, job.y_true, job.y_pred)
    n = len(job.y_pred)

    def total(part: tuple[Array, Array]) -> float:
        return float(np.asarray(distance(*part, dtype)).sum())

    if len(parts) == 1:
        return Subject(title, lambda: total(parts[0]) / n - 1)
    pool = ThreadPoolExecutor(len(parts))
    return Subject(title, lambda: sum(pool.map(total, parts)) / n - 1)
