# SPDX-License-Identifier: Apache-2.0
"""Wrong calls of derivatives: the error's type, the argument it names, and what it says."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import simdloss
from simdloss import _core, compat, losses, vjp
from support.variants import mse

T, P = mse.draw((4, 3))


@pytest.mark.parametrize("method", ["value_and_grad", "value_grad_hess"])
def test_wrong_scales(method: str) -> None:
    call = getattr(mse.loss(), method)
    for scale in ("1", [1.0, 2.0], 1j):
        with pytest.raises(TypeError, match="scale must be a number; received"):
            call(T, P, scale=scale)
    for number in (np.inf, -np.inf, np.nan):
        with pytest.raises(ValueError, match=f"scale must be a finite number.*received {number}"):
            call(T, P, scale=number)
    with pytest.raises(ValueError, match="scale must be a number within the range of float64"):
        call(T, P, scale=10**400)


@pytest.mark.parametrize("hessian", ["full", "Diagonal", None, 1, ["diagonal"]], ids=repr)
def test_wrong_hessians(hessian: Any) -> None:
    message = re.escape(f"hessian must be 'diagonal' or 'upper_bound'; received {hessian!r}")
    with pytest.raises(ValueError, match=message):
        mse.loss().value_grad_hess(T, P, hessian=hessian)


@pytest.mark.parametrize("method", ["value_and_grad", "value_grad_hess"])
def test_the_arguments_of_a_call_are_checked_as_in_a_call(method: str) -> None:
    call = getattr(mse.loss(), method)
    wrong: list[dict[str, Any]] = [
        {"y_true": None},
        {"y_pred": None},
        {"y_pred": P[:, :2]},
        {"y_true": [["1", "2", "3"]] * 4},
        {"sample_weight": np.ones(3)},
        {"mask": "all"},
        {"empty": "one"},
    ]
    for change in wrong:
        arguments = {"y_true": T, "y_pred": P, **change}
        with pytest.raises((TypeError, ValueError)) as expected:
            mse.loss()(**arguments)
        with pytest.raises(expected.type, match=re.escape(str(expected.value))):
            call(**arguments)


def test_wrong_cotangents() -> None:
    for shape in ((3,), (4, 1), (1, 4), (0,)):
        message = f"cotangent of shape {shape} does not broadcast to the losses of shape (4,)"
        with pytest.raises(ValueError, match=re.escape(message)):
            vjp("mse", T, P, np.ones(shape))
    with pytest.raises(ValueError, match=re.escape("cotangent of shape (1,) does not")):
        vjp("mse", T, P, np.ones(1), axis=None)
    with pytest.raises(TypeError, match="cotangent is None, not an array"):
        vjp("mse", T, P, None)
    with pytest.raises(TypeError, match="cotangent must hold real numbers"):
        vjp("mse", T, P, np.ones(4, np.complex64))
    with pytest.raises(TypeError, match="cotangent is a dict"):
        vjp("mse", T, P, {"a": 1})


def test_wrong_functions() -> None:
    of_the_user: list[Any] = [
        lambda t, p, out: p,
        compat.loss_hinge,
        np.square,
        losses.get,
        3,
        None,
    ]
    for fn in of_the_user:
        with pytest.raises(TypeError, match=r"fn must be a function of simdloss\.losses"):
            vjp(fn, T, P, 1.0)
    for fn in ("Huber", losses.Huber()):
        with pytest.raises(TypeError, match="use value_and_grad of the instance"):
            vjp(fn, T, P, 1.0)
    with pytest.raises(ValueError, match="Did you mean 'Huber'"):
        vjp("hubr", T, P, 1.0)


class Custom(simdloss.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return abs(y_true - y_pred)


class Overridden(simdloss.Huber):
    call = Custom.call


@pytest.mark.parametrize("method", ["value_and_grad", "value_grad_hess"])
def test_functions_of_the_user_are_not_differentiated(method: str) -> None:
    for loss in (Custom(), Overridden(), losses.LossFunctionWrapper(np.subtract)):
        with pytest.raises(NotImplementedError) as caught:
            getattr(loss, method)(T, P)
        name = type(loss).__name__
        assert str(caught.value).startswith(f"{name}.{method} does not exist: only call(")
        assert f"Fix: override {method} in {name}, or use a built-in loss" in str(caught.value)
    wrapper = losses.LossFunctionWrapper(losses.huber, delta=2.0)
    with pytest.raises(NotImplementedError, match=r"use the class Huber .*delta=2\.0\)"):
        getattr(wrapper, method)(T, P)
    with pytest.raises(NotImplementedError, match="computed elsewhere"):
        getattr(_core.Loss(None, (), None, "float32", "sum"), method)(T, P, *[None] * 5)


def test_subclasses_may_define_their_own() -> None:
    class Own(Custom):
        def value_and_grad(self, y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
            return self(y_true, y_pred), np.sign(y_pred - y_true)

    assert Own().value_and_grad(T, P)[1].shape == P.shape
