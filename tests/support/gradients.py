# SPDX-License-Identifier: Apache-2.0
"""Measures derivatives against exact ones, in units of the error that is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Literal

import numpy as np

import simdloss
from spec.case import Cells, Slopes
from spec.numbers import FORMATS
from spec.semantics import Reduced

from .accuracy import Indices, Pool
from .variants import VARIANTS, Variant

Which = Literal["gradient", "hessian"]
MORE_GAMMAS: tuple[dict[str, float], ...] = (
    {"gamma": 1.0},
    {"gamma": 5.0, "label_smoothing": 0.125},
)
"""Of losses with that parameter: where powers of the derivatives end."""


def _with_more_gammas() -> Iterator[Variant]:
    for variant in VARIANTS:
        yield variant
        if not variant.options and "gamma" in variant.case.complete({}):
            yield from (Variant(variant.case, options) for options in MORE_GAMMAS)


GRADIENT_VARIANTS = list(_with_more_gammas())


@cache
def has_hessian(variant: Variant) -> bool:
    """Whether the library offers second derivatives of the loss."""
    t, p = variant.draw((1, 2))
    try:
        call("value_grad_hess", variant, t, p)
    except NotImplementedError:
        return False
    return True


def call(
    method: str,
    variant: Variant,
    t: Any,
    p: Any,
    weights: Any = None,
    options: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """What a method of an instance made with these further options returns."""
    loss: Any = variant.loss(**(options or {}))
    return getattr(loss, method)(t, p, weights, **kwargs)


def gradient(variant: Variant, t: Any, p: Any, weights: Any = None, **kwargs: Any) -> Any:
    """The gradient alone; keyword arguments of the call are mask, out, scale and empty, the others
    are of the constructor."""
    own = {k: kwargs.pop(k) for k in ("mask", "out", "scale", "empty") if k in kwargs}
    return call("value_and_grad", variant, t, p, weights, kwargs, **own)[1]


def slopes_of(
    variant: Variant, t: Any, p: Any, dtype: str = "float32", class_weight: Any = 1.0
) -> list[list[Slopes]]:
    """The exact derivatives of the loss of each row by each of its elements, of a batch whose last
    axis is the row."""
    case, fmt = variant.case, FORMATS[dtype]
    setting = case.setting(variant.options, dtype, class_weight=class_weight)
    rows = np.asarray(p, np.float64).reshape(-1, p.shape[-1])
    labels = np.asarray(t).reshape(len(rows), *([] if case.target == "class_id" else [-1]))
    found = []
    for x, y in zip(labels, rows, strict=True):
        cells = Cells(case, case.drawn(x, y.size), y, setting)
        found.append([cells.slopes(i, unit=float(fmt.unit)) for i in range(y.size)])
    return found


def factors(shape: tuple[int, ...], weights: Any, mask: Any, reduction: str) -> Any:
    """What the loss of each sample is multiplied by on its way to the reduced loss."""
    one = np.empty(shape, dtype=object)
    found = np.empty(shape, dtype=object)
    for i in np.ndindex(shape):
        one[...] = Fraction(0)
        one[i] = Fraction(1)
        found[i] = sum(Reduced(one.copy(), weights, mask, reduction).exact().ravel().tolist())
    return found


@dataclass(frozen=True)
class Measurement:
    """The error of one derivative, as a multiple of what is allowed."""

    error: float
    computed: float
    exact: float
    column: int
    pool: Pool
    chosen: Indices
    isa: str

    def __str__(self) -> str:
        t, p = (a[self.chosen].tolist() for a in (self.pool.t, self.pool.p))
        own, shown = self.chosen[self.column], slice(None if len(t) <= 10 else 3)
        return (
            f"{self.error:.3f} of the bound: {self.computed!r} instead of {self.exact!r} for "
            f"element {self.column} of {len(t)}, (y_true, y_pred) = "
            f"({self.pool.t[own].item()!r}, {self.pool.p[own].item()!r}), in the row "
            f"y_true={t[shown]}, y_pred={p[shown]} ({self.pool.regime}, {self.isa})"
        )


def derivatives(source: Pool, rows: Indices, which: Which, **kwargs: Any) -> Any:
    """What the library makes of rows of these elements, for a factor of 1."""
    case = source.variant.case
    if case.converts_binary_labels:
        kwargs["labels"] = "signed"
    loss: Any = source.variant.loss(dtype=source.dtype, reduction=None, **kwargs)
    t, p = source.batch(rows)
    if which == "gradient":
        return loss.value_and_grad(t, p)[1]
    return loss.value_grad_hess(t, p)[2]


def slopes(source: Pool, row: Indices, column: int) -> Slopes:
    """The exact derivatives by one element of a row of a pool."""
    group = int(row[0]) // source.width
    own = row - group * source.width
    counts = np.bincount(own, minlength=source.width)
    unit = float(FORMATS[source.dtype].unit)
    return source.groups[group].slopes(int(own[column]), counts, unit)


def measure(
    source: Pool,
    rows: Indices,
    which: Which = "gradient",
    most: int = 10,
    isas: Sequence[str] | None = None,
) -> Iterator[Measurement]:
    """The errors of derivatives by the elements of rows, `most` of each, where there is no kink.

    Those of each instruction set; of the active one by default.
    """
    fmt, n = FORMATS[source.dtype], rows.shape[1]
    rng = source.variant.rng("columns", source.dtype, source.regime, n)
    computed = {}
    for isa in isas or [simdloss.active_isa()]:
        with simdloss.using_isa(isa):
            assert simdloss.active_isa() == isa
            computed[isa] = derivatives(source, rows, which)
    for i, row in enumerate(rows):
        columns = range(n) if n <= most else rng.choice(n, most, replace=False).tolist()
        for column in columns:
            exact = getattr(slopes(source, row, column), which)
            if math.isnan(exact.value):
                continue
            for isa, batch in computed.items():
                found = float(batch[i][column])
                error = exact.error(found, fmt, fmt)
                yield Measurement(error, found, float(exact.value), column, source, row, isa)
