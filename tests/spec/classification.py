# SPDX-License-Identifier: Apache-2.0
"""Losses of class probabilities and logits."""

from __future__ import annotations

from typing import Any

from .arithmetic import Arithmetic, clip, sigmoid, softplus, times
from .case import Bound, Options, Parameter, Setting
from .domain import LABEL, LOGIT, PROBABILITY
from .pointwise import PointwiseCase


def smoothed(t: Any, s: Setting) -> tuple[Any, Any]:
    """The label and its complement, both drawn towards one half."""
    keep, spread = 1 - s.label_smoothing, s.label_smoothing / 2
    return t * keep + spread, (1 - t) * keep + spread


def crossentropy(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    y, not_y = smoothed(t, s)
    q = clip(m, p, s.low, s.high)
    return -times(m, y, m.log(q)) - times(m, not_y, m.log1p(-q))


def crossentropy_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    y, not_y = smoothed(t, s)
    return times(m, y, softplus(m, -z)) + times(m, not_y, softplus(m, z))


def miss(t: Any, p: Any, not_p: Any, s: Setting) -> Any:
    """1 - p_t, the probability that the prediction gives to the wrong answer."""
    y, not_y = smoothed(t, s)
    return y * not_p + not_y * p


def balance(m: Arithmetic, t: Any, s: Setting) -> Any:
    y, not_y = smoothed(t, s)
    weight = y * s.alpha + not_y * (1 - s.alpha)
    return m.where(s.apply_class_balancing != 0, weight, m.real(1))


def focal(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    focus = m.power(miss(t, p, 1 - p, s), s.gamma)
    return balance(m, t, s) * times(m, focus, crossentropy(m, t, p, s))


def focal_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    focus = m.power(miss(t, sigmoid(m, z), sigmoid(m, -z), s), s.gamma)
    return balance(m, t, s) * times(m, focus, crossentropy_from_logits(m, t, z, s))


def focal_factor(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return 4 + times(m, s.gamma, m.abs(m.log(miss(t, p, 1 - p, s))))


def focal_factor_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    return 4 + times(m, s.gamma, m.abs(m.log(miss(t, sigmoid(m, z), sigmoid(m, -z), s))))


def once(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return m.real(1)


def focus_lost(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """The power that is lost is a factor of the crossentropy."""
    return crossentropy(m, t, p, s)


def focus_lost_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    return 1 + crossentropy_from_logits(m, t, z, s)


def kl_ratio(m: Arithmetic, t: Any, p: Any, s: Setting) -> tuple[Any, Any]:
    one = m.real(1)
    t, p = clip(m, t, s.epsilon, one), clip(m, p, s.epsilon, one)
    return t, m.log(t / p)


def kl_divergence(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    t, log_ratio = kl_ratio(m, t, p, s)
    return times(m, t, log_ratio)


def kl_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    t, log_ratio = kl_ratio(m, t, p, s)
    return t + times(m, t, m.abs(log_ratio))


def inside(m: Arithmetic, p: Any, low: Any, high: Any) -> Any:
    """1 where p is not clipped, else 0: what is clipped has no derivative."""
    return m.where((p < low) | (p > high), m.real(0), m.real(1))


def slope_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """-y / p + (1 - y) / (1 - p)."""
    y, not_y = smoothed(t, s)
    q = clip(m, p, s.low, s.high)
    return inside(m, p, s.low, s.high) * (y / q + not_y / (1 - q))


def curvature_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """y / p^2 + (1 - y) / (1 - p)^2."""
    y, not_y = smoothed(t, s)
    q = clip(m, p, s.low, s.high)
    return inside(m, p, s.low, s.high) * (y / q**2 + not_y / (1 - q) ** 2)


def curvature_lost(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """y / p, which has the rounding 2^-24 of the smallest normal number if it is less, is divided
    once more."""
    q = clip(m, p, s.low, s.high)
    return inside(m, p, s.low, s.high) * m.real(2.0**-22) * (1 / q + 1 / (1 - q))


def slope_terms_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    """-y (1 - p) + (1 - y) p."""
    y, not_y = smoothed(t, s)
    return y * sigmoid(m, -z) + not_y * sigmoid(m, z)


def _focal_factor(m: Arithmetic, missed: Any, s: Setting) -> Any:
    """As for the value: k of a power is 4 + gamma |ln(1 - p_t)|."""
    return 4 + s.gamma * m.abs(m.log(m.where(missed == 0, m.real(1), missed)))


def _powers(m: Arithmetic, missed: Any, s: Setting) -> tuple[Any, Any, Any]:
    """(1 - p_t)^gamma and its first two derivatives by 1 - p_t, as absolute values."""
    base = m.where(missed == 0, m.real(1), missed)  # what is infinite there is not compared
    first = m.abs(s.gamma) * m.power(base, s.gamma - 1)
    second = m.abs(s.gamma * (s.gamma - 1)) * m.power(base, s.gamma - 2)
    return m.power(missed, s.gamma), first, second


def focal_slope_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """gamma (1 - p_t)^(gamma - 1) (1 - 2 y) H + (1 - p_t)^gamma H', with the crossentropy H."""
    y, not_y = smoothed(t, s)
    power, first, _ = _powers(m, miss(t, p, 1 - p, s), s)
    own = first * m.abs(not_y - y) * crossentropy(m, t, p, s)
    return balance(m, t, s) * (own + power * slope_terms(m, t, p, s))


def focal_curvature_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """The second derivative of the product, term by term."""
    y, not_y = smoothed(t, s)
    power, first, second = _powers(m, miss(t, p, 1 - p, s), s)
    moved = m.abs(not_y - y)
    terms = second * moved**2 * crossentropy(m, t, p, s)
    terms = terms + 2 * first * moved * slope_terms(m, t, p, s)
    return balance(m, t, s) * (terms + power * curvature_terms(m, t, p, s))


def focal_slope_factor(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return _focal_factor(m, miss(t, p, 1 - p, s), s)


def focal_curvature_factor(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """A term of the second derivative is a product of up to four factors that are rounded."""
    return 4 + focal_slope_factor(m, t, p, s)


def focal_slope_lost(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """The powers that are lost are factors of the crossentropy and its derivative."""
    return s.gamma * crossentropy(m, t, p, s) + slope_terms(m, t, p, s)


def focal_curvature_lost(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    lost = s.gamma * m.abs(s.gamma - 1) * crossentropy(m, t, p, s)
    lost = lost + 2 * s.gamma * slope_terms(m, t, p, s)
    return lost + curvature_terms(m, t, p, s)


def focal_slope_terms_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    """gamma (1 - p_t)^(gamma - 1) (1 - 2 y) p (1 - p) H + (1 - p_t)^gamma H'."""
    y, not_y = smoothed(t, s)
    p, not_p = sigmoid(m, z), sigmoid(m, -z)
    power, first, _ = _powers(m, miss(t, p, not_p, s), s)
    own = first * m.abs(not_y - y) * p * not_p * crossentropy_from_logits(m, t, z, s)
    return balance(m, t, s) * (own + power * slope_terms_from_logits(m, t, z, s))


def focal_curvature_terms_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    """The second derivative of the product, term by term; p'' = p (1 - p)^2 - p^2 (1 - p)."""
    y, not_y = smoothed(t, s)
    p, not_p = sigmoid(m, z), sigmoid(m, -z)
    power, first, second = _powers(m, miss(t, p, not_p, s), s)
    moved, loss = m.abs(not_y - y) * p * not_p, crossentropy_from_logits(m, t, z, s)
    terms = (second * moved**2 + first * moved) * loss
    terms = terms + 2 * first * moved * slope_terms_from_logits(m, t, z, s)
    return balance(m, t, s) * (terms + power * p * not_p * (y + not_y))


def focal_slope_factor_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    return _focal_factor(m, miss(t, sigmoid(m, z), sigmoid(m, -z), s), s)


def focal_curvature_factor_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    return 4 + focal_slope_factor_from_logits(m, t, z, s)


def focal_slope_lost_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    """An exp or power that is lost is a factor of the crossentropy and of numbers below 2."""
    loss = 1 + crossentropy_from_logits(m, t, z, s)
    return 2 * (1 + s.gamma) ** 2 * loss


SMOOTHING = Parameter("label_smoothing", 0.0, low=0.0, high=1.0)
FOCAL = (
    Parameter("apply_class_balancing", 0.0, is_bool=True),
    Parameter("alpha", 0.25, low=0.0, high=1.0),
    Parameter("gamma", 2.0, low=0.0),
    SMOOTHING,
)
SMOOTHING_OPTIONS: tuple[Options, ...] = ({}, {"label_smoothing": 0.125}, {"label_smoothing": 1.0})
FOCAL_OPTIONS: tuple[Options, ...] = (
    {},
    {"gamma": 0.0},
    {"gamma": 0.5, "label_smoothing": 0.125},
    {"apply_class_balancing": True, "alpha": 0.75, "gamma": 5.0},
)

CASES = (
    PointwiseCase(
        "binary_crossentropy",
        "binary_crossentropy",
        "BinaryCrossentropy",
        value=crossentropy,
        gradient=Bound(slope_terms),
        hessian=Bound(curvature_terms, lost=curvature_lost),
        y_true=LABEL,
        y_pred=PROBABILITY,
        target="label",
        keras_axis=True,
        parameters=(SMOOTHING,),
        options=SMOOTHING_OPTIONS,
    ),
    PointwiseCase(
        "binary_crossentropy_from_logits",
        "binary_crossentropy",
        "BinaryCrossentropy",
        value=crossentropy_from_logits,
        gradient=Bound(slope_terms_from_logits, lost=once),
        hessian=Bound(lost=once),
        y_true=LABEL,
        y_pred=LOGIT,
        target="label",
        keras_axis=True,
        parameters=(SMOOTHING,),
        options=SMOOTHING_OPTIONS,
        fixed={"from_logits": True},
        lost=once,
    ),
    PointwiseCase(
        "binary_focal_crossentropy",
        "binary_focal_crossentropy",
        "BinaryFocalCrossentropy",
        value=focal,
        gradient=Bound(focal_slope_terms, focal_slope_factor, focal_slope_lost),
        hessian=Bound(focal_curvature_terms, focal_curvature_factor, focal_curvature_lost),
        factor=focal_factor,
        y_true=LABEL,
        y_pred=PROBABILITY,
        target="label",
        parameters=FOCAL,
        options=FOCAL_OPTIONS,
        keras_axis=True,
        lost=focus_lost,
    ),
    PointwiseCase(
        "binary_focal_crossentropy_from_logits",
        "binary_focal_crossentropy",
        "BinaryFocalCrossentropy",
        value=focal_from_logits,
        gradient=Bound(
            focal_slope_terms_from_logits,
            focal_slope_factor_from_logits,
            focal_slope_lost_from_logits,
        ),
        hessian=Bound(
            focal_curvature_terms_from_logits,
            focal_curvature_factor_from_logits,
            focal_slope_lost_from_logits,
        ),
        factor=focal_factor_from_logits,
        y_true=LABEL,
        y_pred=LOGIT,
        target="label",
        parameters=FOCAL,
        options=FOCAL_OPTIONS,
        fixed={"from_logits": True},
        keras_axis=True,
        lost=focus_lost_from_logits,
    ),
    PointwiseCase(
        "kl_divergence",
        "kl_divergence",
        "KLDivergence",
        value=kl_divergence,
        terms=kl_terms,
        y_true=PROBABILITY,
        y_pred=PROBABILITY,
        target="label",
        row_finish="sum",
        related=True,
    ),
)
