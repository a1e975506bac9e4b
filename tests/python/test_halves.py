# SPDX-License-Identifier: Apache-2.0
"""float16 and bfloat16 give the bits of the same numbers in float32, however they are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import simdloss
from support.bits import assert_same_bits
from support.dtypes import FLOATS
from support.layouts import LAYOUTS
from support.variants import BY_NAME, ISAS, Variant, like_shaped_losses, mse

every_half = pytest.mark.parametrize("half", ["float16", "bfloat16"])
some_losses = pytest.mark.parametrize(
    "variant", [mse, BY_NAME["mean_absolute_error"], BY_NAME["huber"], BY_NAME["poisson"]], ids=str
)

# Around the lanes of a row, vectors, and what fits a tile.
WIDTHS = [1, 2, 9, 15, 17, 31, 32, 33, 48, 63, 64, 65, 97, 128, 511, 1025, 2048, 2049, 4100]


def check(variant: Variant, t: Any, p: Any, what: object) -> None:
    expected = variant.samples(t.astype(np.float32), p.astype(np.float32))
    assert_same_bits(variant.samples(t, p), expected, what)


@every_half
@pytest.mark.parametrize("isa", ISAS)
@like_shaped_losses
def test_rows_of_every_width(variant: Variant, isa: str, half: str) -> None:
    with simdloss.using_isa(isa):
        for n in WIDTHS:
            for rows in (1, max(2, 5000 // n)):
                check(variant, *variant.tile((rows, n), half), (rows, n))


@every_half
@pytest.mark.parametrize("width", [10, 31, 32, 77, 256])
@some_losses
def test_rows_that_are_not_adjacent(variant: Variant, width: int, half: str) -> None:
    t, p = variant.tile((40, width + 3), half)
    dense = (t[:, :width].copy(), p[:, :width].copy())
    check(variant, t[:, :width], p[:, :width], "longer rows")
    check(variant, t[:, 3:], dense[1], "one of both")
    check(variant, dense[0], p[:, 3:], "one of both")
    check(variant, t[::2, 1 : width + 1], p[::-2, 2 : width + 2], "every second row")
    check(variant, np.broadcast_to(t[:1, :width], dense[0].shape), dense[1], "the same row")
    blocks = t.reshape(5, 2, 4, -1)[:, 1, :, :width], p.reshape(5, 2, 4, -1)[:, 0, :, :width]
    check(variant, *blocks, "rows in blocks")


@every_half
@pytest.mark.parametrize("width", [3, 10, 40])
@some_losses
def test_rows_in_pieces(variant: Variant, width: int, half: str) -> None:
    """Pieces of adjacent rows are adjacent; the rows are not."""
    t, p = (a.reshape(4, 50, width) for a in variant.tile((200, width), half))
    whole = [np.moveaxis(a, 1, 0).reshape(50, -1).astype(np.float32) for a in (t, p)]
    expected = variant.function(*whole).astype(FLOATS[half])
    assert_same_bits(variant.function(t, p, axis=(0, 2)), expected)


@every_half
@pytest.mark.parametrize("layout", LAYOUTS)
@some_losses
def test_layouts(variant: Variant, layout: str, half: str) -> None:
    if (half, layout) == ("bfloat16", "byte_swapped"):
        pytest.skip("NumPy forgets that it is bfloat16")
    for n in (20, 130):
        t, p = variant.tile((50, n), half)
        expected = variant.samples(t.astype(np.float32), p.astype(np.float32))
        change = LAYOUTS[layout]
        assert_same_bits(variant.samples(change(t), change(p)), expected, n)
        assert_same_bits(variant.samples(change(t), p), expected, n)
        assert_same_bits(variant.samples(t, change(p)), expected, n)


@some_losses
def test_operands_of_different_types(variant: Variant) -> None:
    t, p = variant.tile((30, 100), "bfloat16")
    for other in ("float16", "float32"):
        assert_same_bits(variant.samples(t.astype(FLOATS[other]), p), variant.samples(t, p))
    check(variant, *variant.cast(t, p.astype(FLOATS["float16"]), "float16"), "float16")


@every_half
@some_losses
def test_rows_with_infinities_and_nan(variant: Variant, half: str) -> None:
    t, p = variant.tile((60, 100), half)
    values: npt.NDArray[np.float32] = np.array([np.inf, -np.inf, np.nan, 0, -0.0], np.float32)
    for i in range(30):
        t[2 * i, 7 * i % 100] = values[i % 5]
        p[2 * i, 11 * i % 100] = values[i // 5 % 5]
    check(variant, t, p, "special values")
    small = np.arange(6000, dtype=np.uint16).view(FLOATS[half]).reshape(60, 100)
    check(variant, small, small[::-1].copy(), "subnormals")


@every_half
@pytest.mark.parametrize("shape", [(5000, 130), (60_001, 10), (9, 65536), (3, 200_003)], ids=str)
def test_weights_masks_and_threads(shape: tuple[int, int], half: str) -> None:
    rng = np.random.default_rng(8)
    weights, mask = rng.random(shape[0]), rng.random(shape[0]) < 0.7
    for variant in (mse, BY_NAME["huber"]):
        t, p = variant.tile(shape, half)
        wide = t.astype(np.float32), p.astype(np.float32)
        for reduction in (None, "mean", "mean_with_sample_weight"):
            loss = variant.loss(reduction=reduction)
            for given in ({}, {"sample_weight": weights}, {"mask": mask}):
                with simdloss.using_num_threads(1):
                    expected = loss(*wide, **given)
                for threads in (1, 2, 3):
                    with simdloss.using_num_threads(threads):
                        assert_same_bits(loss(t, p, **given), expected, (reduction, threads))


@every_half
def test_losses_that_come_with_gradients(half: str) -> None:
    for n in (10, 130, 70_000):
        t, p = mse.tile((3, n), half)
        wide = mse.loss().value_and_grad(t.astype(np.float32), p.astype(np.float32))
        narrow = mse.loss().value_and_grad(t, p)
        assert_same_bits(narrow[0], wide[0], n)
        assert_same_bits(narrow[1], wide[1].astype(FLOATS[half]), n)
