# SPDX-License-Identifier: Apache-2.0
"""Random views: any shape, strides, axes, dtypes, weights and instruction set give the same bits as
contiguous copies on the scalar reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import simdloss
from support.bits import assert_same_bits
from support.dtypes import DTYPES
from support.variants import IDENTICAL_ISAS, Variant, every_loss

MAX_RANK = 5


@st.composite
def views(draw: Any, shape: tuple[int, ...], dtype: str, below: int = 3) -> Any:
    """An array of this shape on memory that is permuted, stepped over, reversed or repeated."""
    rank = len(shape)
    repeated = [n == 1 or draw(st.integers(0, 5)) == 0 for n in shape]
    steps = [draw(st.sampled_from([1, 1, 1, 2, 3, -1, -2])) for _ in shape]
    stored = [1 if r else n * abs(s) for n, r, s in zip(shape, repeated, steps, strict=True)]
    order = draw(st.permutations(range(rank)))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    below = min(below, 2) if dtype == "bool" else below
    memory = rng.integers(0, below, [stored[i] for i in order])
    a = memory.astype(DTYPES[dtype]).transpose(np.argsort(order))
    index = tuple(
        slice(None) if r else slice(None, None, s) for r, s in zip(repeated, steps, strict=True)
    )
    return np.broadcast_to(a[index], shape)


@st.composite
def calls(draw: Any, variant: Variant) -> tuple[Any, Any, Any, Any, Any]:
    """y_true, y_pred, axis, weights and mask that fit."""
    shape = tuple(draw(st.lists(st.integers(1, 20), min_size=1, max_size=MAX_RANK)))
    while np.prod(shape) > 20_000:
        shape = shape[1:]
    rank = len(shape)
    one = st.integers(-rank, rank - 1)
    several = st.lists(st.integers(0, rank - 1), unique=True, max_size=rank).map(tuple)
    axis = draw(one if variant.case.axes == "one" else st.one_of(st.none(), one, several))
    reduced = range(rank) if axis is None else (axis,) if isinstance(axis, int) else axis
    kept = tuple(n for i, n in enumerate(shape) if i not in {j % rank for j in reduced})
    ids = variant.case.target == "class_id"
    below = min(3, shape[axis]) if ids else 3
    t = draw(views(kept if ids else shape, draw(st.sampled_from([*DTYPES])), below))
    p = draw(views(shape, draw(st.sampled_from([*DTYPES]))))
    weights = draw(st.one_of(st.none(), views(kept, "float64"), views(kept, "float16")))
    mask = draw(st.one_of(st.none(), views(kept, "bool")))
    return t, p, axis, weights, mask


def contiguous(a: Any) -> Any:
    return None if a is None else np.array(a, order="C")


@given(data=st.data())
@every_loss
def test_random_views(variant: Variant, data: st.DataObject) -> None:
    t, p, axis, weights, mask = data.draw(calls(variant))
    reduction = data.draw(st.sampled_from(["none", "sum", "mean", "mean_with_sample_weight"]))
    isa, threads = data.draw(st.sampled_from(IDENTICAL_ISAS)), data.draw(st.integers(1, 3))
    loss = variant.loss(axis=axis, reduction=reduction)
    with simdloss.using_isa("scalar"), simdloss.using_num_threads(1):
        rows = variant.loss(axis=-1, reduction=reduction)
        expected = rows(*variant.rows_last(t, p, axis), contiguous(weights), mask=contiguous(mask))
    with simdloss.using_isa(isa), simdloss.using_num_threads(threads):
        assert_same_bits(loss(t, p, weights, mask=mask), expected)
