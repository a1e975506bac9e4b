# SPDX-License-Identifier: Apache-2.0
"""Hinge labels: {0, 1} stand for {-1, 1} if all of y_true is 0 or 1, or the caller says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spec.numbers import FLOAT32
from spec.semantics import Reduced, signed
from support.bits import assert_same_bits
from support.variants import BY_NAME, Variant

hinges = pytest.mark.parametrize(
    "variant", [v for v in BY_NAME.values() if v.case.converts_binary_labels], ids=str
)


def batch(kind: str) -> Any:
    t = np.random.default_rng(4).integers(0, 2, (40, 37)).astype(np.float32)
    if kind == "signed":
        t = 2 * t - 1
    elif kind == "ones":
        t[:] = 1
    elif kind == "zeros":
        t[:] = 0
    elif kind == "last is -1":
        t[-1, -1] = -1
    elif kind == "first is 0.5":
        t[0, 0] = 0.5
    elif kind == "one nan":
        t[20, 5] = np.nan
    return t


KINDS = ["binary", "signed", "ones", "zeros", "last is -1", "first is 0.5", "one nan"]


@pytest.mark.parametrize("kind", KINDS)
@hinges
def test_the_whole_batch_decides(variant: Variant, kind: str) -> None:
    t, p = batch(kind), variant.draw((40, 37))[1]
    converted = signed(t)
    assert_same_bits(variant.function(t, p), variant.function(converted, p, labels="signed"))
    for reduction in (None, "sum", "mean"):
        loss = variant.loss(reduction=reduction)
        said = variant.loss(reduction=reduction, labels="signed")
        assert_same_bits(loss(t, p), said(converted, p), reduction)


def laid_out(array: Any, layout: str) -> Any:
    cols = array.shape[1]
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "every other column":
        return np.repeat(array, 2, axis=1)[:, ::2]
    if layout == "padded rows":
        return np.pad(array, ((0, 0), (0, 3)), constant_values=7)[:, :cols]
    return array


# Up to 65536 elements are looked at before anything is computed.
@pytest.mark.parametrize("layout", ["C", "F", "every other column", "padded rows"])
@pytest.mark.parametrize("shape", [(3, 5), (100, 1), (33, 37), (5000, 14), (1, 70000)], ids=str)
@hinges
def test_one_other_label_anywhere(variant: Variant, shape: tuple[int, int], layout: str) -> None:
    rng = np.random.default_rng(5)
    p = variant.draw(shape)[1]
    t = rng.integers(0, 2, shape).astype(np.float32)
    loss, said = variant.loss(), variant.loss(labels="signed")
    assert_same_bits(loss(laid_out(t, layout), p), said(2 * t - 1, p))
    for position in {0, 1, t.size // 2, t.size - 2, t.size - 1, int(rng.integers(t.size))}:
        other = t.copy()
        other.flat[position] = rng.choice([-1, 0.5, 1 + 2.0**-23, np.inf])
        assert_same_bits(loss(laid_out(other, layout), p), said(other, p), str(position))


@hinges
def test_labels_can_be_said(variant: Variant) -> None:
    t, p = batch("binary"), variant.draw((40, 37))[1]
    assert_same_bits(variant.function(t, p, labels="binary"), variant.function(2 * t - 1, p))
    as_given = variant.function(t, p, labels="signed")
    mixed = np.vstack([t, -np.ones((1, 37), np.float32)])
    pp = np.vstack([p, p[:1]])
    assert_same_bits(as_given, variant.function(mixed, pp)[:-1])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float64"])
@hinges
def test_labels_of_any_dtype(variant: Variant, dtype: str) -> None:
    t, p = batch("binary"), variant.draw((40, 37))[1]
    assert_same_bits(variant.function(t.astype(dtype), p), variant.function(t, p))
    assert_same_bits(variant.loss()(t.astype(dtype), p), variant.loss()(t, p))


@hinges
def test_skipped_samples_still_decide(variant: Variant) -> None:
    """Keras looks at all of y_true, weights or not."""
    t, p = batch("last is -1"), variant.draw((40, 37))[1]
    w = np.ones(40)
    w[-1] = 0
    unweighted = variant.samples(t, p)
    weighted = variant.loss(reduction=None)(t, p, w)
    assert_same_bits(weighted[:-1], unweighted[:-1])
    expected = Reduced(unweighted, w, None, "sum").rounded(FLOAT32)
    assert variant.loss(reduction="sum")(t, p, w) == expected


@hinges
def test_repeated_labels_are_read_once(variant: Variant) -> None:
    t = np.broadcast_to(np.array([0, 1], np.float32), (50, 2))
    p = variant.draw((50, 2))[1]
    assert_same_bits(variant.function(t, p), variant.function(2 * t - 1, p))
