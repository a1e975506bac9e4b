# SPDX-License-Identifier: Apache-2.0
"""Class ids: of any dtype, in any of the shapes of Keras, checked, and ignored where asked for."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simdloss
from support.bits import assert_same_bits
from support.dtypes import FLOATS, INTEGERS, every_dtype, floatx
from support.layouts import LAYOUTS
from support.variants import (
    BY_NAME,
    IDENTICAL_ISAS,
    Variant,
    every_reduction,
    losses_of_ids,
)

SPARSE = [v for v in losses_of_ids.args[1] if v.case.function.startswith("sparse")]
losses_that_ignore = pytest.mark.parametrize("variant", SPARSE, ids=str)
sparse = BY_NAME["sparse_categorical_crossentropy_from_logits"]

C = 5
IDS, P = np.array([3, 0, 4, 1, 1, 2]), np.linspace(0.1, 0.9, 30, dtype=np.float32).reshape(6, C)


# --- dtypes and shapes ----------------------------------------------------------------------------


@every_dtype
@losses_of_ids
def test_ids_of_every_dtype(variant: Variant, dtype: str) -> None:
    ids = IDS % 2 if dtype == "bool" else IDS
    given_ids = ids.astype(FLOATS.get(dtype, dtype))
    assert_same_bits(variant.function(given_ids, P), variant.function(ids, P))
    assert_same_bits(variant.loss()(given_ids, P), variant.loss()(ids, P))
    assert_same_bits(
        variant.loss(dtype="float16")(given_ids, P), variant.loss(dtype="float16")(ids, P)
    )


@losses_of_ids
def test_ids_never_widen_the_computation(variant: Variant) -> None:
    for dtype in ("int64", "uint64", "float64"):
        assert_same_bits(
            variant.function(IDS.astype(dtype), P), variant.function(IDS.astype(np.uint8), P)
        )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@losses_of_ids
def test_ids_are_not_rounded_to_the_dtype_of_the_loss(variant: Variant, dtype: str) -> None:
    """Keras casts them: float16 has no 2049, bfloat16 no 257."""
    p = np.full((2, 3000), 1e-4, np.float32)
    p[0, 2049], p[1, 257] = 0.7, 0.6
    ids = np.array([2049, 257])
    loss = variant.loss(dtype=dtype, reduction=None)
    expected = variant.function(ids, p).astype(FLOATS[dtype])
    if dtype != "float64":
        assert_same_bits(loss(ids, p), expected)
    assert (loss(ids, p) < loss(ids - 1, p)).all()


def test_class_16777217_is_exact() -> None:
    """float32 has no such number; the predictions take no memory, but for one class."""
    n = 2**24 + 2
    z = np.zeros(n, np.float32)
    z[2**24 + 1] = 30.0
    p = np.broadcast_to(z, (3, n))
    right = 2**24 + 1
    for ids in (np.array([right] * 3), np.array([float(right)] * 3), [right] * 3):
        assert (sparse.function(ids, p) < 1e-3).all()
    wrong = sparse.function(np.array([2**24] * 3), p)
    np.testing.assert_allclose(wrong, 30.0, rtol=1e-6)
    with pytest.raises(ValueError, match=rf"{n}"):
        sparse.function(np.array([0, 1, n]), p)


@pytest.mark.parametrize("default", ["float16", "bfloat16", "float32"])
@losses_of_ids
def test_python_floats_are_ids_unrounded(variant: Variant, default: str) -> None:
    """Whatever `floatx()` is: float16 has no 2049, bfloat16 no 257."""
    p = np.full((2, 3000), 1e-4, np.float32)
    p[0, 2049], p[1, 257] = 0.7, 0.6
    ids = np.array([2049, 257])
    with floatx(default):
        for given_ids in ([2049.0, 257.0], [2049, 257.0], [[2049.0], [257.0]]):
            assert_same_bits(variant.function(given_ids, p), variant.function(ids, p))
            assert_same_bits(variant.loss()(given_ids, p), variant.loss()(ids, p))
        assert_same_bits(variant.function([2049.0], p[0]), variant.function([2049], p[0]))


@pytest.mark.parametrize("default", ["float16", "bfloat16", "float32"])
def test_python_floats_are_labels_of_sequences_unrounded(default: str) -> None:
    z = np.random.default_rng(12).standard_normal((1, 4, 3000)).astype(np.float32)
    expected = simdloss.ctc(np.array([[2049, 257]]), z)
    with floatx(default):
        assert_same_bits(simdloss.ctc([[2049.0, 257.0]], z), expected)
        assert_same_bits(simdloss.CTC(dtype="float32")([[2049.0, 257.0]], z), expected[0])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (1e300, r"received 1e\+300 at position 1"),
        (2**40, "received 1099511627776 at position 1"),
        (2**63, "received 9223372036854775808 at position 1"),
        (2**64, "holds integers beyond the range of uint64"),
    ],
    ids=str,
)
@losses_of_ids
def test_numbers_in_lists_that_are_no_ids(variant: Variant, bad: float, message: str) -> None:
    for call in (variant.function, variant.loss()):
        with pytest.raises(ValueError, match=f"y_true.*{message}"):
            call([0, bad], P[:2])


def test_many_classes_of_one_repeated_prediction() -> None:
    """A zero stride along the classes."""
    n = 2**24 + 3
    p = np.broadcast_to(np.float32(0.25), (2, n))
    expected = np.full(2, np.log(n), np.float32)
    np.testing.assert_allclose(sparse.function([0, n - 1], p), expected, rtol=1e-6)
    np.testing.assert_allclose(
        simdloss.sparse_categorical_crossentropy([0, n - 1], p), 16.118095, rtol=1e-6
    )


SHAPES = [
    # y_true, y_pred, axis, result
    ((4,), (4, C), -1, (4,)),
    ((4, 1), (4, C), -1, (4,)),
    ((4, 3), (4, 3, C), -1, (4, 3)),
    ((4, 3, 1), (4, 3, C), -1, (4, 3)),
    ((4, 3), (4, C, 3), 1, (4, 3)),
    ((4, 1, 3), (4, C, 3), 1, (4, 3)),
    ((4, 3), (C, 4, 3), 0, (4, 3)),
    ((), (C,), -1, ()),
    ((1,), (C,), -1, ()),
    ((1,), (1, C), -1, (1,)),
    ((0,), (0, C), -1, (0,)),
    ((0, 1), (0, C), -1, (0,)),
]


@pytest.mark.parametrize(("t", "p", "axis", "result"), SHAPES, ids=str)
@losses_of_ids
def test_shapes(variant: Variant, t: Any, p: Any, axis: int, result: Any) -> None:
    ids = np.random.default_rng(3).integers(0, C, t)
    y_pred = variant.draw(p, axis=axis)[1]
    losses = variant.function(ids, y_pred, axis=axis)
    assert losses.shape == result
    flat = variant.function(ids.ravel(), np.moveaxis(y_pred, axis, -1).reshape(-1, C))
    assert_same_bits(np.ravel(losses), flat)
    assert_same_bits(variant.samples(ids, y_pred, axis=axis), losses)


@pytest.mark.parametrize(
    ("t", "p"),
    [
        ((4, C), (4, C)),
        ((3,), (4, C)),
        ((4, 2), (4, C)),
        ((1, 4), (4, C)),
        ((4,), (4, 3, C)),
        ((4,), (C,)),
    ],
    ids=str,
)
@losses_of_ids
def test_shapes_that_do_not_fit(variant: Variant, t: Any, p: Any) -> None:
    for call in (variant.function, variant.loss()):
        with pytest.raises(ValueError, match="shape") as caught:
            call(np.zeros(t, int), np.ones(p, np.float32))
        assert str(t) in str(caught.value)
        assert str(p) in str(caught.value)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", INTEGERS)
@losses_of_ids
def test_ids_in_every_layout(variant: Variant, dtype: str, layout: str) -> None:
    t, p = variant.draw((9, 4, 7))
    expected = variant.function(t, p)
    assert_same_bits(variant.function(LAYOUTS[layout](t.astype(dtype)), p), expected)


# --- ids that are no classes ----------------------------------------------------------------------

BAD = [C, -1, -100, 2**31, 2**40, -(2**31)]


@pytest.mark.parametrize("bad", BAD)
@losses_of_ids
def test_ids_out_of_range(variant: Variant, bad: int) -> None:
    """The first bad position, its value, the number of classes and how many are bad."""
    ids = IDS.copy()
    ids[[3, 5]] = bad
    calls: list[Any] = [variant.function, variant.loss(), variant.loss(reduction="sum").partial]
    for call in calls:
        for isa in IDENTICAL_ISAS:
            with simdloss.using_isa(isa), pytest.raises(ValueError, match="y_true") as caught:
                call(ids, P)
            for number in (3, bad, C, 2):
                assert re.search(rf"(?<![-\d]){number}\b", str(caught.value)), number


@pytest.mark.parametrize(
    ("bad", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (1.5, "1.5"), (-0.5, "-0.5"), (5.0, "5")]
)
@losses_of_ids
def test_floats_that_are_no_ids(variant: Variant, bad: float, shown: str) -> None:
    """Keras truncates them."""
    for dtype in ("float16", "float32", "float64"):
        ids = IDS.astype(dtype)
        ids[4] = bad
        with pytest.raises(ValueError, match="y_true") as caught:
            variant.function(ids, P)
        assert shown in str(caught.value)
        assert "4" in str(caught.value)


@losses_of_ids
def test_minus_zero_is_class_zero(variant: Variant) -> None:
    assert_same_bits(
        variant.function(np.array([-0.0]), P[:1]), variant.function(np.array([0]), P[:1])
    )


@losses_of_ids
def test_positions_are_those_of_y_true(variant: Variant) -> None:
    ids = np.zeros((4, 3), int)
    ids[2, 1] = 9
    for axis, shape in [(-1, (4, 3, C)), (1, (4, C, 3)), (0, (C, 4, 3))]:
        p = np.full(shape, 0.5, np.float32)
        for layout in (np.ascontiguousarray, np.asfortranarray):
            with pytest.raises(ValueError, match=r"[(\[]2, 1[)\]]"):
                variant.function(layout(ids), layout(p), axis=axis)


@losses_of_ids
def test_the_first_bad_position_does_not_depend_on_threads(variant: Variant) -> None:
    ids = np.zeros(50_000, int)
    ids[[31_234, 44_000, 49_999]] = [7, 8, 9]
    p = np.full((50_000, C), 0.5, np.float32)
    messages = set()
    for n in (1, 2, 5):
        with simdloss.using_num_threads(n), pytest.raises(ValueError, match="31234") as caught:
            variant.loss()(ids, p)
        messages.add(str(caught.value))
    assert len(messages) == 1
    assert "3" in messages.pop()


@losses_of_ids
def test_skipped_samples_may_hold_any_id(variant: Variant) -> None:
    """As they may hold anything else."""
    ids = IDS.copy()
    ids[1] = 99
    w = np.ones(6)
    w[1] = 0
    expected = variant.loss(reduction="sum")(np.delete(ids, 1), np.delete(P, 1, axis=0))
    assert_same_bits(variant.loss(reduction="sum")(ids, P, w), expected)
    assert_same_bits(variant.loss(reduction="sum")(ids, P, mask=w), expected)


# --- ignore_class ---------------------------------------------------------------------------------


def batch(data: st.DataObject, variant: Variant, ignored: int) -> tuple[Any, Any]:
    """Ids, some of which are `ignored`, and predictions, which there are nonsense."""
    n = data.draw(st.integers(1, 12))
    salt = data.draw(st.integers(0, 1000))
    t, p = variant.draw((n, C), salt=salt)
    skip = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    t = np.where(skip, ignored, np.where(t == ignored, (t + 1) % C, t))
    p[skip] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1.0]))
    return t, p


@given(data=st.data())
@pytest.mark.parametrize("ignored", [2, -1, C, 255, -100])
@every_reduction
@losses_that_ignore
def test_ignoring_a_row_equals_removing_it(
    variant: Variant, reduction: str, ignored: int, data: st.DataObject
) -> None:
    """In every reduction, with and without weights and masks."""
    t, p = batch(data, variant, ignored)
    keep = t != ignored
    rng = np.random.default_rng(data.draw(st.integers(0, 100)))
    # mean_with_sample_weight divides by a scalar weight itself, whatever is ignored.
    kinds = ["none", "samples"] + ["scalar"] * (reduction != "mean_with_sample_weight")
    kind = data.draw(st.sampled_from(kinds))
    w: Any = {"none": None, "scalar": 3.0, "samples": rng.integers(0, 3, len(t))}[kind]
    m = rng.random(len(t)) < 0.7 if data.draw(st.booleans()) else None
    loss = variant.loss(reduction=reduction, ignore_class=ignored)
    plain = variant.loss(reduction=reduction)
    whole = loss(t, p, w, mask=m)
    removed = plain(
        t[keep],
        p[keep],
        w[keep] if kind == "samples" else w,
        mask=None if m is None else m[keep],
    )
    if reduction == "none":
        # One sample with a scalar weight gives a scalar, as in Keras.
        assert_same_bits(np.atleast_1d(whole)[keep], np.atleast_1d(removed))
        assert_same_bits(np.atleast_1d(whole)[~keep], np.zeros((~keep).sum(), np.float32))
    elif keep.any():
        assert_same_bits(whole, removed)
    else:
        assert_same_bits(whole, np.float32(0))


@every_reduction
@losses_that_ignore
def test_everything_ignored(variant: Variant, reduction: str) -> None:
    loss = variant.loss(reduction=reduction, ignore_class=-1)
    result = loss(np.full(6, -1), np.full((6, C), np.nan, np.float32))
    assert_same_bits(result, np.zeros(6 if reduction == "none" else (), np.float32))
    if reduction.startswith("mean"):
        assert np.isnan(loss(np.full(6, -1), P, empty="nan"))
        with pytest.raises(ValueError, match="empty"):
            loss(np.full(6, -1), P, empty="raise")


@losses_that_ignore
def test_ignored_entries_leave_the_count(variant: Variant) -> None:
    loss = variant.loss(ignore_class=1)
    partial = loss.partial(IDS, P)
    assert (partial.count, partial.valid_count) == (6, 4)
    parts = [loss.partial(IDS[i : i + 2], P[i : i + 2]) for i in (4, 0, 2)]
    assert sum(parts, simdloss.PartialSums()).to_bytes() == partial.to_bytes()


@losses_that_ignore
def test_functions_give_zero_for_ignored_entries(variant: Variant) -> None:
    losses = variant.function(IDS, P, ignore_class=1)
    assert_same_bits(losses, np.where(IDS == 1, np.float32(0), variant.function(IDS, P)))


@losses_that_ignore
def test_ignored_entries_of_any_rank_and_axis(variant: Variant) -> None:
    t, p = variant.draw((4, C, 3), axis=1)
    t[1:3, 1] = 255
    losses = variant.function(t, p, axis=1, ignore_class=255)
    expected = variant.function(np.where(t == 255, 0, t), p, axis=1)
    assert_same_bits(losses, np.where(t == 255, np.float32(0), expected))
    mean = variant.loss(axis=1, ignore_class=255)(t, p)
    assert mean == pytest.approx(float(losses.sum() / (t != 255).sum()), rel=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "float16", "float32", "float64"])
@losses_that_ignore
def test_ignore_class_of_every_dtype_of_ids(variant: Variant, dtype: str) -> None:
    t = IDS.copy()
    t[2:4] = 100
    expected = variant.function(t, P, ignore_class=100)
    assert_same_bits(variant.function(t.astype(dtype), P, ignore_class=100), expected)
    assert (expected[2:4] == 0).all()


@losses_that_ignore
def test_ids_out_of_range_that_are_not_ignored_are_errors(variant: Variant) -> None:
    t = np.array([-1, -2, 0])
    with pytest.raises(ValueError, match="-2"):
        variant.function(t, P[:3], ignore_class=-1)
    with pytest.raises(ValueError, match="-1"):
        variant.function(np.array([-1, 255]), P[:2], ignore_class=255)


@losses_that_ignore
def test_ignore_class_survives_a_config(variant: Variant) -> None:
    loss = variant.loss(ignore_class=-1)
    assert loss.get_config()["ignore_class"] == -1
    again = type(loss).from_config(loss.get_config())
    t = np.array([1, -1, 2, 0, -1, 3])
    assert_same_bits(again(t, P), loss(t, P))


@losses_that_ignore
def test_one_weight_for_all_beside_ignored_rows(variant: Variant) -> None:
    """Ignoring rows equals removing them; what the weight does depends on ignore_class itself."""
    ids, keep = np.where(IDS == 1, -1, IDS), IDS != 1
    losses = variant.function(IDS[keep], P[keep])
    loss = variant.loss(reduction="mean_with_sample_weight", ignore_class=-1)
    assert_same_bits(loss(ids, P, 3.0), loss(IDS[keep], P[keep], 3.0))
    assert loss(ids, P, 3.0) == pytest.approx(losses.mean(), rel=1e-6)
    plain = variant.loss(reduction="mean_with_sample_weight")
    assert_same_bits(loss(ids, P, 3.0), plain(IDS, P, 3.0, mask=keep))
    assert plain(IDS[keep], P[keep], 3.0) == pytest.approx(losses.sum(), rel=1e-6)


@pytest.mark.parametrize("value", ["1", [1], 1.5, np.nan, True, np.array([1])], ids=repr)
def test_unusable_ignore_class(value: Any) -> None:
    with pytest.raises(TypeError, match="ignore_class must be an int or None; received"):
        sparse.function(IDS, P, ignore_class=value)
    with pytest.raises(TypeError, match=r"[Rr]eceived .*ignore_class|ignore_class .* received"):
        sparse.loss(ignore_class=value)


@pytest.mark.parametrize("value", [2**63, 2**64 - 1, -(2**63) - 1])
def test_ignore_class_lies_in_int64(value: int) -> None:
    with pytest.raises(ValueError, match=r"ignore_class must lie from -2\*\*63 to 2\*\*63 - 1"):
        sparse.function(IDS.astype(np.uint64), P, ignore_class=value)
