# SPDX-License-Identifier: Apache-2.0
"""Values and gradients of the losses in float64, by NumPy and SciPy: what errors are counted from.

Formulas are those of Keras, epsilon included; no code is shared with a subject.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax, xlogy

from .data import Array
from .workloads import Workload

EPSILON = 1e-7


def reference(workload: Workload, y_true: Array, y_pred: Array) -> tuple[float, Array | None]:
    """The mean loss and, if the workload has one, its gradient."""
    p = np.asarray(y_pred, np.float64)
    t = y_true if y_true.dtype.kind == "i" else np.asarray(y_true, np.float64)
    axis, loss = workload.axis, workload.loss
    if not workload.gradient:
        return _value(loss, t, p, axis), None
    n_rows = p.size // p.shape[axis]
    gradient = GRADIENTS[loss](t, p)
    gradient /= p.size if loss in MEANS_OF_ELEMENTS else n_rows
    return _value(loss, t, p, axis), gradient


MEANS_OF_ELEMENTS = ("mean_squared_error", "huber", "binary_crossentropy_from_logits")


def _value(loss: str, t: Array, p: Array, axis: int) -> float:
    losses = ctc(t, p) if loss == "ctc" else VALUES[loss](t, p, axis)
    return float(np.mean(losses))


def _focal(t: Array, p: Array, axis: int) -> Array:
    crossentropy = -(t * log_expit(p) + (1 - t) * log_expit(-p))
    return np.asarray((t * expit(-p) + (1 - t) * expit(p)) ** 2 * crossentropy)


def _categorical(t: Array, p: Array, axis: int) -> Array:
    return np.asarray(-(t * log_softmax(p, axis)).sum(axis))


def _sparse(t: Array, p: Array, axis: int) -> Array:
    ids = np.expand_dims(t, axis)
    return np.asarray(-np.take_along_axis(log_softmax(p, axis), ids, axis))


def _categorical_focal(t: Array, p: Array, axis: int) -> Array:
    log_p = log_softmax(p, axis)
    return np.asarray(-(0.25 * t * (1 - np.exp(log_p)) ** 2 * log_p).sum(axis))


def _cosine(t: Array, p: Array, axis: int) -> Array:
    return np.asarray(
        -(t * p).sum(axis) / np.sqrt((t * t).sum(axis) * (p * p).sum(axis)), dtype=np.float64
    )


def _huber(t: Array, p: Array, axis: int) -> Array:
    d = np.abs(p - t)
    return np.asarray(np.where(d <= 1, d * d / 2, d - 0.5))


def _log_cosh(t: Array, p: Array, axis: int) -> Array:
    d = np.abs(p - t)
    return np.asarray(d + np.log1p(np.exp(-2 * d)) - np.log(2))


VALUES: dict[str, Callable[[Array, Array, int], Array]] = {
    "mean_squared_error": lambda t, p, axis: (p - t) ** 2,
    "mean_absolute_error": lambda t, p, axis: np.abs(p - t),
    "huber": _huber,
    "mean_absolute_percentage_error": lambda t, p, axis: (
        100 * np.abs(t - p) / np.maximum(np.abs(t), EPSILON)
    ),
    "mean_squared_logarithmic_error": lambda t, p, axis: (np.log1p(p) - np.log1p(t)) ** 2,
    "log_cosh": _log_cosh,
    "poisson": lambda t, p, axis: p - t * np.log(p + EPSILON),
    "hinge": lambda t, p, axis: np.maximum(1 - t * p, 0),
    "binary_crossentropy_from_logits": lambda t, p, axis: (
        -(t * log_expit(p) + (1 - t) * log_expit(-p))
    ),
    "binary_crossentropy": lambda t, p, axis: -(xlogy(t, p) + (1 - t) * np.log1p(-p)),
    "binary_focal_crossentropy_from_logits": _focal,
    "kl_divergence": lambda t, p, axis: (t * np.log(t / p)).sum(axis),
    "categorical_crossentropy_from_logits": _categorical,
    "categorical_crossentropy": lambda t, p, axis: (
        -(t * np.log(p / p.sum(axis, keepdims=True))).sum(axis)
    ),
    "sparse_categorical_crossentropy_from_logits": _sparse,
    "categorical_focal_crossentropy_from_logits": _categorical_focal,
    "cosine_similarity": _cosine,
    "dice": lambda t, p, axis: np.asarray(
        1 - 2 * (t * p).sum() / (t.sum() + p.sum() + EPSILON), dtype=np.float64
    ),
}


def _sparse_gradient(t: Array, p: Array) -> Array:
    gradient: Array = softmax(p, -1)
    gradient[np.arange(len(t)), t] -= 1
    return gradient


def _cosine_gradient(t: Array, p: Array) -> Array:
    t_unit = t / np.linalg.norm(t, axis=-1, keepdims=True)
    norm = np.linalg.norm(p, axis=-1, keepdims=True)
    p_unit = p / norm
    cosine = (t_unit * p_unit).sum(-1, keepdims=True)
    return np.asarray((cosine * p_unit - t_unit) / norm)


# Derivatives of a row's loss, but for the 1 / n of a mean over elements.
GRADIENTS: dict[str, Callable[[Array, Array], Array]] = {
    "mean_squared_error": lambda t, p: 2 * (p - t),
    "huber": lambda t, p: np.clip(p - t, -1, 1),
    "binary_crossentropy_from_logits": lambda t, p: expit(p) - t,
    "categorical_crossentropy_from_logits": lambda t, p: (
        softmax(p, -1) * t.sum(-1, keepdims=True) - t
    ),
    "sparse_categorical_crossentropy_from_logits": _sparse_gradient,
    "kl_divergence": lambda t, p: -t / p,
    "cosine_similarity": _cosine_gradient,
}


def ctc(labels: Array, logits: Array) -> Array:
    """By the forward recursion of Graves et al. (2006) in log space; blank is class 0."""
    log_p = log_softmax(logits, -1)
    batch, length = labels.shape
    states = np.zeros((batch, 2 * length + 1), np.int64)
    states[:, 1::2] = labels
    emitted = np.take_along_axis(log_p, np.repeat(states[:, None], log_p.shape[1], 1), 2)
    may_skip = np.zeros(states.shape, bool)
    may_skip[:, 2:] = (states[:, 2:] != 0) & (states[:, 2:] != states[:, :-2])
    alpha = np.full(states.shape, -np.inf)
    alpha[:, :2] = emitted[:, 0, :2]
    for step in range(1, log_p.shape[1]):
        moved = alpha.copy()
        moved[:, 1:] = np.logaddexp(moved[:, 1:], alpha[:, :-1])
        skipped = np.full(states.shape, -np.inf)
        skipped[:, 2:] = alpha[:, :-2]
        moved = np.where(may_skip, np.logaddexp(moved, skipped), moved)
        alpha = moved + emitted[:, step]
    return np.asarray(-np.logaddexp(alpha[:, -1], alpha[:, -2]))
