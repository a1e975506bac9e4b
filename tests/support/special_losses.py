# SPDX-License-Identifier: Apache-2.0
"""Batches, exact losses and error bounds of circle and CTC, which are no functions of one row."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from spec import sequence

Array = npt.NDArray[Any]
U = 2.0**-53
MOST_PAIRS_ERROR = 64.0
"""Of exponents of circle, in units of gamma 2^-53; the rows here are short."""

CIRCLE_OPTIONS: list[dict[str, Any]] = [
    {},
    {"gamma": 4.0},
    {"gamma": 1.0, "margin": 0.25, "remove_diagonal": False},
    {"gamma": 0.0},
    {"gamma": -2.0, "margin": -0.5},
]


def embeddings_of(n: int, d: int, rng: np.random.Generator, dtype: Any = "float32") -> Array:
    vectors = rng.standard_normal((n, d))
    units: Array = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units.astype(dtype)


def circle_error(gamma: float) -> Callable[[Any], float]:
    return lambda y: MOST_PAIRS_ERROR * U * (1 + abs(gamma) + abs(float(y)))


def sequences_of(
    shape: tuple[int, int, int],
    length: int,
    rng: np.random.Generator,
    dtype: Any = "float32",
    scale: float = 2.0,
) -> tuple[Array, Array]:
    """Rows of labels with zeros anywhere, and logits; of few classes, so with repetitions."""
    t = rng.integers(0, shape[2], (shape[0], length))
    return t, (scale * rng.standard_normal(shape)).astype(dtype)


def exact_ctc(t: Array, z: Array) -> list[Any]:
    return [sequence.ctc(logits, labels) for logits, labels in zip(z, t, strict=True)]


def ctc_error(z: Array) -> Callable[[Any], float]:
    """4 u A, with A from the logarithms of the softmax over all time steps and of the sum."""
    steps = z.shape[1] * (math.log(z.shape[2]) + float(np.ptp(z.astype(np.float64))))
    return lambda y: 4 * U * (2 * steps + abs(float(y)))
