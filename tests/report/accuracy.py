# SPDX-License-Identifier: Apache-2.0
"""Largest errors of every loss, as multiples of what the accuracy contract allows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing import get_context
from operator import attrgetter
from typing import Any

import numpy as np

import simdloss
from spec.numbers import FORMATS
from spec.semantics import Reduced
from support.accuracy import Measurement, Pool, choose, measure, pool
from support.variants import VARIANTS, Variant

from .page import origin, table
from .search import worst_rows

LENGTHS = (1, 10, 1000, 1_000_000)
LANES = {"float32": 32, "float64": 16}  # elements this far apart are added up by one another

INTRODUCTION = """\
## Errors per sample

The largest |error| found, as a multiple of the bound k u A + ulp / 2: A is the sum of the absolute
terms of the loss, u = 2^-24 (float32) or 2^-53 (float64), and k = 4; for powers of focal losses
more, as in their [gradients](gradients.md#accuracy). Exact values are mpmath's, to 240 bits. Below
the smallest normal number the bound is that of the smallest normal number, and an exp or power that
is smaller may be 0. Rows of one
element are searched, of ten where a loss needs the whole row: {tried} a loss and type, the worst
then varied. Longer rows are made of random elements, and of the worst ones in the same lane. The
last column is the distance of a mean
over samples from the exact mean of our own per-sample losses, in units in the last place; the
contract is 0.51.
"""


@dataclass
class Figures:
    """What is known of one variant in one dtype."""

    variant: str
    dtype: str
    isa: str
    errors: dict[int, float]  # by the length of rows
    mean_ulps: float
    worst_input: list[str]  # the short row with the largest error: cells of a table

    @property
    def kept(self) -> bool:
        return all(error <= 1 for error in self.errors.values()) and self.mean_ulps <= 0.51


def figures(task: tuple[str, int, str, bool]) -> Figures:
    """What a task is: instruction set, index of the variant, dtype, whether to be quick."""
    isa, index, dtype, quick = task
    variant = VARIANTS[index]
    with simdloss.using_num_threads(1), simdloss.using_isa(isa):
        searched = worst_rows(variant, dtype, 2_000 if quick else 300_000)
        worst = {
            n: max(_measurements(variant, dtype, searched, n, quick), key=attrgetter("error"))
            for n in LENGTHS
        }
        mean_ulps = mean_error(variant, dtype, quick)
    errors = {n: m.error for n, m in worst.items()}
    short = worst[10 if variant.case.row_finish == "whole" else 1]
    y_true, y_pred = short.pool.batch(short.chosen)
    shown = [_shown(y_true), _shown(y_pred), repr(short.computed), repr(short.exact)]
    return Figures(str(variant), dtype, isa, errors, mean_ulps, [*shown, f"{short.error:.3f}"])


def _measurements(
    variant: Variant, dtype: str, searched: Pool, n_cols: int, quick: bool
) -> Iterator[Measurement]:
    pairs, rows = 60 if quick else 1500, {1: 40, 10: 400, 1000: 40, 1_000_000: 1}[n_cols]
    rows = min(rows, 5) if quick else rows
    whole = variant.case.row_finish == "whole"
    for regime in variant.case.regimes:
        source = pool(variant, dtype, regime, rows if whole else pairs, n_cols)
        yield from measure(source, choose(source, rows, n_cols))
    if n_cols >= searched.width or not whole:
        lanes = 1 if n_cols == searched.width else LANES[dtype]
        yield from measure(searched, choose(searched, rows, n_cols, lanes=lanes))


def mean_error(variant: Variant, dtype: str, quick: bool) -> float:
    """Distance of means from the exact ones, in units in the last place."""
    fmt, worst = FORMATS[dtype], 0.0
    for regime in variant.case.regimes:
        for n in (7, 1000) if quick else (7, 1000, 30_000):
            t, p = variant.draw((n, 3), dtype, regime, salt=2)
            samples = variant.samples(t, p, dtype)
            finite = np.isfinite(samples)
            if not finite.any():
                continue
            exact = Reduced(samples[finite]).exact().item()
            mean = variant.loss(dtype=dtype)(t[finite], p[finite])
            worst = max(worst, float(abs(Fraction(float(mean)) - exact) / fmt.ulp(exact)))
    return worst


def report(quick: bool) -> tuple[str, bool]:
    """The page, and whether the contract is kept."""
    isas = [i for i in simdloss.available_isas() if i != "scalar"]
    isas = [isas[0], *(i for i in isas if i == "baseline")]
    tasks = [
        (isa, index, dtype, quick)
        for isa in isas
        for index in range(len(VARIANTS))
        for dtype in ("float32", "float64")
    ]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as processes:
        found = list(processes.map(figures, tasks))
    parts = [
        INTRODUCTION.format(tried="2,000" if quick else "about 10^6"),
        origin("python -m tests.report accuracy"),
    ]
    for isa in isas:
        title = "no fused multiply-add" if isa == "baseline" else "and its equals in bits"
        parts.append(f"### {isa} ({title})")
        parts.append(_table([f for f in found if f.isa == isa]))
    parts.append("### The worst inputs found\n")
    parts.append(_worst_inputs(found))
    kept = all(f.kept for f in found)
    parts.append(
        f"Largest multiple of the bound: {max(_errors(found)):.3f}. "
        f"The contract is {'kept' if kept else 'BROKEN'}."
    )
    return "\n\n".join(parts), kept


def _errors(found: list[Figures]) -> Iterator[float]:
    for f in found:
        yield from f.errors.values()


def _table(found: list[Figures]) -> str:
    head = ["loss", "type", *(f"{n:,} in a row" for n in LENGTHS), "mean, ulp"]
    return table(
        head,
        (
            [
                f"`{f.variant}`",
                f.dtype,
                *(f"{f.errors[n]:.3f}" for n in LENGTHS),
                f"{f.mean_ulps:.3f}",
            ]
            for f in found
        ),
    )


def _shown(row: Any) -> str:
    """A number, or the numbers of a row."""
    numbers = np.ravel(row).tolist()
    return ", ".join(map(repr, numbers))


def _worst_inputs(found: list[Figures]) -> str:
    """Per loss and type, the short row with the largest error."""
    head = ["loss", "type", "set", "y_true", "y_pred", "computed", "exact", "of the bound"]
    return table(head, ([f"`{f.variant}`", f.dtype, f.isa, *f.worst_input] for f in found))
