# SPDX-License-Identifier: Apache-2.0
"""The losses that are no function of one row: circle compares all pairs, CTC sums alignments.

Both against their definitions and against Keras, which has to be equal or further from the exact
value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simdloss
from spec import sequence, similarity
from spec.numbers import FORMATS
from spec.semantics import Reduced
from support.bits import assert_same_bits
from support.dtypes import FLOATS, INTEGERS
from support.keras_calls import call_keras_class, call_keras_function
from support.special_losses import (
    CIRCLE_OPTIONS,
    Array,
    circle_error,
    ctc_error,
    embeddings_of,
    exact_ctc,
    sequences_of,
)
from support.variants import every_reduction

every_precision = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
seeds = st.integers(0, 2**20)


def assert_is_rounded(ours: Any, exact: list[Any], error: Callable[[Any], float]) -> None:
    """The exact values, but for `error` and one rounding to the dtype of the result."""
    fmt = FORMATS[ours.dtype.name]
    for x, y in zip(ours.ravel().tolist(), exact, strict=True):
        if not math.isfinite(y):
            assert x == float(y) or (math.isnan(x) and math.isnan(y))
            continue
        half = float(fmt.ulp(fmt.round(float(y)))) / 2
        assert abs(x - y) <= half * (1 + 1e-9) + error(y), (x, y)


def assert_closer(ours: Any, theirs: Any, exact: list[Any]) -> None:
    """Keras's type and shape, and nowhere further from the exact value, to half a unit."""
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    fmt = FORMATS[ours.dtype.name]
    for x, y, value in zip(ours.ravel().tolist(), theirs.ravel().tolist(), exact, strict=True):
        half = float(fmt.ulp(fmt.round(float(value)))) / 2
        assert math.isfinite(x)
        assert abs(x - value) <= max(half * (1 + 1e-6), abs(y - value)), (x, y, value)


def assert_reduced(ours: Any, values: Any) -> None:
    """The values, to a unit in the last place and the error of losses in float64."""
    info = np.finfo(ours.dtype)
    np.testing.assert_allclose(
        ours, values, rtol=float(info.eps) + 1e-13, atol=float(info.smallest_subnormal)
    )


def assert_like_keras(ours: Any, theirs: Any) -> None:
    """What it means is the same; Keras computes in float16 or in float32."""
    coarse = 0.02 if ours.dtype == np.float16 else 1e-4
    np.testing.assert_allclose(theirs, ours, rtol=coarse, atol=coarse / 10)


# --- circle ---------------------------------------------------------------------------------------

circle_options = pytest.mark.parametrize("options", CIRCLE_OPTIONS, ids=str)


def circle_batch(data: st.DataObject, dtype: str = "float32") -> tuple[Array, Array]:
    n, d = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 6))
    rng = np.random.default_rng(data.draw(seeds))
    return rng.integers(0, 3, n), embeddings_of(n, d, rng, dtype)


@given(data=st.data())
@every_precision
@circle_options
def test_circle_is_its_definition(options: Any, dtype: str, data: st.DataObject) -> None:
    t, e = circle_batch(data, dtype)
    losses = simdloss.circle(t, e, **options)
    assert losses.dtype == e.dtype
    assert_is_rounded(
        losses, similarity.circle(t, e, **options), circle_error(options.get("gamma", 80.0))
    )


@given(data=st.data())
@circle_options
def test_circle_is_that_of_keras(options: Any, data: st.DataObject) -> None:
    t, e = circle_batch(data)
    theirs = call_keras_function("circle", t, e, **options)
    assert_closer(simdloss.circle(t, e, **options), theirs, similarity.circle(t, e, **options))


@given(data=st.data())
@pytest.mark.parametrize("remove_diagonal", [True, False])
def test_references_of_circle(remove_diagonal: bool, data: st.DataObject) -> None:
    t, e = circle_batch(data)
    rng = np.random.default_rng(data.draw(seeds))
    m = data.draw(st.integers(1, 9))
    options: dict[str, Any] = {
        "ref_labels": rng.integers(0, 3, m),
        "ref_embeddings": embeddings_of(m, e.shape[1], rng),
        "remove_diagonal": remove_diagonal and m == len(t),  # Keras wants a square for it
        "gamma": 8.0,
    }
    ours = simdloss.circle(t, e, **options)
    exact = similarity.circle(t, e, **options)
    assert_is_rounded(ours, exact, circle_error(8.0))
    assert_closer(ours, call_keras_function("circle", t, e, **options), exact)


def test_one_half_of_the_references() -> None:
    """The other half is that of the queries."""
    rng = np.random.default_rng(1)
    t, e = np.array([0, 1, 0, 2, 1]), embeddings_of(5, 3, rng)
    u, f = np.array([2, 1, 0, 0, 1]), embeddings_of(5, 3, rng)
    assert_same_bits(simdloss.circle(t, e, ref_labels=u), simdloss.circle(t, e, u, e))
    assert_same_bits(simdloss.circle(t, e, ref_embeddings=f), simdloss.circle(t, e, t, f))
    assert_same_bits(simdloss.circle(t, e), simdloss.circle(t, e, t, e))


def test_the_diagonal_of_any_number_of_references() -> None:
    rng = np.random.default_rng(2)
    t, e = np.zeros(4, int), embeddings_of(4, 3, rng)
    for m in (2, 4, 7):
        u, f = np.arange(m) % 2, embeddings_of(m, 3, rng)
        exact = similarity.circle(t, e, u, f, gamma=8.0)
        assert_is_rounded(simdloss.circle(t, e, u, f, gamma=8.0), exact, circle_error(8.0))


@given(data=st.data())
@every_reduction
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_class_of_circle(dtype: str, reduction: str, data: st.DataObject) -> None:
    """Means are those of the queries whose loss is positive; weights of 0 do not change that."""
    t, e = circle_batch(data)
    rng = np.random.default_rng(data.draw(seeds))
    w = rng.integers(0, 4, len(t)).astype(np.float32) if data.draw(st.booleans()) else None
    options: dict[str, Any] = {"gamma": 4.0, "reduction": reduction, "dtype": dtype}
    ours = simdloss.Circle(**options)(t, e, w)
    theirs = call_keras_class("Circle", t, e, w, None, **options)
    assert (ours.shape, ours.dtype) == (theirs.shape, np.dtype(dtype))
    exact = similarity.circle(t, e, gamma=4.0)
    if reduction in ("none", "sum"):
        weights = np.ones(len(t)) if w is None else w
        values = [float(x) * float(y) for x, y in zip(exact, weights, strict=True)]
        values = values if reduction == "none" else [math.fsum(values)]
    else:
        mask = [x > 0 for x in exact]
        reduced = Reduced(np.array([float(x) for x in exact]), w, mask, reduction)
        values = [float(x) for x in reduced.exact().ravel()]
    assert_reduced(ours.ravel(), values)
    assert_like_keras(ours, theirs)


def test_mean_of_circle_is_that_of_positive_losses() -> None:
    """Query 3 has nobody of its class."""
    e = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]], np.float32)
    t = np.array([0, 0, 0, 1])
    loss = simdloss.Circle(gamma=4.0, reduction=None)(t, e)
    assert loss[3] == 0
    assert (loss[:3] > 0).all()
    mean = simdloss.Circle(gamma=4.0)(t, e)
    assert mean == pytest.approx(float(loss[:3].mean()), rel=1e-6)
    weighted = simdloss.Circle(gamma=4.0)(t, e, [0, 1, 1, 5])
    assert weighted == pytest.approx(float(loss[1:3].sum() / 3), rel=1e-6)
    assert simdloss.Circle()([0, 1], e[:2]) == 0
    with pytest.raises(ValueError, match="empty"):
        simdloss.Circle()([0, 1], e[:2], empty="raise")


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_labels_of_circle(dtype: str) -> None:
    t = np.array([0, 1, 1, 0, 2])
    e = embeddings_of(5, 3, np.random.default_rng(3))
    expected = simdloss.circle(t, e)
    given_labels = t.astype({**INTEGERS, **FLOATS}[dtype])
    for labels in (given_labels, given_labels[:, None], given_labels[None, :]):
        assert_same_bits(simdloss.circle(labels, e), expected)
        assert_same_bits(simdloss.circle(t, e, labels, e), expected)
        assert_same_bits(simdloss.Circle(reduction=None)(labels, e), expected)


def test_labels_of_circle_are_exact_and_may_be_any_whole_numbers() -> None:
    """Keras casts them to int32, of which 2^32 is 0, and the class to float32 before."""
    e = embeddings_of(4, 3, np.random.default_rng(4))
    expected = simdloss.circle([0, 1, 0, 1], e)
    for one, other in [(0, 2**32), (2**24, 2**24 + 1), (-1, -2), (2**62, 2**62 + 1)]:
        t = np.array([one, other] * 2)
        for labels in (t, t.tolist(), [float(one), float(other)] * 2):
            if len(set(labels)) == 2:  # float64 has no 2^62 + 1
                assert_same_bits(simdloss.circle(labels, e), expected)
                assert_same_bits(simdloss.circle(labels, e, labels, e), expected)
                assert_same_bits(simdloss.Circle(reduction=None)(labels, e), expected)
    labels = [2**63, 2**63 + 1] * 2
    assert_same_bits(simdloss.circle(labels, e, ref_labels=labels), expected)


@pytest.mark.parametrize(("bad", "shown"), [(0.5, r"0\.5"), (np.nan, "nan"), (np.inf, "inf")])
def test_bad_labels_of_circle(bad: float, shown: str) -> None:
    t = np.array([0, 1, bad, 1])
    e = embeddings_of(4, 3, np.random.default_rng(5))
    for call in (simdloss.circle, simdloss.Circle()):
        with pytest.raises(ValueError, match=rf"y_true.*{shown} at position 2"):
            call(t, e)
    with pytest.raises(ValueError, match=rf"ref_labels.*{shown} at position 2"):
        simdloss.circle([0, 1, 0, 1], e, ref_labels=t)


@pytest.mark.parametrize(
    ("t", "e", "options"),
    [
        ((3,), (4, 2), {}),
        ((4, 2), (4, 2), {}),
        ((4,), (4,), {}),
        ((4,), (4, 2, 2), {}),
        ((4,), (4, 2), {"ref_labels": [0, 1]}),
        ((4,), (4, 2), {"ref_embeddings": np.ones((3, 2))}),
        ((4,), (4, 2), {"ref_embeddings": np.ones((4, 3))}),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit_circle(t: Any, e: Any, options: Any) -> None:
    with pytest.raises(ValueError, match="shape"):
        simdloss.circle(np.zeros(t, int), np.ones(e), **options)


def test_arrays_whose_copies_no_memory_holds() -> None:
    """The error of an allocation comes out of the threads that make it."""
    vectors = np.broadcast_to(np.float32(0), (4, 2**58))
    for threads in (1, 2):
        with simdloss.using_num_threads(threads):
            with pytest.raises(MemoryError):
                simdloss.circle(np.zeros(4, int), vectors)
            with pytest.raises(MemoryError):
                simdloss.ctc(np.broadcast_to(np.int8(0), (4, 2**60)), np.zeros((4, 3, 2)))


@pytest.mark.parametrize("option", ["gamma", "margin"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_numbers_that_circle_has_no_use_for(option: str, value: float) -> None:
    loss: Any = simdloss.Circle
    with pytest.raises(ValueError, match=f"{option} must be a finite number"):
        loss(**{option: value})([0, 0, 1], np.ones((3, 1)))


def test_circle_of_nothing() -> None:
    e = np.ones((0, 3), np.float32)
    assert_same_bits(simdloss.circle(np.zeros(0, int), e), np.zeros(0, np.float32))
    t, f = np.zeros(2, int), np.ones((2, 3), np.float32)
    assert_same_bits(simdloss.circle(t, f, np.zeros(0, int), e), np.zeros(2, np.float32))


def test_nan_in_any_reference_poisons_all_queries() -> None:
    e = embeddings_of(4, 3, np.random.default_rng(6))
    e[2, 1] = np.nan
    assert np.isnan(simdloss.circle([0, 1, 0, 1], e)).all()


def test_parts_of_circle_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="parts"):
        simdloss.Circle().partial([0, 1], np.eye(2))


# --- CTC ------------------------------------------------------------------------------------------


def ctc_batch(
    data: st.DataObject, dtype: str = "float32", scale: float = 2.0, min_classes: int = 1
) -> tuple[Array, Array]:
    batch, time = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 7))
    classes = data.draw(st.integers(min_classes, 5))
    length = data.draw(st.integers(0, 5))
    rng = np.random.default_rng(data.draw(seeds))
    return sequences_of((batch, time, classes), length, rng, dtype, scale)


@given(data=st.data())
@every_precision
@pytest.mark.parametrize("scale", [0.0, 2.0, 100.0])
def test_ctc_is_its_definition(scale: float, dtype: str, data: st.DataObject) -> None:
    t, z = ctc_batch(data, dtype, scale)
    losses = simdloss.ctc(t, z)
    assert losses.dtype == z.dtype
    assert_is_rounded(losses, exact_ctc(t, z), ctc_error(z))


@given(data=st.data())
def test_ctc_is_that_of_keras(data: st.DataObject) -> None:
    """Where there is an alignment; otherwise Keras has 10^5 for infinity."""
    t, z = ctc_batch(data)
    ours, theirs, exact = (
        simdloss.ctc(t, z),
        call_keras_function("ctc", t, z),
        exact_ctc(t, z),
    )
    feasible = np.array([math.isfinite(x) for x in exact])
    assert_closer(ours[feasible], theirs[feasible], [x for x in exact if math.isfinite(x)])
    assert (ours[~feasible] == np.inf).all()
    assert (theirs[~feasible] > 9e4).all()


@given(data=st.data())
@every_reduction
@every_precision
def test_class_of_ctc(dtype: str, reduction: str, data: st.DataObject) -> None:
    t, z = ctc_batch(data, min_classes=2)  # Keras drops an axis of 1
    t[:, z.shape[1] // 2 :] = 0  # leaves an alignment, with a blank for every label
    rng = np.random.default_rng(data.draw(seeds))
    w = rng.integers(0, 4, len(t)).astype(np.float32) if data.draw(st.booleans()) else None
    ours = simdloss.CTC(reduction=reduction, dtype=dtype)(t, z, w)
    theirs = call_keras_class("CTC", t, z, w, None, reduction=reduction, dtype=dtype)
    assert (ours.shape, ours.dtype) == (theirs.shape, np.dtype(dtype))
    losses = np.array([float(x) for x in exact_ctc(t, z)])
    values = Reduced(losses, w, None, reduction).rounded(FORMATS["float64"])
    assert_reduced(ours, values)
    assert_like_keras(ours, theirs)


LOGITS = np.random.default_rng(7).standard_normal((1, 4, 4)).astype(np.float32)


@pytest.mark.parametrize(
    "labels",
    [[1, 1, 1], [1, 2, 3, 1, 2], [2, 2, 3, 3], [1, 1, 2, 2]],
    ids=str,
)
def test_no_alignment(labels: list[int]) -> None:
    assert_same_bits(simdloss.ctc([labels], LOGITS), np.array([np.inf], np.float32))
    assert simdloss.CTC()([labels], LOGITS) == np.inf
    assert (
        simdloss.CTC(reduction="sum")(
            [labels, [1, 0, 0, 0, 0][: len(labels)]], np.tile(LOGITS, (2, 1, 1)), [0, 1]
        )
        < np.inf
    )


@pytest.mark.parametrize("labels", [[1, 1], [1, 2, 2], [3, 1, 3, 1], [2, 1, 1, 0]], ids=str)
def test_repeated_labels(labels: list[int]) -> None:
    exact = sequence.ctc(LOGITS[0], labels)
    assert float(exact) == pytest.approx(
        float(sequence.ctc_brute_force(LOGITS[0], labels)), rel=1e-15
    )
    assert_is_rounded(simdloss.ctc([labels], LOGITS), [exact], ctc_error(LOGITS))


def test_empty_targets() -> None:
    """The blanks alone; without time steps they are certain."""
    expected = simdloss.ctc([[0, 0]], LOGITS)
    blanks = LOGITS[0, :, 0] - np.log(np.exp(LOGITS[0].astype(np.float64)).sum(axis=1))
    np.testing.assert_allclose(expected, [-blanks.sum()], rtol=1e-6)
    assert_same_bits(simdloss.ctc(np.zeros((1, 0), int), LOGITS), expected)
    assert_same_bits(simdloss.ctc([[0]], np.zeros((1, 0, 3), np.float32)), np.zeros(1, np.float32))
    assert simdloss.ctc([[1]], np.zeros((1, 0, 3), np.float32)) == np.inf
    assert simdloss.ctc(np.zeros((0, 2), int), np.zeros((0, 4, 3), np.float32)).shape == (0,)


def test_zeros_before_labels_count_as_in_keras() -> None:
    """Of n labels that are not 0, the first n of the row are taken."""
    assert_same_bits(simdloss.ctc([[1, 2, 0, 2]], LOGITS), simdloss.ctc([[1, 2, 0, 3]], LOGITS))
    for labels in ([0, 1, 2, 0], [1, 0, 2, 0], [1, 2, 0, 2]):
        exact = sequence.ctc(LOGITS[0], labels)
        assert_is_rounded(simdloss.ctc([labels], LOGITS), [exact], ctc_error(LOGITS))
        theirs = call_keras_function("ctc", np.array([labels]), LOGITS)
        assert float(theirs[0]) == pytest.approx(float(exact), rel=1e-5)


def test_classes_that_are_ruled_out() -> None:
    """Keras gives NaN for any logit of -inf."""
    z = LOGITS.copy()
    z[0, :, 3] = -np.inf
    exact = sequence.ctc(z[0], [1, 2])
    assert_is_rounded(simdloss.ctc([[1, 2]], z), [exact], lambda y: 1e-13)
    assert simdloss.ctc([[3]], z) == np.inf


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_labels_of_ctc(dtype: str) -> None:
    t = np.array([[1, 2, 1], [3, 0, 0]])
    z = np.random.default_rng(8).standard_normal((2, 5, 4)).astype(np.float32)
    labels = t.astype({**INTEGERS, **FLOATS}[dtype])
    assert_same_bits(simdloss.ctc(labels, z), simdloss.ctc(t, z))
    assert_same_bits(simdloss.CTC(reduction=None)(labels, z), simdloss.ctc(t, z))


@pytest.mark.parametrize(
    ("bad", "shown"), [(4, "4"), (-1, "-1"), (2**40, str(2**40)), (1.5, r"1\.5"), (np.nan, "nan")]
)
def test_bad_labels_of_ctc(bad: float, shown: str) -> None:
    t = np.zeros((3, 2), np.int64 if isinstance(bad, int) else np.float64)
    t[1, 1] = bad
    z = np.tile(LOGITS, (3, 1, 1))
    for call in (simdloss.ctc, simdloss.CTC(), simdloss.CTC().partial):
        with pytest.raises(ValueError, match=rf"y_true.* {shown} at position \(1, 1\)"):
            call(t, z)
    assert simdloss.CTC(reduction="sum")(t, z, [1, 0, 1]) == pytest.approx(
        float(2 * simdloss.ctc([[0]], LOGITS)[0]), rel=1e-6
    )


@pytest.mark.parametrize(
    ("t", "z"),
    [((3,), (3, 4, 5)), ((2, 2), (3, 4, 5)), ((3, 2), (3, 4)), ((3, 2, 1), (3, 4, 5))],
    ids=str,
)
def test_shapes_that_do_not_fit_ctc(t: Any, z: Any) -> None:
    with pytest.raises(ValueError, match="shape") as caught:
        simdloss.ctc(np.zeros(t, int), np.ones(z))
    assert str(z) in str(caught.value)


@given(data=st.data())
@pytest.mark.parametrize("reduction", ["sum", "mean", "mean_with_sample_weight"])
def test_parts_of_ctc_add_up(reduction: str, data: st.DataObject) -> None:
    t, z = ctc_batch(data)
    w = np.random.default_rng(data.draw(seeds)).random(len(t))
    loss = simdloss.CTC(reduction=reduction)
    cut = data.draw(st.integers(0, len(t)))
    first, second = (loss.partial(t[s], z[s], w[s]) for s in (slice(cut), slice(cut, None)))
    assert_same_bits((second + first).result(), loss(t, z, w))
    assert (first + second).to_bytes() == loss.partial(t, z, w).to_bytes()
