# SPDX-License-Identifier: Apache-2.0
"""The two kinds of arithmetic that the formulas of this package are evaluated in.

`Exact` works on arrays of mpmath numbers of 240 bits and is the reference. `Vectorized` works on
arrays of np.longdouble; it is fast and close enough to choose inputs that are worth an exact look.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Protocol

import mpmath
import numpy as np

MP = mpmath.MPContext()
MP.prec = 240


class Arithmetic(Protocol):
    """What a formula may use: functions of each element, and sums over rows, which are last axes.

    Both branches of `where` are evaluated, so both must be defined.
    """

    def real(self, x: Any, /) -> Any: ...
    def abs(self, x: Any, /) -> Any: ...
    def sqrt(self, x: Any, /) -> Any: ...
    def log(self, x: Any, /) -> Any: ...
    def log1p(self, x: Any, /) -> Any: ...
    def exp(self, x: Any, /) -> Any: ...
    def expm1(self, x: Any, /) -> Any: ...
    def sinh(self, x: Any, /) -> Any: ...
    def power(self, x: Any, y: Any, /) -> Any: ...
    def where(self, condition: Any, x: Any, y: Any, /) -> Any: ...
    def sum(self, x: Any, /) -> Any: ...
    def max(self, x: Any, /) -> Any: ...
    def size(self, x: Any, /) -> Any: ...


def _exp(x: Any) -> Any:
    # mpmath would print 2^-10^300; no term this small is ever seen beside another one.
    return MP.mpf(0) if x < -1e6 else MP.exp(x)


def _power(x: Any, y: Any) -> Any:
    return MP.mpf(1) if y == 0 else MP.power(x, y)


class Exact:
    """Arrays of mpmath numbers, of which each stands `counts` times in its row.

    Logarithms of zero are -inf.
    """

    real = staticmethod(np.frompyfunc(lambda x: MP.mpf(float(x)), 1, 1))
    abs = staticmethod(np.abs)
    sqrt = staticmethod(np.frompyfunc(MP.sqrt, 1, 1))
    log = staticmethod(np.frompyfunc(MP.log, 1, 1))
    log1p = staticmethod(np.frompyfunc(MP.log1p, 1, 1))
    exp = staticmethod(np.frompyfunc(_exp, 1, 1))
    expm1 = staticmethod(np.frompyfunc(lambda x: MP.expm1(x) if x > -1e6 else MP.mpf(-1), 1, 1))
    sinh = staticmethod(np.frompyfunc(MP.sinh, 1, 1))
    power = staticmethod(np.frompyfunc(_power, 2, 1))
    where = staticmethod(np.where)

    def __init__(self, counts: Any = None) -> None:
        self._counts = counts

    def sum(self, x: Any) -> Any:
        counted = x if self._counts is None else x * self._counts
        return np.array([MP.fsum(counted)], dtype=object)

    def max(self, x: Any) -> Any:
        return np.array([max(x)], dtype=object)

    def size(self, x: Any) -> Any:
        return MP.mpf(len(x) if self._counts is None else int(sum(self._counts)))


class Vectorized:
    """Arrays of np.longdouble, whose last axis is the row."""

    abs = staticmethod(np.abs)
    sqrt = staticmethod(np.sqrt)
    log = staticmethod(np.log)
    log1p = staticmethod(np.log1p)
    exp = staticmethod(np.exp)
    expm1 = staticmethod(np.expm1)
    sinh = staticmethod(np.sinh)
    power = staticmethod(np.power)
    where = staticmethod(np.where)

    @staticmethod
    def real(x: Any) -> Any:
        return np.asarray(x, np.longdouble)

    @staticmethod
    def sum(x: Any) -> Any:
        return np.sum(x, axis=-1, keepdims=True)

    @staticmethod
    def max(x: Any) -> Any:
        return np.max(x, axis=-1, keepdims=True)

    @staticmethod
    def size(x: Any) -> Any:
        return np.longdouble(x.shape[-1])


EXACT = Exact()
VECTORIZED = Vectorized()


def maximum(m: Arithmetic, x: Any, y: Any) -> Any:
    return m.where(x > y, x, y)


def clip(m: Arithmetic, x: Any, low: Any, high: Any) -> Any:
    return m.where(x < low, low, m.where(x > high, high, x))


def times(m: Arithmetic, x: Any, y: Any) -> Any:
    """x y, and 0 for x = 0 whatever y is."""
    zero = x == 0
    return m.where(zero, m.real(0), x * m.where(zero, m.real(0), y))


def softplus(m: Arithmetic, x: Any) -> Any:
    """ln(1 + e^x)."""
    return maximum(m, x, m.real(0)) + m.log1p(m.exp(-m.abs(x)))


def sigmoid(m: Arithmetic, x: Any) -> Any:
    """1 / (1 + e^-x)."""
    small = m.exp(-m.abs(x))
    return m.where(x < 0, small, m.real(1)) / (1 + small)


def number(x: Any) -> Any:
    """A float, or what is an mpmath number already, as one."""
    return x if isinstance(x, MP.mpf) else MP.mpf(float(x))


def to_fraction(x: Any) -> Fraction:
    """The exact value of a finite mpmath number."""
    numerator, denominator = mpmath.libmp.to_rational(x._mpf_)
    return Fraction(int(numerator), int(denominator))
