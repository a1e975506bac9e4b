# SPDX-License-Identifier: Apache-2.0
"""The number of threads changes no bit of a result, and the number that was asked for runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import simdloss
from support.bits import assert_same_bits
from support.layouts import LAYOUTS
from support.variants import Variant, every_loss, mse

COUNTS = (2, 3, 7)
SHAPES = [(4000, 130), (60_001, 10), (400_003, 1), (2, 300_007), (1, 500_000), (5, 70_001)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@every_loss
def test_bits_are_those_of_one_thread(variant: Variant, shape: tuple[int, int]) -> None:
    t, p = variant.tile(shape)
    per_sample, mean = variant.loss(reduction=None), variant.loss()
    with simdloss.using_num_threads(1):
        expected = per_sample(t, p), mean(t, p), mean.partial(t, p).to_bytes()
        assert simdloss.last_num_threads() == 1
    # A row of which one element is read is not divided.
    divides = variant.case.function != "categorical_generalized_cross_entropy"
    for n in COUNTS:
        ran = n if divides else min(n, shape[0])
        with simdloss.using_num_threads(n):
            assert simdloss.get_num_threads() == n
            assert_same_bits(per_sample(t, p), expected[0], n)
            assert simdloss.last_num_threads() == ran
            assert_same_bits(mean(t, p), expected[1], n)
            assert simdloss.last_num_threads() == ran
            assert mean.partial(t, p).to_bytes() == expected[2]
            assert simdloss.last_num_threads() == ran


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float16", "float64", "int16"])
def test_threads_with_layouts(dtype: str, layout: str) -> None:
    t, p = ((100 * a).astype(dtype) for a in mse.draw((3000, 70)))
    w = np.linspace(0, 1, 3000)
    loss = mse.loss()
    with simdloss.using_num_threads(1):
        expected = loss(t, p, w)
    for n in COUNTS:
        with simdloss.using_num_threads(n):
            assert_same_bits(loss(LAYOUTS[layout](t), LAYOUTS[layout](p), w), expected)
            assert simdloss.last_num_threads() == n


def test_setting() -> None:
    default = simdloss.get_num_threads()
    assert default >= 1
    simdloss.set_num_threads(3)
    try:
        assert simdloss.get_num_threads() == 3
        with simdloss.using_num_threads(5):
            assert simdloss.get_num_threads() == 5
        assert simdloss.get_num_threads() == 3
    finally:
        simdloss.set_num_threads(None)
    assert simdloss.get_num_threads() == default


def test_small_calls_stay_on_one_thread() -> None:
    small, large = np.ones((32, 10), np.float32), np.ones((20_000, 10), np.float32)
    simdloss.set_num_threads(2)
    try:
        mse.loss()(small, small)
        assert simdloss.last_num_threads() == 1
        mse.loss()(large, large)
        assert simdloss.last_num_threads() == 2
        with simdloss.using_num_threads(2):
            mse.loss()(small, small)
            assert simdloss.last_num_threads() == 2
    finally:
        simdloss.set_num_threads(None)


@pytest.mark.parametrize("n", [0, -1])
def test_counts_below_one_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="thread"):
        simdloss.set_num_threads(n)
    with pytest.raises(ValueError, match="thread"), simdloss.using_num_threads(n):
        pass


@pytest.mark.parametrize("n", [1.5, "2"])
def test_counts_of_other_types_are_refused(n: object) -> None:
    with pytest.raises(TypeError):
        simdloss.set_num_threads(n)  # type: ignore[arg-type]


def test_many_python_threads_at_once() -> None:
    """Calls share nothing but settings."""
    t, p = mse.draw((3000, 40))
    expected = mse.loss()(t, p)

    def call(i: int) -> bool:
        with simdloss.using_num_threads(1 + i % 3):
            return bool(mse.loss()(t, p) == expected)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(200)))
