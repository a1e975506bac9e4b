# SPDX-License-Identifier: Apache-2.0
"""Losses of real numbers."""

from __future__ import annotations

from typing import Any

from simdloss._core import evaluate
from simdloss._doc import documented
from simdloss._loss import ArrayLike, Axis, CatalogLoss, DTypeLike, Result

__all__ = [
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "Huber",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "huber",
    "log_cosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "poisson",
]


@documented
def mean_squared_error(
    y_true: ArrayLike, y_pred: ArrayLike, *, axis: Axis = -1, out: Any = None
) -> Result:
    """Mean of the squared differences.

    Formula:
        mean of (y_pred - y_true)^2 over `axis`.

    {real_function}

    Example:
        >>> import simdloss
        >>> simdloss.mean_squared_error([[0.0, 1.0], [2.0, 2.0]], [[1.0, 3.0], [2.0, 2.0]])
        array([2.5, 0. ], dtype=float32)

    References:
        keras.losses.mean_squared_error.
    """
    return evaluate("mean_squared_error", (), axis, None, y_true, y_pred, out)


@documented
def mean_absolute_error(
    y_true: ArrayLike, y_pred: ArrayLike, *, axis: Axis = -1, out: Any = None
) -> Result:
    """Mean of the absolute differences.

    Formula:
        mean of |y_pred - y_true| over `axis`.

    {real_function}

    Example:
        >>> import simdloss
        >>> simdloss.mean_absolute_error([[0.0, 1.0], [2.0, 2.0]], [[1.0, 3.0], [2.0, 2.0]])
        array([1.5, 0. ], dtype=float32)

    References:
        keras.losses.mean_absolute_error.
    """
    return evaluate("mean_absolute_error", (), axis, None, y_true, y_pred, out)


@documented
def mean_absolute_percentage_error(
    y_true: ArrayLike, y_pred: ArrayLike, *, axis: Axis = -1, out: Any = None
) -> Result:
    """Mean of the absolute differences in percent of the true value.

    Formula:
        mean of 100 |y_pred - y_true| / max(|y_true|, epsilon) over `axis`.

    {real_function}

    Example:
        >>> import simdloss
        >>> simdloss.mean_absolute_percentage_error([[1.0, 2.0]], [[1.5, 2.0]])
        array([25.], dtype=float32)

    References:
        keras.losses.mean_absolute_percentage_error.
    """
    return evaluate("mean_absolute_percentage_error", (), axis, None, y_true, y_pred, out)


@documented
def mean_squared_logarithmic_error(
    y_true: ArrayLike, y_pred: ArrayLike, *, axis: Axis = -1, out: Any = None
) -> Result:
    """Mean of the squared differences of logarithms.

    Formula:
        mean of (ln(1 + y_pred) - ln(1 + y_true))^2 over `axis`; values below epsilon count as
        epsilon.

    {real_function}

    Example:
        >>> import simdloss
        >>> simdloss.mean_squared_logarithmic_error([[0.0, 9.0]], [[0.0, 99.0]]).round(4)
        array([2.6509], dtype=float32)

    References:
        keras.losses.mean_squared_logarithmic_error.
    """
    return evaluate("mean_squared_logarithmic_error", (), axis, None, y_true, y_pred, out)


@documented
def huber(
    y_true: ArrayLike, y_pred: ArrayLike, delta: float = 1.0, *, axis: Axis = -1, out: Any = None
) -> Result:
    """Huber loss: squared for small differences, absolute for large ones.

    Formula:
        mean over `axis` of d^2 / 2 where d <= delta, else delta (d - delta / 2), with
        d = |y_pred - y_true|.

    Args:
        {real}
        delta: the difference at which the loss turns from squared to absolute, > 0.
        {axis}
        {out}

    {returns}

    Example:
        >>> import simdloss
        >>> simdloss.huber([[0.0, 0.0], [0.0, 0.0]], [[1.0, 3.0], [0.5, 0.5]])
        array([1.5  , 0.125], dtype=float32)

    References:
        keras.losses.huber; Huber (1964), doi:10.1214/aoms/1177703732.
    """
    return evaluate("huber", (delta,), axis, None, y_true, y_pred, out)


@documented
def log_cosh(y_true: ArrayLike, y_pred: ArrayLike, *, axis: Axis = -1, out: Any = None) -> Result:
    """Logarithm of the hyperbolic cosine of the differences.

    Formula:
        mean of ln(cosh(y_pred - y_true)) over `axis`: about half the square of small differences,
        the absolute value of large ones less ln 2.

    {real_function}

    Example:
        >>> import simdloss
        >>> simdloss.log_cosh([[0.0, 0.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]).round(4)
        array([0.2169, 0.    ], dtype=float32)

    References:
        keras.losses.log_cosh.
    """
    return evaluate("log_cosh", (), axis, None, y_true, y_pred, out)


@documented
def poisson(y_true: ArrayLike, y_pred: ArrayLike, *, axis: Axis = -1, out: Any = None) -> Result:
    """Poisson loss of predicted rates: the negative log-likelihood but for a constant.

    Formula:
        mean of y_pred - y_true ln(y_pred + epsilon) over `axis`.

    Args:
        y_true: counts, real numbers >= 0, shape `[..., n]`.
        y_pred: rates, real numbers >= 0, the shape of `y_true`.
        {axis}
        {out}

    {returns}

    Example:
        >>> import simdloss
        >>> simdloss.poisson([[1.0, 4.0], [0.0, 0.0]], [[1.0, 2.0], [0.0, 1.0]]).round(4)
        array([0.1137, 0.5   ], dtype=float32)

    References:
        keras.losses.poisson.
    """
    return evaluate("poisson", (), axis, None, y_true, y_pred, out)


mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error


class MeanSquaredError(CatalogLoss):
    """Mean of the squared differences, reduced over the batch.

    {simple_class}

    Example:
        >>> import simdloss
        >>> loss = simdloss.MeanSquaredError()
        >>> float(loss([[0.0, 1.0], [2.0, 2.0]], [[1.0, 3.0], [2.0, 2.0]], sample_weight=[1, 3]))
        1.25

    {references}
    """

    fn = staticmethod(mean_squared_error)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: DTypeLike = None,
        *,
        axis: Axis = -1,
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis)


class MeanAbsoluteError(CatalogLoss):
    """Mean of the absolute differences, reduced over the batch.

    {simple_class}

    Example:
        >>> import simdloss
        >>> loss = simdloss.MeanAbsoluteError(reduction="sum")
        >>> float(loss([[0.0, 1.0], [2.0, 2.0]], [[1.0, 3.0], [2.0, 2.0]]))
        1.5

    {references}
    """

    fn = staticmethod(mean_absolute_error)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: DTypeLike = None,
        *,
        axis: Axis = -1,
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis)


class MeanAbsolutePercentageError(CatalogLoss):
    """Mean of the absolute differences in percent of the true value, reduced over the batch.

    {simple_class}

    Example:
        >>> import simdloss
        >>> loss = simdloss.MeanAbsolutePercentageError()
        >>> float(loss([[1.0, 2.0], [4.0, 4.0]], [[1.5, 2.0], [4.0, 4.0]]))
        12.5

    {references}
    """

    fn = staticmethod(mean_absolute_percentage_error)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: DTypeLike = None,
        *,
        axis: Axis = -1,
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis)


class MeanSquaredLogarithmicError(CatalogLoss):
    """Mean of the squared differences of logarithms, reduced over the batch.

    {simple_class}

    Example:
        >>> import simdloss
        >>> loss = simdloss.MeanSquaredLogarithmicError()
        >>> round(float(loss([[9.0], [1.0]], [[99.0], [1.0]])), 4)
        2.6509

    {references}
    """

    fn = staticmethod(mean_squared_logarithmic_error)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: DTypeLike = None,
        *,
        axis: Axis = -1,
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis)


class Huber(CatalogLoss):
    """Huber loss, reduced over the batch: squared for small differences, absolute for large ones.

    {formula}

    Args:
        delta: the difference at which the loss turns from squared to absolute, > 0.
        {options}
        {axis}

    {instance}

    Example:
        >>> import simdloss
        >>> loss = simdloss.Huber(delta=2.0)
        >>> float(loss([[0.0], [0.0]], [[1.0], [3.0]]))
        2.25

    {references}
    """

    fn = staticmethod(huber)

    delta: float

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: DTypeLike = None,
        *,
        axis: Axis = -1,
    ) -> None:
        super().__init__(reduction, name, dtype, delta=delta, axis=axis)


class LogCosh(CatalogLoss):
    """Logarithm of the hyperbolic cosine of the differences, reduced over the batch.

    {simple_class}

    Example:
        >>> import simdloss
        >>> round(float(simdloss.LogCosh()([[0.0], [0.0]], [[1.0], [0.0]])), 4)
        0.2169

    {references}
    """

    fn = staticmethod(log_cosh)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "log_cosh",
        dtype: DTypeLike = None,
        *,
        axis: Axis = -1,
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis)


class Poisson(CatalogLoss):
    """Poisson loss of predicted rates, reduced over the batch.

    {simple_class}

    Example:
        >>> import simdloss
        >>> round(float(simdloss.Poisson()([[1.0], [4.0]], [[1.0], [2.0]])), 4)
        0.1137

    {references}
    """

    fn = staticmethod(poisson)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "poisson",
        dtype: DTypeLike = None,
        *,
        axis: Axis = -1,
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis)
