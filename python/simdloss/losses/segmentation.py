# SPDX-License-Identifier: Apache-2.0
"""Losses of overlaps, as for segmented images."""

from __future__ import annotations

from typing import Any

from simdloss._core import evaluate
from simdloss._doc import documented
from simdloss._loss import ArrayLike, Axis, CatalogLoss, DTypeLike, Result

__all__ = ["Dice", "Tversky", "dice", "tversky"]


@documented
def dice(y_true: ArrayLike, y_pred: ArrayLike, axis: Axis = None, *, out: Any = None) -> Result:
    """Dice loss: one minus twice the overlap, as a part of both sizes together.

    Formula:
        1 - 2 sum(t p) / (sum(t) + sum(p) + epsilon) over `axis`, with t = `y_true` and
        p = `y_pred`; so 1 where both are empty.

    Args:
        {memberships}
        {axis}
        {out}

    {returns}

    Example:
        >>> import simdloss
        >>> y_true, y_pred = [[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
        >>> simdloss.dice(y_true, y_pred).round(4)
        np.float32(0.4)
        >>> simdloss.dice(y_true, y_pred, axis=1).round(4)
        array([0.3333, 0.5   ], dtype=float32)

    References:
        keras.losses.dice; Dice (1945), doi:10.2307/1932409.
    """
    return evaluate("dice", (), axis, None, y_true, y_pred, out)


@documented
def tversky(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Axis = None,
    *,
    out: Any = None,
) -> Result:
    """Tversky loss: Dice loss with weights for false positives and false negatives.

    `alpha` and `beta` are as in the documentation of Keras; up to version 3.15 it takes one for the
    other.

    Formula:
        1 - I / (I + alpha F + beta N + epsilon), with sums over `axis` of t = `y_true` and
        p = `y_pred`: I = sum(t p), F = sum((1 - t) p) (false positives), N = sum(t (1 - p)) (false
        negatives).

    Args:
        {memberships}
        {tversky}
        {axis}
        {out}

    {returns}

    Example:
        >>> import simdloss
        >>> y_true, y_pred = [[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 1.0, 1.0]]
        >>> simdloss.tversky(y_true, y_pred, alpha=0.2, beta=0.8, axis=1).round(4)
        array([0.5455], dtype=float32)

    References:
        keras.losses.tversky; Salehi et al. (2017), arXiv:1706.05721.
    """
    return evaluate("tversky", (alpha, beta), axis, None, y_true, y_pred, out)


class Dice(CatalogLoss):
    """Dice loss, reduced over what `axis` leaves: by default nothing, the batch is one row.

    {formula}

    Args:
        {reduction}
        {name}
        {axis}
        {dtype}

    {instance}

    Example:
        >>> import simdloss
        >>> y_true, y_pred = [[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
        >>> round(float(simdloss.Dice(axis=1)(y_true, y_pred)), 4)
        0.4167

    {references}
    """

    fn = staticmethod(dice)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Axis = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis)


class Tversky(CatalogLoss):
    """Tversky loss, reduced over what `axis` leaves: by default nothing, the batch is one row.

    `alpha` weighs false positives, as documented in Keras. Its versions up to 3.15 take alpha for
    beta: swap them in configs that these have written.

    {formula}

    Args:
        {tversky}
        {reduction}
        {name}
        {axis}
        {dtype}

    {instance}

    Example:
        >>> import simdloss
        >>> loss = simdloss.Tversky(alpha=0.2, beta=0.8, axis=1)
        >>> round(float(loss([[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 1.0, 1.0]])), 4)
        0.5455

    {references}
    """

    fn = staticmethod(tversky)

    alpha: float
    beta: float

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Axis = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
