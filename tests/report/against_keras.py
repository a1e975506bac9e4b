# SPDX-License-Identifier: Apache-2.0
"""Counts on how many calls Keras, on each of its backends, and simdloss agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spec.bound import Row
from spec.numbers import FORMATS
from support.backends import BACKENDS, Answer, ask, version
from support.comparison import verdict

from .page import origin, table
from .questions import DTYPES, Question, questions

INTRODUCTION = """\
# Agreement with Keras

Fixed random calls of every loss of `keras.losses`, functions and classes, on each backend of Keras,
and the same calls here. To run it, install torch (its CPU build is enough) beside the test
dependencies; it takes about ten minutes. Versions: {versions}.

A call *agrees* if each of its values is within twice the error that simdloss promises (see
[accuracy](accuracy.md)) of Keras's. Otherwise *ours is nearer* to the exact value, computed to 240
bits. A *mismatch* is a value further from the exact one than Keras's is and than we promise, or a
result of another shape than Keras's, or of another dtype than that of `y_pred` (functions) or of
the class; Keras's is *another dtype* where it rounds float64 to float32 or widens a narrow type.
Keras is *off* if they disagree and a value is more than 1 % from ours, which is finite; why is in
[differences](differences.md), reason by reason.

Varied are: options, all that the tests have; values, from everyday ones to the limits of the type
(see tests/spec); float16, bfloat16, float32 and float64; ranks 1 to 4; each axis that Keras has and
gets right, negative ones, all and pairs of axes; the five reductions; weights of each shape (none,
one, per sample, a column, full), and masks. JAX computes float64 with its 64-bit types enabled;
all the same, Keras rounds float64 to float32 in means, on every backend, so that ours is nearer.
CTC has repeated labels, none, zeros anywhere, and rows without any alignment; it is also compared
with PyTorch's own function, in float32 and float64.
"""

EVERYDAY = """\
## Everyday values

Calls of everyday values in float32 or float64 in which Keras is off. Either the loss is next to 0
and what is left of a difference, or it is (1 - p^q) / q with a tiny q, where p^q is next to 1.
"""

SHOWN = 20  # mismatches


@dataclass(frozen=True)
class Outcome:
    """What came of a call on a backend."""

    question: Question
    backend: str
    n_values: int = 0
    mismatch: str = ""
    nearer: bool = False
    off: bool = False
    other_dtype: bool = False

    @property
    def everyday(self) -> bool:
        return self.question.regime == "core" and self.question.dtype in ("float32", "float64")


def outcome(
    question: Question, backend: str, ours: Any, exact: Sequence[Row], answer: Answer
) -> Outcome:
    if answer.error:
        return Outcome(question, backend, mismatch=f"Keras raises {answer.error}")
    theirs, result = answer.value, FORMATS[question.dtype]
    if (ours.shape, ours.dtype.name) != (theirs.shape, question.dtype):
        mismatch = f"shape {ours.shape}, not {theirs.shape}, or dtype {ours.dtype}"
        return Outcome(question, backend, mismatch=mismatch)
    pairs = list(zip(map(float, np.ravel(ours)), map(float, np.ravel(theirs)), strict=True))
    verdicts = [
        verdict(x, y, row, question.compute, result)
        for (x, y), row in zip(pairs, exact, strict=True)
    ]
    return Outcome(
        question,
        backend,
        len(pairs),
        f"{np.ravel(ours)} instead of {np.ravel(theirs)}" if "worse" in verdicts else "",
        "nearer" in verdicts,
        any(
            math.isfinite(x) and not abs(x - y) <= 0.01 * abs(x)
            for (x, y), found in zip(pairs, verdicts, strict=True)
            if found == "nearer"
        ),
        theirs.dtype != ours.dtype,
    )


def report(quick: bool) -> tuple[str, bool]:
    """The page, and whether there is no mismatch."""
    asked = list(questions(quick))
    answers = {backend: _answers(backend, asked) for backend in BACKENDS}
    outcomes = []
    for i, question in enumerate(asked):
        ours, exact = question.ours(), question.exact()
        for backend in question.backends:
            outcomes.append(outcome(question, backend, ours, exact, answers[backend][i]))
    mismatches = [o for o in outcomes if o.mismatch]
    parts = [
        INTRODUCTION.format(versions=", ".join(map(version, ("keras", *BACKENDS)))),
        origin("python -m tests.report keras"),
        _totals(outcomes),
        *(f"- {o.backend}, {o.mismatch}: {o.question}" for o in mismatches[:SHOWN]),
        "## Losses\n\nCalls / mismatches.",
        _by_loss(outcomes, lambda found: f"{len(found):,} / {_count(o.mismatch for o in found)}"),
        EVERYDAY,
        _by_loss([o for o in outcomes if o.everyday and o.off], lambda found: f"{len(found):,}"),
    ]
    return "\n\n".join(parts), not mismatches


def _answers(backend: str, asked: Sequence[Question]) -> dict[int, Answer]:
    """By the number of the question; float64 is asked for in a process of its own."""
    found: dict[int, Answer] = {}
    for float64 in (False, True):
        numbers = [
            i
            for i, question in enumerate(asked)
            if backend in question.backends and (question.dtype == "float64") == float64
        ]
        calls = [asked[i].call for i in numbers]
        found |= dict(zip(numbers, ask(backend, calls, float64), strict=True))
    return found


def _count(flags: Iterable[object]) -> str:
    return f"{sum(map(bool, flags)):,}"


def _totals(outcomes: Sequence[Outcome]) -> str:
    """Of each backend: all calls, those of each type, and those of everyday values."""
    lines = []
    for backend in BACKENDS:
        all_of_it = [o for o in outcomes if o.backend == backend]
        kinds = {"all": all_of_it}
        kinds |= {d: [o for o in all_of_it if o.question.dtype == d] for d in DTYPES}
        kinds["everyday"] = [o for o in all_of_it if o.everyday]
        for kind, found in kinds.items():
            agree = (not o.nearer and not o.mismatch for o in found)
            counts = [
                f"{len(found):,}",
                f"{sum(o.n_values for o in found):,}",
                _count(o.mismatch for o in found),
                _count(agree),
                _count(o.nearer for o in found),
                _count(o.off for o in found),
                _count(o.other_dtype for o in found),
            ]
            lines.append([backend, kind, *counts])
    head = ["backend", "", "calls", "values", "mismatches", "agree", "ours is nearer"]
    return table([*head, "Keras is off", "another dtype in Keras"], lines)


def _by_loss(outcomes: Sequence[Outcome], cell: Callable[[list[Outcome]], str]) -> str:
    losses = dict.fromkeys(o.question.loss for o in outcomes)
    lines = []
    for loss in losses:
        found = [o for o in outcomes if o.question.loss == loss]
        asked = {b for o in found for b in o.question.backends}
        cells = [cell([o for o in found if o.backend == b]) if b in asked else "" for b in BACKENDS]
        lines.append([f"`{loss}`", *cells])
    return table(["loss", *BACKENDS], lines)
