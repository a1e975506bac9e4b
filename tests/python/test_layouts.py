# SPDX-License-Identifier: Apache-2.0
"""Memory layout changes no bit of a result."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from support.bits import assert_same_bits
from support.dtypes import DTYPES
from support.layouts import LAYOUTS, Array
from support.variants import Variant, every_loss, mse

SHAPE = (7, 3, 37)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@every_loss
def test_every_pair_of_layouts(variant: Variant, dtype: str) -> None:
    t, p = variant.draw(SHAPE, dtype)
    expected = variant.function(t, p)
    losses = variant.loss(dtype=dtype)
    mean = losses(t, p)
    for (x, of_t), (y, of_p) in itertools.product(LAYOUTS.items(), LAYOUTS.items()):
        tt, pp = of_t(t), of_p(p)
        assert_same_bits(variant.function(tt, pp), expected, (x, y))
        assert_same_bits(losses(tt, pp), mean, (x, y))
        assert np.array_equal(tt, t), "y_true was written to"
        assert np.array_equal(pp, p), "y_pred was written to"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_in_every_layout(dtype: str, layout: str) -> None:
    rng = np.random.default_rng(11)
    t = rng.integers(0, 2 if dtype == "bool" else 100, SHAPE).astype(DTYPES[dtype])
    p = t[::-1].copy()
    expected = mse.function(t, p)
    assert_same_bits(mse.function(LAYOUTS[layout](t), LAYOUTS[layout](p)), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_and_masks_in_every_layout(layout: str) -> None:
    t, p = mse.draw((6, 5, 4))
    rng = np.random.default_rng(5)
    w, m = rng.random((6, 5)), rng.random((6, 5)) < 0.7
    change = LAYOUTS[layout]
    for reduction in ("none", "mean", "mean_with_sample_weight"):
        loss = mse.loss(reduction=reduction)
        expected = loss(t, p, w, mask=m)
        assert_same_bits(loss(t, p, change(w), mask=change(m)), expected)


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8"])
@every_loss
def test_zero_strides(variant: Variant, dtype: str, axes: tuple[int, ...]) -> None:
    def repeated(a: Array) -> Array:
        index = tuple(slice(0, 1) if i in axes else slice(None) for i in range(a.ndim))
        return np.broadcast_to(a[index], a.shape)

    t, p = variant.draw(SHAPE)
    if dtype == "int8":
        t, p = (np.abs(np.rint(a)).astype(a.dtype) for a in (t, p))
    t, p = map(repeated, variant.cast(t, p, dtype))
    assert_same_bits(variant.function(t, p), variant.function(t.copy(), p.copy()))
    full = variant.draw(SHAPE, dtype, salt=1)[1]
    assert_same_bits(variant.function(t, full), variant.function(t.copy(), full))


def test_overlapping_windows() -> None:
    """Every element of the memory is read more than once."""
    base = np.arange(100, dtype=np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(base, 40)
    zeros = np.zeros(windows.shape, np.float32)
    assert_same_bits(mse.function(zeros, windows), mse.function(zeros, windows.copy()))
