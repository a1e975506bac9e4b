# SPDX-License-Identifier: Apache-2.0
"""Losses of how far two regions overlap. Their rows are whole batches unless an axis is given."""

from __future__ import annotations

from typing import Any

from .arithmetic import Arithmetic, maximum
from .case import Parameter, Setting
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
    hits, false_alarms, misses = m.sum(t * p), m.sum((1 - t) * p), m.sum(t * (1 - p))
    return 1 - hits / (hits + s.alpha * false_alarms + s.beta * misses + s.epsilon)


def four(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """The sums are as good as exact, and the quotient is at most 1."""
    return m.real([4.0])


CASES = (
    RowCase(
        "dice",
        "dice",
        "Dice",
        value=dice,
        bound=dice_bound,
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
        bound=four,
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
