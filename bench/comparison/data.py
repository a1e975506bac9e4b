# SPDX-License-Identifier: Apache-2.0
"""The arrays of a workload: random, the same in every process, within the domain of the loss."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from .workloads import Workload

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

LABEL_LENGTH = 30  # of CTC
# Probabilities stay clear of the bounds at which Keras clips: there peers compute something else.
LEAST_PROBABILITY = 1e-6


def make_arrays(workload: Workload) -> tuple[Array, Array]:
    """y_true and y_pred; class ids are int32."""
    rng = np.random.default_rng(7)
    y_true, y_pred = _arrays(workload, rng)
    dtype = _numpy_dtype(workload.dtype)
    if y_true.dtype.kind == "f":
        y_true = y_true.astype(dtype, copy=False)
    return np.ascontiguousarray(y_true), np.ascontiguousarray(y_pred.astype(dtype, copy=False))


def _arrays(workload: Workload, rng: np.random.Generator) -> tuple[Array, Array]:
    loss, shape, axis = workload.loss, workload.shape, workload.axis

    def normal(scale: float = 1.0) -> Array:
        values: Array = rng.standard_normal(shape, dtype=np.float32)
        values *= np.float32(scale)
        return values

    def labels() -> Array:
        return (rng.random(shape, dtype=np.float32) < 0.3).astype(np.float32)

    if loss == "ctc":
        n_classes = shape[-1]
        return rng.integers(1, n_classes, (shape[0], LABEL_LENGTH), dtype=np.int32), normal(2)
    if workload.is_sparse:
        ids_shape = tuple(np.delete(shape, axis))
        return rng.integers(0, shape[axis], ids_shape, dtype=np.int32), normal(2)
    if loss.startswith("categorical"):
        scores = normal(2)
        if not loss.endswith("logits"):
            scores = _probabilities(scores, axis)
        if workload.one_hot:
            return _one_hot(rng.integers(0, shape[-1], shape[:-1]), shape), scores
        return _probabilities(normal(), axis), scores
    if loss == "kl_divergence":
        return _probabilities(normal(), axis), _probabilities(normal(), axis)
    if loss == "hinge":
        return 2 * labels() - 1, normal(2)
    if loss.startswith("binary"):
        logits = normal(2)
        return labels(), logits if loss.endswith("logits") else _sigmoid(logits)
    if loss == "dice":
        return labels(), _sigmoid(normal(2))
    if loss == "poisson":
        counts = rng.poisson(3, shape).astype(np.float32)
        return counts, np.exp(normal(0.5))
    if loss in ("mean_absolute_percentage_error", "mean_squared_logarithmic_error"):
        return np.exp(normal(0.5)), np.exp(normal(0.5))
    return normal(), normal()


def _probabilities(scores: Array, axis: int) -> Array:
    e: Array = np.exp(scores - scores.max(axis, keepdims=True))
    e /= e.sum(axis, keepdims=True)
    np.maximum(e, np.float32(LEAST_PROBABILITY), out=e)
    return e


def _one_hot(ids: Array, shape: tuple[int, ...]) -> Array:
    labels = np.zeros(shape, np.float32)
    np.put_along_axis(labels, ids[..., None], 1, -1)
    return labels


def _sigmoid(logits: Array) -> Array:
    e: Array = 1 / (1 + np.exp(-logits))
    return np.clip(e, 1e-5, 1 - 1e-5).astype(np.float32)


def _numpy_dtype(name: Any) -> np.dtype[Any]:
    if name == "bfloat16":
        import ml_dtypes

        name = ml_dtypes.bfloat16
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype
