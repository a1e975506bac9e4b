# SPDX-License-Identifier: Apache-2.0
"""Losses of class labels and probabilities."""

from __future__ import annotations

from typing import Any

from simdloss._core import evaluate
from simdloss._doc import documented
from simdloss._loss import ArrayLike, Axis, CatalogLoss, DTypeLike, Result
from simdloss._registry import entry_name

__all__ = [
    "BCE",
    "KLD",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "KLDivergence",
    "bce",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "kl_divergence",
    "kld",
]


@documented
def binary_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
    *,
    out: Any = None,
) -> Result:
    """Cross-entropy of independent yes-or-no labels.

    Formula:
        mean of -(y ln p + (1 - y) ln(1 - p)) over `axis`, with y = `y_true` after smoothing and
        p = `y_pred` clipped to [epsilon, 1 - epsilon], or the sigmoid of logits without clipping.

    Args:
        {binary}
        {from_logits}
        {label_smoothing}
        {axis}
        {out}

    {returns}

    Example:
        >>> import simdloss
        >>> y_true, y_pred = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.25, 0.75]]
        >>> simdloss.binary_crossentropy(y_true, y_pred).round(4)
        array([0.6931, 0.2877], dtype=float32)
        >>> simdloss.binary_crossentropy([[0.0]], [[100.0]], from_logits=True)
        array([100.], dtype=float32)

    References:
        keras.losses.binary_crossentropy.
    """
    name = entry_name("binary_crossentropy", from_logits)
    return evaluate(name, (label_smoothing,), axis, None, y_true, y_pred, out)


@documented
def binary_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
    *,
    out: Any = None,
) -> Result:
    """Binary cross-entropy that plays down what is predicted well already.

    Formula:
        mean of a (1 - p_t)^gamma c over `axis`, with c the binary cross-entropy of an element,
        p_t = y p + (1 - y)(1 - p), and a = y alpha + (1 - y)(1 - alpha) with class balancing,
        else 1.

    Args:
        {binary}
        {focal}
        {from_logits}
        {label_smoothing}
        {axis}
        {out}

    {returns}

    Example:
        >>> import simdloss
        >>> y_true, y_pred = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.25, 0.75]]
        >>> simdloss.binary_focal_crossentropy(y_true, y_pred).round(4)
        array([0.1733, 0.018 ], dtype=float32)

    References:
        keras.losses.binary_focal_crossentropy; Lin et al. (2017), arXiv:1708.02002.
    """
    name = entry_name("binary_focal_crossentropy", from_logits)
    return evaluate(
        name,
        (apply_class_balancing, alpha, gamma, label_smoothing),
        axis,
        None,
        y_true,
        y_pred,
        out,
    )


@documented
def kl_divergence(
    y_true: ArrayLike, y_pred: ArrayLike, *, axis: Axis = -1, out: Any = None
) -> Result:
    """Kullback-Leibler divergence of predicted from true distributions.

    Formula:
        sum of t ln(t / p) over `axis`, with t = `y_true` and p = `y_pred` clipped to [epsilon, 1].

    Args:
        y_true: probabilities in [0, 1], shape `[..., n]`.
        y_pred: probabilities in [0, 1], the shape of `y_true`.
        {axis}
        {out}

    {returns}

    Example:
        >>> import simdloss
        >>> simdloss.kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]).round(4)
        array([0.1438], dtype=float32)

    References:
        keras.losses.kl_divergence; Kullback and Leibler (1951), doi:10.1214/aoms/1177729694.
    """
    return evaluate("kl_divergence", (), axis, None, y_true, y_pred, out)


bce = BCE = binary_crossentropy
kld = KLD = kl_divergence


class BinaryCrossentropy(CatalogLoss):
    """Cross-entropy of independent yes-or-no labels, reduced over the batch.

    {formula}

    Args:
        {from_logits}
        {label_smoothing}
        {axis}
        {options}

    {instance}

    Example:
        >>> import simdloss
        >>> loss = simdloss.BinaryCrossentropy()
        >>> round(float(loss([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.25, 0.75]])), 4)
        0.4904

    {references}
    """

    fn = staticmethod(binary_crossentropy)

    from_logits: bool
    label_smoothing: float

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axis = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class BinaryFocalCrossentropy(CatalogLoss):
    """Focal binary cross-entropy, reduced over the batch.

    {formula}

    Args:
        {focal}
        {from_logits}
        {label_smoothing}
        {axis}
        {options}

    {instance}

    Example:
        >>> import simdloss
        >>> loss = simdloss.BinaryFocalCrossentropy(gamma=0.0)  # binary cross-entropy
        >>> round(float(loss([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.25, 0.75]])), 4)
        0.4904

    {references}
    """

    fn = staticmethod(binary_focal_crossentropy)

    from_logits: bool
    label_smoothing: float
    apply_class_balancing: bool
    alpha: float
    gamma: float

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axis = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
        )


class KLDivergence(CatalogLoss):
    """Kullback-Leibler divergence of predicted from true distributions, reduced over the batch.

    {simple_class}

    Example:
        >>> import simdloss
        >>> loss = simdloss.KLDivergence()
        >>> round(float(loss([[0.5, 0.5], [0.5, 0.5]], [[0.25, 0.75], [0.5, 0.5]])), 4)
        0.0719

    {references}
    """

    fn = staticmethod(kl_divergence)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "kl_divergence",
        dtype: DTypeLike = None,
        *,
        axis: Axis = -1,
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis)
