# SPDX-License-Identifier: Apache-2.0
"""Maximum-margin losses. Their labels are -1 and 1 here; see `semantics.signed` for 0 and 1."""

from __future__ import annotations

from typing import Any

from .arithmetic import Arithmetic, maximum, times
from .case import Setting
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
        y_true=LABEL,
        y_pred=MARGINS,
        target="label",
        axes="one",
    ),
)
