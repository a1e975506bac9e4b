# SPDX-License-Identifier: Apache-2.0
"""Formulas that take a shorter way where all lanes of a vector are ordinary give the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import simdloss
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
