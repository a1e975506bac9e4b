# SPDX-License-Identifier: Apache-2.0
"""Counts on how many gradients Keras under torch.autograd and jax.grad and simdloss agree, and
measures derivatives against exact ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np

import simdloss
from spec.numbers import FLOAT64
from support.accuracy import choose, pool
from support.autograd import BACKENDS, GradientCall, gradients
from support.backends import Answer, version
from support.gradients import GRADIENT_VARIANTS, Measurement, Which, has_hessian, measure
from support.kinks import KINKS

from .gradient_questions import Question, questions
from .page import origin, table
from .search import searched_gradients

INTRODUCTION = """\
# Gradients, checked

## Beside torch.autograd and jax.grad

Fixed random gradients of every loss of `keras.losses`: those of functions, times a random
cotangent, and those of classes with every reduction, shapes of weights and masks; the same here
from `vjp` and `value_and_grad`. All in float64; Keras's habit of computing means of float64 in
float32 is switched off. To run it, install torch (its CPU build is enough) beside the test
dependencies. Versions: {versions}.

An element *agrees* if it is within twice the error that simdloss promises (see
[gradients](gradients.md)) of Keras's. Otherwise *ours is nearer* to the exact derivative, computed
to 240 bits, of which ours has to be within its bound. A *mismatch* is an element further from the
exact one than we promise, or another one than on PyTorch at a kink. Keras is *off* if it differs
from ours by more than 10^-6 of the largest term of the derivative, and *not a number* where it is
NaN and ours is not.
Circle and CTC have no exact derivatives here: they have to be within 10^-9 of the largest element
of Keras's gradient, or within 10^-15, the rounding of terms that cancel.

Deliberate differences, which the counts of *off* and *not a number* are made of:

- Focal losses from logits are not clipped. Keras clips their probabilities, which have no
  derivative then, and loses what is left of 1 - p by subtraction.
- Where Keras's formula cancels, underflows or overflows, its derivative does too.
- A logit of -inf without a label, a vector of length 0 in the cosine, an id whose p is 0 in the
  generalized crossentropy, a row of CTC without an alignment: Keras's gradient is NaN.
- Rows of CTC without an alignment are compared with PyTorch alone: on JAX they have a finite loss.
- Tversky's `alpha` and `beta` are swapped in Keras 3.15.1, and in what it is asked here.
- JAX splits a derivative at a clip bound in halves, and takes a side of |x| at 0: kinks are
  compared with PyTorch alone; those of the Kullback-Leibler divergence are not, because Keras on
  PyTorch clips float64 arrays to epsilon as a float32.
"""

ACCURACY = """\
## Errors of derivatives

The largest |error| found, as a multiple of the bound k u A + ulp / 2: A is the sum of the absolute
terms of the derivative (see tests/spec), u = 2^-24 (float32) or 2^-53 (float64), and k = 4; with
powers more, see [gradients](gradients.md#accuracy).
Exact derivatives are those of the definitions, to 240 bits. Elements a few roundings from a kink
are left out; they are in tests/support/kinks.py, and agree with PyTorch. *Searched* are rows of one
element, or of three, of which those with the largest errors are varied again and again.
"""

SHOWN = 20  # mismatches
LENGTHS = (1, 10, 1000)
SEARCHED = 0  # in the place of a length


@dataclass(frozen=True)
class Outcome:
    """What came of a gradient on a backend, by numbers of elements."""

    question: Question
    backend: str
    n_elements: int = 0
    mismatch: str = ""
    agree: int = 0
    nearer: int = 0
    off: int = 0
    not_a_number: int = 0
    kinks: int = 0


def outcome(question: Question, backend: str, ours: Any, exact: Any, answer: Answer) -> Outcome:
    if answer.error:
        return Outcome(question, backend, mismatch=f"Keras raises {answer.error}")
    theirs = answer.value
    if (ours.shape, ours.dtype) != (theirs.shape, np.float64):
        mismatch = f"shape {ours.shape}, not {theirs.shape}, or dtype {ours.dtype}"
        return Outcome(question, backend, mismatch=mismatch)
    x, y = ours.ravel().tolist(), theirs.ravel().tolist()
    if exact is None:
        return _beside_theirs(question, backend, x, y)
    counts = dict.fromkeys(("agree", "nearer", "off", "not_a_number", "kinks"), 0)
    mismatch = ""
    largest = max((abs(v) for v in y if math.isfinite(v)), default=0.0)
    for i, (a, b, row) in enumerate(zip(x, y, exact, strict=True)):
        if math.isnan(row.value):
            counts["kinks"] += 1
            compared = backend == "torch" and question.compares_kinks and not math.isnan(b)
            if compared and not abs(a - b) <= 1e-9 * largest and a != b:
                mismatch = f"element {i} at a kink is {a!r} instead of {b!r}"
            continue
        if row.error(a, FLOAT64, FLOAT64) > 1:
            mismatch = f"element {i} is {a!r} instead of {float(row.value)!r}, theirs is {b!r}"
        elif math.isnan(b):
            counts["not_a_number"] += 1
        elif a == b or abs(a - b) <= 2 * float(row.allowed(FLOAT64, FLOAT64)):
            counts["agree"] += 1
        else:
            counts["nearer"] += 1
            counts["off"] += not abs(a - b) <= 1e-6 * float(row.bound)
    return Outcome(question, backend, len(x), mismatch, **counts)


def _beside_theirs(
    question: Question, backend: str, ours: list[float], theirs: list[float]
) -> Outcome:
    """Of circle and CTC."""
    finite = [abs(v) for v in theirs if not math.isnan(v)]
    allowed = max(1e-9 * max(finite, default=0.0), 1e-15)
    mismatch, n_nan = "", len(theirs) - len(finite)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if math.isnan(a) or (not math.isnan(b) and not abs(a - b) <= allowed and a != b):
            mismatch = f"element {i} is {a!r} instead of {b!r}"
    return Outcome(question, backend, len(ours), mismatch, len(finite), not_a_number=n_nan)


def report(quick: bool) -> tuple[str, bool]:
    """The page, and whether there is no mismatch and all derivatives are within their bounds."""
    asked = list(questions(quick))
    answers = {backend: _answers(backend, asked) for backend in BACKENDS}
    outcomes = []
    for i, question in enumerate(asked):
        ours, exact = np.asarray(question.ours()), question.exact and question.exact()
        for backend in question.backends:
            outcomes.append(outcome(question, backend, ours, exact, answers[backend][i]))
    mismatches = [o for o in outcomes if o.mismatch]
    kinks = _kinks()
    errors, kept = _errors(quick)
    parts = [
        INTRODUCTION.format(versions=", ".join(map(version, ("keras", *BACKENDS)))),
        origin("python -m tests.report gradients"),
        _totals(outcomes),
        *(f"- {o.backend}, {o.mismatch}: {o.question}" for o in mismatches[:SHOWN]),
        f"Of {len(KINKS)} kinks, tests/support/kinks.py, PyTorch has other derivatives at "
        f"{len(kinks)}: " + ("; ".join(kinks) or "none") + ".",
        "Gradients / elements that agree / ours is nearer / mismatches.",
        _by_loss(outcomes, _cell),
        ACCURACY,
        errors,
    ]
    return "\n\n".join(parts), not mismatches and kept


def _answers(backend: str, asked: Sequence[Question]) -> dict[int, Answer]:
    """By the number of the question."""
    numbers = [i for i, question in enumerate(asked) if backend in question.backends]
    answers = gradients(backend, [asked[i].call for i in numbers])
    return dict(zip(numbers, answers, strict=True))


def _kinks() -> list[str]:
    """Where PyTorch differs from the table that the tests hold us to."""
    calls = []
    for kink in KINKS:
        labels = np.array([kink.y_true])
        t = labels if labels.dtype.kind == "i" else labels.astype(np.float32)
        p = np.array([kink.y_pred], np.float32)
        calls.append(GradientCall(kink.function, t, p, kink.options, np.ones(1, np.float32)))
    return [
        f"{kink.function} {kink.what}: {answer.error or answer.value[0].tolist()}"
        for kink, answer in zip(KINKS, gradients("torch", calls), strict=True)
        if answer.error or not np.allclose(answer.value[0], kink.gradient, rtol=2e-6, atol=0)
    ]


def _totals(outcomes: Sequence[Outcome]) -> str:
    lines = []
    for backend in BACKENDS:
        all_of_it = [o for o in outcomes if o.backend == backend]
        everyday = [o for o in all_of_it if o.question.regime == "core"]
        for kind, found in {"all": all_of_it, "everyday values": everyday}.items():
            counts = [
                len(found),
                sum(o.n_elements for o in found),
                sum(bool(o.mismatch) for o in found),
                *(
                    sum(getattr(o, name) for o in found)
                    for name in ("agree", "nearer", "off", "not_a_number", "kinks")
                ),
            ]
            lines.append([backend, kind, *(f"{n:,}" for n in counts)])
    head = ["backend", "", "gradients", "elements", "mismatches", "agree", "ours is nearer"]
    return table([*head, "Keras is off", "not a number in Keras", "kinks"], lines)


def _cell(found: Iterable[Outcome]) -> str:
    found = list(found)
    agree, nearer = (sum(getattr(o, name) for o in found) for name in ("agree", "nearer"))
    mismatches = sum(bool(o.mismatch) for o in found)
    return f"{len(found):,} / {agree:,} / {nearer:,} / {mismatches:,}"


def _by_loss(outcomes: Sequence[Outcome], cell: Callable[[list[Outcome]], str]) -> str:
    lines = []
    for loss in dict.fromkeys(o.question.loss for o in outcomes):
        found = [o for o in outcomes if o.question.loss == loss]
        by_backend = ([o for o in found if o.backend == b] for b in BACKENDS)
        lines.append([f"`{loss}`", *(cell(some) if some else "" for some in by_backend)])
    return table(["loss", *BACKENDS], lines)


# --- errors ---------------------------------------------------------------------------------------

Task = tuple[int, str, tuple[str, ...], bool]
KINDS: tuple[Which, ...] = ("gradient", "hessian")
COLUMNS: list[tuple[Which, int]] = [("gradient", SEARCHED), *itertools.product(KINDS, LENGTHS)]


@dataclass(frozen=True)
class Figures:
    """The largest errors of one variant in one dtype on an instruction set, by kind and length of
    rows; None where there is no second derivative."""

    isa: str
    variant: str
    dtype: str
    errors: dict[tuple[Which, int], float | None]
    worst: str


def figures(task: Task) -> list[Figures]:
    """What a task is: index of the variant, dtype, instruction sets, whether to be quick."""
    index, dtype, isas, _ = task
    variant = GRADIENT_VARIANTS[index]
    errors: dict[str, dict[tuple[Which, int], float | None]] = {isa: {} for isa in isas}
    worst = dict.fromkeys(isas, (0.0, ""))
    with simdloss.using_num_threads(1):
        curved = has_hessian(variant)
        for which, n in COLUMNS:
            if which == "hessian" and not curved:
                for isa in isas:
                    errors[isa][which, n] = None
                continue
            largest = dict.fromkeys(isas, (0.0, ""))
            for m in _measured(task, which, n):
                if m.error > largest[m.isa][0]:
                    largest[m.isa] = m.error, str(m)
            for isa, found in largest.items():
                errors[isa][which, n] = found[0]
                worst[isa] = max(worst[isa], found)
    return [Figures(isa, str(variant), dtype, errors[isa], worst[isa][1]) for isa in isas]


def _measured(task: Task, which: Which, n_cols: int) -> Iterator[Measurement]:
    index, dtype, isas, quick = task
    if n_cols == SEARCHED:
        n, rounds = (10, 2) if quick else (40, 6)
        yield from searched_gradients(GRADIENT_VARIANTS[index], dtype, isas, n, rounds)
        return
    variant, rows = GRADIENT_VARIANTS[index], {1: 400, 10: 60, 1000: 8}[n_cols]
    rows = max(2, rows // 20) if quick else rows
    for regime in variant.case.regimes:
        pairs = rows if variant.case.row_finish == "whole" else 400
        source = pool(variant, dtype, regime, pairs, n_cols)
        yield from measure(source, choose(source, rows, n_cols, salt=9), which, isas=isas)


def _heading(column: tuple[Which, int]) -> str:
    which, n = column
    return f"{which}, " + ("searched" if n == SEARCHED else f"{n:,} in a row")


def _errors(quick: bool) -> tuple[str, bool]:
    """The table, and whether all are within their bounds."""
    isas = [i for i in simdloss.available_isas() if i != "scalar"]
    sets = (isas[0], *(i for i in isas if i == "baseline")) if isas else ("scalar",)
    tasks = [
        (index, dtype, sets, quick)
        for index in range(0, len(GRADIENT_VARIANTS), 5 if quick else 1)
        for dtype in ("float32", "float64")
    ]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as processes:
        found = [f for some in processes.map(figures, tasks) for f in some]
    found.sort(key=lambda f: sets.index(f.isa))
    head = ["set", "loss", "type", *map(_heading, COLUMNS)]
    lines = [
        [
            f.isa,
            f"`{f.variant}`",
            f.dtype,
            *("" if e is None else f"{e:.3f}" for e in f.errors.values()),
        ]
        for f in found
    ]
    over = [f for f in found if any(e is not None and e > 1 for e in f.errors.values())]
    largest = max((e for f in found for e in f.errors.values() if e is not None), default=0.0)
    parts = [
        table(head, lines),
        *(f"- `{f.variant}` {f.dtype} {f.isa}: {f.worst}" for f in over),
        f"Largest multiple of the bound: {largest:.3f}. "
        f"The contract is {'BROKEN' if over else 'kept'}.",
    ]
    return "\n\n".join(parts), not over
