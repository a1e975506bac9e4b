# SPDX-License-Identifier: Apache-2.0
"""The two kinds of arithmetic that the formulas of this package are evaluated in.

`Exact` works on mpmath numbers of 240 bits and is the reference. `Vectorized` works on arrays of
np.longdouble; it is fast and close enough to choose inputs that are worth an exact look.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Protocol

import mpmath
import numpy as np

MP = mpmath.MPContext()
MP.prec = 240


class Arithmetic(Protocol):
    """What a formula may use. Both branches of `where` are evaluated, so both must be defined."""

    def real(self, x: Any, /) -> Any: ...
    def abs(self, x: Any, /) -> Any: ...
    def log(self, x: Any, /) -> Any: ...
    def log1p(self, x: Any, /) -> Any: ...
    def exp(self, x: Any, /) -> Any: ...
    def sinh(self, x: Any, /) -> Any: ...
    def power(self, x: Any, y: Any, /) -> Any: ...
    def where(self, condition: Any, x: Any, y: Any, /) -> Any: ...


class Exact:
    """mpmath scalars; logarithms of zero are -inf."""

    abs = staticmethod(abs)
    log = staticmethod(MP.log)
    log1p = staticmethod(MP.log1p)
    sinh = staticmethod(MP.sinh)

    @staticmethod
    def real(x: Any) -> Any:
        return MP.mpf(float(x))

    @staticmethod
    def exp(x: Any) -> Any:
        # mpmath would print 2^-10^300; no term this small is ever seen beside another one.
        return MP.mpf(0) if x < -1e6 else MP.exp(x)

    @staticmethod
    def power(x: Any, y: Any) -> Any:
        return MP.mpf(1) if y == 0 else MP.power(x, y)

    @staticmethod
    def where(condition: Any, x: Any, y: Any) -> Any:
        return x if condition else y


class Vectorized:
    """Arrays of np.longdouble."""

    abs = staticmethod(np.abs)
    log = staticmethod(np.log)
    log1p = staticmethod(np.log1p)
    exp = staticmethod(np.exp)
    sinh = staticmethod(np.sinh)
    power = staticmethod(np.power)
    where = staticmethod(np.where)

    @staticmethod
    def real(x: Any) -> Any:
        return np.asarray(x, np.longdouble)


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


def to_fraction(x: Any) -> Fraction:
    """The exact value of a finite mpmath number."""
    numerator, denominator = mpmath.libmp.to_rational(x._mpf_)
    return Fraction(int(numerator), int(denominator))
