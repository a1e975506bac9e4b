# SPDX-License-Identifier: Apache-2.0
"""Exact losses of rows, and how far a result is from them in units of what is allowed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .arithmetic import MP
from .numbers import Format


@dataclass(frozen=True)
class Row:
    """The exact loss of a row, k A of its error bound, and what exps taken as 0 count."""

    value: Any
    bound: Any
    lost: Any

    def times(self, factor: Any) -> Row:
        """The row of a multiple of the loss."""
        return Row(self.value * factor, self.bound * abs(factor), self.lost * abs(factor))

    def allowed(self, compute: Format, result: Format) -> Any:
        """The largest error that is allowed: k u A + ulp(result) / 2.

        The model of relative errors ends at the smallest normal number of the computation type:
        smaller terms count as that number, and an exp or power that is smaller may be 0.
        """
        return self._inexact(compute) + mp_fraction(self._ulp(result)) / 2

    def _inexact(self, compute: Format) -> Any:
        floor = mp_fraction(compute.smallest_normal)
        terms = mp_fraction(compute.unit) * (self.bound + 4 * floor)
        return terms + self.lost * floor

    def error(self, computed: float, compute: Format, result: Format) -> float:
        """|computed - exact| as a multiple of what is allowed."""
        if math.isnan(computed):
            return math.inf
        if MP.isinf(self.value):
            return 0.0 if computed == self.value else math.inf
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
