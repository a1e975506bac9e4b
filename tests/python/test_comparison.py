# SPDX-License-Identifier: Apache-2.0
"""How answers of Keras and ours are compared: what counts as a mismatch, and what is asked."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from report.against_keras import Outcome, outcome
from report.questions import REDUCTIONS, questions
from simdloss import _core
from spec.arithmetic import MP
from spec.bound import Row
from spec.numbers import FLOAT32
from support.backends import Answer
from support.comparison import verdict

ASKED = list(questions(quick=True))
ULP = 2.0**-23
ONE = Row(MP.mpf(1), MP.mpf(4), MP.mpf(0))  # 2.5 units in the last place are allowed


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (1, 1 + 5 * ULP, "agrees"),
        (1, 1 + 6 * ULP, "nearer"),
        (1 + 6 * ULP, 1, "worse"),
        (1 + 2 * ULP, 1 - 4 * ULP, "nearer"),
        (1 + 7 * ULP, 1 - 6 * ULP, "worse"),
        (1, math.nan, "nearer"),
        (1, math.inf, "nearer"),
        (math.nan, 1, "worse"),
        (math.inf, 1, "worse"),
        (math.nan, math.nan, "agrees"),
    ],
)
def test_verdicts(ours: float, theirs: float, expected: str) -> None:
    assert verdict(ours, theirs, ONE, FLOAT32, FLOAT32) == expected


def test_infinite_losses() -> None:
    exact = Row(MP.inf, MP.mpf(0), MP.mpf(0))
    for theirs, expected in [(math.inf, "agrees"), (1e5, "nearer"), (math.nan, "nearer")]:
        assert verdict(math.inf, theirs, exact, FLOAT32, FLOAT32) == expected
    assert verdict(1e5, math.inf, exact, FLOAT32, FLOAT32) == "worse"


def test_mismatches_are_seen() -> None:
    question = next(q for q in ASKED if q.loss == "mean_squared_error" and q.ours().size > 1)
    exact, right = question.exact(), question.ours()
    wrong = right.copy()
    wrong[-1] += 1

    def found(ours: Any, theirs: Any, error: str = "", dtype: str = "float32") -> Outcome:
        asked = replace(question, dtype=dtype)
        return outcome(asked, "numpy", ours, exact, Answer(theirs, error))

    assert not found(right, right).mismatch
    assert found(right, wrong) == Outcome(question, "numpy", right.size, nearer=True, off=True)
    assert found(right, right.astype(np.float64)).other_dtype
    assert "instead of" in found(wrong, right).mismatch
    assert "shape" in found(right[:, None], right).mismatch
    assert "dtype" in found(right.astype(np.float64), right).mismatch
    assert "dtype" in found(right, right, dtype="float64").mismatch
    assert "ValueError" in found(right, None, error="ValueError: no").mismatch


def test_every_loss_is_asked_about() -> None:
    assert {entry["name"] for entry in _core.catalog()} <= {q.loss for q in ASKED}
    for loss in {q.loss for q in ASKED if q.backends != ["torch"]}:
        calls = [q.call for q in ASKED if q.loss == loss]
        assert {c.options.get("reduction") for c in calls} == {None, *REDUCTIONS}
        assert any(c.sample_weight is not None for c in calls)
