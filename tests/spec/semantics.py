# SPDX-License-Identifier: Apache-2.0
"""What happens around a formula: types, ranks, label conversion, weights, masks and reductions."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .numbers import FLOAT32, FLOAT64, FORMATS, Format, Number, exact, exact_sum, product, ratio

Array = npt.NDArray[Any]
WIDE = ("float64", "int32", "int64", "uint32", "uint64")


def compute_format(
    target: Literal["real", "label", "class_id"], y_true: str, y_pred: str, dtype: str | None = None
) -> Format:
    """The type that the loss is computed in, from the names of the declared dtypes."""
    wide = y_pred in WIDE or (target == "real" and y_true in WIDE) or dtype == "float64"
    return FLOAT64 if wide else FLOAT32


def result_format(y_pred: str, dtype: str | None = None, floatx: str = "float32") -> Format:
    """The type of the result: the class's, or else y_pred's, or else floatx for integers."""
    return FORMATS[dtype or (y_pred if y_pred in FORMATS else floatx)]


def adjust_ranks(x: Array, y: Array) -> tuple[Array, Array]:
    """Drops or adds a last dimension of size 1 where the ranks differ by one."""
    if x.ndim < y.ndim:
        y, x = adjust_ranks(y, x)
        return x, y
    if x.ndim == y.ndim + 1 and x.shape[-1] == 1:
        return (x, y[:, None]) if y.ndim == 1 else (x[..., 0], y)
    return x, y


def rows_last(a: Array, axis: int | tuple[int, ...] | None) -> Array:
    """The array with the axes of a row moved to the end, in ascending order, and made one."""
    axes = range(a.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    last = sorted(i % a.ndim for i in axes)
    kept = [i for i in range(a.ndim) if i not in last]
    moved = a.transpose(kept + last)
    n_rows = [a.shape[i] for i in kept]
    n_cols = math.prod(a.shape[i] for i in last)
    rows: Array = np.ascontiguousarray(moved).reshape(*n_rows, n_cols)
    return rows


def signed(t: Array) -> Array:
    """Hinge labels: {0, 1} become {-1, 1} if there is nothing else in the whole array."""
    return 2 * t - 1 if np.isin(t, (0, 1)).all() else t


def along_samples(values: Array, losses: Array) -> Array:
    """(n,) weights or masks of n samples apply to whole samples."""
    if values.ndim == 1 and losses.ndim > 1 and values.size == losses.shape[0]:
        return values.reshape(-1, *[1] * (losses.ndim - 1))
    return values


def fractions(x: Any) -> Array:
    """An object array of exact values."""
    x = np.asarray(x)
    numbers: Array = np.empty(x.shape, dtype=object)
    numbers.ravel()[:] = [exact(float(v)) for v in x.ravel()]
    return numbers


class Reduced:
    """Weighted and reduced losses before the last rounding, step by step as Keras does it.

    `losses` are per-sample losses: floats, which are of the computation type and whose products
    with weights are rounded to float64, or Fractions, of which nothing is rounded.
    """

    def __init__(
        self,
        losses: Array,
        sample_weight: Any = None,
        mask: Any = None,
        reduction: str | None = "mean",
    ) -> None:
        self.reduction = "mean" if reduction == "sum_over_batch_size" else reduction or "none"
        self.mask_scale: Number = Fraction(1)
        losses, weights = self._weights(losses, sample_weight, mask)
        weight_of = np.broadcast_to(weights, np.broadcast_shapes(losses.shape, weights.shape))
        if weight_of.size > losses.size:
            raise ValueError("the weights would enlarge the loss")
        self.terms = np.empty(weight_of.shape, dtype=object)
        everywhere = np.broadcast_to(losses, weight_of.shape)
        for i in np.ndindex(weight_of.shape):
            self.terms[i] = _weighted(everywhere[i], weight_of[i])
        self.given_weights = weights if sample_weight is not None or mask is not None else None

    def _weights(self, losses: Array, sample_weight: Any, mask: Any) -> tuple[Array, Array]:
        """The weights times the mask, and the losses, with their ranks adjusted."""
        factors: list[Array] = []
        if mask is not None:
            entries = along_samples(fractions(mask), losses)
            if self.reduction == "mean":
                total = exact_sum(entries.ravel())
                self.mask_scale = ratio(Fraction(entries.size), total) if total else Fraction(0)
                entries = fractions(entries != 0)
            factors.append(entries)
        if sample_weight is not None:
            factors.append(along_samples(fractions(sample_weight), losses))
        if not factors:
            return losses, np.array(Fraction(1), dtype=object)
        if len(factors) == 2:
            factors = list(adjust_ranks(*factors))
        weights = np.asarray(np.prod(np.broadcast_arrays(*factors), axis=0), dtype=object)
        return adjust_ranks(losses, weights)

    def exact(self) -> Array:
        """The exact result: an object array, of rank 0 unless Keras returns an array."""
        if self.reduction == "none" or self.terms.shape in ((), (0,)):
            scaled = [product(x, self.mask_scale) for x in self.terms.ravel()]
            return np.array(scaled, dtype=object).reshape(self.terms.shape)
        return np.array(self._scalar(), dtype=object)

    def rounded(self, fmt: Format) -> Array:
        """The result in `fmt`, as float64 numbers."""
        result = self.exact()
        rounded = [fmt.round(x) for x in result.ravel()]
        return np.array(rounded, dtype=np.float64).reshape(result.shape)

    def _scalar(self) -> Number:
        total = exact_sum(self.terms.ravel())
        if self.reduction == "sum":
            return total
        if self.reduction == "mean":
            if not self.mask_scale or not self.terms.size:
                return Fraction(0)
            return product(ratio(total, Fraction(self.terms.size)), self.mask_scale)
        divisor: Number = Fraction(self.terms.size)
        if self.given_weights is not None:
            divisor = exact_sum(self.given_weights.ravel())
        return ratio(total, divisor) if divisor else Fraction(0)


def _weighted(loss: Any, weight: Number) -> Number:
    if weight == 0:
        return Fraction(0)  # skipped, not multiplied
    if isinstance(loss, Fraction):
        return product(loss, weight)
    s = FLOAT64.round(product(exact(float(loss)), weight))
    return Fraction(s) if math.isfinite(s) else s
