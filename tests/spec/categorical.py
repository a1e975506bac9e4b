# SPDX-License-Identifier: Apache-2.0
"""Losses of one class among several, from probabilities or logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .arithmetic import Arithmetic, clip, times
from .case import Bound, Options, Parameter, Setting
from .domain import CLASS, LABEL, LOGIT, PROBABILITY, SHARE
from .rows import LOGIT_ROWS, PROBABILITY_ROWS
from .rowwise import RowCase


def smoothed(m: Arithmetic, t: Any, s: Setting) -> Any:
    """The label drawn towards the uniform distribution, times the weight of its class."""
    return s.class_weight * (t * (1 - s.label_smoothing) + s.label_smoothing / m.size(t))


def share(m: Arithmetic, p: Any, s: Setting) -> Any:
    return clip(m, p / m.sum(p), s.low, s.high)


def crossentropy(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return m.sum(times(m, smoothed(m, t, s), -m.log(share(m, p, s))))


def crossentropy_bound(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """A share has a relative error, which is an absolute one of its logarithm."""
    return 4 * m.sum(smoothed(m, t, s) * (1 + m.abs(m.log(share(m, p, s)))))


@dataclass(frozen=True)
class Softmax:
    """The parts of a softmax, none of which cancels; `top` is the largest logit."""

    behind: Any  # top - z
    leads: Any  # z == top
    e: Any  # exp(z - top)
    rest: Any  # the sum of all e but one of those that are 1
    miss: Any  # 1 - softmax(z)
    loss: Any  # -ln softmax(z)


def others(m: Arithmetic, leads: Any, x: Any) -> Any:
    """The sum of x over all elements but one of those that lead, which are equal."""
    zero, one = m.real(0), m.real(1)
    more = m.sum(m.where(leads, one, zero)) - 1
    return m.sum(m.where(leads, zero, x)) + more * m.max(m.where(leads, x, zero))


def softmax(m: Arithmetic, z: Any) -> Softmax:
    behind = m.max(z) - z
    e = m.exp(-behind)
    leads = behind == 0
    rest = others(m, leads, e)
    miss = m.where(leads, rest, 1 + rest - e) / (1 + rest)
    return Softmax(behind, leads, e, rest, miss, behind + m.log1p(rest))


def crossentropy_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    return m.sum(times(m, smoothed(m, t, s), softmax(m, z).loss))


def exponents(m: Arithmetic, x: Softmax) -> Any:
    """What u in each exponent z - top counts in ln(1 + rest)."""
    return m.sum(times(m, x.e, x.behind)) / (1 + x.rest)


def crossentropy_bound_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    """The terms are top - z and ln(1 + rest); the latter feels the rounding of the exponents."""
    x = softmax(m, z)
    return 4 * m.sum(times(m, smoothed(m, t, s), x.loss + exponents(m, x)))


def lost_exps(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    """Every exp may be lost, and each counts in the logarithm of their sum."""
    return m.sum(smoothed(m, t, s)) * m.size(z)


def focal(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    q = share(m, p, s)
    focus = m.power(1 - q, s.gamma)
    return s.alpha * m.sum(times(m, smoothed(m, t, s) * focus, -m.log(q)))


def focal_bound(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """A relative error of q is an absolute one of its logarithm, and one of gamma q / (1 - q) of
    the power, beside the error gamma |ln(1 - q)| that the power itself may have."""
    q = share(m, p, s)
    weight, loss = smoothed(m, t, s) * m.power(1 - q, s.gamma), -m.log(q)
    terms = 4 + 4 * loss * (1 + s.gamma * q / (1 - q))
    return s.alpha * m.sum(weight * (terms + loss * s.gamma * m.abs(m.log(1 - q))))


def focal_lost(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """The power that is lost is a factor of the crossentropy."""
    return s.alpha * crossentropy(m, t, p, s)


def focal_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    x = softmax(m, z)
    focus = m.power(x.miss, s.gamma)
    return s.alpha * m.sum(times(m, smoothed(m, t, s) * focus, x.loss))


def focal_bound_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    """As `focal_bound`; the sensitivity of 1 - q_j to the logits is the sum over i of
    |d ln(1 - q_j) / d z_i| (1 + |z_i - top|), with the derivatives -q_j for i = j and
    q_i q_j / (1 - q_j) for the others."""
    x = softmax(m, z)
    q, zero = x.e / (1 + x.rest), m.real(0)
    certain = x.miss == 0
    miss = m.where(certain, m.real(1), x.miss)
    moved = times(m, q, 1 + x.behind)
    elsewhere = m.where(x.leads, others(m, x.leads, moved), m.sum(moved) - moved)
    sensitivity = moved + q * elsewhere / miss
    terms = 4 * (x.loss + exponents(m, x) + times(m, sensitivity, s.gamma * x.loss))
    terms = terms + times(m, s.gamma * m.abs(m.log(miss)), x.loss)
    weight = smoothed(m, t, s) * m.power(x.miss, s.gamma)
    return s.alpha * m.sum(times(m, m.where(certain, zero, weight), terms))


def focal_lost_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    lost = times(m, smoothed(m, t, s), m.size(z) + softmax(m, z).loss)
    return s.alpha * m.sum(lost)


def generalized(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return m.sum(times(m, s.class_weight * t, -m.expm1(s.q * m.log(p)) / s.q))


def generalized_bound(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """The loss, and what a relative error of the logarithm counts."""
    sensitivity = times(m, m.power(p, s.q), m.abs(m.log(p)))
    terms = m.abs(m.expm1(s.q * m.log(p)) / s.q) + sensitivity
    return 4 * m.sum(times(m, s.class_weight * t, terms))


def whole(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """The factor is in the terms."""
    return m.real(1)


def kept(m: Arithmetic, p: Any, s: Setting) -> Any:
    """1 where the share is not clipped, else 0: what is clipped has no derivative."""
    q = p / m.sum(p)
    return m.where((q < s.low) | (q > s.high), m.real(0), m.real(1))


def share_edges(m: Arithmetic, t: Any, p: Any, s: Setting, near: Any) -> Any:
    """A share is next to a clip bound, of any element that has a label."""
    q, y = p / m.sum(p), smoothed(m, t, s)
    at_low = m.abs(q - s.low) <= near * s.low
    at_high = m.abs(q - s.high) <= near / 5  # 1 is further away, and q = 1 is no rounding
    edges = m.where((at_low | at_high) & (y != 0), m.real(1), m.real(0))
    return (m.sum(edges) > 0) | (p != p)


def slope_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """-y / p + sum(y) / sum(p), of the elements that are not clipped."""
    q, y = share(m, p, s), smoothed(m, t, s) * kept(m, p, s)
    return (y / q + m.sum(y)) / m.sum(p)


def slope_terms_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    """sum(y) p - y."""
    x, y = softmax(m, z), smoothed(m, t, s)
    return m.sum(y) * x.e / (1 + x.rest) + y


def slope_lost_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    """The exp of the element itself may be lost."""
    return m.sum(smoothed(m, t, s))


def focal_slope_bound(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """(y f' - sum(y f' q)) / sum(p) with f = -(1 - q)^gamma ln q, whose derivative has the terms
    gamma (1 - q)^(gamma - 1) ln q and -(1 - q)^gamma / q; k is as for the value."""
    q = share(m, p, s)
    weight = s.alpha * smoothed(m, t, s) * kept(m, p, s)
    own = s.gamma * m.power(1 - q, s.gamma - 1) * -m.log(q)
    factor = 4 * (1 + s.gamma * q / (1 - q)) + s.gamma * m.abs(m.log(1 - q))
    terms = weight * factor * (own + m.power(1 - q, s.gamma) / q)
    return (terms + m.sum(terms * q)) / m.sum(p)


def focal_slope_lost(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """The powers that are lost are factors of the logarithm and of 1 / q."""
    q = share(m, p, s)
    weight = s.alpha * smoothed(m, t, s) * kept(m, p, s)
    lost = weight * (s.gamma * -m.log(q) + 1 / q)
    return (lost + m.sum(lost * q)) / m.sum(p)


def focal_slope_bound_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    """q sum(y g) - y g, where g has the terms -gamma (1 - q)^(gamma - 1) q ln q and
    (1 - q)^gamma. Exponentials that are off by 2 u each move 1 - q by up to 4 q u, and its power
    gamma times that, beside the error gamma |ln(1 - q)| of the power itself."""
    x, y = softmax(m, z), s.alpha * smoothed(m, t, s)
    q, certain = x.e / (1 + x.rest), x.miss == 0
    missed = m.where(certain, m.real(1), x.miss)
    terms = times(m, s.gamma * m.power(missed, s.gamma - 1) * q, x.loss)
    terms = m.where(certain, m.real(0), terms + m.power(missed, s.gamma))
    factor = 4 * (1 + s.gamma * q) + s.gamma * m.abs(m.log(missed))
    terms = times(m, y * factor, terms)
    return q * m.sum(terms) + terms


def focal_slope_lost_from_logits(m: Arithmetic, t: Any, z: Any, s: Setting) -> Any:
    """An exp or power that is lost is a factor of the logarithm and of numbers below 1."""
    y = s.alpha * smoothed(m, t, s)
    lost = times(m, y, (1 + s.gamma) * (1 + softmax(m, z).loss))
    return lost + m.sum(lost)


def generalized_slope_factor(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """p^q / p, where q ln p feels its rounding."""
    return 4 * (1 + m.abs(s.q * m.log(m.where(p == 0, m.real(1), p))))


SMOOTHING = Parameter("label_smoothing", 0.0, low=0.0, high=1.0)
SMOOTHING_OPTIONS: tuple[Options, ...] = ({}, {"label_smoothing": 0.125}, {"label_smoothing": 1.0})
FOCAL = (Parameter("alpha", 0.25, low=0.0), Parameter("gamma", 2.0, low=0.0), SMOOTHING)
FOCAL_OPTIONS: tuple[Options, ...] = (
    {},
    {"gamma": 0.0},
    {"gamma": 0.5, "label_smoothing": 0.125},
    {"alpha": 0.75, "gamma": 5.0},
)

CASES = (
    RowCase(
        "categorical_crossentropy",
        "categorical_crossentropy",
        "CategoricalCrossentropy",
        value=crossentropy,
        bound=crossentropy_bound,
        gradient=Bound(slope_terms),
        gradient_kinks=share_edges,
        y_true=LABEL,
        y_pred=SHARE,
        target="label",
        axes="one",
        parameters=(SMOOTHING,),
        options=SMOOTHING_OPTIONS,
        rows=PROBABILITY_ROWS,
        some_prediction=True,
        takes_class_weight=True,
    ),
    RowCase(
        "categorical_crossentropy_from_logits",
        "categorical_crossentropy",
        "CategoricalCrossentropy",
        value=crossentropy_from_logits,
        bound=crossentropy_bound_from_logits,
        gradient=Bound(slope_terms_from_logits, lost=slope_lost_from_logits),
        hessian=Bound(lost=lost_exps),
        lost=lost_exps,
        y_true=LABEL,
        y_pred=LOGIT,
        target="label",
        axes="one",
        parameters=(SMOOTHING,),
        options=SMOOTHING_OPTIONS,
        fixed={"from_logits": True},
        rows=LOGIT_ROWS,
        takes_class_weight=True,
    ),
    RowCase(
        "categorical_focal_crossentropy",
        "categorical_focal_crossentropy",
        "CategoricalFocalCrossentropy",
        value=focal,
        bound=focal_bound,
        gradient=Bound(focal_slope_bound, factor=whole, lost=focal_slope_lost),
        gradient_kinks=share_edges,
        lost=focal_lost,
        y_true=LABEL,
        y_pred=SHARE,
        target="label",
        axes="one",
        parameters=FOCAL,
        options=FOCAL_OPTIONS,
        rows=PROBABILITY_ROWS,
        some_prediction=True,
        takes_class_weight=True,
    ),
    RowCase(
        "categorical_focal_crossentropy_from_logits",
        "categorical_focal_crossentropy",
        "CategoricalFocalCrossentropy",
        value=focal_from_logits,
        bound=focal_bound_from_logits,
        gradient=Bound(focal_slope_bound_from_logits, whole, focal_slope_lost_from_logits),
        lost=focal_lost_from_logits,
        y_true=LABEL,
        y_pred=LOGIT,
        target="label",
        axes="one",
        parameters=FOCAL,
        options=FOCAL_OPTIONS,
        fixed={"from_logits": True},
        rows=LOGIT_ROWS,
        takes_class_weight=True,
    ),
    RowCase(
        "sparse_categorical_crossentropy",
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        value=crossentropy,
        bound=crossentropy_bound,
        gradient=Bound(slope_terms),
        gradient_kinks=share_edges,
        y_true=CLASS,
        y_pred=SHARE,
        target="class_id",
        axes="one",
        parameters=(SMOOTHING,),
        options=SMOOTHING_OPTIONS,
        rows=PROBABILITY_ROWS,
        some_prediction=True,
        takes_class_weight=True,
    ),
    RowCase(
        "sparse_categorical_crossentropy_from_logits",
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        value=crossentropy_from_logits,
        bound=crossentropy_bound_from_logits,
        gradient=Bound(slope_terms_from_logits, lost=slope_lost_from_logits),
        hessian=Bound(lost=lost_exps),
        lost=lost_exps,
        y_true=CLASS,
        y_pred=LOGIT,
        target="class_id",
        axes="one",
        parameters=(SMOOTHING,),
        options=SMOOTHING_OPTIONS,
        fixed={"from_logits": True},
        rows=LOGIT_ROWS,
        takes_class_weight=True,
    ),
    RowCase(
        "categorical_generalized_cross_entropy",
        "categorical_generalized_cross_entropy",
        "CategoricalGeneralizedCrossEntropy",
        value=generalized,
        bound=generalized_bound,
        gradient=Bound(factor=generalized_slope_factor),
        hessian=Bound(factor=generalized_slope_factor),
        y_true=CLASS,
        y_pred=PROBABILITY,
        target="class_id",
        axes="one",
        parameters=(Parameter("q", 0.5, low=0.0, low_open=True),),
        options=({"q": 0.5}, {"q": 1e-6}, {"q": 0.875}),
        rows={kind: PROBABILITY_ROWS[kind] for kind in ("confident", "tiny")},
        takes_class_weight=True,
    ),
)
