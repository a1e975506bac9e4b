# SPDX-License-Identifier: Apache-2.0
"""Losses of class probabilities and logits."""

from __future__ import annotations

from typing import Any

from .arithmetic import Arithmetic, clip, sigmoid, softplus, times
from .case import Options, Parameter, Setting
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
