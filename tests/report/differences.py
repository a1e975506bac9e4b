# SPDX-License-Identifier: Apache-2.0
"""Where simdloss deliberately differs from Keras, with both values computed on the spot."""

from __future__ import annotations

import itertools
from operator import attrgetter

from support.differences import DIFFERENCES
from support.keras_calls import keras

from .page import table

INTRODUCTION = f"""\
# Differences from Keras

Every deliberate difference from Keras {keras.__version__} on its NumPy backend, as an expression
that either library evaluates (`f32(x)` is an array of dtype float32, and so on). Everything else
agrees to a few units in the last place or is nearer to the exact value, which the tests check on
random calls. Derivatives, which that backend does not have, are compared with Keras on PyTorch: see
[gradients](gradients.md). Made by `python -m tests.report differences`.
"""


def report(quick: bool) -> tuple[str, bool]:
    """The page, and whether all values are the expected ones."""
    parts, right = [INTRODUCTION], True
    for topic, rows in itertools.groupby(DIFFERENCES, key=attrgetter("topic", "reason")):
        parts.append(f"## {topic[0]}\n\n{topic[1]}")
        lines = []
        for d in rows:
            theirs, ours = d.evaluate_keras(), d.evaluate_ours()
            right = right and (theirs, ours) == (d.keras, d.ours)
            lines.append([f"`{d.expression}`", theirs, ours])
        parts.append(table(["expression", "Keras", "simdloss"], lines))
    return "\n\n".join(parts), right
