# SPDX-License-Identifier: Apache-2.0
"""Which axes a row consists of: any, in any order, none, or all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import simdloss
from spec.semantics import rows_last
from support.bits import assert_same_bits
from support.variants import BY_NAME, Variant, both_widths, every_loss, mse

SHAPE = (3, 4, 5, 2)
AXES = [
    0,
    1,
    2,
    3,
    -1,
    -2,
    -4,
    (0,),
    (0, 1),
    (1, 3),
    (3, 1),
    (-1, 0),
    (0, 2, 3),
    (0, 1, 2, 3),
    None,
    (),
]


@pytest.mark.parametrize("axis", AXES, ids=str)
@both_widths
@every_loss
def test_an_axis_is_a_matter_of_transposing(variant: Variant, dtype: str, axis: Any) -> None:
    one = isinstance(axis, int)
    t, p = variant.draw(SHAPE, dtype, axis=axis if one else -1)
    if variant.case.axes == "one" and not one:
        with pytest.raises((TypeError, ValueError), match="axis"):
            variant.function(t, p, axis=axis)
        with pytest.raises((TypeError, ValueError), match="axis"):
            variant.loss(axis=axis)(t, p)
        return
    expected = variant.function(*variant.rows_last(t, p, axis), axis=-1)
    assert_same_bits(variant.function(t, p, axis=axis), expected)
    loss = variant.loss(axis=axis, dtype=dtype, reduction=None)
    assert_same_bits(loss(t, p), expected)


@pytest.mark.parametrize("name", ["dice", "tversky"])
def test_the_whole_batch_is_one_region_by_default(name: str) -> None:
    t, p = BY_NAME[name].draw(SHAPE)
    function, cls = getattr(simdloss, name), getattr(simdloss, name.title())
    expected = BY_NAME[name].function(t.ravel(), p.ravel())
    assert_same_bits(function(t, p), expected)
    assert_same_bits(cls()(t, p), expected)
    assert_same_bits(cls(reduction="sum")(t, p, 2.0), 2 * expected)


@pytest.mark.parametrize("axis", AXES, ids=str)
def test_reductions_after_an_axis(axis: Any) -> None:
    t, p = mse.draw(SHAPE)
    whole = mse.loss(axis=axis)(t, p)
    assert_same_bits(whole, mse.loss()(rows_last(t, axis), rows_last(p, axis)))


def test_elementwise_has_no_rows_last() -> None:
    t, p = mse.draw((4, 3))
    assert_same_bits(mse.function(t, p, axis=()), (t - p) ** 2)
    assert_same_bits(mse.loss(axis=(), reduction=None)(t[0], p[0]), (t[0] - p[0]) ** 2)
    assert simdloss.mean_absolute_error(3.0, 5.0, axis=()) == 2.0
    w = np.array([1, 0, 2, 0], np.float32)
    weighted = mse.loss(axis=(), reduction=None)(t, p, w)
    assert_same_bits(weighted, ((t - p) ** 2 * w[:, None]).astype(np.float32))


@pytest.mark.parametrize("axis", [4, -5, (0, 4), (0, -5)], ids=str)
def test_axis_out_of_range(axis: Any) -> None:
    t, p = mse.draw(SHAPE)
    with pytest.raises(ValueError, match="axis"):
        mse.function(t, p, axis=axis)
    with pytest.raises(ValueError, match="axis"):
        mse.loss(axis=axis)(t, p)


@pytest.mark.parametrize("axis", [(1, 1), (0, -4)], ids=str)
def test_repeated_axis(axis: Any) -> None:
    t, p = mse.draw(SHAPE)
    with pytest.raises(ValueError, match="axis"):
        mse.function(t, p, axis=axis)


@pytest.mark.parametrize("axis", [1.5, "last", True, (0, 1.5)], ids=str)
def test_axis_of_another_type(axis: Any) -> None:
    t, p = mse.draw(SHAPE)
    with pytest.raises((TypeError, ValueError), match="axis"):
        mse.function(t, p, axis=axis)


def test_axis_as_a_list() -> None:
    t, p = mse.draw(SHAPE)
    assert_same_bits(mse.function(t, p, axis=[0, 1]), mse.function(t, p, axis=(0, 1)))


def test_a_list_of_axes_that_changes_in_place() -> None:
    t, p = mse.draw((2, 3, 4))
    axes = [0, 1]
    loss = simdloss.Dice(reduction=None, axis=axes)
    axes[0] = 2
    assert_same_bits(loss(t, p), simdloss.dice(t, p, axis=(0, 1)))
    assert loss.get_config()["axis"] == (0, 1)


@pytest.mark.parametrize("axis", [np.array([0, 1]), np.array([1]), True, np.True_, "0"], ids=repr)
def test_an_axis_that_is_none_is_named(axis: Any) -> None:
    t, p = mse.draw((3, 4))
    with pytest.raises(TypeError, match="axis must be an int, a tuple of ints or None; received"):
        mse.function(t, p, axis=axis)
    with pytest.raises(TypeError, match="axis must be one int, the axis of the classes; received"):
        simdloss.categorical_crossentropy(t, p, axis=axis)


def test_an_axis_beyond_64_bits() -> None:
    for function in (mse.function, simdloss.categorical_crossentropy):
        with pytest.raises(ValueError, match=r"axis must lie from -2\*\*63 to 2\*\*63 - 1"):
            function([[1.0]], [[1.0]], axis=2**70)


def test_an_axis_whose_index_raises() -> None:
    class Broken:
        def __index__(self) -> int:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        mse.function([[1.0]], [[1.0]], axis=Broken())


def test_advice_for_scalars() -> None:
    """Losses over classes have no axis=()."""
    with pytest.raises(ValueError, match=r"Pass arrays of rank 1 or more, or axis=\(\)\."):
        mse.function(1.0, 1.0)
    with pytest.raises(ValueError, match=r"Pass arrays of rank 1 or more\.$"):
        simdloss.categorical_crossentropy(1.0, 1.0)
