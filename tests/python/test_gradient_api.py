# SPDX-License-Identifier: Apache-2.0
"""What derivatives are called with and return: inputs, shapes, dtypes, memory, errors.

Whether their values are right is the business of other tests.
"""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import simdloss
from simdloss import _core, compat, losses, vjp
from support.bits import assert_same_bits
from support.dtypes import DTYPES, FLOATS, every_dtype, every_float, floatx
from support.layouts import LAYOUTS, fortran, misaligned, odd_strides, offset, reversed_, strided
from support.processes import run_python
from support.variants import Variant, every_loss, every_reduction, mse

WRITABLE = [np.ascontiguousarray, fortran, strided, reversed_, offset, odd_strides, misaligned]
HESSIANS = {entry["name"] for entry in _core.catalog() if entry["has_hessian"]}
T, P = mse.draw((4, 3))
GRADIENT = vjp("mse", T, P, 1.0)


def gradient_of(loss: losses.Loss, *args: Any, **kwargs: Any) -> Any:
    return loss.value_and_grad(*args, **kwargs)[1]


def product(variant: Variant, t: Any, p: Any, cotangent: Any, **kwargs: Any) -> Any:
    fn = getattr(losses, variant.case.function)
    return vjp(fn, t, p, cotangent, **variant.case.arguments(variant.options), **kwargs)


def writes(call: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The calls that take `out` for a gradient, of mean squared errors summed."""
    return [
        lambda t, p, **k: call(mse.loss(reduction="sum").value_and_grad(t, p, **k)[1]),
        lambda t, p, **k: call(vjp("mse", t, p, 1.0, **k)),
    ]


both_ways = pytest.mark.parametrize("call", writes(lambda g: g), ids=["class", "vjp"])


# --- what is returned -----------------------------------------------------------------------------


@every_reduction
@every_loss
def test_the_value_is_that_of_a_call(variant: Variant, reduction: str) -> None:
    t, p = variant.draw((6, 5, 4))
    weight = np.arange(6.0)
    loss = variant.loss(reduction=reduction)
    value, gradient = loss.value_and_grad(t, p, weight, mask=weight < 4)
    assert_same_bits(value, loss(t, p, weight, mask=weight < 4))
    assert type(value) is type(loss(t, p))
    assert type(gradient) is np.ndarray
    assert (gradient.shape, gradient.dtype) == (p.shape, p.dtype)
    assert not gradient[weight * (weight < 4) == 0].any()


@every_float
@every_loss
def test_shape_and_dtype_of_predictions(variant: Variant, dtype: str) -> None:
    """Neither the dtype of the class nor that of y_true matters."""
    t, p = variant.draw((3, 4), dtype)
    for result in ("float32", "float64", "bfloat16"):
        value, gradient = variant.loss(dtype=result).value_and_grad(t, p)
        assert value.dtype == FLOATS[result]
        assert (gradient.shape, gradient.dtype) == (p.shape, FLOATS[dtype])
    wide = t.astype(np.float64)
    assert gradient_of(variant.loss(), wide, p).dtype == FLOATS[dtype]
    gradient = product(variant, wide, p, np.ones(3))
    assert (gradient.shape, gradient.dtype) == (p.shape, FLOATS[dtype])


@every_dtype
def test_integers_and_bools_take_the_dtype_of_the_result(dtype: str) -> None:
    p = np.array([[1, 0], [1, 1]]).astype(DTYPES[dtype])
    floating = dtype in FLOATS
    for result in FLOATS:
        gradient = gradient_of(mse.loss(dtype=result), p, p)
        assert gradient.dtype == (DTYPES[dtype] if floating else FLOATS[result])
        with floatx(result):
            assert vjp("mse", p, p, 1.0).dtype == gradient.dtype


def test_python_numbers() -> None:
    t, p = T.tolist(), P.tolist()
    assert_same_bits(vjp("mse", t, p, 1.0), GRADIENT)
    assert_same_bits(gradient_of(mse.loss(reduction="sum"), t, p), GRADIENT)
    assert gradient_of(mse.loss(dtype="float64"), t, p).dtype == np.float64
    assert gradient_of(mse.loss(dtype="float16"), t, p).dtype == np.float32
    with floatx("float16"):
        assert vjp("mse", t, p, 1.0).dtype == np.float16


def test_one_number() -> None:
    gradient = gradient_of(mse.loss(axis=()), 1.0, 3.0)
    assert isinstance(gradient, np.float32)
    assert float(gradient) == pytest.approx(4.0)
    assert isinstance(vjp("mse", 1.0, np.float64(3.0), 1.0, axis=()), np.float64)
    out = np.zeros(())
    assert vjp("mse", 1.0, 3.0, 1.0, axis=(), out=out) is out


@pytest.mark.parametrize("shape", [(0, 3), (0, 2, 3)], ids=str)
@every_loss
def test_empty_batches(variant: Variant, shape: tuple[int, ...]) -> None:
    t, p = (a[:0] for a in variant.draw((2, *shape[1:])))
    loss = variant.loss()
    value, gradient = loss.value_and_grad(t, p)
    assert_same_bits(value, loss(t, p))
    assert (gradient.shape, gradient.dtype) == (p.shape, p.dtype)
    assert np.isnan(loss.value_and_grad(t, p, empty="nan")[0])
    with pytest.raises(ValueError, match="empty"):
        loss.value_and_grad(t, p, empty="raise")


def test_missing_last_axes() -> None:
    """A gradient has the shape of y_pred as it was given."""
    t, p = mse.draw((5, 1))
    for given in (p, p[:, 0]):
        assert gradient_of(mse.loss(), t, given).shape == given.shape
        assert vjp("mse", t, given, np.ones(5)).shape == given.shape
    assert gradient_of(mse.loss(), t[:, 0], p).shape == p.shape


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_memory_order_is_that_of_predictions(layout: str) -> None:
    t, p = mse.draw((4, 3, 5))
    given = LAYOUTS[layout](p)
    expected = np.empty_like(given, order="K", subok=False).strides
    for gradient in (gradient_of(mse.loss(), t, given), vjp("mse", t, given, 1.0)):
        assert gradient.strides == expected
        assert gradient.flags.writeable
        assert gradient.base is None
    assert_same_bits(vjp("mse", t, given, 1.0), vjp("mse", t, p, 1.0))


def test_broadcast_predictions_have_an_ordinary_gradient() -> None:
    p = np.broadcast_to(P[0], (4, 3))
    for gradient in (gradient_of(mse.loss(reduction="sum"), T, p), vjp("mse", T, p, 1.0)):
        assert gradient.flags.c_contiguous
        assert_same_bits(gradient, vjp("mse", T, p.copy(), 1.0))


def test_special_losses() -> None:
    logits = np.zeros((2, 5, 3), np.float32)
    value, gradient = losses.CTC().value_and_grad([[1], [2]], logits)
    assert (gradient.shape, gradient.dtype) == (logits.shape, logits.dtype)
    assert_same_bits(value, losses.CTC()([[1], [2]], logits))
    assert vjp("ctc", [[1], [2]], logits, [1.0, 2.0]).shape == logits.shape
    p, ids = np.eye(4, 3), [0, 1, 0, 1]
    assert gradient_of(losses.Circle(), ids, p).shape == (4, 3)
    assert vjp("circle", ids, p, 1.0, gamma=2.0).dtype == np.float64
    references = {"ref_labels": [0, 1], "ref_embeddings": np.eye(2, 3)}
    assert vjp("circle", ids, p, np.ones(4), **references).shape == (4, 3)


# --- what is accepted -----------------------------------------------------------------------------


def test_pandas_objects() -> None:
    assert_same_bits(vjp("mse", pd.DataFrame(T), pd.DataFrame(P), 1.0), GRADIENT)
    ones = pd.Series(np.ones(4))
    assert_same_bits(vjp("mse", T, P, ones), GRADIENT)
    assert_same_bits(gradient_of(mse.loss(reduction="sum"), T, pd.DataFrame(P), ones), GRADIENT)


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_arrays_of_other_libraries(library: str) -> None:
    module = pytest.importorskip(library)
    array = module.tensor if library == "torch" else importlib.import_module("jax.numpy").asarray
    t, p, ones = array(T), array(P), array(np.ones(4, np.float32))
    assert_same_bits(vjp("mse", t, p, ones), GRADIENT)
    assert_same_bits(gradient_of(mse.loss(reduction="sum"), t, p, ones), GRADIENT)
    if library == "torch":
        with pytest.raises(TypeError, match=r"pass y_pred.detach\(\)"):
            mse.loss().value_and_grad(t, p.requires_grad_())
        with pytest.raises(TypeError, match=r"pass cotangent.detach\(\)"):
            vjp("mse", t, p.detach(), ones.requires_grad_())


@pytest.mark.parametrize(
    "cotangent",
    [1.0, 1, True, np.float32(1), [1.0] * 4, np.ones(1), np.ones(4, "int8"), np.ones(4, "f2")],
    ids=repr,
)
def test_cotangents(cotangent: Any) -> None:
    assert_same_bits(vjp("mse", T, P, cotangent), GRADIENT)


def test_cotangents_broadcast_as_in_numpy() -> None:
    """A vector goes along the last axis, also where a weight would go along the first."""
    t, p = mse.draw((3, 3, 2))
    c = np.array([1.0, 2.0, -4.0])
    full = np.broadcast_to(c, (3, 3))
    assert_same_bits(vjp("mse", t, p, c), vjp("mse", t, p, full.copy()))
    assert_same_bits(vjp("mse", t, p, full), vjp("mse", t, p, full.copy()))
    column = np.broadcast_to(c[:, None], (3, 3))
    assert_same_bits(vjp("mse", t, p, c[:, None]), vjp("mse", t, p, column.copy()))
    backwards = np.ascontiguousarray(full[::-1, ::-1])[::-1, ::-1]
    assert_same_bits(vjp("mse", t, p, backwards), vjp("mse", t, p, c))


def test_every_name_of_a_function() -> None:
    for fn in ("mse", "MSE", "mean_squared_error", losses.mse, losses.mean_squared_error):
        assert_same_bits(vjp(fn, T, P, 1.0), GRADIENT)
    assert_same_bits(vjp(losses.serialize(losses.mse), T, P, 1.0), GRADIENT)
    assert_same_bits(vjp("logcosh", T, P, 1.0), vjp(compat.loss_logcosh, T, P, 1.0))
    assert losses.vjp is simdloss.vjp is vjp


def test_options_are_those_of_the_function() -> None:
    one = vjp("huber", T, P, 1.0, delta=0.125, axis=0)
    assert_same_bits(one.T, vjp(losses.huber, T.T, P.T, 1.0, delta=0.125))
    with pytest.raises(TypeError, match=r"huber\(\) got an unexpected keyword argument 'spam'"):
        vjp("huber", T, P, 1.0, spam=1)
    with pytest.raises(ValueError, match="delta"):
        vjp("huber", T, P, 1.0, delta=0.0)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'q'"):
        vjp("categorical_generalized_cross_entropy", [0], [[1.0]], 1.0)


@pytest.mark.parametrize("parameter", ["y_true", "y_pred", "sample_weight"])
def test_arguments_by_name(parameter: str) -> None:
    for method in ("value_and_grad", "value_grad_hess"):
        signature = inspect.signature(getattr(losses.Loss, method))
        kinds = {p.name: p.kind for p in signature.parameters.values()}
        assert kinds[parameter] is inspect.Parameter.POSITIONAL_OR_KEYWORD
        rest = set(kinds) - {"self", "y_true", "y_pred", "sample_weight"}
        assert {kinds[name] for name in rest} == {inspect.Parameter.KEYWORD_ONLY}


def test_scales() -> None:
    for scale in (1, True, np.float32(1), np.array(1.0)):
        assert_same_bits(gradient_of(mse.loss(), T, P, scale=scale), GRADIENT)
    value, gradient = mse.loss().value_and_grad(T, P, scale=0.0)
    assert not gradient.any()
    assert_same_bits(value, mse.loss()(T, P))


@every_loss
def test_hessians_exist_as_the_catalogue_says(variant: Variant) -> None:
    t, p = variant.draw((3, 4))
    loss = variant.loss()
    if variant.case.name not in HESSIANS:
        with pytest.raises(NotImplementedError, match=variant.case.function):
            loss.value_grad_hess(t, p)
        return
    value, gradient = loss.value_and_grad(t, p)
    for hessian in ("diagonal", "upper_bound"):
        results = loss.value_grad_hess(t, p, hessian=hessian)
        assert_same_bits(results[0], value)
        assert_same_bits(results[1], gradient)
        assert (results[2].shape, results[2].dtype) == (p.shape, p.dtype)


# --- out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", WRITABLE, ids=lambda f: f.__name__)
@every_float
@both_ways
def test_out_of_any_layout(call: Any, dtype: str, layout: Any) -> None:
    out = layout(np.ones(P.shape, FLOATS[dtype]))
    assert call(T, P, out=out) is out
    assert_same_bits(np.array(out), GRADIENT.astype(FLOATS[dtype]))


@both_ways
def test_out_may_be_the_predictions(call: Any) -> None:
    for argument in (0, 1):
        arrays = [T.copy(), P.copy()]
        assert call(*arrays, out=arrays[argument]) is arrays[argument]
        assert_same_bits(arrays[argument], GRADIENT)


@both_ways
def test_out_that_overlaps_an_input_elsewhere(call: Any) -> None:
    memory = np.concatenate([P.ravel(), np.zeros(1, np.float32)])
    out = memory[1:].reshape(P.shape)
    assert call(T, memory[:-1].reshape(P.shape), out=out) is out
    assert_same_bits(out, GRADIENT)


def test_out_that_overlaps_weights_or_the_cotangent() -> None:
    memory = np.ones((4, 3))
    weight = memory[:, 1]
    vjp("mse", T, P, weight, out=memory)
    assert_same_bits(memory.astype(np.float32), GRADIENT)
    memory[...] = 1
    mse.loss(reduction="sum").value_and_grad(T, P, weight, out=memory)
    assert_same_bits(memory.astype(np.float32), GRADIENT)


@both_ways
def test_out_may_be_a_memory_map(call: Any, tmp_path: Any) -> None:
    out = np.memmap(tmp_path / "gradient", np.float32, "w+", shape=P.shape)
    assert call(T, P, out=out) is out
    assert_same_bits(np.array(out), GRADIENT)


@both_ways
def test_wrong_outs(call: Any) -> None:
    with pytest.raises(TypeError, match=r"out must be a numpy\.ndarray; received list"):
        call(T, P, out=P.tolist())
    with pytest.raises(TypeError, match=r"out must be of dtype float16.*received int32"):
        call(T, P, out=np.zeros(P.shape, np.int32))
    with pytest.raises(TypeError, match=r"out must be of dtype float16.*native byte order"):
        call(T, P, out=np.zeros(P.shape, ">f4"))
    for shape in ((4,), (3, 4), (1, 4, 3), ()):
        message = f"out must have the shape of y_pred, (4, 3); received {shape}"
        with pytest.raises(ValueError, match=re.escape(message)):
            call(T, P, out=np.zeros(shape))
    with pytest.raises(ValueError, match="out is read-only"):
        call(T, P, out=LAYOUTS["read_only"](P))


# --- surroundings ---------------------------------------------------------------------------------


def test_one_class_is_warned_of_once_at_the_caller() -> None:
    one = np.full((3, 1), 0.5, np.float32)
    calls: list[Callable[[], Any]] = [
        lambda: losses.CategoricalCrossentropy().value_and_grad(one, one),
        lambda: vjp("categorical_crossentropy", one, one, 1.0),
    ]
    for call in calls:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        (warning,) = caught
        assert warning.category is SyntaxWarning
        assert warning.filename == __file__


def test_attributes_and_settings_are_read_in_each_call() -> None:
    loss = losses.Huber(delta=0.125, reduction="sum")
    before = gradient_of(loss, T, P)
    loss.delta = 8.0
    assert (gradient_of(loss, T, P) != before).any()
    p = np.array([[0.25]])
    with simdloss.using_epsilon(0.375):
        assert vjp("binary_crossentropy", [[1.0]], p, 1.0) == 0
    assert vjp("binary_crossentropy", [[1.0]], p, 1.0) < 0


def test_interrupt() -> None:
    """Ctrl-C ends a long call within a second or so, and the library still works."""
    code = """
import os, signal, threading, time, numpy as np, simdloss
t = np.broadcast_to(np.float32(0.5), (2**33, 16))  # minutes of work, no memory
out = np.lib.stride_tricks.as_strided(np.zeros(16, np.float32), t.shape, (0, 4))
loss = simdloss.BinaryCrossentropy(from_logits=True)
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs may ignore it
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
start = time.monotonic()
try:
    with simdloss.using_num_threads(1):
        loss.value_and_grad(t, t, out=out)
except KeyboardInterrupt:
    assert time.monotonic() - start < 5, time.monotonic() - start
else:
    raise AssertionError("not interrupted")
assert simdloss.vjp("huber", [0.0], [1.0], 1.0) == 1
"""
    run_python(code, timeout=60)


def test_bfloat16_without_ml_dtypes() -> None:
    """Functions give float32, as for their value; classes have no such array to return."""
    torch = pytest.importorskip("torch")
    assert torch
    code = """
import sys
sys.modules["ml_dtypes"] = None
import numpy as np, torch
from simdloss import losses, vjp
p = torch.ones((2, 3), dtype=torch.bfloat16)
print(vjp("mse", p, p, 1.0).dtype)
out = np.ones((2, 3))
assert losses.MeanSquaredError().value_and_grad(p, p, out=out)[1] is out
for method in ("value_and_grad", "value_grad_hess"):
    try:
        getattr(losses.MeanSquaredError(), method)(p, p)
    except ImportError as error:
        print("ml_dtypes" in str(error))
"""
    assert run_python(code).split() == ["float32", "True", "True"]
