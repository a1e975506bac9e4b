# SPDX-License-Identifier: Apache-2.0
"""Circle and CTC on every instruction set, number of threads, layout and kind of output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import simdloss
from support.bits import assert_same_bits
from support.dtypes import FLOATS
from support.variants import IDENTICAL_ISAS, ISAS

Array = npt.NDArray[Any]


def embeddings_of(n: int, d: int, rng: np.random.Generator, dtype: str = "float32") -> Array:
    vectors = rng.standard_normal((n, d))
    units: Array = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units.astype(dtype)


def large_calls() -> dict[str, Callable[[], Any]]:
    rng = np.random.default_rng(9)
    labels, e = rng.integers(0, 9, 600), embeddings_of(600, 17, rng)
    t = rng.integers(0, 20, (70, 9))
    z = rng.standard_normal((70, 50, 20)).astype(np.float32)
    return {
        "circle": lambda: simdloss.circle(labels, e),
        "Circle": lambda: simdloss.Circle()(labels, e),
        "ctc": lambda: simdloss.ctc(t, z),
        "CTC": lambda: simdloss.CTC()(t, z),
    }


@pytest.mark.parametrize("name", large_calls())
def test_bits_depend_on_neither_isa_nor_threads(name: str) -> None:
    call = large_calls()[name]
    with simdloss.using_num_threads(1):
        expected = {}
        for isa in ISAS:
            with simdloss.using_isa(isa):
                expected[isa] = call()
    for isa in IDENTICAL_ISAS:
        assert_same_bits(expected[isa], expected[IDENTICAL_ISAS[0]], isa)
    for isa in ISAS:
        for n in (2, 5):
            with simdloss.using_isa(isa), simdloss.using_num_threads(n):
                assert_same_bits(call(), expected[isa], (isa, n))


@pytest.mark.parametrize("dtype", FLOATS)
def test_out(dtype: str) -> None:
    e = embeddings_of(4, 3, np.random.default_rng(10))
    t = [[1, 2], [3, 0]]
    z = np.random.default_rng(7).standard_normal((2, 4, 4)).astype(np.float32)
    for function, args in ((simdloss.circle, ([0, 1, 0, 1], e)), (simdloss.ctc, (t, z))):
        expected = function(*args)
        out = np.empty(expected.shape, FLOATS[dtype])
        assert function(*args, out=out) is out
        assert_same_bits(out, expected.astype(FLOATS[dtype]))


@pytest.mark.parametrize("order", ["C", "F"])
def test_layouts(order: Any) -> None:
    rng = np.random.default_rng(11)
    e = embeddings_of(6, 5, rng)
    t = rng.integers(0, 4, (6, 3))
    z = rng.standard_normal((6, 8, 4)).astype(np.float32)
    expected = simdloss.circle(t[:, 0], e), simdloss.ctc(t, z)
    for flip in (slice(None), slice(None, None, -1)):
        moved = [np.asarray(a, order=order)[flip] for a in (t, e, z)]
        assert_same_bits(simdloss.circle(moved[0][:, 0], moved[1])[flip], expected[0])
        assert_same_bits(simdloss.ctc(moved[0], moved[2])[flip], expected[1])
