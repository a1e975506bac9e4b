# SPDX-License-Identifier: Apache-2.0
"""Gradients of arrays of any dtype, layout and axis, and `out=`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import simdloss
from spec.semantics import rows_last
from support.bits import assert_same_bits
from support.comparison import batch
from support.dtypes import FLOATS, INTEGERS
from support.gradients import call, gradient, has_hessian
from support.layouts import (
    LAYOUTS,
    fortran,
    misaligned,
    odd_strides,
    offset,
    reversed_,
    strided,
    transposed,
)
from support.variants import Variant, every_loss, like_shaped_losses, mse, pointwise_losses

SHAPE = (4, 3, 37)
WRITABLE = [
    np.ascontiguousarray,
    fortran,
    strided,
    reversed_,
    transposed,
    offset,
    odd_strides,
    misaligned,
]
every_writable = pytest.mark.parametrize("layout", WRITABLE, ids=lambda f: f.__name__)
any_axis = [(0,), (1,), (0, 1), (0, 2), (1, 2), (0, 1, 2), (-1, 0)]


# --- layouts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@every_loss
def test_every_layout(variant: Variant, dtype: str) -> None:
    t, p = variant.draw(SHAPE, dtype)
    expected = gradient(variant, t, p)
    curved = has_hessian(variant)
    second = call("value_grad_hess", variant, t, p)[2] if curved else None
    for (x, of_t), (y, of_p) in itertools.product(LAYOUTS.items(), LAYOUTS.items()):
        if "contiguous" not in (x, y) and x != y:
            continue
        tt, pp = of_t(t), of_p(p)
        assert_same_bits(np.array(gradient(variant, tt, pp)).astype(dtype), expected, (x, y))
        if curved:
            found = call("value_grad_hess", variant, tt, pp)[2]
            assert_same_bits(np.array(found).astype(dtype), second, (x, y))
        assert np.array_equal(pp, p), "y_pred was written to"


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (0, 1, 2)], ids=str)
@every_loss
def test_broadcast_inputs(variant: Variant, axes: tuple[int, ...]) -> None:
    """Each element of a broadcast y_pred has a gradient of its own."""

    def repeated(a: Any) -> Any:
        index = tuple(slice(0, 1) if i in axes else slice(None) for i in range(a.ndim))
        return np.broadcast_to(a[index], a.shape)

    t, p = map(repeated, variant.draw(SHAPE))
    assert_same_bits(gradient(variant, t, p), gradient(variant, t.copy(), p.copy()))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_and_masks_in_every_layout(layout: str) -> None:
    t, p = mse.draw((6, 5, 4))
    rng = np.random.default_rng(5)
    w, m = rng.random((6, 5)), rng.random((6, 5)) < 0.7
    change = LAYOUTS[layout]
    for reduction in ("none", "mean", "mean_with_sample_weight"):
        expected = gradient(mse, t, p, w, mask=m, reduction=reduction)
        found = gradient(mse, t, p, change(w), mask=change(m), reduction=reduction)
        assert_same_bits(found, expected)
    cotangent = rng.standard_normal((6, 5))
    assert_same_bits(
        simdloss.vjp("mse", t, p, change(cotangent)), simdloss.vjp("mse", t, p, cotangent)
    )


# --- out ------------------------------------------------------------------------------------------


@every_writable
@pytest.mark.parametrize("dtype", FLOATS)
@every_loss
def test_out_of_any_layout(variant: Variant, dtype: str, layout: Any) -> None:
    t, p = variant.draw((4, 3, 5), dtype)
    expected = gradient(variant, t, p)
    out = layout(np.zeros(p.shape, FLOATS[dtype]))
    assert gradient(variant, t, p, out=out) is out
    assert_same_bits(np.array(out), expected)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_out_of_another_dtype(dtype: str) -> None:
    t, p = mse.draw((4, 5))
    out = np.zeros((4, 5), dtype)
    assert gradient(mse, t, p, out=out) is out
    assert_same_bits(out, gradient(mse, t, p).astype(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@every_loss
def test_out_may_be_what_is_read(variant: Variant, dtype: str) -> None:
    t, p = variant.draw((6, 37), dtype)
    expected = gradient(variant, t, p)
    layouts: list[Any] = WRITABLE
    for layout in layouts:
        overwritten = layout(p.copy())
        assert gradient(variant, t, overwritten, out=overwritten) is overwritten
        assert_same_bits(np.array(overwritten), expected, layout)
    if variant.case.target != "class_id":
        labels = t.copy()
        gradient(variant, labels, p, out=labels)
        assert_same_bits(labels, expected)


@every_loss
def test_out_may_overlap_what_is_read(variant: Variant) -> None:
    t, p = variant.draw((9, 37))
    expected = gradient(variant, t, p)
    for shift in (1, 36, 37, 100):
        memory = np.zeros(p.size + shift, np.float32)
        first, last = memory[: p.size].reshape(p.shape), memory[shift:].reshape(p.shape)
        for source, target in ((first, last), (last, first)):
            source[...] = p
            gradient(variant, t, source, out=target)
            assert_same_bits(target, expected, shift)
    flipped = p.copy()[::-1]
    expected = gradient(variant, t, flipped.copy())
    gradient(variant, t, flipped, out=flipped[::-1])
    assert_same_bits(flipped[::-1], expected)


@every_loss
def test_outputs_that_go_past_the_caches(variant: Variant) -> None:
    """Gradients of 16 MiB; small ones do not."""
    t, p = variant.draw((257, 37))
    loss = variant.loss(reduction="sum")
    expected = np.tile(loss.value_and_grad(t, p)[1], (442, 1))
    assert expected.nbytes >= 1 << 24
    many_t, many_p = np.concatenate([t] * 442), np.concatenate([p] * 442)
    assert_same_bits(loss.value_and_grad(many_t, many_p)[1], expected)
    loss.value_and_grad(many_t, many_p, out=many_p)
    assert_same_bits(many_p, expected)


def test_out_may_be_the_weights() -> None:
    t, p = mse.draw((5, 1))
    w = np.arange(5, dtype=np.float32)[:, None]
    expected = gradient(mse, t, p, w.copy())
    gradient(mse, t, p, w, out=w)
    assert_same_bits(w, expected)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (4, 5, 1), (1, 4, 5)], ids=str)
def test_out_of_another_shape(shape: tuple[int, ...]) -> None:
    t, p = mse.draw((4, 5))
    with pytest.raises(ValueError, match="out"):
        gradient(mse, t, p, out=np.zeros(shape, np.float32))


@pytest.mark.parametrize("out", [np.zeros((4, 5), int), [[0.0] * 5] * 4])
def test_out_that_can_hold_no_gradient(out: Any) -> None:
    t, p = mse.draw((4, 5))
    with pytest.raises((TypeError, ValueError), match="out"):
        gradient(mse, t, p, out=out)


def test_out_that_is_read_only() -> None:
    t, p = mse.draw((4, 5))
    out = np.zeros((4, 5), np.float32)
    out.flags.writeable = False
    with pytest.raises((TypeError, ValueError), match="out"):
        gradient(mse, t, p, out=out)


# --- dtypes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@every_loss
def test_narrow_gradients_are_those_of_float32_rounded(variant: Variant, dtype: str) -> None:
    for regime in variant.case.regimes:
        t, p = batch(variant, (6, 5), dtype, regime)
        wide = t if variant.case.target == "class_id" else t.astype(np.float32)
        expected = gradient(variant, wide, p.astype(np.float32))
        with np.errstate(over="ignore"):
            assert_same_bits(gradient(variant, t, p), expected.astype(FLOATS[dtype]), regime)


@every_loss
def test_float64_predictions_have_float64_gradients(variant: Variant) -> None:
    """Whatever the dtype of the loss, which is that of its value."""
    t, p = variant.draw((6, 5), "float64")
    value, grad = call("value_and_grad", variant, t, p)
    assert (value.dtype, grad.dtype) == (np.float32, np.float64)


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
@every_loss
def test_gradients_of_integers_have_the_dtype_of_the_loss(variant: Variant, dtype: str) -> None:
    t = np.array([[0, 1, 1], [1, 0, 1]], dtype)
    p = np.array([[1, 0, 1], [1, 1, 0]], dtype)
    if variant.case.target == "class_id":
        t = np.array([1, 2])
    wide = "float64" if dtype.endswith(("32", "64")) else "float32"
    labels: Any = t if variant.case.target == "class_id" else t.astype(wide)
    for own in ("float32", "float64"):
        grad = gradient(variant, t, p, dtype=own)
        expected = gradient(variant, labels, p.astype(max(wide, own)), dtype=own)
        assert_same_bits(grad, expected.astype(own))
    function, options = variant.case.function, variant.case.arguments(variant.options)
    assert simdloss.vjp(function, t, p, 1.0, **options).dtype == np.float32


@pytest.mark.parametrize("kind", [list, np.ma.asarray], ids=["list", "masked array"])
def test_other_arguments(kind: Any) -> None:
    t, p = [[0.0, 1.0]], [[0.5, 3.0]]
    grad = gradient(mse, kind(t), kind(p))
    assert grad.tolist() == [[0.5, 2.0]]


def test_the_value_of_a_number() -> None:
    value, grad = call("value_and_grad", mse, np.float32(1), np.float32(3), None, {"axis": ()})
    assert (float(value), float(grad), np.shape(grad)) == (4.0, 4.0, ())


# --- axes -----------------------------------------------------------------------------------------


def rows_back(rows: Any, shape: tuple[int, ...], axis: tuple[int, ...]) -> Any:
    """The reverse of `rows_last`."""
    last = sorted(i % len(shape) for i in axis)
    order = [i for i in range(len(shape)) if i not in last] + last
    moved = rows.reshape([shape[i] for i in order])
    return np.ascontiguousarray(moved.transpose(np.argsort(order)))


@pytest.mark.parametrize("axis", any_axis, ids=str)
@like_shaped_losses
def test_axes(variant: Variant, axis: tuple[int, ...]) -> None:
    if variant.case.axes == "one" and len(axis) > 1:
        return
    shape = (3, 4, 5)
    chosen: Any = axis[0] if len(axis) == 1 else axis
    t, p = variant.draw(shape, axis=axis[0])
    for reduction in ("none", "mean"):
        grad = gradient(variant, t, p, axis=chosen, reduction=reduction)
        rows = gradient(variant, rows_last(t, axis), rows_last(p, axis), reduction=reduction)
        assert_same_bits(grad, rows_back(rows, shape, axis), reduction)


@every_loss
def test_the_classes_may_be_axis_1(variant: Variant) -> None:
    if variant.case.axes != "one":
        return
    t, p = variant.draw((4, 7, 2, 3), axis=1)
    moved = t if variant.case.target == "class_id" else np.ascontiguousarray(np.moveaxis(t, 1, -1))
    expected = gradient(variant, moved, np.ascontiguousarray(np.moveaxis(p, 1, -1)))
    found = gradient(variant, t, p, axis=1)
    assert_same_bits(found, np.ascontiguousarray(np.moveaxis(expected, -1, 1)))


@pointwise_losses
def test_no_axis_is_a_loss_of_each_element(variant: Variant) -> None:
    if variant.case.axes == "one":
        return
    t, p = variant.draw((6, 5))
    labels = {"labels": "signed"} if variant.case.converts_binary_labels else {}
    weights = variant.rng().random((6, 5))
    grad = gradient(variant, t, p, weights, axis=(), reduction=None, **labels)
    alone = gradient(
        variant, t.reshape(-1, 1), p.reshape(-1, 1), weights.ravel(), reduction=None, **labels
    )
    assert_same_bits(grad, alone.reshape(6, 5))
