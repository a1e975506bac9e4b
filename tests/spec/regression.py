# SPDX-License-Identifier: Apache-2.0
"""Losses of real-valued predictions."""

from __future__ import annotations

from typing import Any

from .arithmetic import Arithmetic, maximum, times
from .case import Bound, Parameter, Setting
from .domain import COUNT, REAL
from .pointwise import PointwiseCase


def squared_error(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return (p - t) * (p - t)


def absolute_error(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return m.abs(p - t)


def percentage_error(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return 100 * m.abs(t - p) / maximum(m, m.abs(t), s.epsilon)


def squared_logarithmic_error(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    p, t = maximum(m, p, s.epsilon), maximum(m, t, s.epsilon)
    low, high = m.where(p < t, p, t), m.where(p < t, t, p)
    difference = m.log1p((high - low) / (1 + low))  # |ln(1 + p) - ln(1 + t)|
    return difference * difference


def huber(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    d = m.abs(p - t)
    return m.where(d <= s.delta, d * d / 2, s.delta * (d - s.delta / 2))


def log_cosh(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    x = m.abs(p - t)
    half = m.sinh(m.where(x < 1, x, m.real(0)) / 2)  # cosh x - 1 = 2 sinh^2(x / 2)
    return m.where(x < 1, m.log1p(2 * half * half), x + m.log1p(m.exp(-2 * x)) - m.log(m.real(2)))


def poisson(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return p - times(m, t, m.log(p + s.epsilon))


def poisson_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return m.abs(p) + m.abs(times(m, t, m.log(p + s.epsilon)))


def poisson_slope_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """1 - t / (p + epsilon)."""
    return 1 + m.abs(t) / (p + s.epsilon)


def logarithmic_curvature_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """2 (1 - (ln(1 + p) - ln(1 + t))) / (1 + p)^2."""
    difference = m.sqrt(squared_logarithmic_error(m, t, p, s))
    return 2 * (1 + difference) / (1 + p) ** 2


def log_cosh_curvature_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """4 e^-2x / (1 + e^-2x)^2 with x = |p - t|, whose exponent has the rounding of x."""
    x = m.abs(p - t)
    e = m.exp(-2 * x)
    return times(m, 4 * e / (1 + e) ** 2, 1 + 2 * x)


def at_delta(m: Arithmetic, t: Any, p: Any, s: Setting, near: Any) -> Any:
    return m.abs(m.abs(p - t) - s.delta) <= near * s.delta


def log_cosh_curvature_lost(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """e^-2x counts four times."""
    return m.real(4)


def poisson_curvature_lost(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """t / (p + epsilon), which has the rounding 2^-24 of the smallest normal number if it is less,
    is divided once more."""
    return m.real(2.0**-22) / (p + s.epsilon)


CASES = (
    PointwiseCase(
        "mean_squared_error",
        "mean_squared_error",
        "MeanSquaredError",
        value=squared_error,
        y_true=REAL,
        y_pred=REAL,
        related=True,
    ),
    PointwiseCase(
        "mean_absolute_error",
        "mean_absolute_error",
        "MeanAbsoluteError",
        value=absolute_error,
        y_true=REAL,
        y_pred=REAL,
        related=True,
    ),
    PointwiseCase(
        "mean_absolute_percentage_error",
        "mean_absolute_percentage_error",
        "MeanAbsolutePercentageError",
        value=percentage_error,
        y_true=REAL.visiting(1e-7, -1e-7),
        y_pred=REAL,
        related=True,
    ),
    PointwiseCase(
        "mean_squared_logarithmic_error",
        "mean_squared_logarithmic_error",
        "MeanSquaredLogarithmicError",
        value=squared_logarithmic_error,
        hessian=Bound(logarithmic_curvature_terms),
        y_true=COUNT,
        y_pred=COUNT,
        related=True,
    ),
    PointwiseCase(
        "huber",
        "huber",
        "Huber",
        value=huber,
        hessian_kinks=at_delta,
        y_true=REAL,
        y_pred=REAL,
        related=True,
        default_name="huber_loss",
        parameters=(Parameter("delta", 1.0, low=0.0, low_open=True),),
        options=({}, {"delta": 0.5}, {"delta": 1e3}),
    ),
    PointwiseCase(
        "log_cosh",
        "log_cosh",
        "LogCosh",
        value=log_cosh,
        hessian=Bound(log_cosh_curvature_terms, lost=log_cosh_curvature_lost),
        y_true=REAL,
        y_pred=REAL,
        related=True,
    ),
    PointwiseCase(
        "poisson",
        "poisson",
        "Poisson",
        value=poisson,
        terms=poisson_terms,
        gradient=Bound(poisson_slope_terms),
        hessian=Bound(lost=poisson_curvature_lost),
        y_true=COUNT,
        y_pred=COUNT,
        related=True,
    ),
)
