# SPDX-License-Identifier: Apache-2.0
"""Zero sizes, ranks, and results over nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import simdloss
from spec.semantics import adjust_ranks
from support.bits import assert_same_bits
from support.keras_calls import call_keras_class, call_keras_function
from support.variants import Variant, every_loss, every_reduction, like_shaped_losses, mse

EMPTY_SHAPES = [(0,), (0, 3), (3, 0), (0, 0), (0, 2, 3), (2, 0, 3), (2, 3, 0)]


TAKE_A_MAXIMUM = {e["name"] for e in simdloss._core.catalog() if e["needs_elements"]}


def empty_batch(variant: Variant, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Labels and predictions of nothing, or of rows without elements."""
    if variant.case.target == "class_id":
        return np.zeros(shape[:-1], np.int32), np.zeros(shape, np.float32)
    return np.zeros(shape, np.float32), np.zeros(shape, np.float32)


def takes_scalars(variant: Variant) -> bool:
    """Whether a number is a row without an axis, as in Keras: sums are, means are not."""
    case = variant.case
    return case.row_finish == "sum" or (case.row_finish == "whole" and case.axes == "any")


def may_be_empty_in_keras(variant: Variant, shape: tuple[int, ...]) -> bool:
    """Keras takes no maximum over no classes, and no id without classes."""
    return variant.case.axes == "any" or shape[-1] > 0


@pytest.mark.parametrize("shape", EMPTY_SHAPES, ids=str)
@every_loss
def test_functions_of_empty_arrays_give_what_keras_gives(
    variant: Variant, shape: tuple[int, ...]
) -> None:
    labels, nothing = empty_batch(variant, shape)
    if shape[-1] == 0 and variant.case.name in TAKE_A_MAXIMUM:
        with pytest.raises(ValueError, match="at least one element"):
            variant.function(labels, nothing)
        return
    if labels.size and labels.shape != shape:
        with pytest.raises(ValueError, match="0 classes"):
            variant.function(labels, nothing)
        return
    expected = np.full(shape[:-1], variant.case.of_nothing, np.float32)
    assert_same_bits(variant.function(labels, nothing), expected)
    if may_be_empty_in_keras(variant, shape):
        arguments = variant.case.keras_arguments(variant.options)
        theirs = call_keras_function(variant.case.function, labels, nothing, **arguments)
        assert_same_bits(theirs.reshape(expected.shape) + np.float32(0), expected)


@pytest.mark.parametrize("shape", EMPTY_SHAPES, ids=str)
@every_reduction
@every_loss
def test_classes_of_empty_arrays_give_what_keras_gives(
    variant: Variant, reduction: str, shape: tuple[int, ...]
) -> None:
    labels, nothing = empty_batch(variant, shape)
    if not may_be_empty_in_keras(variant, shape):
        return
    arguments = variant.case.keras_arguments(variant.options)
    expected = call_keras_class(
        variant.case.class_name, labels, nothing, None, None, reduction=reduction, **arguments
    )
    result = variant.loss(reduction=reduction)(labels, nothing)
    assert_same_bits(result, (expected + np.float32(0)).astype(np.float32).reshape(result.shape))


STORAGE = ["float16", "float32", "float64", "int32", ">f4"]


@pytest.mark.parametrize("shape", EMPTY_SHAPES, ids=str)
@pytest.mark.parametrize("labels_dtype", STORAGE)
@pytest.mark.parametrize("dtype", STORAGE)
@like_shaped_losses
def test_empty_arrays_of_any_type(
    variant: Variant, dtype: str, labels_dtype: str, shape: tuple[int, ...]
) -> None:
    """Whatever has to be converted, and to whatever type."""
    if shape[-1] == 0 and variant.case.name in TAKE_A_MAXIMUM:
        return
    labels, nothing = np.zeros(shape, labels_dtype), np.zeros(shape, dtype)
    expected = np.full(shape[:-1], variant.case.of_nothing)
    np.testing.assert_array_equal(variant.function(labels, nothing), expected)
    for declared in ("float32", "float64"):
        loss = variant.loss(dtype=declared, reduction=None)
        if loss.get_config().get("axis", -1) == -1:
            np.testing.assert_array_equal(loss(labels, nothing), expected)


NOTHING = [
    # y_true, weights, mask: means over nothing
    (np.zeros((0, 2, 3)), None, None),
    (np.zeros((2, 3)), [0, 0], None),
    (np.zeros((2, 3)), None, [False, False]),
    (np.zeros((2, 3)), [1, 0], [False, True]),
]


@pytest.mark.parametrize(("y", "weights", "mask"), NOTHING, ids=["size", "weights", "mask", "both"])
@pytest.mark.parametrize("reduction", ["mean", "mean_with_sample_weight"])
def test_means_over_nothing(y: Any, weights: Any, mask: Any, reduction: str) -> None:
    loss = mse.loss(reduction=reduction)

    def call(**kwargs: Any) -> Any:
        return loss(y, y, weights, mask=mask, **kwargs)

    assert_same_bits(call(), np.float32(0))
    assert_same_bits(call(empty="zero"), np.float32(0))
    assert np.isnan(call(empty="nan"))
    assert call(empty="nan").dtype == np.float32
    with pytest.raises(ValueError, match=r"empty"):
        call(empty="raise")
    partial = loss.partial(y, y, weights, mask=mask)
    assert partial.valid_count == 0
    assert partial.result() == 0
    assert np.isnan(partial.result(empty="nan"))
    with pytest.raises(ValueError, match=r"empty"):
        partial.result(empty="raise")


def test_the_caller_may_say_what_the_mean_over_an_empty_batch_is() -> None:
    nothing = np.zeros((0, 3), np.float32)
    assert mse.loss()(nothing, nothing).shape == (0,)
    mean = mse.loss()(nothing, nothing, empty="nan")
    assert mean.shape == ()
    assert np.isnan(mean)
    with pytest.raises(ValueError, match=r"empty"):
        mse.loss()(nothing, nothing, empty="raise")


@pytest.mark.parametrize("empty", ["zero", "nan", "raise"])
def test_means_over_something_do_not_care(empty: str) -> None:
    assert mse.loss()([[1.0], [2.0]], [[2.0], [2.0]], [1, 0], empty=empty) == 0.5


@pytest.mark.parametrize("empty", ["none", None, 0, "Nan"])
def test_unknown_empty(empty: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="empty"):
        mse.loss()([[1.0]], [[2.0]], empty=empty)


@every_loss
def test_scalars_have_no_last_axis(variant: Variant) -> None:
    """A mean over it is an error; a sum, as in Keras, is the value itself."""
    if takes_scalars(variant):
        assert variant.function(1.0, 0.5) == variant.function([1.0], [0.5])
    else:
        with pytest.raises(ValueError, match="axis"):
            variant.function(0.0, 0.5)
    if variant.case.row_finish == "whole":
        return
    assert variant.function(1.0, 0.5, axis=()) == variant.function([1.0], [0.5])
    assert variant.function(1.0, 0.5, axis=None) == variant.function([1.0], [0.5])


def test_scalar_results_are_numpy_scalars() -> None:
    for result in (
        mse.function([1.0, 2.0], [1.0, 3.0]),
        mse.loss()([[1.0]], [[2.0]]),
        mse.loss(reduction=None)([1.0], [2.0]),
        mse.loss().partial([[1.0]], [[2.0]]).result(),
    ):
        assert type(result) is np.float32
    assert type(mse.function([[1.0]], [[2.0]])) is np.ndarray


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((4,), (4, 1)),
        ((4, 1), (4,)),
        ((3, 4), (3, 4, 1)),
        ((3, 4, 1), (3, 4)),
        ((1,), ()),
        ((), (1,)),
        ((1, 1), (1,)),
        ((2, 2, 1), (2, 2)),
    ],
    ids=str,
)
@like_shaped_losses
def test_rank_adjustment(variant: Variant, x: tuple[int, ...], y: tuple[int, ...]) -> None:
    t, p = variant.draw(x)[0], variant.draw(y)[1]
    tt, pp = adjust_ranks(t, p)
    if not tt.shape and not takes_scalars(variant):
        with pytest.raises(ValueError, match="axis"):
            variant.function(t, p)
        if variant.case.axes == "any":
            assert variant.function(t, p, axis=()).shape == ()
        return
    assert_same_bits(variant.function(t, p), variant.function(tt, pp))
    assert_same_bits(variant.loss()(t, p), variant.loss()(tt, pp))


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((4,), (4, 2)),
        ((4, 1), (4, 2)),
        ((1, 4), (4, 4)),
        ((3,), (4,)),
        ((2, 1, 1), (2,)),
        ((3, 4), (3, 4, 2)),
        ((4,), (1, 4)),
        ((0,), (1,)),
        ((), (2,)),
        ((1, 2, 2), (2, 2)),
    ],
    ids=str,
)
@like_shaped_losses
def test_shapes_that_differ(variant: Variant, x: tuple[int, ...], y: tuple[int, ...]) -> None:
    """No silent broadcasting: both shapes are shown."""
    t, p = np.ones(x, np.float32), np.ones(y, np.float32)
    for call in (variant.function, variant.loss()):
        with pytest.raises(ValueError, match="must have the same shape") as caught:
            call(t, p)
        assert str(x) in str(caught.value)
        assert str(y) in str(caught.value)


def test_many_dimensions() -> None:
    shape = (2,) * 12
    t, p = mse.draw(shape)
    assert_same_bits(
        mse.function(t, p), mse.function(t.reshape(-1, 2), p.reshape(-1, 2)).reshape(shape[:-1])
    )
    ones = (1,) * 63
    assert mse.function(np.ones((*ones, 2)), np.zeros((*ones, 2))).shape == ones


def test_an_array_too_large_for_memory() -> None:
    """A per-sample result of 2^50 numbers, from an array that takes one."""
    big = np.broadcast_to(np.float32(1), (2**50, 2))
    with pytest.raises(MemoryError):
        simdloss.mean_squared_error(big, big)
