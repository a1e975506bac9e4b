# SPDX-License-Identifier: Apache-2.0
"""Every instruction set gives the same bits, and the one that was asked for runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import simdloss
from support.bits import assert_same_bits
from support.dtypes import FLOATS
from support.variants import IDENTICAL_ISAS, ISAS, Variant, every_variant, mse

LENGTHS = [1, 2, 3, 4, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 64, 100, 129, 300, 1000]
vector_isas = pytest.mark.parametrize("isa", [i for i in IDENTICAL_ISAS if i != "scalar"])


def results(variant: Variant, dtype: str, regime: str) -> list[Any]:
    found = []
    for n in LENGTHS:
        rows = max(3, 70 // n)
        t, p = variant.draw((rows, n), dtype, regime)
        found.append(variant.function(t, p))
        found.append(variant.loss(dtype=dtype)(t, p))
        t, p = variant.draw((n, rows), dtype, regime, axis=0)
        found.append(variant.function(t, p, axis=0))
    return found


@vector_isas
@pytest.mark.parametrize("dtype", FLOATS)
@every_variant
def test_bits_are_those_of_the_scalar_reference(variant: Variant, dtype: str, isa: str) -> None:
    for regime in variant.case.regimes:
        with simdloss.using_isa("scalar"):
            assert simdloss.active_isa() == "scalar"
            expected = results(variant, dtype, regime)
        with simdloss.using_isa(isa):
            assert simdloss.active_isa() == isa
            actual = results(variant, dtype, regime)
        for x, y in zip(actual, expected, strict=True):
            assert_same_bits(x, y, (regime, x.shape))


@vector_isas
@every_variant
def test_wild_float64_inputs(variant: Variant, isa: str) -> None:
    t, p = variant.draw((200, 5), "float64", "wide")
    with simdloss.using_isa("scalar"):
        expected = variant.function(t, p)
    with simdloss.using_isa(isa):
        assert_same_bits(variant.function(t, p), expected)


def test_forcing() -> None:
    assert "scalar" in ISAS
    default = simdloss.active_isa()
    assert default in ISAS
    for isa in ISAS:
        simdloss.force_isa(isa)
        try:
            assert simdloss.active_isa() == isa
            assert mse.function([1.0, 2.0], [1.0, 4.0]) == 2.0
            with simdloss.using_isa("scalar"):
                assert simdloss.active_isa() == "scalar"
            assert simdloss.active_isa() == isa
        finally:
            simdloss.force_isa(None)
    assert simdloss.active_isa() == default


def test_context_manager_leaves_on_an_error() -> None:
    default = simdloss.active_isa()
    with pytest.raises(ZeroDivisionError), simdloss.using_isa("scalar"):
        raise ZeroDivisionError
    assert simdloss.active_isa() == default


@pytest.mark.parametrize("name", ["sse9", "AVX2", "neon" if "neon" not in ISAS else "avx2"])
def test_unavailable_isa(name: str) -> None:
    with pytest.raises(ValueError, match=r"(?s)isa|ISA"):
        simdloss.force_isa(name)
    with pytest.raises(TypeError):
        simdloss.force_isa(np.float32(1))
