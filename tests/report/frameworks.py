# SPDX-License-Identifier: Apache-2.0
"""Errors of the same losses in Keras on NumPy, JAX and torch, beside ours."""

from __future__ import annotations

import numpy as np

from spec.bound import Row
from spec.domain import FloatArray
from spec.numbers import FLOAT32
from support.accuracy import choose, pool
from support.backends import BACKENDS, Call, ask, version
from support.variants import DEFAULTS, Variant

from .page import origin, table

COLUMNS = 8

INTRODUCTION = """\
# The same losses elsewhere

Largest errors of float32 losses of {rows:,} rows of {columns} elements, as a multiple of the bound
that simdloss keeps (see [accuracy](accuracy.md)), from random inputs of each regime. "wrong" counts
rows that are infinite, NaN or off by more than 1 % although the exact value is a normal number.
Regimes: *core*, everyday values; *wide*, magnitudes up to the limits of the type; *points*, where
something changes (kinks, clip bounds, zeros) and next to it; *near*, predictions close to labels;
the others are rows of a kind, see tests/spec/rows.py.
Keras's functions run on each of its backends, in processes of their own: {versions}.
"""


def report(quick: bool) -> tuple[str, bool]:
    """The page, and whether simdloss keeps its bound and gets no row wrong."""
    n_rows = 20 if quick else 500
    names: list[tuple[Variant, str]] = [(v, regime) for v in DEFAULTS for regime in v.case.regimes]
    calls: dict[str, Call] = {}
    exact: dict[str, list[Row]] = {}
    ours: dict[str, FloatArray] = {}
    for variant, regime in names:
        name = f"{variant} {regime}"
        whole, pairs = variant.case.row_finish == "whole", 60 if quick else 1500
        source = pool(variant, "float32", regime, n_rows if whole else pairs, COLUMNS)
        chosen = choose(source, n_rows, COLUMNS)
        options = variant.case.keras_arguments(variant.options)
        calls[name] = Call(variant.case.function, *source.batch(chosen), options)
        exact[name] = [source.row(indices) for indices in chosen]
        ours[name] = source.losses(chosen)

    theirs = {b: dict(zip(calls, ask(b, list(calls.values())), strict=True)) for b in BACKENDS}
    lines, kept = [], True
    for name in calls:
        error, wrong = _errors(ours[name], exact[name])
        kept = kept and error <= 1 and wrong == 0
        cells = [_cell(error, wrong)]
        cells += [_cell(*_errors(theirs[b][name].value, exact[name])) for b in BACKENDS]
        loss, regime = name.rsplit(" ", 1)
        lines.append([f"`{loss}`", regime, *cells])
    head = ["loss", "regime", "simdloss", *(f"Keras on {b}" for b in BACKENDS)]
    parts = [
        INTRODUCTION.format(
            rows=n_rows, columns=COLUMNS, versions=", ".join(map(version, ("keras", *BACKENDS)))
        ),
        origin("python -m tests.report frameworks"),
        table(head, lines),
    ]
    return "\n\n".join(parts), kept


def _errors(losses: FloatArray, exact: list[Row]) -> tuple[float, int]:
    """The largest error among finite losses, and the number of wrong rows."""
    worst, wrong = 0.0, 0
    for loss, row in zip(losses.tolist(), exact, strict=True):
        value = float(row.value)
        ordinary = np.isfinite(np.float32(value))
        if np.isfinite(loss):
            worst = max(worst, row.error(loss, FLOAT32, FLOAT32))
        normal = ordinary and abs(value) >= np.finfo(np.float32).tiny
        if normal and not abs(loss - value) <= 0.01 * abs(value):
            wrong += 1
    return worst, wrong


def _cell(error: float, wrong: int) -> str:
    return f"{error:.2f}" if not wrong else f"{error:.3g}, {wrong} wrong"
