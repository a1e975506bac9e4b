# SPDX-License-Identifier: Apache-2.0
"""Maximum-margin losses. Their labels are -1 and 1 here; see `semantics.signed` for 0 and 1."""

from __future__ import annotations

from typing import Any

from .arithmetic import Arithmetic, maximum, times
from .case import Bound, Setting
from .domain import LABEL, REAL, SIGN
from .pointwise import PointwiseCase
from .rowwise import RowCase

MARGINS = REAL.visiting(1.0, -1.0)


def hinge(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return maximum(m, 1 - times(m, t, p), m.real(0))


def squared_hinge(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return hinge(m, t, p, s) ** 2


def rivals(m: Arithmetic, t: Any, p: Any) -> Any:
    """The largest prediction of what is no label."""
    return m.max(times(m, 1 - t, p))


def categorical_hinge(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return maximum(m, rivals(m, t, p) - m.sum(times(m, t, p)) + 1, m.real(0))


def categorical_hinge_bound(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return 4 * (1 + m.abs(rivals(m, t, p)) + m.sum(m.abs(times(m, t, p))))


def categorical_slope_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """1 - t of the largest rival, and -t."""
    return m.abs(1 - t) + m.abs(t)


def edge(m: Arithmetic, t: Any, p: Any, s: Setting, near: Any) -> Any:
    """t p is 1, next to which the second derivative is 0."""
    return m.abs(1 - times(m, t, p)) <= near


def categorical_edges(m: Arithmetic, t: Any, p: Any, s: Setting, near: Any) -> Any:
    """Two rivals, or the largest one and the right answer, are level."""
    candidates, top = times(m, 1 - t, p), rivals(m, t, p)
    level = m.sum(m.where(top - candidates <= near * m.abs(top), m.real(1), m.real(0))) > 1
    small = near * categorical_hinge_bound(m, t, p, s)
    return level | (m.abs(top - m.sum(times(m, t, p)) + 1) <= small) | (p != p)


CASES = (
    PointwiseCase(
        "hinge",
        "hinge",
        "Hinge",
        value=hinge,
        y_true=SIGN,
        y_pred=MARGINS,
        target="label",
        converts_binary_labels=True,
    ),
    PointwiseCase(
        "squared_hinge",
        "squared_hinge",
        "SquaredHinge",
        value=squared_hinge,
        hessian_kinks=edge,
        y_true=SIGN,
        y_pred=MARGINS,
        target="label",
        converts_binary_labels=True,
    ),
    RowCase(
        "categorical_hinge",
        "categorical_hinge",
        "CategoricalHinge",
        value=categorical_hinge,
        bound=categorical_hinge_bound,
        gradient=Bound(categorical_slope_terms),
        gradient_kinks=categorical_edges,
        y_true=LABEL,
        y_pred=MARGINS,
        target="label",
        axes="one",
    ),
)
