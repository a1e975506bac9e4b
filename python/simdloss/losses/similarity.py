# SPDX-License-Identifier: Apache-2.0
"""Losses of vectors by their directions, and of rows by their similarities."""

from __future__ import annotations

from typing import Any

from simdloss._core import evaluate
from simdloss._doc import documented
from simdloss._loss import ArrayLike, Axis, CatalogLoss, DTypeLike, Result

__all__ = ["Circle", "CosineSimilarity", "circle", "cosine_similarity"]


@documented
def cosine_similarity(
    y_true: ArrayLike, y_pred: ArrayLike, axis: Axis = -1, *, out: Any = None
) -> Result:
    """Minus the cosine of the angle between vectors: -1 for equal directions, 1 for opposite ones.

    Formula:
        -sum(t p) / (|t| |p|) over `axis`, with t = `y_true` and p = `y_pred`; 0 where one of them
        is 0. In [-1, 1], for vectors of any length.

    {real_function}

    Example:
        >>> import simdloss
        >>> y_true, y_pred = [[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [3.0, 3.0]]
        >>> simdloss.cosine_similarity(y_true, y_pred)
        array([ 0., -1.], dtype=float32)

    References:
        keras.losses.cosine_similarity.
    """
    return evaluate("cosine_similarity", (), axis, None, y_true, y_pred, out)


@documented
def circle(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    ref_labels: ArrayLike | None = None,
    ref_embeddings: ArrayLike | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
    *,
    out: Any = None,
) -> Result:
    """Circle loss: how far embeddings of one class are from each other and near to other classes.

    Formula:
        ln(1 + P N) for each row, the query. With d = max(1 - s, 0) for the dot product s of the
        query and a reference:

        P = sum of exp(gamma max(margin + d, 0) (d - margin)) over the references of its class,
        N = sum of exp(gamma max(1 + margin - d, 0) (1 - margin - d)) over all others.

        0 where there are no references of its class, or no others.

    Args:
        y_true: class ids, whole numbers of any dtype, shape `[n]`, `[n, 1]` or `[1, n]`.
        y_pred: embeddings, shape `[n, d]`, which should have unit length.
        ref_labels: class ids of the references; None stands for `y_true`.
        ref_embeddings: embeddings of the references, shape `[m, d]`; None stands for `y_pred`.
        remove_diagonal: whether reference i is left out of P for query i, as it is the query
            itself.
        {circle}
        {out}

    Returns:
        The loss of each row, shape `[n]`: a floating ndarray of the dtype of `y_pred`, or
        `floatx()` if that is integer or bool. There is no axis to choose.

    {raises_of_pairs}

    Example:
        >>> import simdloss
        >>> embeddings = [[1.0, 0.0], [0.8, 0.6], [0.6, -0.8]]
        >>> simdloss.circle([0, 0, 1], embeddings, gamma=4.0).round(4)
        array([0.8659, 0.2824, 0.    ], dtype=float32)

    References:
        keras.losses.circle; Sun et al. (2020), doi:10.1109/CVPR42600.2020.00643.
    """
    references = None
    if ref_labels is not None or ref_embeddings is not None:
        given = {"ref_labels": ref_labels, "ref_embeddings": ref_embeddings}
        references = {name: value for name, value in given.items() if value is not None}
    return evaluate("circle", (gamma, margin, remove_diagonal), -1, references, y_true, y_pred, out)


class Circle(CatalogLoss):
    """Circle loss, reduced over the batch: each embedding against all others.

    Means are taken over the rows whose loss is greater than 0, as in Keras.

    {formula}

    Args:
        {circle}
        remove_diagonal: whether a row is no reference for itself.
        {options}

    {instance_of_pairs}

    Example:
        >>> import simdloss
        >>> loss = simdloss.Circle(gamma=4.0)
        >>> round(float(loss([0, 0, 1], [[1.0, 0.0], [0.8, 0.6], [0.6, -0.8]])), 4)
        0.5741

    {references}
    """

    fn = staticmethod(circle)

    gamma: float
    margin: float
    remove_diagonal: bool

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(
            reduction, name, dtype, gamma=gamma, margin=margin, remove_diagonal=remove_diagonal
        )


class CosineSimilarity(CatalogLoss):
    """Minus the cosine of the angle between vectors, reduced over the batch.

    {formula}

    Args:
        {axis}
        {options}

    {instance}

    Example:
        >>> import simdloss
        >>> loss = simdloss.CosineSimilarity()
        >>> float(loss([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [3.0, 3.0]]))
        -0.5

    {references}
    """

    fn = staticmethod(cosine_similarity)

    def __init__(
        self,
        axis: Axis = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis)
