# SPDX-License-Identifier: Apache-2.0
"""Losses with a margin."""

from __future__ import annotations

from typing import Any

from simdloss._core import evaluate
from simdloss._doc import documented
from simdloss._loss import ArrayLike, Axis, CatalogLoss, DTypeLike, Result

__all__ = [
    "CategoricalHinge",
    "Hinge",
    "SquaredHinge",
    "categorical_hinge",
    "hinge",
    "squared_hinge",
]


@documented
def hinge(
    y_true: ArrayLike, y_pred: ArrayLike, *, axis: Axis = -1, labels: str = "auto", out: Any = None
) -> Result:
    """Hinge loss: how far predictions fall short of a margin of 1 on the right side.

    Formula:
        mean of max(1 - y y_pred, 0) over `axis`, with y = `y_true`, or 2 `y_true` - 1 where labels
        0 and 1 stand for -1 and 1.

    Args:
        {signed}
        {axis}
        {labels}
        {out}

    {returns}

    Example:
        >>> import simdloss
        >>> simdloss.hinge([[-1.0, 1.0], [1.0, 1.0]], [[0.5, 0.5], [2.0, -1.0]])
        array([1., 1.], dtype=float32)

    References:
        keras.losses.hinge.
    """
    return evaluate("hinge", (), axis, {"labels": labels}, y_true, y_pred, out)


@documented
def squared_hinge(
    y_true: ArrayLike, y_pred: ArrayLike, *, axis: Axis = -1, labels: str = "auto", out: Any = None
) -> Result:
    """Squared hinge loss: the shortfalls from a margin of 1 count squared.

    Formula:
        mean of max(1 - y y_pred, 0)^2 over `axis`, with y = `y_true`, or 2 `y_true` - 1 where
        labels 0 and 1 stand for -1 and 1.

    Args:
        {signed}
        {axis}
        {labels}
        {out}

    {returns}

    Example:
        >>> import simdloss
        >>> simdloss.squared_hinge([[-1.0, 1.0], [1.0, 1.0]], [[0.5, 0.5], [2.0, -1.0]])
        array([1.25, 2.  ], dtype=float32)

    References:
        keras.losses.squared_hinge.
    """
    return evaluate("squared_hinge", (), axis, {"labels": labels}, y_true, y_pred, out)


@documented
def categorical_hinge(
    y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, out: Any = None
) -> Result:
    """Categorical hinge loss: by how much a wrong class comes too close to the right one.

    Formula:
        max(n - s + 1, 0) with t = `y_true` and p = `y_pred`: s = sum(t p) over the classes, n the
        largest (1 - t) p among them, which is 0 or more for one-hot labels.

    Args:
        {class_labels}
        y_pred: real numbers, the larger the likelier; the shape of `y_true`.
        {class_axis}
        {out}

    {returns}

    Example:
        >>> import simdloss
        >>> simdloss.categorical_hinge([[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.75], [-3.0, 2.0]])
        array([0.75, 6.  ], dtype=float32)

    References:
        keras.losses.categorical_hinge; Crammer and Singer (2001), JMLR 2:265-292.
    """
    return evaluate("categorical_hinge", (), axis, None, y_true, y_pred, out)


class Hinge(CatalogLoss):
    """Hinge loss, reduced over the batch.

    {formula}

    Args:
        {options}
        {axis}
        {labels}

    {instance}

    Example:
        >>> import simdloss
        >>> float(simdloss.Hinge()([[-1.0, 1.0], [1.0, 1.0]], [[0.5, 0.5], [2.0, -1.0]]))
        1.0

    {references}
    """

    fn = staticmethod(hinge)

    labels: str

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "hinge",
        dtype: DTypeLike = None,
        *,
        axis: Axis = -1,
        labels: str = "auto",
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis, labels=labels)


class SquaredHinge(CatalogLoss):
    """Squared hinge loss, reduced over the batch.

    {formula}

    Args:
        {options}
        {axis}
        {labels}

    {instance}

    Example:
        >>> import simdloss
        >>> float(simdloss.SquaredHinge()([[-1.0, 1.0], [1.0, 1.0]], [[0.5, 0.5], [2.0, -1.0]]))
        1.625

    {references}
    """

    fn = staticmethod(squared_hinge)

    labels: str

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "squared_hinge",
        dtype: DTypeLike = None,
        *,
        axis: Axis = -1,
        labels: str = "auto",
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis, labels=labels)


class CategoricalHinge(CatalogLoss):
    """Categorical hinge loss, reduced over the batch.

    {formula}

    Args:
        {options}
        {class_axis}

    {instance}

    Example:
        >>> import simdloss
        >>> float(simdloss.CategoricalHinge()([[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.75], [-3.0, 2.0]]))
        3.375

    {references}
    """

    fn = staticmethod(categorical_hinge)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_hinge",
        dtype: DTypeLike = None,
        *,
        axis: int = -1,
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis)
