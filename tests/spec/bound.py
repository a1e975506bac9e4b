# SPDX-License-Identifier: Apache-2.0
"""Exact losses of rows, and how far a result is from them in units of what is allowed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .arithmetic import EXACT, MP
from .case import Case, Element, Setting
from .domain import FloatArray
from .numbers import FLOAT32, Format


@dataclass(frozen=True)
class Row:
    """The exact loss of a row and k A of its error bound."""

    value: Any
    bound: Any
    flushed: Any  # results of exp, each below the smallest normal number, that may have become 0

    def allowed(self, compute: Format, result: Format) -> Any:
        """The largest error that is allowed: k u A + ulp(result) / 2.

        The model of relative errors ends at the smallest normal number of the computation type:
        smaller terms count as that number, and an exp that is smaller may be 0.
        """
        return self._inexact(compute) + mp_fraction(self._ulp(result)) / 2

    def _inexact(self, compute: Format) -> Any:
        floor = mp_fraction(compute.smallest_normal)
        terms = mp_fraction(compute.unit) * (self.bound + 4 * floor)
        return terms + self.flushed * floor

    def error(self, computed: float, compute: Format, result: Format) -> float:
        """|computed - exact| as a multiple of what is allowed."""
        if math.isnan(computed):
            return math.inf
        if math.isinf(computed):
            # Rounding takes everything from here on to infinity.
            threshold = mp_fraction(result.largest + result.ulp(result.largest) / 2)
            threshold *= int(math.copysign(1, computed))
            missing = threshold - self.value if computed > 0 else self.value - threshold
            return max(0.0, float(missing / self._inexact(compute)))
        return float(abs(MP.mpf(computed) - self.value) / self.allowed(compute, result))

    def _ulp(self, result: Format) -> Fraction:
        magnitude = min(abs(self.value), mp_fraction(result.largest))
        return result.ulp(result.round(Fraction(float(magnitude))))


def mp_fraction(x: Fraction) -> Any:
    """A fraction as an mpmath number."""
    return MP.mpf(x.numerator) / x.denominator


def elements(case: Case, t: FloatArray, p: FloatArray, setting: Setting) -> list[Element]:
    """The exact loss of each pair."""
    return [case.exact(x, y, setting) for x, y in zip(t.tolist(), p.tolist(), strict=True)]


def row(case: Case, parts: Sequence[Element], counts: Sequence[int] | None = None) -> Row:
    """The row that holds each element once, or `counts` times."""
    n = len(parts) if counts is None else sum(counts)
    repeats = [1] * n if counts is None else counts
    scale = EXACT.real(1 if case.row_finish == "sum" else n)
    value = MP.fsum(e.value * k for e, k in zip(parts, repeats, strict=True)) / scale
    bound = MP.fsum(e.bound * k for e, k in zip(parts, repeats, strict=True)) / scale
    flushed = (n if case.row_finish == "sum" else 1) if case.exp_flushes else 0
    return Row(value, bound, flushed)


def declared(compute: Format) -> Format:
    """The format that clip bounds are rounded to when everything is declared as `compute`."""
    return compute if compute.precision >= FLOAT32.precision else FLOAT32
