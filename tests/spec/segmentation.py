# SPDX-License-Identifier: Apache-2.0
"""Losses of how far two regions overlap. Their rows are whole batches unless an axis is given."""

from __future__ import annotations

from typing import Any

from .arithmetic import Arithmetic, maximum
from .case import Bound, Parameter, Setting, four
from .domain import LABEL, PROBABILITY, SHARE
from .rows import AMOUNT_ROWS
from .rowwise import RowCase


def overlap(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return 2 * m.sum(t * p) / (m.sum(t) + m.sum(p) + s.epsilon)


def dice(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return 1 - overlap(m, t, p, s)


def dice_bound(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """The sums are as good as exact; a quotient beyond 1 has a larger error."""
    return 4 * maximum(m, overlap(m, t, p, s), m.real(1))


def tversky(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    hits, total = tversky_sums(m, t, p, s)
    return 1 - hits / total


def dice_slope_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """-2 t / D + 2 I / D^2, with D = sum(t) + sum(p) + epsilon and I = sum(t p)."""
    total = m.sum(t) + m.sum(p) + s.epsilon
    return 2 * t / total + overlap(m, t, p, s) / total


def dice_slope_lost(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """Products t p in float64 have the rounding 2^-53 of the smallest normal number if they are
    less, and I is divided twice."""
    return m.size(p) * m.real(2.0**-50) / (m.sum(t) + m.sum(p) + s.epsilon) ** 2


def tversky_slope_lost(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """As for dice."""
    _, total = tversky_sums(m, t, p, s)
    return m.size(p) * m.real(2.0**-50) * (1 + s.alpha + s.beta) / total**2


def tversky_sums(m: Arithmetic, t: Any, p: Any, s: Setting) -> tuple[Any, Any]:
    hits, false_alarms, misses = m.sum(t * p), m.sum((1 - t) * p), m.sum(t * (1 - p))
    return hits, hits + s.alpha * false_alarms + s.beta * misses + s.epsilon


def tversky_slope_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """-t / D + I (t + alpha (1 - t) - beta t) / D^2."""
    hits, total = tversky_sums(m, t, p, s)
    return t / total + hits * (t + s.alpha * (1 - t) + s.beta * t) / (total * total)


CASES = (
    RowCase(
        "dice",
        "dice",
        "Dice",
        value=dice,
        bound=dice_bound,
        gradient=Bound(dice_slope_terms, lost=dice_slope_lost),
        y_true=LABEL,
        y_pred=SHARE,
        target="label",
        fixed={"axis": -1},
        keras_axis=True,
        rows=AMOUNT_ROWS,
        empty=1.0,
    ),
    RowCase(
        "tversky",
        "tversky",
        "Tversky",
        value=tversky,
        bound=four,  # the sums are as good as exact, and the quotient is at most 1
        gradient=Bound(tversky_slope_terms, lost=tversky_slope_lost),
        y_true=LABEL,
        y_pred=PROBABILITY,
        target="label",
        fixed={"axis": -1},
        keras_axis=True,
        keras_names={"alpha": "beta", "beta": "alpha"},
        parameters=(Parameter("alpha", 0.5, low=0.0), Parameter("beta", 0.5, low=0.0)),
        options=({}, {"alpha": 0.2, "beta": 0.8}, {"alpha": 3.0, "beta": 0.0}),
        rows=AMOUNT_ROWS,
        empty=1.0,
    ),
)
