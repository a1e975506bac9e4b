# SPDX-License-Identifier: Apache-2.0
"""A mean over samples is the exact mean of the per-sample losses, rounded once."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import simdloss
from spec.numbers import FORMATS
from spec.semantics import Reduced
from support.bits import assert_same_bits
from support.variants import Variant, both_widths, every_variant, mae


def off_by(result: Any, exact: Any, dtype: str) -> float:
    """Distance to the exact value in units in the last place."""
    return float(abs(Fraction(float(result)) - exact) / FORMATS[dtype].ulp(exact))


@pytest.mark.parametrize("regime", ["core", "points"])
@both_widths
@every_variant
def test_mean_of_our_own_samples(variant: Variant, dtype: str, regime: str) -> None:
    t, p = variant.draw((3000, 4), dtype, regime)
    samples = variant.samples(t, p, dtype)
    finite = np.isfinite(samples)
    samples, t, p = samples[finite], t[finite], p[finite]
    exact = Reduced(samples).exact().item()
    mean = variant.loss(dtype=dtype)(t, p)
    assert off_by(mean, exact, dtype) <= 0.51
    assert_same_bits(mean, np.array(FORMATS[dtype].round(exact), dtype))


def spread(n: int, dtype: str, seed: int) -> Any:
    """Losses of very different sizes, so that any order of rounding additions would show."""
    rng = np.random.default_rng(seed)
    limit = 120 if dtype == "float32" else 1000
    return np.exp2(rng.uniform(-limit, limit, n)).astype(dtype)


@pytest.mark.parametrize("reduction", ["sum", "mean", "mean_with_sample_weight"])
@pytest.mark.parametrize("n", [1, 2, 3, 17, 1000, 20_000])
@both_widths
def test_sums_over_the_whole_range_of_magnitudes(dtype: str, n: int, reduction: str) -> None:
    losses = spread(n, dtype, n)
    w = np.random.default_rng(n).standard_normal(n)
    zeros = np.zeros((n, 1), dtype)
    loss = mae.loss(dtype=dtype, reduction=reduction)
    for weights in (None, w):
        expected = Reduced(losses, weights, None, reduction).rounded(FORMATS[dtype])
        assert_same_bits(loss(zeros, losses[:, None], weights), expected.astype(dtype))


@both_widths
def test_cancelling_sums_are_exact(dtype: str) -> None:
    """Weights of both signs: everything cancels but the smallest sample."""
    losses = spread(2001, dtype, 9)
    losses[2000] = np.finfo(dtype).smallest_subnormal
    w = np.repeat([1.0, -1.0], 1000)
    losses[1000:2000] = losses[:1000]
    order = np.random.default_rng(2).permutation(2001)
    weights = np.append(w, 1.0)[order]
    total = mae.loss(dtype=dtype, reduction="sum")(
        np.zeros((2001, 1), dtype), losses[order, None], weights
    )
    assert total == np.finfo(dtype).smallest_subnormal


@both_widths
def test_a_mean_just_off_a_tie_is_rounded_to_the_right_side(dtype: str) -> None:
    """1 + u exactly is a tie and goes to 1; a subnormal more must not."""
    u = np.finfo(dtype).eps / 2
    tiny = float(np.finfo(dtype).smallest_subnormal)
    loss = simdloss.MeanAbsoluteError(dtype=dtype, reduction="sum")
    for extra, expected in [(0.0, 1.0), (tiny, 1.0 + 2 * u), (-tiny, 1.0)]:
        p = np.array([[1.0], [u], [1.0]], dtype)
        t = np.zeros((3, 1), dtype)
        assert loss(t, p, [1.0, 1.0, extra]) == np.array(expected, dtype)


def test_the_mean_of_many_equal_samples_is_that_sample() -> None:
    for value in (0.1, 1 / 3, 1e-30, 7e30):
        p = np.full((100_003, 1), value, np.float32)
        assert mae.loss()(np.zeros_like(p), p) == np.float32(value)
