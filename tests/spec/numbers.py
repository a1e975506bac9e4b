# SPDX-License-Identifier: Apache-2.0
"""Binary floating formats in exact arithmetic: rounding, units in the last place, exact sums."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

Number: TypeAlias = Fraction | float
"""An exact value: a Fraction if finite, else a float infinity or NaN."""


@dataclass(frozen=True)
class Format:
    """An IEEE 754 style binary format; every member of it is also a Python float."""

    name: str
    precision: int  # bits of the significand, the hidden one included
    min_exponent: int  # of the smallest normal number
    max_exponent: int  # of the largest number

    @property
    def unit(self) -> Fraction:
        """u, the relative error of one rounding."""
        return Fraction(1, 2**self.precision)

    @property
    def smallest_normal(self) -> Fraction:
        return _power_of_two(self.min_exponent)

    @property
    def largest(self) -> Fraction:
        return (2 - 2 * self.unit) * _power_of_two(self.max_exponent)

    def ulp(self, x: Number) -> Fraction:
        """Spacing of the format's numbers at finite x; that of its largest binade beyond it."""
        exponent = min(_exponent(abs(Fraction(x))), self.max_exponent) if x else self.min_exponent
        return _power_of_two(max(exponent, self.min_exponent) - self.precision + 1)

    def round(self, x: Number) -> float:
        """The nearest member of the format, ties to even, overflow to infinity; zeros are +0."""
        if isinstance(x, float):
            if not math.isfinite(x):
                return x
            x = Fraction(x)
        quantum = self.ulp(x)
        rounded = round(x / quantum) * quantum  # Fraction.__round__ ties to even
        if abs(rounded) > self.largest:
            return math.inf if rounded > 0 else -math.inf
        return float(rounded)


FLOAT16 = Format("float16", 11, -14, 15)
BFLOAT16 = Format("bfloat16", 8, -126, 127)
FLOAT32 = Format("float32", 24, -126, 127)
FLOAT64 = Format("float64", 53, -1022, 1023)
FORMATS = {f.name: f for f in (FLOAT16, BFLOAT16, FLOAT32, FLOAT64)}


def exact(x: float) -> Number:
    """The exact value of a float."""
    return Fraction(x) if math.isfinite(x) else x


def exact_sum(values: Iterable[Number]) -> Number:
    """The sum without rounding; infinities and NaNs as in IEEE addition."""
    finite, special = Fraction(0), 0.0
    for x in values:
        if isinstance(x, Fraction):
            finite += x
        else:
            special += x
    return finite if special == 0.0 else special


def product(x: Number, y: Number) -> Number:
    """x y without rounding; infinities and NaNs as in IEEE multiplication."""
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return x * y
    return _sign_or_special(x) * _sign_or_special(y)


def ratio(x: Number, y: Number) -> Number:
    """x / y without rounding, y finite and not zero; infinities and NaNs as in IEEE division."""
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return x / y
    return _sign_or_special(x) / _sign_or_special(y)


def _sign_or_special(x: Number) -> float:
    return float((x > 0) - (x < 0)) if isinstance(x, Fraction) else x


def _power_of_two(exponent: int) -> Fraction:
    return Fraction(2**exponent) if exponent >= 0 else Fraction(1, 2**-exponent)


def _exponent(x: Fraction) -> int:
    """floor(log2(x)) of a positive x."""
    guess = x.numerator.bit_length() - x.denominator.bit_length()
    return guess if x >= _power_of_two(guess) else guess - 1
