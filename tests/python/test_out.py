# SPDX-License-Identifier: Apache-2.0
"""`out=`: results written to an array of the caller's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from support.bits import assert_same_bits
from support.dtypes import DTYPES, FLOATS, every_float
from support.layouts import fortran, misaligned, odd_strides, offset, reversed_, strided
from support.variants import Variant, every_loss, mse

WRITABLE = [np.ascontiguousarray, fortran, strided, reversed_, offset, odd_strides, misaligned]


@every_loss
def test_out_is_filled_and_returned(variant: Variant) -> None:
    t, p = variant.draw((6, 5, 4))
    expected = variant.function(t, p)
    out = np.full((6, 5), np.nan, np.float32)
    assert variant.function(t, p, out=out) is out
    assert_same_bits(out, expected)
    out[...] = np.nan
    assert variant.loss(reduction=None)(t, p, out=out) is out
    assert_same_bits(out, expected)


@pytest.mark.parametrize("layout", WRITABLE, ids=lambda f: f.__name__)
@every_float
def test_out_of_any_layout(dtype: str, layout: Any) -> None:
    t, p = (a.astype(FLOATS[dtype]) for a in mse.draw((6, 5, 4)))
    expected = mse.function(t, p)
    out = layout(np.zeros((6, 5), FLOATS[dtype]))
    assert mse.function(t, p, out=out) is out
    assert_same_bits(np.array(out), expected)


def test_out_of_scalar_results() -> None:
    out = np.zeros((), np.float32)
    assert mse.function([1.0, 2.0], [1.0, 4.0], out=out) is out
    assert out == 2.0


def test_weights_apply_before_out() -> None:
    out = np.zeros(2, np.float32)
    mse.loss(reduction=None)([[1.0], [2.0]], [[2.0], [4.0]], [3, 1], out=out)
    assert out.tolist() == [3.0, 4.0]


@pytest.mark.parametrize(
    "out",
    [np.zeros(3, np.float32), np.zeros((2, 1), np.float32), np.zeros((), np.float32)],
    ids=np.shape,
)
def test_out_of_another_shape(out: Any) -> None:
    with pytest.raises(ValueError, match=r"(?s)out.*\(2,\)"):
        mse.function([[1.0], [2.0]], [[2.0], [4.0]], out=out)


@every_float
def test_out_decides_the_result_dtype(dtype: str) -> None:
    """There is one conversion from the computation type, to the type of `out`."""
    t, p = mse.draw((40, 5))
    expected = mse.samples(t, p).astype(FLOATS[dtype])
    assert_same_bits(mse.function(t, p, out=np.zeros(40, FLOATS[dtype])), expected)
    loss = mse.loss(dtype="float16", reduction=None)
    assert_same_bits(loss(t, p, out=np.zeros(40, FLOATS[dtype])), expected)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in FLOATS])
def test_out_of_integers(dtype: str) -> None:
    p = np.zeros((2, 1), np.float32)
    with pytest.raises((TypeError, ValueError), match="out"):
        mse.function(p, p, out=np.zeros(2, DTYPES[dtype]))


def test_out_that_cannot_be_written() -> None:
    p = np.zeros((2, 1), np.float32)
    out = np.zeros(2, np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match=r"(?s)out.*(read-only|writ)"):
        mse.function(p, p, out=out)


@pytest.mark.parametrize("out", [[0.0, 0.0], (0.0, 0.0), 1.0, "out"], ids=repr)
def test_out_that_is_no_array(out: Any) -> None:
    p = np.zeros((2, 1), np.float32)
    with pytest.raises(TypeError, match="out"):
        mse.function(p, p, out=out)


@pytest.mark.parametrize("reduction", ["sum", "mean", "mean_with_sample_weight"])
def test_out_of_reduced_losses(reduction: str) -> None:
    out = np.zeros((), np.float32)
    assert mse.loss(reduction=reduction)([[1.0]], [[3.0]], out=out) is out
    assert out == 4.0


def test_out_may_be_an_input() -> None:
    """In elementwise mode the result can replace the predictions."""
    t, p = mse.draw((50, 41))
    expected = mse.function(t, p, axis=())
    assert mse.function(t, p, axis=(), out=p) is p
    assert_same_bits(p, expected)


def test_out_that_overlaps_an_input_elsewhere() -> None:
    """A result that lies over inputs not yet read must not change what is read."""
    t, p = mse.draw((50, 41))
    expected = mse.function(t, p)
    memory = p.copy()
    out = memory.ravel()[1:51]
    mse.function(t, memory, out=out)
    assert_same_bits(out.copy(), expected)


def test_errors_leave_out_untouched() -> None:
    out = np.full(2, 7.0, np.float32)
    with pytest.raises(ValueError, match="shape"):
        mse.function([[1.0], [2.0]], [[2.0, 3.0], [4.0, 5.0]], out=out)
    assert out.tolist() == [7.0, 7.0]
