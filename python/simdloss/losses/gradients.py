# SPDX-License-Identifier: Apache-2.0
"""Derivatives of the loss functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simdloss._core import Cotangent, described
from simdloss._doc import documented
from simdloss._loss import ArrayLike, Loss, Result
from simdloss.losses.identifiers import deserialize

__all__ = ["vjp"]


@documented
def vjp(
    fn: Callable[..., Result] | str,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    cotangent: ArrayLike,
    *,
    out: Any = None,
    **options: Any,
) -> Result:
    """The vector-Jacobian product of a loss function: what reverse-mode differentiation asks for.

    Formula:
        the derivative by `y_pred` of sum(`cotangent` * fn(`y_true`, `y_pred`, **`options`)).

    {derivative_rules}

    Args:
        fn: a function of `simdloss.losses`, or its name or alias as in `get`.
        y_true: what is true, see `fn`.
        y_pred: what was predicted, see `fn`.
        cotangent: the derivative by each loss of what follows, an array that broadcasts to what
            `fn` returns. It is read in float64.
        out: a floating array of the shape of `y_pred` to write the result to; it may be `y_pred`
            itself. What it holds after an error is not specified.
        options: what else `fn` is called with, by name.

    Returns:
        A floating ndarray (a NumPy scalar if `y_pred` is one number) of the shape and dtype of
        `y_pred`, in its memory order; of dtype `floatx()` if it holds integers or bools.

    Raises:
        TypeError: for an `fn` that is no function of `simdloss.losses`.
        ValueError: for a cotangent that does not fit, and for an unknown name.
        ValueError, TypeError: as `fn` does.

    Example:
        >>> import simdloss
        >>> y_true, y_pred = [[0.0, 1.0], [2.0, 2.0]], [[1.0, 1.0], [2.0, 4.0]]
        >>> simdloss.vjp("mse", y_true, y_pred, [1.0, 10.0])
        array([[ 1.,  0.],
               [ 0., 20.]], dtype=float32)
        >>> simdloss.vjp(simdloss.huber, y_true, y_pred, 1.0, delta=1.0)
        array([[0.5, 0. ],
               [0. , 0.5]], dtype=float32)

    References:
        jax.vjp and torch.autograd.grad, of functions of keras.losses.
    """
    function = deserialize(fn) if isinstance(fn, (str, dict)) else fn
    from simdloss.losses import REGISTRY  # which imports this module

    known = REGISTRY.get(getattr(function, "__name__", ""))
    if known is None or known.function is not function:
        raise TypeError(
            f"fn must be a function of simdloss.losses, or its name; received {described(fn)}"
            + (". Fix: use value_and_grad of the instance" * isinstance(function, Loss))
        )
    return function(y_true, y_pred, **options, out=Cotangent(cotangent, out))
