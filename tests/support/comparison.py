# SPDX-License-Identifier: Apache-2.0
"""Compares our losses with those of Keras by their distance from the exact ones."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from spec.arithmetic import MP, to_fraction
from spec.bound import Row, mp_fraction
from spec.case import Setting
from spec.numbers import FORMATS, Format
from spec.rowwise import RowCase
from spec.semantics import Reduced, signed

from .variants import Variant

WEIGHTS = ("none", "scalar", "samples", "column", "full")
"""Shapes of weights."""


def batch(
    variant: Variant,
    shape: tuple[int, ...],
    dtype: str,
    regime: str,
    salt: int = 0,
    axis: int = -1,
) -> tuple[Any, Any]:
    """y_true and y_pred of this shape and dtype, none of which has become infinite by it."""
    case = variant.case
    source = "float64" if dtype == "float64" else "float32"
    t, p = variant.draw(shape, source, regime, salt, axis)
    limit = float(FORMATS[dtype].largest)
    t, p = (np.where(np.isinf(a), a, np.clip(a, -limit, limit)) for a in (t, p))
    t, p = variant.cast(t, p, dtype)
    if isinstance(case, RowCase) and case.some_prediction:
        rows = np.moveaxis(p, axis, -1)
        rows[~rows.any(axis=-1), 0] = 1  # rows that have become 0
    return t, p


def weights_of(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Weights that Keras and we read alike; integers, so that no type rounds them."""
    shapes = {
        "scalar": (),
        "samples": shape[:1],
        "column": (*shape[:1], *[1] * max(1, len(shape) - 1)) if shape else (),
        "full": shape,
    }
    if kind == "none" or (kind == "samples" and len(shape) != 1):
        return None
    return rng.integers(0, 4, shapes[kind]).astype(np.float32)


def exact_rows(variant: Variant, t: Any, p: Any, setting: Setting) -> list[Row]:
    """Exact losses of the rows of batches whose last axis is the row."""
    case = variant.case
    t = t.astype(np.float64)
    if case.converts_binary_labels:
        t = signed(t)
    p = p.astype(np.float64).reshape(-1, p.shape[-1])
    t = t.reshape(-1, *t.shape[-1:] if case.target != "class_id" else ())
    return [case.exact(x, y, setting) for x, y in zip(t, p, strict=True)]


def reduced_rows(
    rows: list[Row], shape: tuple[int, ...], weights: Any, mask: Any, reduction: str
) -> list[Row]:
    """Exact reduced losses; their bounds go through the same reduction, weights being positive."""

    def reduce(values: list[Any]) -> Any:
        exact = (MP.mpf(v) for v in values)
        numbers = np.array(
            [to_fraction(v) if MP.isfinite(v) else float(v) for v in exact], dtype=object
        )
        reduced = Reduced(numbers.reshape(shape), weights, mask, reduction).exact()
        return [MP.mpf(x) if isinstance(x, float) else mp_fraction(x) for x in reduced.ravel()]

    parts = [reduce([getattr(r, name) for r in rows]) for name in ("value", "bound", "lost")]
    return [Row(*part) for part in zip(*parts, strict=True)]


Verdict = Literal["agrees", "nearer", "worse"]


def verdict(ours: float, theirs: float, exact: Row, compute: Format, result: Format) -> Verdict:
    """Whether they agree within twice what our accuracy bound allows, or else ours is nearer."""
    if math.isfinite(theirs) and abs(ours - theirs) <= 2 * float(exact.allowed(compute, result)):
        return "agrees"
    if ours == theirs or (math.isnan(ours) and math.isnan(theirs)):
        return "agrees"  # as in a mean of samples that are inf and -inf
    closest = max(1.0, exact.error(theirs, compute, result))
    return "nearer" if exact.error(ours, compute, result) <= closest else "worse"


def assert_at_least_as_close(
    ours: Any, theirs: Any, exact: list[Row], compute: Format, result: Format
) -> None:
    for x, y, row in zip(np.ravel(ours), np.ravel(theirs), exact, strict=True):
        x, y = float(x), float(y)
        assert verdict(x, y, row, compute, result) != "worse", (x, y)
