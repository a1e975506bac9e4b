# SPDX-License-Identifier: Apache-2.0
"""Measures results against exact ones, in units of the error that is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

import simdloss
from spec.bound import Row
from spec.case import Cells
from spec.domain import FloatArray
from spec.numbers import FORMATS

from .variants import Variant

Indices = npt.NDArray[np.intp]
WIDTH = 40  # distinct elements of a row


@dataclass(frozen=True)
class Pool:
    """Elements (y_true, y_pred) of one variant, dtype and regime, with their exact losses.

    They come in groups of `width`. Rows of any length are made of the elements of one group, so
    that a row of 10^6 elements costs no more exact arithmetic than its distinct elements. Pointwise
    losses have one group; otherwise a group is a row itself.
    """

    variant: Variant
    dtype: str
    regime: str
    t: FloatArray
    p: FloatArray
    width: int
    groups: list[Cells]

    def row(self, chosen: Indices) -> Row:
        group = int(chosen[0]) // self.width
        counts = np.bincount(chosen - group * self.width, minlength=self.width)
        return self.groups[group].row(counts)

    def batch(self, chosen: Indices) -> tuple[Any, Any]:
        """What the library is given: y_true and y_pred."""
        return self.variant.case.given(self.t[chosen]), self.p[chosen]

    def losses(self, chosen: Indices, **kwargs: Any) -> FloatArray:
        """What the library makes of rows of these elements."""
        if self.variant.case.converts_binary_labels:
            kwargs["labels"] = "signed"
        result: FloatArray = self.variant.samples(*self.batch(chosen), self.dtype, **kwargs)
        return result

    def repeatable(self, group: int) -> Indices:
        """Elements of a group that a row may hold many times: of one class, those without it."""
        members = np.arange(group * self.width, (group + 1) * self.width)
        without = members[self.t[members] == 0]
        return without if self.variant.case.axes == "one" and without.size else members


@dataclass(frozen=True)
class Measurement:
    """The error of one row, as a multiple of what is allowed."""

    error: float
    computed: float
    exact: float
    pool: Pool
    chosen: Indices
    isa: str

    def __str__(self) -> str:
        t, p = self.pool.t[self.chosen[:3]].tolist(), self.pool.p[self.chosen[:3]].tolist()
        more = "..." if self.chosen.size > 3 else ""
        return (
            f"{self.error:.3f} of the bound: {self.computed!r} instead of {self.exact!r} for "
            f"{self.chosen.size} elements, y_true={t}{more}, y_pred={p}{more} "
            f"({self.pool.regime}, {self.isa})"
        )


def make_pool(variant: Variant, dtype: str, regime: str, t: FloatArray, p: FloatArray) -> Pool:
    """The pool of groups that are the rows of t and p."""
    setting = variant.case.setting(variant.options, dtype)
    groups = [Cells(variant.case, x, y, setting) for x, y in zip(t, p, strict=True)]
    return Pool(variant, dtype, regime, t.ravel(), p.ravel(), t.shape[1], groups)


def pool(variant: Variant, dtype: str, regime: str, n: int, n_cols: int) -> Pool:
    """A random pool for n rows of n_cols elements; of n pairs, if the loss is pointwise."""
    whole = variant.case.row_finish == "whole"
    return _pool(variant, dtype, regime, (n, min(n_cols, WIDTH)) if whole else (1, n))


@cache
def _pool(variant: Variant, dtype: str, regime: str, shape: tuple[int, int]) -> Pool:
    return make_pool(variant, dtype, regime, *variant.draw_rows(shape, dtype, regime))


def choose(
    source: Pool,
    n_rows: int,
    n_cols: int,
    salt: int = 0,
    lanes: int = 1,
    among: Indices | None = None,
) -> Indices:
    """Rows of a pool; of pointwise losses, each pair once if rows have one element.

    With `lanes`, rows hold few elements again and again, this far apart.
    """
    rng = source.variant.rng("rows", source.dtype, source.regime, n_cols, salt, lanes)
    distinct = n_cols if lanes == 1 else 8
    columns = np.arange(n_cols) // lanes % distinct
    if source.variant.case.row_finish != "whole":
        if n_cols == 1:
            return np.arange(source.width)[:, None]
        candidates = np.arange(source.width) if among is None else among
        return rng.choice(candidates, (n_rows, distinct))[:, columns]
    rows = []
    for group in (i % len(source.groups) for i in range(n_rows)):
        row = rng.choice(source.repeatable(group), distinct)[columns]
        start = rng.integers(0, n_cols - source.width + 1)
        row[start : start + source.width] = np.arange(source.width) + group * source.width
        rows.append(row)
    return np.array(rows)


def measure(
    source: Pool, chosen: Indices, isas: Sequence[str] | None = None
) -> Iterator[Measurement]:
    """The errors of rows of a pool, on each instruction set; on the active one by default."""
    fmt, losses = FORMATS[source.dtype], {}
    for isa in isas or [simdloss.active_isa()]:
        with simdloss.using_isa(isa):
            assert simdloss.active_isa() == isa
            losses[isa] = source.losses(chosen).tolist()
    for indices, *found in zip(chosen, *losses.values(), strict=True):
        exact = source.row(indices)
        for isa, computed in zip(losses, found, strict=True):
            error = exact.error(computed, fmt, fmt)
            yield Measurement(error, computed, float(exact.value), source, indices, isa)
