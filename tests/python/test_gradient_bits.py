# SPDX-License-Identifier: Apache-2.0
"""Gradients and Hessians have the same bits on every instruction set, for any number of threads,
layout and split."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import simdloss
from support.bits import assert_same_bits
from support.dtypes import FLOATS
from support.gradients import call, gradient, has_hessian
from support.layouts import LAYOUTS
from support.splits import split
from support.variants import IDENTICAL_ISAS, Variant, every_loss, every_variant

LENGTHS = (1, 2, 3, 7, 8, 10, 16, 17, 31, 33, 64, 100, 300, 1000)
THREADS = (1, 2, 3, 7)
SHAPES = ((4000, 130), (60_001, 10), (400_003, 1), (2, 300_007))
vector_isas = pytest.mark.parametrize("isa", [i for i in IDENTICAL_ISAS if i != "scalar"])


def derivatives(
    variant: Variant, t: Any, p: Any, weights: Any = None, curved: bool = True, **options: Any
) -> Iterator[Any]:
    """Of the gradient alone, of both together, and of the upper bound of the Hessian."""
    yield from call("value_and_grad", variant, t, p, weights, options)
    if curved:
        for hessian in ("diagonal", "upper_bound"):
            yield from call("value_grad_hess", variant, t, p, weights, options, hessian=hessian)


def of_all_lengths(variant: Variant, dtype: str, regime: str) -> list[Any]:
    found: list[Any] = []
    curved = has_hessian(variant)
    for n in LENGTHS:
        rows = max(3, 70 // n)
        t, p = variant.draw((rows, n), dtype, regime)
        found += derivatives(variant, t, p, curved=curved)
        t, p = variant.draw((n, rows), dtype, regime, axis=0)
        found += derivatives(variant, t, p, curved=curved, axis=0)
    return found


@vector_isas
@pytest.mark.parametrize("dtype", FLOATS)
@every_variant
def test_bits_are_those_of_the_scalar_reference(variant: Variant, dtype: str, isa: str) -> None:
    for regime in variant.case.regimes:
        with simdloss.using_isa("scalar"):
            assert simdloss.active_isa() == "scalar"
            expected = of_all_lengths(variant, dtype, regime)
        with simdloss.using_isa(isa):
            assert simdloss.active_isa() == isa
            actual = of_all_lengths(variant, dtype, regime)
        for x, y in zip(actual, expected, strict=True):
            assert_same_bits(x, y, (regime, x.shape))


READS_ONE_ELEMENT = "categorical_generalized_cross_entropy"


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@every_loss
def test_bits_are_those_of_one_thread(variant: Variant, shape: tuple[int, int]) -> None:
    t, p = variant.tile(shape)
    weights = np.resize([1.0, 0.0, 0.3, 2.0, 0.7], len(p))
    curved = has_hessian(variant)
    with simdloss.using_num_threads(1):
        expected = list(derivatives(variant, t, p, weights, curved))
        assert simdloss.last_num_threads() == 1
    for n in THREADS[1:]:
        with simdloss.using_num_threads(n):
            actual = derivatives(variant, t, p, weights, curved)
            for x, y in zip(actual, expected, strict=True):
                # Two rows of which one element is read are no work that threads share.
                if variant.case.name != READS_ONE_ELEMENT or shape[0] > max(THREADS):
                    assert simdloss.last_num_threads() == n
                assert_same_bits(x, y, n)


@pytest.mark.parametrize("dtype", FLOATS)
@every_loss
def test_instruction_sets_threads_layouts_and_splits(variant: Variant, dtype: str) -> None:
    n = 600
    t, p = variant.tile((n, 65), dtype)
    weights = np.resize([1.0, 0.0, 0.3, 2.0, 0.7], n)
    options: dict[str, Any] = {"scale": 1 / n}
    if variant.case.converts_binary_labels:
        options["labels"] = "signed"
    with simdloss.using_isa("scalar"), simdloss.using_num_threads(1):
        expected = gradient(variant, t, p, weights, **options)
    for isa, threads in itertools.product(IDENTICAL_ISAS, THREADS):
        with simdloss.using_isa(isa), simdloss.using_num_threads(threads):
            assert simdloss.active_isa() == isa
            for layout, pieces in itertools.product(LAYOUTS, (1, 5)):
                if (dtype, layout) == ("bfloat16", "byte_swapped"):
                    continue  # NumPy forgets that it is bfloat16
                change = LAYOUTS[layout]
                rng = variant.rng(dtype, layout, pieces)
                found = np.full(p.shape, np.nan, p.dtype)
                for s in [slice(None)] if pieces == 1 else split(rng, n, pieces):
                    found[s] = gradient(variant, change(t[s]), change(p[s]), weights[s], **options)
                    if pieces == 1:
                        assert simdloss.last_num_threads() == threads
                assert_same_bits(found, expected, (isa, threads, layout, pieces))
