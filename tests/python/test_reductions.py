# SPDX-License-Identifier: Apache-2.0
"""Weights, masks and reductions: the arithmetic of Keras, exact and rounded once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from spec.numbers import FORMATS
from spec.semantics import Reduced
from support.bits import assert_same_bits
from support.dtypes import FLOATS
from support.variants import Variant, both_widths, every_loss, every_reduction, mse

# Two samples with the losses 1 and 4.
T, P = np.zeros((2, 1), np.float32), np.array([[1], [2]], np.float32)

TABLE = [
    # weights, mask, mean, sum, mean_with_sample_weight, none
    (None, None, 2.5, 5, 2.5, [1, 4]),
    (2.0, None, 5, 10, 5, [2, 8]),
    ([1, 3], None, 6.5, 13, 3.25, [1, 12]),
    ([[1], [3]], None, 6.5, 13, 3.25, [[1], [12]]),
    ([3], None, 7.5, 15, 5, [3, 12]),
    ([1, -1], None, -1.5, -3, 0, [1, -4]),
    (None, [1, 0], 1, 1, 1, [1, 0]),
    ([2, 3], [1, 0], 2, 2, 1, [2, 0]),
    (None, [0, 0], 0, 0, 0, [0, 0]),
    (None, [2, 0], 0.5, 2, 1, [2, 0]),
    (3.0, [1, 0], 3, 3, 1, [3, 0]),
]


@pytest.mark.parametrize(
    ("weights", "mask", "mean", "total", "weighted_mean", "none"), TABLE, ids=str
)
def test_table(
    weights: Any, mask: Any, mean: float, total: float, weighted_mean: float, none: Any
) -> None:
    expected = {
        "mean": mean,
        "sum_over_batch_size": mean,
        "sum": total,
        "mean_with_sample_weight": weighted_mean,
        "none": none,
        None: none,
    }
    for reduction, value in expected.items():
        result = mse.loss(reduction=reduction)(T, P, weights, mask=mask)
        assert_same_bits(result, np.array(value, np.float32), reduction)


@pytest.mark.parametrize(
    "weights",
    [np.ones((3, 2)), np.ones((2, 3)), np.ones(3), np.ones((2, 1, 2)), np.ones((1, 2, 1, 1))],
    ids=np.shape,
)
@every_reduction
def test_weights_that_would_enlarge_the_loss_or_do_not_fit(weights: Any, reduction: str) -> None:
    with pytest.raises(ValueError, match="sample_weight"):
        mse.loss(reduction=reduction)(T, P, weights)
    with pytest.raises(ValueError, match="mask"):
        mse.loss(reduction=reduction)(T, P, mask=weights)


# Shapes of (losses, weights, mask); the losses' shape is that of y_pred without its last axis.
SHAPES: list[tuple[tuple[int, ...], tuple[int, ...] | None, tuple[int, ...] | None]] = [
    ((9,), None, None),
    ((9,), (), None),
    ((9,), (9,), None),
    ((9,), (9, 1), None),
    ((9,), (1,), (9,)),
    ((9,), None, (9,)),
    ((9,), (), (9,)),
    ((9,), (9,), (9, 1)),
    ((9,), (9,), (9,)),
    ((6, 5), (6,), None),
    ((6, 5), (6, 1), None),
    ((6, 5), (5,), None),
    ((6, 5), (1, 5), None),
    ((6, 5), (6, 5), None),
    ((6, 5), (6,), (6, 5)),
    ((6, 5), (6, 5), (6,)),
    ((6, 5), None, (6,)),
    ((6, 5), None, (6, 5)),
    ((6, 5), (1, 5), (6, 1)),
    ((5, 5), (5,), (5,)),
    ((4, 3, 2), (4,), (4, 3, 1)),
    ((), None, None),
    ((), (), None),
    ((), (1,), None),
    ((), (), ()),
    ((1,), (1,), None),
]


@every_reduction
@pytest.mark.parametrize(("losses", "weights", "mask"), SHAPES, ids=str)
@both_widths
def test_reductions_agree_with_the_definition(
    losses: tuple[int, ...],
    weights: tuple[int, ...] | None,
    mask: tuple[int, ...] | None,
    reduction: str,
    dtype: str,
) -> None:
    t, p = mse.draw((*losses, 3), dtype)
    rng = np.random.default_rng(5)
    for kind in range(3):
        w = m = None
        if weights is not None:
            w = rng.standard_normal(weights) if kind == 0 else rng.integers(0, 3, weights)
        if mask is not None:
            m = rng.random(mask) < (0.6, 0.1, 1.0)[kind]
        loss = mse.loss(reduction=reduction, dtype=dtype)
        per_sample = mse.samples(t, p, dtype)
        expected = Reduced(per_sample, w, m, reduction).rounded(FORMATS[dtype])
        assert_same_bits(loss(t, p, w, mask=m), expected.astype(dtype), (w, m))


@every_reduction
@every_loss
def test_every_loss_reduces_alike(variant: Variant, reduction: str) -> None:
    t, p = variant.draw((50, 4))
    w = np.linspace(0, 2, 50)
    m = np.arange(50) % 3 != 0
    per_sample = variant.samples(t, p)
    for weights, mask in [(None, None), (w, None), (None, m), (w, m)]:
        for dtype in FLOATS:
            expected = Reduced(per_sample, weights, mask, reduction).rounded(FORMATS[dtype])
            if dtype == "float64":  # which computes in float64
                continue
            actual = variant.loss(reduction=reduction, dtype=dtype)(t, p, weights, mask=mask)
            assert_same_bits(actual, expected.astype(FLOATS[dtype]), dtype)


def test_skipped_samples_may_hold_anything() -> None:
    """Zero weights and false masks skip; they do not multiply."""
    t = np.zeros((5, 2), np.float32)
    p = np.array([[1, 1], [np.nan, 0], [np.inf, 0], [2, 2], [-np.inf, np.nan]], np.float32)
    keep = np.array([1, 0, 0, 1, 0])
    for weights, mask in [(keep, None), (None, keep), (keep, keep == 1), (np.ones(5), keep)]:
        for reduction, value in [("sum", 5), ("mean_with_sample_weight", 2.5)]:
            assert mse.loss(reduction=reduction)(t, p, weights, mask=mask) == value
        samples = mse.loss(reduction=None)(t, p, weights, mask=mask)
        assert_same_bits(samples, np.array([1, 0, 0, 4, 0], np.float32))
    assert mse.loss()(t, p, keep) == 1.0  # skipped, but still counted
    assert mse.loss()(t, p, mask=keep) == 2.5


def test_elements_can_be_skipped_in_elementwise_mode() -> None:
    t, p = np.zeros((2, 2), np.float32), np.array([[1, np.nan], [2, np.inf]], np.float32)
    loss = mse.loss(axis=())
    assert loss(t, p, mask=[[True, False], [True, False]]) == 2.5
    assert loss(t, p, [[1, 0], [1, 0]]) == 1.25


@pytest.mark.parametrize("weight", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_are_numbers(weight: float) -> None:
    result = mse.loss(reduction="sum")(T, P, [weight, 1])
    assert_same_bits(result, np.float32(weight))


def test_scalar_losses_are_not_divided() -> None:
    """A batch of rank 1 is one sample whose loss is returned as it is, times its weight."""
    t, p = [1.0, 2.0], [2.0, 4.0]
    for reduction in ("none", "sum", "mean", "mean_with_sample_weight"):
        loss = mse.loss(reduction=reduction)
        assert loss(t, p) == 2.5
        assert loss(t, p, 2.0) == 5.0
        assert loss(t, p, [2.0]) == 5.0


@every_reduction
def test_weights_of_the_elements_of_one_sample_are_refused(reduction: str) -> None:
    with pytest.raises(ValueError, match=r"(?s)reshape.*\(3, 1\)"):
        mse.loss(reduction=reduction)([1.0, 2, 3], [2.0, 3, 5], [1.0, 2, 3])


def test_sums_of_narrow_results_do_not_overflow() -> None:
    t, p = np.zeros((70_000, 1), np.float16), np.full((70_000, 1), 5.5, np.float16)
    assert mse.loss(dtype="float16")(t, p) == 30.25
    assert mse.loss(dtype="float16")(t, p, mask=np.ones(70_000)) == 30.25
    assert np.isinf(mse.loss(dtype="float16", reduction="sum")(t, p))
    p[:] = 0.01
    assert mse.loss(dtype="float16")(t, p) == np.float16(np.float32(np.float16(0.01)) ** 2)
