# SPDX-License-Identifier: Apache-2.0
"""Losses of sequences, from their definitions, on plain lists of numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from .arithmetic import MP, number

BLANK = 0


def used_labels(row: Sequence[int]) -> list[int]:
    """As many ids from the start of the row as the whole of it has nonzero ones."""
    return [int(c) for c in row[: sum(1 for c in row if c != BLANK)]]


def softmax(logits: Sequence[float]) -> list[Any]:
    """Probabilities; of infinite logits, their limit, and NaN where there is none."""
    z = [number(x) for x in logits]
    infinite = [x == MP.inf for x in z]
    if any(MP.isnan(x) for x in z) or sum(infinite) > 1:
        return [MP.nan] * len(z)
    if any(infinite):
        return [MP.mpf(int(i)) for i in infinite]
    if len(z) == 1:
        return [MP.mpf(1)]
    top = max(z)
    if top == -MP.inf:
        return [MP.nan] * len(z)
    weights = [MP.mpf(0) if x == -MP.inf else MP.exp(x - top) for x in z]
    total = sum(weights)
    return [w / total for w in weights]


def minus_log(p: Any) -> Any:
    return MP.inf if p == 0 else -MP.log(p)


def can_be_aligned(n_steps: int, labels: Sequence[int]) -> bool:
    """A step for each label, and one for the blank between two equal ones."""
    return n_steps >= len(labels) + sum(a == b for a, b in itertools.pairwise(labels))


def ctc(logits: Sequence[Sequence[float]], labels: Sequence[int]) -> Any:
    """Minus the log-probability of the labels, by a recursion over prefixes.

    `ends[s]` is the probability that the steps so far spell the states up to s and end in it;
    states are the labels with a blank before, between and after them.
    """
    used = used_labels(labels)
    if not can_be_aligned(len(logits), used):
        return MP.inf
    states = [BLANK]
    for label in used:
        states += [label, BLANK]
    ends = [MP.mpf(1)] + [MP.mpf(0)] * (len(states) - 1)
    for step in logits:
        p = softmax(step)
        before = ends
        ends = []
        for s, symbol in enumerate(states):
            reached = before[s] + (before[s - 1] if s >= 1 else 0)
            if s % 2 == 1 and s >= 3 and symbol != states[s - 2]:
                reached += before[s - 2]
            ends.append(reached * p[symbol])
    return minus_log(ends[-1] + (ends[-2] if used else 0))


def ctc_brute_force(logits: Sequence[Sequence[float]], labels: Sequence[int]) -> Any:
    """The same for nonzero labels, as the sum over all classes at all steps that spell them."""
    used = used_labels(labels)
    assert BLANK not in used, "a label that is also the blank has no spelling"
    if not can_be_aligned(len(logits), used):
        return MP.inf
    rows = [softmax(step) for step in logits]
    total = MP.mpf(0)
    for path in itertools.product(*(range(len(row)) for row in rows)):
        spelled = [symbol for symbol, _ in itertools.groupby(path) if symbol != BLANK]
        if spelled == used:
            total += MP.fprod(row[c] for row, c in zip(rows, path, strict=True))
    return minus_log(total)
