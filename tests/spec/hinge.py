# SPDX-License-Identifier: Apache-2.0
"""Maximum-margin losses. Their labels are -1 and 1 here; see `semantics.signed` for 0 and 1."""

from __future__ import annotations

from typing import Any

from .arithmetic import Arithmetic, maximum, times
from .case import Case, Setting
from .domain import REAL, SIGN

MARGINS = REAL.visiting(1.0, -1.0)


def hinge(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return maximum(m, 1 - times(m, t, p), m.real(0))


def squared_hinge(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return hinge(m, t, p, s) ** 2


CASES = (
    Case(
        "hinge",
        "hinge",
        "Hinge",
        value=hinge,
        y_true=SIGN,
        y_pred=MARGINS,
        target="label",
        converts_binary_labels=True,
    ),
    Case(
        "squared_hinge",
        "squared_hinge",
        "SquaredHinge",
        value=squared_hinge,
        y_true=SIGN,
        y_pred=MARGINS,
        target="label",
        converts_binary_labels=True,
    ),
)
