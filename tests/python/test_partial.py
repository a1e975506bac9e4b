# SPDX-License-Identifier: Apache-2.0
"""Partial sums: any split of a batch, merged in any order, has the bytes of the whole."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import simdloss
from support.bits import assert_same_bits
from support.layouts import LAYOUTS
from support.splits import split
from support.variants import (
    BY_NAME,
    IDENTICAL_ISAS,
    Variant,
    both_widths,
    every_loss,
    every_variant,
    like_shaped_losses,
    mse,
)

scalar_reductions = pytest.mark.parametrize("reduction", ["sum", "mean", "mean_with_sample_weight"])


def merge_tree(parts: list[simdloss.PartialSums], rng: np.random.Generator) -> Any:
    """Merges random pairs until one is left."""
    while len(parts) > 1:
        i, j = rng.choice(len(parts), 2, replace=False)
        merged = parts[i] + parts[j]
        parts = [q for k, q in enumerate(parts) if k not in (i, j)] + [merged]
    return parts[0]


@scalar_reductions
@both_widths
@every_variant
def test_any_split_merged_in_any_order(variant: Variant, dtype: str, reduction: str) -> None:
    n = 301
    t, p = variant.draw((n, 5), dtype)
    rng = variant.rng(dtype, reduction)
    w, m = rng.standard_normal(n), rng.random(n) < 0.8
    loss = variant.loss(dtype=dtype, reduction=reduction)
    for weights, mask in [(None, None), (w, None), (None, m), (w, m)]:
        whole = loss.partial(t, p, weights, mask=mask)
        assert_same_bits(whole.result(), loss(t, p, weights, mask=mask))
        for pieces in (2, 5, 40):
            parts = [
                loss.partial(
                    t[s],
                    p[s],
                    None if weights is None else weights[s],
                    mask=None if mask is None else mask[s],
                )
                for s in split(rng, n, pieces)
            ]
            merged = merge_tree(parts, rng)
            assert merged.to_bytes() == whole.to_bytes()
            assert merged == whole
            assert_same_bits(merged.result(), whole.result())


@pytest.mark.parametrize("isa", IDENTICAL_ISAS)
@every_loss
def test_pieces_from_other_machines(variant: Variant, isa: str) -> None:
    """Instruction set, threads and layout of each piece do not matter either."""
    t, p = variant.draw((600, 33))
    loss = variant.loss()
    whole = loss.partial(t, p).to_bytes()
    rng = variant.rng(isa)
    layouts = list(LAYOUTS.values())
    merged = None
    for i, s in enumerate(split(rng, 600, 9)):
        change = layouts[i % len(layouts)]
        with simdloss.using_isa(isa), simdloss.using_num_threads(1 + i % 3):
            part = loss.partial(change(t[s]), change(p[s]))
        merged = part if merged is None else merged.merge(part)
    assert merged is not None
    assert merged.to_bytes() == whole


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
def test_binary_labels_of_some_pieces_only(name: str) -> None:
    """Whether 0 means -1 is decided by the whole batch, also when no piece can know."""
    variant = BY_NAME[name]
    rng = np.random.default_rng(1)
    p = rng.standard_normal((90, 4)).astype(np.float32)
    binary = rng.integers(0, 2, (90, 4)).astype(np.float32)
    signed = binary.copy()
    signed[47, 2] = -1
    loss = variant.loss()
    for t in (binary, signed):
        parts = [loss.partial(t[s], p[s]) for s in split(rng, 90, 7)]
        merged = merge_tree(parts, rng)
        assert merged.to_bytes() == loss.partial(t, p).to_bytes()
        assert_same_bits(merged.result(), loss(t, p))
    assert loss(binary, p) != loss(signed, p)


def test_members() -> None:
    t, p = np.zeros((4, 1), np.float32), np.array([[1], [2], [3], [np.nan]], np.float32)
    partial = mse.loss().partial(t, p, [0.5, 2.0, 1.0, 0.0])
    assert (partial.sum, partial.weight_sum) == (17.5, 3.5)
    assert (partial.count, partial.valid_count) == (4, 3)
    partial = mse.loss().partial(t, p, mask=[True, True, False, False])
    assert (partial.sum, partial.count, partial.valid_count) == (5.0, 4, 2)
    partial = mse.loss().partial(t[:3], p[:3])
    assert (partial.sum, partial.weight_sum) == (14.0, 3.0)
    assert (partial.count, partial.valid_count) == (3, 3)


def test_merge_changes_the_left_side_only() -> None:
    loss = mse.loss()
    a, b = loss.partial([[1.0]], [[3.0]]), loss.partial([[0.0]], [[1.0]])
    before = b.to_bytes()
    total = a + b
    assert a.result() == 4.0
    assert a.merge(b) is a
    assert a == total
    assert a.result() == 2.5
    assert b.to_bytes() == before


def test_sum_merges() -> None:
    loss = mse.loss()
    parts = [loss.partial([[0.0]], [[x]]) for x in (1.0, 2.0, 3.0)]
    before = parts[0].to_bytes()
    total = sum(parts)
    assert isinstance(total, simdloss.PartialSums)
    assert total == parts[0] + parts[1] + parts[2]
    assert parts[0].to_bytes() == before


def test_merging_with_itself_counts_twice() -> None:
    loss = mse.loss(reduction="sum")
    a = loss.partial([[1.0], [2.0]], [[3.0], [2.0]])
    assert a.merge(a).result() == 8.0
    assert a.count == 4


def test_the_state_of_no_samples_is_the_unit() -> None:
    loss = mse.loss()
    some = loss.partial([[1.0]], [[3.0]])
    none = loss.partial(np.zeros((0, 1)), np.zeros((0, 1)))
    assert none + some == some == some + none
    assert simdloss.PartialSums() + some == some == some + simdloss.PartialSums()


@pytest.mark.parametrize(
    "other",
    [
        simdloss.MeanAbsoluteError(),
        simdloss.MeanSquaredError(reduction="sum"),
        simdloss.MeanSquaredError(dtype="float64"),
        simdloss.Huber(delta=2.0),
    ],
    ids=repr,
)
def test_merging_another_loss_is_refused(other: simdloss.losses.Loss) -> None:
    mine, theirs = mse.loss().partial([[1.0]], [[3.0]]), other.partial([[1.0]], [[3.0]])
    with pytest.raises(ValueError, match="same loss"):
        mine.merge(theirs)
    with pytest.raises(ValueError, match="same loss"):
        mine + theirs
    assert mine != theirs


def test_options_are_part_of_the_identity() -> None:
    a = simdloss.Huber(delta=1.0).partial([[1.0]], [[3.0]])
    b = simdloss.Huber(delta=2.0).partial([[1.0]], [[3.0]])
    with pytest.raises(ValueError, match="same loss"):
        a.merge(b)


class Scaled(simdloss.Loss):
    """A loss of a user's, with a parameter in its config."""

    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.factor * np.abs(y_true - y_pred).mean(axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


def test_parameters_of_a_users_loss_are_part_of_the_identity() -> None:
    one, same, other = (
        Scaled(factor, name=name).partial([[1.0]], [[3.0]])
        for factor, name in ((2.0, "one"), (2.0, "another name"), (3.0, "one"))
    )
    assert (one + same).result() == 4.0
    with pytest.raises(ValueError, match="same loss"):
        one.merge(other)


def test_a_changed_parameter_of_a_users_loss_changes_the_identity() -> None:
    loss = Scaled(2.0)
    before = loss.partial([[1.0]], [[3.0]])
    loss.factor = 3.0
    with pytest.raises(ValueError, match="same loss"):
        before.merge(loss.partial([[1.0]], [[3.0]]))


def test_epsilon_is_part_of_the_identity() -> None:
    loss = simdloss.BinaryCrossentropy()
    a = loss.partial([[1.0]], [[0.5]])
    with simdloss.using_epsilon(1e-3):
        b = loss.partial([[1.0]], [[0.5]])
    with pytest.raises(ValueError, match=r"same loss.*epsilon"):
        a.merge(b)


@pytest.mark.parametrize(
    "clone",
    [
        copy.copy,
        copy.deepcopy,
        lambda a: pickle.loads(pickle.dumps(a)),
        lambda a: simdloss.PartialSums.from_bytes(a.to_bytes()),
        lambda a: simdloss.PartialSums.from_bytes(bytearray(a.to_bytes())),
        lambda a: simdloss.PartialSums.from_bytes(memoryview(a.to_bytes())),
        lambda a: sum([a]),
    ],
    ids=["copy", "deepcopy", "pickle", "bytes", "bytearray", "memoryview", "sum"],
)
def test_clones(clone: Any) -> None:
    loss = mse.loss()
    a, b = loss.partial([[1.0]], [[3.0]]), loss.partial([[1.0]], [[2.0]])
    c = clone(a)
    assert c == a
    assert c.to_bytes() == a.to_bytes()
    c.merge(b)
    assert a.count == 1
    assert c.result() == 2.5


def test_unhashable_and_unequal_to_other_things() -> None:
    a = mse.loss().partial([[1.0]], [[3.0]])
    assert a != 4.0
    with pytest.raises(TypeError):
        hash(a)
    with pytest.raises(TypeError):
        a + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        1 + a
    with pytest.raises(TypeError, match="other must be a PartialSums; received 3 of type int"):
        a.merge(3)  # type: ignore[arg-type]


def test_signatures_for_help() -> None:
    state = simdloss.PartialSums
    signatures = {
        "merge": "(self, /, other)",
        "result": "(self, /, empty='zero')",
        "to_bytes": "(self, /)",
        "from_bytes": "(data)",
    }
    for name, signature in signatures.items():
        assert str(inspect.signature(getattr(state, name))) == signature
    assert str(inspect.signature(state)) == "()"
    assert str(inspect.signature(state().merge)) == "(other)"


def test_repr_shows_what_is_in_it() -> None:
    text = repr(mse.loss().partial([[1.0], [2.0]], [[3.0], [2.0]]))
    assert text.startswith("PartialSums(")
    assert "4" in text
    assert "2" in text


@pytest.mark.parametrize("reduction", [None, "none"])
def test_no_partial_sums_without_a_reduction(reduction: str | None) -> None:
    for loss in (mse.loss(reduction=reduction), Scaled(2.0, reduction=reduction)):
        with pytest.raises(ValueError, match=r"reduction is None.*no partial sums"):
            loss.partial([[1.0], [1.0]], [[3.0], [1.0]])


@like_shaped_losses
def test_one_sample_has_no_parts(variant: Variant) -> None:
    y = np.array([0.0, 1.0, 1.0], np.float32)
    with pytest.raises(ValueError, match=r"y_true of shape \(3,\) is one sample.*\[:, None\]"):
        variant.loss().partial(y, y)
    column = variant.loss().partial(y[:, None], y[:, None])
    assert column == variant.loss().partial(y, y[:, None]) == variant.loss().partial(y[:, None], y)
    if variant.case.axes == "one":
        return
    elements = variant.loss(axis=())
    assert elements.partial(y, y) == elements.partial(y[:1], y[:1]) + elements.partial(y[1:], y[1:])


@pytest.mark.parametrize("axis", [0, -3, (1, 0), None], ids=str)
def test_rows_across_the_samples_have_no_parts(axis: Any) -> None:
    t, p = mse.draw((4, 3, 2))
    with pytest.raises(ValueError, match=r"axis reaches across the first axis.*\(4, 3, 2\)"):
        mse.loss(axis=axis).partial(t, p)
    with pytest.raises(ValueError, match="axis reaches across"):
        mse.loss(axis=-2).partial(t[..., :1], p[:, :, 0])  # read as (4, 3)
    mse.loss(axis=-2).partial(t, p)


SHARED = [(), (1,), (3,), (1, 1), (1, 3)]


@pytest.mark.parametrize("shape", SHARED, ids=str)
@pytest.mark.parametrize("argument", ["sample_weight", "mask"])
def test_weights_that_samples_share_have_no_parts(argument: str, shape: tuple[int, ...]) -> None:
    t, p = mse.draw((4, 3, 2))
    call: dict[str, Any] = {"y_true": t, "y_pred": p, argument: np.ones(shape)}
    loss = mse.loss(reduction="mean_with_sample_weight")
    with pytest.raises(ValueError, match=f"{argument} of shape.*one weight per sample.*4, 3"):
        loss.partial(**call)
    mse.loss().partial(**call)
    with pytest.raises(ValueError, match="one weight per sample"):
        Scaled(2.0, reduction="mean_with_sample_weight").partial(**call)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)], ids=str)
def test_chunks_of_one_row_merge(shape: tuple[int, ...]) -> None:
    t, p = mse.draw((4, 3, 2))
    w = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    for loss in (mse.loss(reduction="mean_with_sample_weight"), mse.loss(), Scaled(2.0)):
        rows = [loss.partial(t[i : i + 1], p[i : i + 1], w[i : i + 1]) for i in range(4)]
        assert_same_bits(sum(rows, simdloss.PartialSums()).result(), loss(t, p, w))


@pytest.mark.parametrize("n_bytes", [0, 3, 100, -1])
def test_bytes_of_another_length(n_bytes: int) -> None:
    data = mse.loss().partial([[1.0]], [[3.0]]).to_bytes()
    with pytest.raises(ValueError, match="bytes"):
        simdloss.PartialSums.from_bytes(data[:n_bytes])


def test_bytes_of_something_else() -> None:
    data = bytearray(mse.loss().partial([[1.0]], [[3.0]]).to_bytes())
    data[0] ^= 0xFF
    with pytest.raises(ValueError, match="bytes"):
        simdloss.PartialSums.from_bytes(bytes(data))
    with pytest.raises(TypeError, match="data must be bytes-like; received 'text' of type str"):
        simdloss.PartialSums.from_bytes("text")  # type: ignore[arg-type]


def test_non_finite_sums_merge() -> None:
    loss = mse.loss(reduction="sum")
    inf = loss.partial([[0.0]], [[np.inf]])
    one = loss.partial([[0.0]], [[1.0]])
    negative = loss.partial([[0.0]], [[np.inf]], [-1.0])
    assert (inf + one).result() == np.inf
    assert (negative + one).result() == -np.inf
    assert np.isnan((inf + negative).result())


class Offset(simdloss.Loss):
    """An option that the configuration does not tell."""

    def __init__(self, offset: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.offset = offset

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return abs(y_true - y_pred + self.offset).mean(axis=-1)


class Told(Offset):
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "offset": self.offset}


class Renamed(simdloss.Loss):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(name="renamed", **kwargs)

    call = Offset.call
    offset = 1.0


class Farther(simdloss.Huber):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return 2 * super().call(y_true, y_pred)


def test_options_that_the_configuration_does_not_tell() -> None:
    y = np.ones((2, 2), np.float32)
    with pytest.raises(TypeError, match=r"takes offset, which get_config\(\) does not return"):
        Offset(1.0).partial(y, y)
    assert Told(1.0).partial(y, y) == Told(1.0).partial(y, y) != Told(2.0).partial(y, y)
    with pytest.raises(ValueError, match="equal loss objects"):
        Told(1.0).partial(y, y).merge(Told(2.0).partial(y, y))
    assert Renamed().partial(y, y) == Renamed().partial(y, y)
    assert Farther(2.0).partial(y, y) == Farther(2.0).partial(y, y) != Farther(1.0).partial(y, y)
