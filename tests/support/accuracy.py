# SPDX-License-Identifier: Apache-2.0
"""Measures results against exact ones, in units of the error that is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from spec.bound import Row, elements, row
from spec.case import Element
from spec.domain import FloatArray
from spec.numbers import FORMATS

from .variants import Variant

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Pool:
    """Pairs (y_true, y_pred) of one variant, dtype and regime with their exact losses.

    Rows of any length are made of them, so that a row of 10^6 elements costs no more exact
    arithmetic than its distinct pairs.
    """

    variant: Variant
    dtype: str
    regime: str
    t: FloatArray
    p: FloatArray
    exact: list[Element]

    def row(self, chosen: Indices) -> Row:
        counts = np.bincount(chosen, minlength=len(self.exact))
        used = np.flatnonzero(counts)
        return row(self.variant.case, [self.exact[i] for i in used], counts[used].tolist())

    def losses(self, chosen: Indices, **kwargs: Any) -> FloatArray:
        """What the library makes of rows of these pairs."""
        t, p = self.t[chosen], self.p[chosen]
        if self.variant.case.converts_binary_labels:
            kwargs["labels"] = "signed"
        result: FloatArray = self.variant.samples(t, p, self.dtype, **kwargs)
        return result


@dataclass(frozen=True)
class Measurement:
    """The error of one row, as a multiple of what is allowed."""

    error: float
    computed: float
    exact: float
    pool: Pool
    chosen: Indices

    def __str__(self) -> str:
        t, p = self.pool.t[self.chosen[:3]].tolist(), self.pool.p[self.chosen[:3]].tolist()
        more = "..." if self.chosen.size > 3 else ""
        return (
            f"{self.error:.3f} of the bound: {self.computed!r} instead of {self.exact!r} for "
            f"{self.chosen.size} elements, y_true={t}{more}, y_pred={p}{more} ({self.pool.regime})"
        )


def make_pool(variant: Variant, dtype: str, regime: str, t: FloatArray, p: FloatArray) -> Pool:
    setting = variant.case.setting(variant.options, dtype)
    return Pool(variant, dtype, regime, t, p, elements(variant.case, t, p, setting))


@cache
def pool(variant: Variant, dtype: str, regime: str, n: int) -> Pool:
    """A pool of n random pairs."""
    t, p = variant.draw((n,), dtype, regime)
    return make_pool(variant, dtype, regime, t, p)


def choose(source: Pool, n_rows: int, n_cols: int, salt: int = 0) -> Indices:
    """Rows of a pool: each pair once if rows have one element, else random pairs."""
    if n_cols == 1:
        return np.arange(len(source.exact))[:, None]
    rng = source.variant.rng("rows", source.dtype, source.regime, n_cols, salt)
    return rng.integers(0, len(source.exact), (n_rows, n_cols))


def measure(source: Pool, chosen: Indices) -> Iterator[Measurement]:
    """The errors of rows of a pool."""
    fmt = FORMATS[source.dtype]
    for computed, indices in zip(source.losses(chosen).tolist(), chosen, strict=True):
        exact = source.row(indices)
        error = exact.error(computed, fmt, fmt)
        yield Measurement(error, computed, float(exact.value), source, indices)
