# SPDX-License-Identifier: Apache-2.0
"""Derivatives of formulas, exactly: arithmetic on a number and an infinitesimal step away from it.

A `Jet` is a + b e + c e^2 with an infinitesimal e > 0. A formula of this package, evaluated with
one of its numbers replaced by the jet x + e or x - e, gives its derivatives by that number on
either side: comparisons look at e too, so that each side takes the branch that holds there. Where
the sides differ the formula has a kink.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .arithmetic import EXACT, MP, Exact


class Jet:
    """a + b e + c e^2."""

    __slots__ = ("a", "b", "c")
    ties = 0  # comparisons so far that e alone has decided

    def __init__(self, a: Any, b: Any, c: Any) -> None:
        self.a, self.b, self.c = a, b, c

    def __add__(self, other: Any) -> Jet:
        a, b, c = _parts(other)
        return Jet(self.a + a, self.b + b, self.c + c)

    def __neg__(self) -> Jet:
        return Jet(-self.a, -self.b, -self.c)

    def __sub__(self, other: Any) -> Jet:
        a, b, c = _parts(other)
        return Jet(self.a - a, self.b - b, self.c - c)

    def __rsub__(self, other: Any) -> Jet:
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.a * other, self.b * other, self.c * other)
        c = self.a * other.c + self.b * other.b + self.c * other.a
        return Jet(self.a * other.a, self.a * other.b + self.b * other.a, c)

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.a / other, self.b / other, self.c / other)
        if other.a == 0:
            return _undefined()
        a = self.a / other.a
        b = (self.b - a * other.b) / other.a
        return Jet(a, b, (self.c - a * other.c - b * other.b) / other.a)

    def __rtruediv__(self, other: Any) -> Jet:
        return Jet(MP.mpf(other), MP.mpf(0), MP.mpf(0)) / self

    def __pow__(self, n: int) -> Jet:
        result = self
        for _ in range(n - 1):
            result = result * self
        return result

    def __abs__(self) -> Jet:
        return -self if self < 0 else self

    def _sign_of_difference(self, other: Any) -> int:
        for i, (x, y) in enumerate(zip(_parts(self), _parts(other), strict=True)):
            if x != y:
                Jet.ties += i > 0
                return 1 if x > y else -1
        return 0

    def __lt__(self, other: Any) -> bool:
        return self._sign_of_difference(other) < 0

    def __gt__(self, other: Any) -> bool:
        return self._sign_of_difference(other) > 0

    def __le__(self, other: Any) -> bool:
        return self._sign_of_difference(other) <= 0

    def __ge__(self, other: Any) -> bool:
        return self._sign_of_difference(other) >= 0

    def __eq__(self, other: object) -> bool:
        return self._sign_of_difference(other) == 0

    def __ne__(self, other: object) -> bool:
        return self._sign_of_difference(other) != 0

    __hash__ = None  # type: ignore[assignment]


def _parts(x: Any) -> tuple[Any, Any, Any]:
    return (x.a, x.b, x.c) if isinstance(x, Jet) else (x, 0, 0)


def _undefined() -> Jet:
    return Jet(MP.nan, MP.nan, MP.nan)


def _lifted(derivatives: Callable[[Any], tuple[Any, Any, Any]], plain: Any) -> Any:
    """A function with its first two derivatives, of jets and of numbers."""

    def of(x: Any) -> Any:
        if not isinstance(x, Jet):
            return plain(x)
        value, first, second = derivatives(x.a)
        return Jet(value, first * x.b, first * x.c + second * x.b * x.b / 2)

    return np.frompyfunc(of, 1, 1)


def _log(x: Any) -> tuple[Any, Any, Any]:
    return (MP.log(x), 1 / x, -1 / (x * x)) if x > 0 else (MP.log(x), MP.nan, MP.nan)


def _log1p(x: Any) -> tuple[Any, Any, Any]:
    return MP.log1p(x), 1 / (1 + x), -1 / ((1 + x) * (1 + x))


def _exp(x: Any) -> tuple[Any, Any, Any]:
    return (EXACT.exp(x),) * 3


def _expm1(x: Any) -> tuple[Any, Any, Any]:
    return EXACT.expm1(x), EXACT.exp(x), EXACT.exp(x)


def _sinh(x: Any) -> tuple[Any, Any, Any]:
    return MP.sinh(x), MP.cosh(x), MP.sinh(x)


def _sqrt(x: Any) -> tuple[Any, Any, Any]:
    root = MP.sqrt(x)
    return (root, 1 / (2 * root), -1 / (4 * x * root)) if x > 0 else (MP.nan, MP.nan, MP.nan)


def _power(x: Any, y: Any) -> Any:
    if not isinstance(x, Jet) or y == 0:
        return EXACT.power(x, y)

    def times_power(factor: Any, exponent: Any) -> Any:
        if factor == 0:
            return MP.mpf(0)
        return factor * (MP.inf if x.a == 0 and exponent < 0 else EXACT.power(x.a, exponent))

    first = times_power(y, y - 1)
    second = times_power(y * (y - 1), y - 2)
    return Jet(EXACT.power(x.a, y), first * x.b, first * x.c + second * x.b * x.b / 2)


class Jets(Exact):
    """`Exact` in which some of the numbers may be jets."""

    log = _lifted(_log, EXACT.log)
    log1p = _lifted(_log1p, EXACT.log1p)
    exp = _lifted(_exp, EXACT.exp)
    expm1 = _lifted(_expm1, EXACT.expm1)
    sinh = _lifted(_sinh, EXACT.sinh)
    sqrt = _lifted(_sqrt, EXACT.sqrt)
    power = staticmethod(np.frompyfunc(_power, 2, 1))

    def sum(self, x: Any) -> Any:
        counted = np.ravel(x if self._counts is None else x * self._counts)
        total = MP.fsum(v for v in counted if not isinstance(v, Jet))
        return np.array([sum((v for v in counted if isinstance(v, Jet)), total)], dtype=object)


def slopes(function: Callable[[Any], Any], x: Any) -> tuple[Any, Any]:
    """The first and second derivative of a function at x, NaN where its sides differ.

    The function is called with jets.
    """
    before = Jet.ties
    right = function(Jet(x, MP.mpf(1), MP.mpf(0)))
    first, second = _parts(right)[1:]
    if Jet.ties > before:
        left = _parts(function(Jet(x, MP.mpf(-1), MP.mpf(0))))
        first = first if _alike(first, -left[1]) else MP.nan
        second = second if _alike(second, left[2]) else MP.nan
    return MP.mpf(first), 2 * MP.mpf(second)


def _alike(x: Any, y: Any) -> bool:
    return bool(x == y or abs(x - y) <= MP.ldexp(abs(x) + abs(y), -120))
