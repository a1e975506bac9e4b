# SPDX-License-Identifier: Apache-2.0
"""Formulas that take a shorter way where all lanes of a vector are ordinary give the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import simdloss
from simdloss import losses
from support.bits import assert_same_bits
from support.variants import ISAS

N = 4096
APART = 4  # one unusual element in every vector


def elements(name: str, t: Any, p: Any, **options: Any) -> Any:
    return getattr(simdloss, name)(t, p, axis=(), **options)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("name", "from_logits"),
    [
        ("binary_crossentropy", False),
        ("binary_focal_crossentropy", False),
        ("binary_focal_crossentropy", True),
    ],
)
def test_labels_of_0_and_1_among_others(name: str, from_logits: bool, isa: str) -> None:
    rng = np.random.default_rng(1)
    t = rng.integers(0, 2, N).astype(np.float32)
    p = rng.uniform(-9, 9, N) if from_logits else rng.choice([rng.random(N), np.zeros(N)], axis=0)
    p = p.astype(np.float32)
    p[7::50] = [1, np.nan, 1e-30, 1 - 2**-24] * 20 + [0.5] * (len(p[7::50]) - 80)
    mixed = t.copy()
    mixed[::APART] = 0.25
    same = mixed == t
    with simdloss.using_isa(isa):
        hard = elements(name, t, p, from_logits=from_logits)
        others = elements(name, mixed, p, from_logits=from_logits)
    assert same.mean() == 1 - 1 / APART
    assert_same_bits(hard[same], others[same], isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unusual", [np.inf, np.nan, -1.0, 0.0, "subnormal"])
def test_logarithms_of_numbers_among_others(unusual: Any, dtype: Any, isa: str) -> None:
    rng = np.random.default_rng(2)
    t = rng.integers(0, 9, N).astype(dtype)
    p = np.exp(rng.uniform(-40, 40, N)).astype(dtype)
    mixed = p.copy()
    mixed[::APART] = np.finfo(dtype).tiny / 8 if unusual == "subnormal" else unusual
    same = mixed == p
    with simdloss.using_isa(isa), simdloss.using_epsilon(0.0):
        usual = elements("poisson", t, p)
        others = elements("poisson", t, mixed)
    assert_same_bits(usual[same], others[same], isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [40, 200, 1500])
@pytest.mark.parametrize(
    ("name", "from_logits"),
    [
        ("CategoricalCrossentropy", False),
        ("CategoricalFocalCrossentropy", False),
        ("CategoricalFocalCrossentropy", True),
    ],
)
def test_one_hot_labels(name: str, from_logits: bool, n_classes: int, dtype: Any, isa: str) -> None:
    """Beside labels that have the smallest number in place of every other 0."""
    rng = np.random.default_rng(3)
    n_rows = 12
    scores = rng.uniform(-9, 9, (n_rows, n_classes))
    p = (scores if from_logits else np.exp(scores)).astype(dtype)
    t = np.zeros((n_rows, n_classes), dtype)
    t[np.arange(n_rows), rng.integers(0, n_classes, n_rows)] = 1
    p[0, -1] = np.nan
    t[1] = 0
    if not from_logits:
        t[2:5] = 0
        p[2, 0], p[3, 0], p[4] = np.nan, np.inf, 0
    others = t.copy()
    others[:, ::2] = np.maximum(others[:, ::2], np.finfo(dtype).smallest_subnormal)
    others[1] = 0  # nothing would hide it there
    class_weight = rng.choice([0.0, 1.0, 2.5], n_classes).astype(dtype)
    for weights in (None, class_weight):
        loss = getattr(losses, name)(from_logits, reduction=None, class_weight=weights)
        with simdloss.using_isa(isa):
            value, gradient = loss.value_and_grad(t, p)
            forward = loss(t, p)
            slow, slow_gradient = loss.value_and_grad(others, p)
        seen = value != 0  # of class weight 0 the smallest label is all there is
        assert_same_bits(value[seen], slow[seen], isa)
        assert_same_bits(forward, value, isa)
        np.testing.assert_allclose(
            gradient[5:], slow_gradient[5:], rtol=0, atol=float(np.finfo(dtype).tiny)
        )
        assert np.isnan(value[2:5]).all() or from_logits
        assert value[1] == 0
        assert np.isfinite(value[5:]).all()
