# SPDX-License-Identifier: Apache-2.0
"""Class ids as one-hot vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from simdloss import to_categorical, utils
from support.bits import assert_same_bits
from support.dtypes import FLOATS
from support.keras_calls import keras

INTEGERS = ("int8", "uint8", "int32", "int64", "uint64")


def test_it_is_in_utils_as_in_keras() -> None:
    assert utils.to_categorical is to_categorical


@given(
    ids=hnp.arrays(
        st.sampled_from([np.dtype(name) for name in INTEGERS]),
        hnp.array_shapes(min_dims=0, max_dims=3, max_side=4),
        elements=st.integers(0, 9),
    ),
    more=st.none() | st.integers(10, 12),
)
def test_as_keras(ids: Any, more: int | None) -> None:
    """Equal to Keras, which gives float64 for lists."""
    expected = np.asarray(keras.utils.to_categorical(ids.tolist(), more), np.float32)
    assert_same_bits(to_categorical(ids, more), expected)
    assert_same_bits(to_categorical(ids.tolist(), more), expected)
    assert_same_bits(to_categorical(ids.astype(np.float16), more), expected)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", np.int64, "float16", np.float64])
def test_dtypes_of_the_result(dtype: Any) -> None:
    result = to_categorical([2, 0], dtype=dtype)
    assert result.dtype == dtype
    assert result.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_bfloat16() -> None:
    bfloat16 = FLOATS["bfloat16"]
    assert to_categorical([1], dtype="bfloat16").dtype == bfloat16
    assert to_categorical(np.array([1, 0], bfloat16)).tolist() == [[0, 1], [1, 0]]


def test_bools_are_ids() -> None:
    assert to_categorical(np.array([True, False])).tolist() == [[0, 1], [1, 0]]


def test_a_byte_of_255_does_not_wrap() -> None:
    assert to_categorical(np.array([255], np.uint8)).shape == (1, 256)


def test_empty() -> None:
    assert to_categorical([], 3).shape == (0, 3)
    assert to_categorical(np.zeros((0, 1), int), 3).shape == (0, 3)
    with pytest.raises(ValueError, match="num_classes is needed"):
        to_categorical([])


@pytest.mark.parametrize(
    ("ids", "num_classes", "message"),
    [
        ([0, -1, 2, -3], 3, r"\[0, 3\) for 3 classes; the first of 2 .* is -1 at position \(1,\)"),
        ([[0, 1], [3, 2]], 3, r"the first of 1 that are not is 3 at position \(1, 0\)"),
        ([[0], [3]], 3, r"is 3 at position \(1,\)"),
        ([0.0, 1.5], None, r"is 1.5 at position \(1,\)"),
        ([np.nan, 1.0], 2, r"is nan at position \(0,\)"),
        ([np.inf, 1.0], None, r"integers from 0 on; .* is inf at position \(0,\)"),
        ([0, -1], None, r"^x must hold class ids, integers from 0 on; the first of 1 .* is -1 at"),
        (-1, None, r"integers from 0 on; .* is -1 at position \(\)"),
        (np.array([2**63], np.uint64), 5, "is 9223372036854775808 at"),
        (np.array([300], np.float16), 299, "is 300.0 at"),
    ],
)
def test_ids_that_are_no_classes(ids: Any, num_classes: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_categorical(ids, num_classes)


@pytest.mark.parametrize("value", [0, -1])
def test_too_few_classes(value: int) -> None:
    with pytest.raises(ValueError, match=f"num_classes must be at least 1; received {value}"):
        to_categorical([0], value)


@pytest.mark.parametrize("value", [2.0, "2", True, [2]])
def test_num_classes_is_an_integer(value: Any) -> None:
    with pytest.raises(TypeError, match="num_classes must be an integer"):
        to_categorical([0], value)


def test_what_holds_no_ids() -> None:
    for value in ("1", ["1"], {"a": 1}, np.array([1j])):
        with pytest.raises(TypeError, match="x "):
            to_categorical(value)
    with pytest.raises(ValueError, match="x is not a rectangular array"):
        to_categorical([[0], [1, 2]])


@pytest.mark.parametrize(
    ("ids", "num_classes", "source"),
    [
        (1e300, None, "the greatest id in x"),
        (np.array([2**63], np.uint64), None, "the greatest id in x"),
        ([1], 2**62, "num_classes"),
        ([1], 10**400, "num_classes"),
    ],
)
def test_more_classes_than_memory_holds(ids: Any, num_classes: int | None, source: str) -> None:
    with pytest.raises(ValueError, match=f"{source} is too large: no memory holds 1 one") as caught:
        to_categorical(ids, num_classes)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("dtype", ["U", "M8", "m8", object, "spam", "V4"])
def test_dtypes_that_are_no_numbers(dtype: Any) -> None:
    with pytest.raises(TypeError, match="dtype must be a dtype of numbers; received"):
        to_categorical([1], dtype=dtype)


def test_dicts_get_no_advice_about_losses() -> None:
    with pytest.raises(TypeError, match=r"x is a dict, or holds one, where an array belongs$"):
        to_categorical({"a": 1})
