# SPDX-License-Identifier: Apache-2.0
"""What has to work on every CPU, emulated ones too: the import, each loss, its gradient, its bits.

These and the golden files, test_golden.py, need only NumPy, ml_dtypes, mpmath and hypothesis.
SIMDLOSS_EXPECTED_ISA names the instruction set that has to run: the best one, unless SIMDLOSS_ISA
chooses another.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import simdloss
from spec import CASES
from support.bits import same_bits
from support.dtypes import FLOATS, every_float
from support.special_losses import embeddings_of, sequences_of
from support.variants import Variant

EXPECTED = os.environ.get("SIMDLOSS_EXPECTED_ISA")
SETS = [isa for isa in simdloss.available_isas() if isa != "baseline"]  # which has other bits
RNG = np.random.default_rng(0)


def batches(dtype: str) -> dict[str, tuple[Any, Any, Any]]:
    """By the name of the loss: an instance, labels, predictions."""
    found = {}
    for case in CASES:
        variant = Variant(case, {})
        t, p = variant.draw((6, 11), dtype)
        found[case.name] = variant.loss(dtype=dtype, reduction="sum"), t, p
    rows = embeddings_of(6, 5, RNG).astype(FLOATS[dtype])
    circle = simdloss.losses.Circle(gamma=4.0, dtype=dtype, reduction="sum")
    found["circle"] = circle, RNG.integers(0, 3, 6), rows
    labels, logits = sequences_of((3, 9, 4), 3, RNG)
    ctc = simdloss.losses.CTC(dtype=dtype, reduction="sum")
    found["ctc"] = ctc, labels, logits.astype(FLOATS[dtype])
    return found


@pytest.mark.skipif(EXPECTED is None, reason="SIMDLOSS_EXPECTED_ISA is not set")
def test_the_expected_instruction_set_was_chosen() -> None:
    assert simdloss.active_isa() == EXPECTED
    if not os.environ.get("SIMDLOSS_ISA"):
        assert simdloss.available_isas()[0] == EXPECTED


@every_float
def test_every_loss_and_its_gradient(dtype: str) -> None:
    asked = batches(dtype)
    assert {*asked} >= {"mean_squared_error", "circle", "ctc"}
    for name, (loss, t, p) in asked.items():
        value, gradient = loss.value_and_grad(t, p)
        assert same_bits(value, loss(t, p)), name
        assert value.dtype == gradient.dtype == FLOATS[dtype], name
        assert np.isfinite(float(value)), name
        assert np.isfinite(gradient.astype(np.float64)).all(), name
        assert gradient.astype(np.float64).any(), name
        for isa in SETS if simdloss.active_isa() in SETS else []:
            with simdloss.using_isa(isa):
                assert same_bits(loss.value_and_grad(t, p)[1], gradient), (name, isa)
