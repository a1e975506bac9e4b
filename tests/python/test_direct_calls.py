# SPDX-License-Identifier: Apache-2.0
"""Calls with nothing but arrays go past the Python methods of the classes, to the same results.

An option that is no array, such as `empty`, leads through the methods."""

from __future__ import annotations

import copy
import inspect
import pickle
import sys
import threading
import warnings
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import simdloss
from simdloss import losses

T = np.array([[0.0, 1.0, 2.0], [2.0, 2.0, 0.5]], np.float32)
P = np.array([[1.0, 1.0, 0.5], [2.0, 4.0, 0.25]], np.float32)
W = np.array([0.5, 2.0], np.float32)


def frames_of(call: Callable[[], Any]) -> list[str]:
    """The names of the Python functions that run in a call of a function without arguments."""
    names: list[str] = []

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            names.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return names[1:]  # without `call` itself


@pytest.mark.parametrize("arrays", [(T, P), (T, P, W)], ids=["plain", "weighted"])
def test_no_python_runs_for_arrays(arrays: tuple[Any, ...]) -> None:
    loss, gradient = losses.MeanSquaredError(), np.empty_like(P)
    assert frames_of(lambda: loss(*arrays)) == []
    assert frames_of(lambda: loss(*arrays, mask=W)) == []
    assert frames_of(lambda: loss.value_and_grad(*arrays)) == []
    assert frames_of(lambda: loss.value_and_grad(*arrays, out=gradient, mask=W)) == []
    assert "__call__" in frames_of(lambda: loss(*arrays, empty="zero"))
    assert "value_and_grad" in frames_of(lambda: loss.value_and_grad(*arrays, scale=None))


OPTIONS: list[dict[str, Any]] = [
    {"sample_weight": W},
    {"mask": W},
    {"mask": W > 1, "sample_weight": W},
    {"sample_weight": None, "mask": None},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "+".join(options))
@pytest.mark.parametrize("reduction", ["sum", "none", "mean_with_sample_weight"])
def test_arrays_by_name_are_what_they_are_in_the_methods(
    options: dict[str, Any], reduction: str
) -> None:
    loss = losses.MeanSquaredError(reduction=reduction)
    gradient, out = np.empty_like(P), np.empty(2, np.float32)
    np.testing.assert_array_equal(loss(T, P, **options), loss(T, P, **options, empty="zero"))
    value, written = loss.value_and_grad(T, P, **options, out=gradient)
    assert written is gradient
    for ours, theirs in zip(
        (value, written), loss.value_and_grad(T, P, **options, scale=None), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    if reduction == "none":
        assert loss(T, P, out=out, **options) is out
        np.testing.assert_array_equal(out, value)


@pytest.mark.parametrize("method", ["__call__", "value_and_grad"])
def test_what_is_not_direct_is_left_to_the_methods(method: str) -> None:
    call = getattr(losses.MeanSquaredError(reduction="none"), method)
    with pytest.raises(TypeError, match="multiple values for argument 'sample_weight'"):
        call(T, P, W, sample_weight=W)
    with pytest.raises(TypeError, match="unexpected keyword argument 'weight'"):
        call(T, P, weight=W)
    not_interned = {"".join(["sample", "_weight"]): W}
    for ours, theirs in (
        (call(y_true=T, y_pred=P), call(T, P)),
        (call(T, y_pred=P, sample_weight=W), call(T, P, W)),
        (call(T, P, **not_interned), call(T, P, W)),
    ):
        if method == "__call__":
            np.testing.assert_array_equal(ours, theirs)
        else:
            np.testing.assert_array_equal(ours[0], theirs[0])
            np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize("cls", [losses.MeanSquaredError, losses.CategoricalCrossentropy])
@pytest.mark.parametrize("reduction", ["sum", "none", "mean_with_sample_weight"])
@pytest.mark.parametrize("weight", [None, W], ids=["plain", "weighted"])
def test_direct_calls_give_what_the_methods_give(cls: Any, reduction: str, weight: Any) -> None:
    loss = cls(reduction=reduction)
    np.testing.assert_array_equal(loss(T, P, weight), loss(T, P, weight, empty="zero"))
    direct = loss.value_and_grad(T, P, weight)
    written = loss.value_and_grad(T, P, weight, scale=None)
    for ours, theirs in zip(direct, written, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_a_change_of_an_attribute_holds_from_the_next_call_on() -> None:
    loss = losses.Huber(delta=1.0)
    before = loss(T, P)
    loss.delta = 0.5
    assert loss(T, P) == losses.Huber(delta=0.5)(T, P) != before
    loss.reduction = "sum"
    assert loss(T, P) == losses.Huber(delta=0.5, reduction="sum")(T, P)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copies_are_called_like_the_original(again: Callable[[Any], Any]) -> None:
    loss = losses.Huber(delta=0.5)
    loss(T, P)
    assert again(loss)(T, P) == loss(T, P)
    assert pickle.loads(pickle.dumps(loss.value_and_grad))(T, P)[0] == loss(T, P)


def test_what_subclasses_define_is_called() -> None:
    class Called(losses.MeanSquaredError):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return np.full(len(y_pred), 7, y_pred.dtype)

    class Replaced(losses.MeanSquaredError):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return super().__call__(*arguments, **options) + 1

    assert Called()(T, P) == 7
    with pytest.raises(NotImplementedError, match=r"Called\.value_and_grad does not exist"):
        Called().value_and_grad(T, P)
    assert Replaced()(T, P) == losses.MeanSquaredError()(T, P) + 1


def test_an_instance_that_is_not_initialised_says_so() -> None:
    class Forgetful(losses.Loss):
        def __init__(self) -> None:
            pass

    for loss in (Forgetful(), losses.MeanSquaredError.__new__(losses.MeanSquaredError)):
        with pytest.raises(RuntimeError, match=r"__init__ must call super\(\).__init__\(\)"):
            loss(T, P)
    with pytest.raises(AttributeError):
        losses.Loss.__call__(object(), T, P)  # type: ignore[arg-type]


def test_wrong_numbers_of_arguments() -> None:
    loss = losses.MeanSquaredError()
    for arguments in ((), (T,), (T, P, None, None)):
        with pytest.raises(TypeError, match="argument"):
            loss(*arguments)
        with pytest.raises(TypeError, match="argument"):
            loss.value_and_grad(*arguments)
    with pytest.raises(ValueError, match=r"y_true.shape=\(2, 3\)"):
        loss(T, P[:1, :2])


@pytest.mark.parametrize("options", [{}, {"empty": "zero"}], ids=["direct", "written"])
@pytest.mark.parametrize("method", ["__call__", "value_and_grad"])
def test_warnings_point_at_the_caller(method: str, options: dict[str, Any]) -> None:
    loss = losses.CategoricalCrossentropy()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        getattr(loss, method)(T[:, :1], P[:, :1], **options)
    assert [warning.filename for warning in caught] == [__file__]


def test_other_errors_than_missing_attributes_are_kept() -> None:
    class Stubborn(losses.MeanSquaredError):
        def __getattribute__(self, name: str) -> Any:
            if name == "_bound" and self.__dict__.get("refuses"):
                raise KeyboardInterrupt
            return super().__getattribute__(name)

    loss = Stubborn()
    assert loss(T, P) == losses.MeanSquaredError()(T, P)
    loss.__dict__["refuses"] = True
    with pytest.raises(KeyboardInterrupt):
        loss(T, P)


def test_calls_stay_direct_when_threads_bind_at_once() -> None:
    expected = losses.Huber(delta=0.5)(T, P)
    for _ in range(50):
        loss = losses.Huber()
        loss.delta = 0.5
        start = threading.Barrier(4)
        found: list[Any] = []

        def work(loss: Any = loss, start: Any = start, found: list[Any] = found) -> None:
            start.wait()
            found.append(loss(T, P))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [expected] * 4
        object.__setattr__(loss, "_bound", [*loss._bound, *loss._bound])  # as if two had
        assert frames_of(partial(loss, T, P)) == []


@pytest.mark.parametrize("name", ["__call__", "value_and_grad"])
def test_methods_are_copied_and_pickled_like_functions(name: str) -> None:
    method: Any = getattr(simdloss.Loss, name)
    assert repr(method) == repr(method.__wrapped__)
    assert copy.copy(method) is method
    assert copy.deepcopy(method) is method
    assert pickle.loads(pickle.dumps(method)) is method
    assert weakref.ref(method)() is method
    loss = losses.Huber()
    bound = weakref.WeakMethod(getattr(loss, name))()
    assert bound is not None
    assert repr(bound(T, P)) == repr(getattr(loss, name)(T, P))


@pytest.mark.parametrize("name", ["__call__", "value_and_grad"])
def test_methods_look_like_functions(name: str) -> None:
    method = getattr(simdloss.Loss, name)
    assert inspect.isroutine(method)
    assert list(inspect.signature(method).parameters)[:4] == [
        "self",
        "y_true",
        "y_pred",
        "sample_weight",
    ]
    assert next(iter(inspect.signature(getattr(losses.Huber(), name)).parameters)) == "y_true"
    assert "Args:" in (inspect.getdoc(method) or "")
    assert method.__name__ == name
    assert method.__module__.startswith("simdloss.")


def test_only_methods_with_a_native_callable_can_be_direct() -> None:
    from simdloss import _core

    with pytest.raises(ValueError, match="no native callable does what frames_of does"):
        _core.direct_method(frames_of)
