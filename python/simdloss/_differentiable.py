# SPDX-License-Identifier: Apache-2.0
"""The derivatives of loss classes: what `Loss` does beside its value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NoReturn

from simdloss import _core
from simdloss._doc import documented

if TYPE_CHECKING:
    from simdloss._types import ArrayLike, Result


class Differentiable:
    """Derivatives by y_pred, of losses that the core computes."""

    # As in `Loss`.
    _computed_by_core: ClassVar[bool]
    _bound: Sequence[_core.Loss]

    def _bind(self) -> Sequence[_core.Loss]:
        raise NotImplementedError

    @_core.direct_method
    @documented
    def value_and_grad(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
        out: Result = None,
        scale: float | None = None,
        empty: str = "zero",
    ) -> tuple[Result, Result]:
        """The reduced loss of a batch and its gradient by `y_pred`.

        Formula:
            s dl / dy_pred, with l the loss of a row and
            {scale_of_a_row}

        {derivative_rules}

        Args:
            {call_inputs}
            out: a floating array of the shape of `y_pred` to write the gradient to; it may be
                `y_pred` itself. What it holds after an error is not specified.
            {scale}
            {empty}

        Returns:
            The value, as a call returns it, and the gradient.
            {gradient}

        Raises:
            NotImplementedError: for losses of which only `call` is defined.
            {call_raises}
            {raises_of_scale}

        Example:
            >>> import numpy as np, simdloss
            >>> loss = simdloss.MeanSquaredError()
            >>> y_true = np.array([[0.0, 1.0], [2.0, 2.0]])
            >>> y_pred = np.array([[1.0, 1.0], [2.0, 4.0]])
            >>> value, gradient = loss.value_and_grad(y_true, y_pred)
            >>> float(value)
            1.25
            >>> gradient
            array([[0.5, 0. ],
                   [0. , 1. ]])

        References:
            keras.losses on its torch backend, differentiated by torch.autograd.
        """
        if not self._computed_by_core:
            self._refuse("value_and_grad")
        kernel = (self._bound or self._bind())[0]
        return kernel.value_and_grad(y_true, y_pred, sample_weight, mask, out, empty, scale)

    @documented
    def value_grad_hess(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
        hessian: str = "diagonal",
        scale: float | None = None,
        empty: str = "zero",
    ) -> tuple[Result, Result, Result]:
        """The reduced loss of a batch, its gradient, and the diagonal of its Hessian, by `y_pred`.

        What boosting of trees asks for, with reduction "sum"; see docs/gradients.md.

        Formula:
            s dl / dy_pred and s d2l / dy_pred2, with l the loss of a row and
            {scale_of_a_row}

            "upper_bound" is a diagonal matrix that is nowhere below the Hessian: twice the diagonal
            for losses of a softmax; max(diagonal, 0) for the others, whose Hessian is diagonal.

        {derivative_rules}

        Args:
            {call_inputs}
            hessian: "diagonal", or "upper_bound", which is not negative as long as no weight is.
            {scale}
            {empty}

        Returns:
            The value, as a call returns it, the gradient, and the diagonal, which is like the
            gradient.
            {gradient}

        Raises:
            NotImplementedError: for losses of which only `call` is defined, and for those of whose
                Hessian the diagonal says little.
            ValueError: for another `hessian`.
            {call_raises}
            {raises_of_scale}

        Example:
            >>> import simdloss
            >>> loss = simdloss.BinaryCrossentropy(from_logits=True, reduction="sum")
            >>> value, gradient, diagonal = loss.value_grad_hess([[1.0], [0.0]], [[0.0], [0.0]])
            >>> round(float(value), 4)
            1.3863
            >>> gradient.tolist(), diagonal.tolist()
            ([[-0.5], [0.5]], [[0.25], [0.25]])

        References:
            Chen and Guestrin (2016), doi:10.1145/2939672.2939785, section 2.2; Boehning (1992),
            doi:10.1007/BF00048682, for the bound of the softmax.
        """
        if not self._computed_by_core:
            self._refuse("value_grad_hess")
        kernel = (self._bound or self._bind())[0]
        return kernel.value_grad_hess(y_true, y_pred, sample_weight, mask, empty, scale, hessian)

    def _refuse(self, method: str) -> NoReturn:
        """The error of losses that are functions of the user's."""
        name = type(self).__name__
        raise NotImplementedError(
            f"{name}.{method} does not exist: only call(y_true, y_pred) is defined, and functions "
            f"of Python are not differentiated. Fix: override {method} in {name}"
            + self._other_ways(method)
        )

    def _other_ways(self, method: str) -> str:
        """How else the user comes to derivatives, as the end of a sentence."""
        return ", or use a built-in loss"
