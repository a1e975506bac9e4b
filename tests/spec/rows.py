# SPDX-License-Identifier: Apache-2.0
"""How whole rows of labels and predictions are drawn.

A row starts with everyday labels and predictions; a `Change` makes what is special about it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .domain import FloatArray, step

Change = Callable[[FloatArray, FloatArray, np.random.Generator], FloatArray]
"""Predictions of rows, from labels and everyday predictions of rows."""


def one_hot(n: int, n_cols: int, dtype: Any, rng: np.random.Generator) -> FloatArray:
    """One class per row."""
    t = np.zeros((n, n_cols), dtype)
    t[np.arange(n), rng.integers(0, n_cols, n)] = 1
    return t


def memberships(n: int, n_cols: int, dtype: Any, rng: np.random.Generator) -> FloatArray:
    """Mostly one class per row; else a distribution over classes, or any numbers in [0, 1]."""
    t = one_hot(n, n_cols, dtype, rng)
    weights = rng.random((n, n_cols)) * (rng.random((n, n_cols)) < 0.7)
    kind = rng.random(n)
    t = np.where((kind < 0.2)[:, None], weights, t)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-3)
    return np.where((kind > 0.8)[:, None], weights / total, t).astype(dtype)


def _picked(like: FloatArray, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """One column per row, as a mask."""
    n, n_cols = like.shape
    chosen: npt.NDArray[np.bool_] = np.arange(n_cols) == rng.integers(0, n_cols, (n, 1))
    return chosen


def _magnitudes(
    n: int, low: float, high: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """A column of numbers from 2^low to 2^high."""
    exponents: npt.NDArray[np.float64] = rng.uniform(low, high, (n, 1))
    return np.exp2(exponents)


def confident_logits(t: FloatArray, z: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One class leads by far: the right one or another."""
    leader = np.where(rng.random((len(t), 1)) < 0.5, t > 0.5, _picked(t, rng))
    return (z + leader * _magnitudes(len(z), 1, 10, rng)).astype(z.dtype)


def tied_logits(t: FloatArray, z: FloatArray, rng: np.random.Generator) -> FloatArray:
    """All equal, but for units in the last place; also of large numbers."""
    same = (z[:, :1] * _magnitudes(len(z), -3, 12, rng)).astype(z.dtype)
    tied = np.broadcast_to(same, z.shape).copy()
    return step(tied.ravel(), rng.integers(-2, 3, z.size)).reshape(z.shape)


def masked_logits(t: FloatArray, z: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Classes without a label are ruled out by -inf; at least one class is left."""
    ruled_out = (t == 0) & (rng.random(z.shape) < 0.6)
    ruled_out &= ~(ruled_out.all(axis=1, keepdims=True) & _picked(t, rng))
    return np.where(ruled_out, z.dtype.type(-np.inf), z)


def spread_logits(t: FloatArray, z: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Differences up to the exponents where exp underflows, and beyond."""
    return (z * _magnitudes(len(z), 0, 8, rng)).astype(z.dtype)


LOGIT_ROWS: dict[str, Change] = {
    "confident": confident_logits,
    "tied": tied_logits,
    "masked": masked_logits,
    "spread": spread_logits,
}


def confident_probabilities(t: FloatArray, p: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One class has nearly everything: the right one or another."""
    leader = np.where(rng.random((len(t), 1)) < 0.5, t > 0.5, _picked(t, rng))
    return np.where(leader, 1, p * _magnitudes(len(p), -40, -2, rng)).astype(p.dtype)


def tiny_probabilities(t: FloatArray, p: FloatArray, rng: np.random.Generator) -> FloatArray:
    """All small, and some of them 0."""
    kept = rng.random(p.shape) < 0.8
    return (p * kept * _magnitudes(len(p), -120, -20, rng)).astype(p.dtype)


def unnormalized(t: FloatArray, p: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Shares of any total."""
    return (p * _magnitudes(len(p), -20, 120, rng)).astype(p.dtype)


PROBABILITY_ROWS: dict[str, Change] = {
    "confident": confident_probabilities,
    "tiny": tiny_probabilities,
    "unnormalized": unnormalized,
}


def parallel(t: FloatArray, p: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Nearly a multiple of the label, in the same or in the opposite direction."""
    noise = 1 + rng.standard_normal(p.shape) * _magnitudes(len(p), -25, -3, rng)
    scale = rng.choice([-1, 1], len(p))[:, None] * _magnitudes(len(p), -30, 30, rng)
    return (t * noise * scale).astype(p.dtype)


def orthogonal(t: FloatArray, p: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Nearly orthogonal to the label: pairs of elements cancel."""
    turned: FloatArray = p.copy()
    n = p.shape[1] // 2 * 2
    turned[:, 0:n:2], turned[:, 1:n:2] = -t[:, 1:n:2], t[:, 0:n:2]
    return turned


def scaled(t: FloatArray, p: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Short and long vectors."""
    limit = float(np.finfo(p.dtype).maxexp) - 4
    return (p * _magnitudes(len(p), -limit, limit, rng)).astype(p.dtype)


def zero(t: FloatArray, p: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Nothing, or next to nothing, is predicted."""
    smallest = np.finfo(p.dtype).smallest_subnormal
    return np.where(rng.random(p.shape) < 0.1, smallest, 0).astype(p.dtype)


VECTOR_ROWS: dict[str, Change] = {
    "parallel": parallel,
    "orthogonal": orthogonal,
    "scaled": scaled,
    "zero": zero,
}


def close(t: FloatArray, p: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Close to the labels."""
    return np.clip(t + (p - t) * _magnitudes(len(p), -20, -1, rng), 0, 1).astype(p.dtype)


def small(t: FloatArray, p: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Small beside epsilon."""
    return (p * _magnitudes(len(p), -40, -10, rng)).astype(p.dtype)


AMOUNT_ROWS: dict[str, Change] = {"close": close, "small": small, "zero": zero}
