# SPDX-License-Identifier: Apache-2.0
"""Losses of the user's: functions in a wrapper, nested inputs, and masks that they return."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

import simdloss
from simdloss.losses import LossFunctionWrapper
from spec.numbers import FORMATS
from spec.semantics import Reduced
from support.bits import assert_same_bits
from support.keras_calls import KerasLossFunctionWrapper, set_keras_mask
from support.variants import every_reduction, mse


class Pair(NamedTuple):
    low: Any
    high: Any


class Elementwise(simdloss.Loss):
    """The loss is given as y_pred, masked or not."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return np.ma.masked_array(y_pred, mask=y_true != 0)


def absolute(y_true: Any, y_pred: Any) -> Any:
    return abs(y_true - y_pred).mean(axis=-1)


def scaled(y_true: Any, y_pred: Any, scale: float = 1.0) -> Any:
    return scale * absolute(y_true, y_pred)


class Scorer:
    """Something with a method that is a loss."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def loss(self, y_true: Any, y_pred: Any) -> Any:
        return scaled(y_true, y_pred, self.scale / 2)


def total(y_true: Any, y_pred: Any) -> Any:
    """The absolute losses of all leaves."""
    if isinstance(y_true, dict):
        return sum(total(y_true[key], y_pred[key]) for key in y_true)
    if isinstance(y_true, (list, tuple)):
        return sum(total(t, p) for t, p in zip(y_true, y_pred, strict=True))
    return absolute(y_true, y_pred)


# --- LossFunctionWrapper --------------------------------------------------------------------------


@every_reduction
def test_a_wrapper_is_as_good_as_a_subclass(reduction: str) -> None:
    class Absolute(simdloss.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return absolute(y_true, y_pred)

    t, p = mse.draw((40, 3))
    w, m = np.linspace(0, 1, 40), np.arange(40) % 3 > 0
    for dtype in ("float16", "float32", "float64"):
        loss = LossFunctionWrapper(absolute, reduction, dtype=dtype)
        reference = Absolute(reduction=reduction, dtype=dtype)
        for weights, mask in [(None, None), (w, None), (None, m), (w, m)]:
            expected = reference(t, p, weights, mask=mask)
            assert_same_bits(loss(t, p, weights, mask=mask), expected)
        if reduction != "none":
            parts = loss.partial(t[:13], p[:13], w[:13]) + loss.partial(t[13:], p[13:], w[13:])
            assert_same_bits(parts.result(), reference(t, p, w))


RANKS = [((3,), (3, 1)), ((3, 1), (3,)), ((2, 3, 1), (2, 3)), ((2, 3), (2, 3, 1))]


@pytest.mark.parametrize(("of_true", "of_pred"), RANKS, ids=str)
def test_ranks_are_adjusted_as_in_keras(of_true: Any, of_pred: Any) -> None:
    t = np.arange(np.prod(of_true), dtype=np.float32).reshape(of_true)
    p = np.ones(of_pred, np.float32)
    ours = LossFunctionWrapper(absolute, None)(t, p)
    theirs = np.asarray(KerasLossFunctionWrapper(absolute, None)(t, p))
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_names_and_attributes() -> None:
    loss = LossFunctionWrapper(scaled, scale=2.0)
    assert loss.name.startswith("loss_function_wrapper")
    assert loss.fn is scaled
    assert "fn=<function scaled" in repr(loss)
    assert "scale=2.0" in repr(loss)
    assert LossFunctionWrapper(scaled, "sum", "mine").name == "mine"
    with pytest.raises(TypeError, match="fn must be callable; received 3 of type int"):
        LossFunctionWrapper(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"fn must be callable; received 'mse'.*losses\.get makes"):
        LossFunctionWrapper("mse")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"fn must be a function or an instance; .* class Huber"):
        LossFunctionWrapper(simdloss.Huber)
    with pytest.raises(TypeError, match="colour"):
        LossFunctionWrapper(scaled, colour=1)([[1.0]], [[2.0]])


@pytest.mark.parametrize(
    "clone",
    [
        copy.copy,
        copy.deepcopy,
        lambda x: pickle.loads(pickle.dumps(x)),
        lambda x: simdloss.deserialize(simdloss.serialize(x), {"scaled": scaled}),
    ],
    ids=["copy", "deepcopy", "pickle", "config"],
)
def test_clones(clone: Any) -> None:
    loss = LossFunctionWrapper(scaled, "sum", "mine", "float64", scale=0.3)
    again = clone(loss)
    t, p = mse.draw((7, 3))
    assert (again.name, again.reduction, again.dtype) == ("mine", "sum", "float64")
    assert_same_bits(again(t, p), loss(t, p))
    assert again.partial(t, p).to_bytes() == loss.partial(t, p).to_bytes()


def test_built_in_functions_may_be_wrapped() -> None:
    t, p = mse.draw((7, 3))
    loss = LossFunctionWrapper(simdloss.huber, delta=0.5)
    assert loss(t, p) == pytest.approx(float(simdloss.Huber(0.5)(t, p)), rel=1e-6)
    again = simdloss.get(simdloss.serialize(loss))
    assert_same_bits(again(t, p), loss(t, p))


@pytest.mark.parametrize("returned", [None, "text"])
def test_what_the_function_returns_is_named_in_errors(returned: Any) -> None:
    def median(y_true: Any, y_pred: Any) -> Any:
        return returned

    with pytest.raises(TypeError, match=r"the value returned by fn \(median\) "):
        LossFunctionWrapper(median)([[1.0]], [[2.0]])


def test_a_dtype_policy_in_a_config() -> None:
    """As Keras writes it."""
    policy = {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "float64"},
        "registered_name": None,
    }
    for loss in (simdloss.Huber(), LossFunctionWrapper(simdloss.mse)):
        data = simdloss.serialize(loss)
        data["config"]["dtype"] = policy
        assert simdloss.get(data).dtype == "float64"


def with_options(y_true: Any, y_pred: Any, **options: Any) -> Any:
    return absolute(y_true, y_pred)


@pytest.mark.parametrize("meta", [{"class_name": "cat"}, [{"class_name": "cat", "config": {}}]])
def test_options_that_look_like_configs(meta: Any) -> None:
    loss = LossFunctionWrapper(with_options, meta=meta)
    again = simdloss.deserialize(simdloss.serialize(loss), {"with_options": with_options})
    assert repr(again) == repr(loss)


def test_states_of_different_functions_do_not_merge() -> None:
    def other(y_true: Any, y_pred: Any) -> Any:
        return absolute(y_true, y_pred)

    losses = [
        LossFunctionWrapper(scaled, scale=2.0),
        LossFunctionWrapper(scaled, scale=3.0),
        LossFunctionWrapper(scaled, scale=np.ones(2000)),
        LossFunctionWrapper(scaled, scale=np.arange(2000.0)),
        LossFunctionWrapper(absolute),
        LossFunctionWrapper(other),
        LossFunctionWrapper(lambda t, p: absolute(t, p)),
        LossFunctionWrapper(lambda t, p: 2 * absolute(t, p)),
        LossFunctionWrapper(partial(scaled, scale=4.0)),
        LossFunctionWrapper(Scorer(2.0).loss),
        LossFunctionWrapper(Scorer(4.0).loss),
    ]
    t, p = np.ones((2, 2000, 1)), np.zeros((2, 2000, 1))
    states = [loss.partial(t, p) for loss in losses]
    for i, loss in enumerate(losses):
        for j, state in enumerate(states):
            if i == j:
                assert (state + loss.partial(t, p)).count == 2 * state.count
            else:
                with pytest.raises(ValueError, match="another one"):
                    _ = state + loss.partial(t, p)


# --- Nested structures ----------------------------------------------------------------------------

A, B = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[0.5], [2.0]])
STRUCTURES = {
    "dict": ({"a": A, "b": B}, {"b": B + 1, "a": A - 2}),
    "ordered": (OrderedDict(a=A, b=B), OrderedDict(a=A - 2, b=B + 1)),
    "list": ([A, B], [A - 2, B + 1]),
    "tuple": ((A, B), (A - 2, B + 1)),
    "named": (Pair(A, B), Pair(A - 2, B + 1)),
    "nested": ({"x": [A, {"y": B}]}, {"x": [A - 2, {"y": B + 1}]}),
    "deep": ([[A], (B,)], [[A - 2], (B + 1,)]),
}


@pytest.mark.parametrize(("y_true", "y_pred"), STRUCTURES.values(), ids=STRUCTURES)
@every_reduction
def test_structures_as_in_keras(y_true: Any, y_pred: Any, reduction: str) -> None:
    seen: list[Any] = []

    def fn(t: Any, p: Any) -> Any:
        seen.append((t, p))
        return total(t, p)

    for dtype in ("float16", "float32"):
        ours = LossFunctionWrapper(fn, reduction, dtype=dtype)(y_true, y_pred, [1.0, 3.0])
        theirs = KerasLossFunctionWrapper(fn, reduction, dtype=dtype)(
            y_true, y_pred, sample_weight=np.array([1.0, 3.0])
        )
        np.testing.assert_array_equal(ours, np.asarray(theirs))
        for mine, keras_one in zip(seen[-2], seen[-1], strict=True):
            assert type(mine) is type(keras_one)
            assert repr(mine).split("(")[0] == repr(keras_one).split("(")[0]
        leaf = seen[-2][0]
        while not isinstance(leaf, np.ndarray):
            leaf = next(iter(leaf.values() if isinstance(leaf, dict) else leaf))
        assert leaf.dtype == dtype


def test_subclasses_take_structures_that_differ() -> None:
    class Coverage(simdloss.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            assert y_true.dtype == y_pred["low"].dtype == "float32"
            return (y_true < y_pred["low"]) | (y_true > y_pred["high"])

    bounds = {"low": [0, 0, 0], "high": [1.0, 2.0, 3.0]}
    assert Coverage(reduction="sum")([0.5, 2.5, -1], bounds) == 2.0


def test_lists_of_numbers_are_arrays() -> None:
    def fn(t: Any, p: Any) -> Any:
        assert isinstance(t, np.ndarray)
        assert isinstance(p, np.ndarray)
        return absolute(t, p)

    loss = LossFunctionWrapper(fn)
    for t, p in [
        ([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]),
        (((1, 0), (0, 0)), np.ones((2, 2))),
        ([np.float32(1), 2.0], [True, 3]),
        ([[np.float64(1)], [2.0]], [[1], [3]]),
    ]:
        expected = absolute(np.asarray(t, np.float32), np.asarray(p, np.float32)).mean()
        assert loss(t, p) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (A, [A], r"y_true is an array of shape \(2, 2\), y_pred is a list of 1"),
        ([A, B], (A, B), "y_true is a list of 2, y_pred is a tuple of 2"),
        (Pair(A, B), (A, B), "y_true is a Pair of 2, y_pred is a tuple of 2"),
        ([A], [A, B], "y_true is a list of 1, y_pred is a list of 2"),
        ({"a": A}, {"b": A}, r"y_true is a dict with the keys \['a'\], y_pred is a dict .*'b'"),
        ({"a": [A, B]}, {"a": [A, [B]]}, r"y_true\['a'\]\[1\] is an array .* y_pred\['a'\]\[1\]"),
        (Pair(A, [A]), Pair(A, A), r"y_true.high is a list of 1, y_pred.high is an array"),
    ],
)
def test_structures_that_differ(y_true: Any, y_pred: Any, message: str) -> None:
    loss = LossFunctionWrapper(total)
    for use in (loss, loss.partial):
        with pytest.raises(ValueError, match="must have the same structure; " + message):
            use(y_true, y_pred)


def test_leaves_that_are_no_arrays_are_named() -> None:
    loss = LossFunctionWrapper(total)
    with pytest.raises(TypeError, match=r"y_pred\['a'\]\[1\] must hold real numbers"):
        loss({"a": [A, B]}, {"a": [A, "text"]})
    with pytest.raises(TypeError, match=r"y_true\.low of type NoneType|y_true\.low must hold"):
        loss(Pair(None, B), Pair(A, B))


@pytest.mark.parametrize("loss", [simdloss.MeanSquaredError(), simdloss.mse], ids=["class", "fn"])
def test_built_in_losses_take_no_dicts(loss: Any) -> None:
    calls: list[Any] = [({"a": A}, {"a": A}, "y_pred"), ({"a": A}, A, "y_true")]
    for t, p, name in [*calls, (A, [{"a": A}], "y_pred")]:
        with pytest.raises(TypeError, match=f"{name} is a dict, or holds.*LossFunctionWrapper"):
            loss(t, p)


# --- Masks that a loss returns --------------------------------------------------------------------

SHAPES: list[Any] = [((4,), mask) for mask in [(4,), (4, 1), ()]]
SHAPES += [((4, 3), mask) for mask in [(4,), (4, 3), (4, 1), (1, 3)]]


@pytest.mark.parametrize("given_dtype", [bool, np.int32, np.float32])
@pytest.mark.parametrize("with_weights", [False, True], ids=["", "weights"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@every_reduction
def test_a_returned_mask_is_and_ed(
    shape: Any, with_weights: bool, given_dtype: Any, reduction: str
) -> None:
    (of_loss, of_mask), rng = shape, np.random.default_rng(len(str(shape)))
    values = rng.standard_normal(of_loss).astype(np.float32)
    masked = rng.random(of_loss) < 0.4
    weights = rng.random(of_loss[0]) if with_weights else None
    given = np.asarray((rng.random(of_mask) < 0.7) * (1 if given_dtype is bool else 2), given_dtype)
    loss = Elementwise(reduction=reduction)

    def expected(mask: Any) -> Any:
        reduced = Reduced(values, weights, mask, reduction).rounded(FORMATS["float32"])
        return np.asarray(reduced, np.float32)

    assert_same_bits(loss(masked, values, weights), expected(~masked))
    whole = given
    if of_mask == (4,) and values.ndim == 2:
        whole = given[:, None]
    elif of_mask == (4, 1) and values.ndim == 1:
        whole = given[:, 0]
    joined = expected(np.where(masked, 0, whole).astype(given_dtype))
    assert_same_bits(loss(masked, values, weights, mask=given).reshape(joined.shape), joined)


def test_masked_entries_may_hold_anything() -> None:
    values = np.array([1.0, np.nan, np.inf, 5.0], np.float32)
    masked = np.array([0, 1, 1, 0])
    assert Elementwise()(masked, values) == 3.0
    assert_same_bits(
        Elementwise(reduction=None)(masked, values), np.array([1, 0, 0, 5], np.float32)
    )
    assert Elementwise()(np.ones(4), values) == 0.0
    assert np.isnan(Elementwise()(np.ones(4), values, empty="nan"))
    state = Elementwise().partial(masked, values)
    assert (state.valid_count, state.count) == (2, 4)
    halves = Elementwise().partial(masked[:2], values[:2]) + Elementwise().partial(
        masked[2:], values[2:]
    )
    assert halves.result() == 3.0


@every_reduction
def test_returned_masks_as_in_keras(reduction: str) -> None:
    values, masked = np.array([1.0, 2.0, 4.0, 8.0], np.float32), np.array([0, 1, 0, 1])
    weights, given = np.array([1.0, 2.0, 3.0, 4.0], np.float32), np.array([True, True, False, True])

    def ours(t: Any, p: Any) -> Any:
        return np.ma.masked_array(p, mask=t != 0)

    def theirs(t: Any, p: Any) -> Any:
        result = p + 0
        set_keras_mask(result, t == 0)
        return result

    for mask in (None, given):
        for w in (None, weights):
            pred = values.copy()
            if mask is not None:
                set_keras_mask(pred, mask)
            keras_value = KerasLossFunctionWrapper(theirs, reduction)(
                masked, pred, sample_weight=None if w is None else w.copy()
            )
            our_value = LossFunctionWrapper(ours, reduction)(masked, values, w, mask=mask)
            np.testing.assert_allclose(our_value, np.asarray(keras_value), rtol=1e-6)


def test_a_masked_array_without_masked_entries_masks_nothing() -> None:
    loss = LossFunctionWrapper(lambda t, p: np.ma.masked_array(absolute(t, p)))
    t, p = mse.draw((6, 3))
    assert_same_bits(loss(t, p), LossFunctionWrapper(absolute)(t, p))


def test_masks_that_do_not_fit_what_call_returns() -> None:
    with pytest.raises(ValueError, match=r"mask of shape \(3,\) does not broadcast to .* \(4,\)"):
        Elementwise()(np.zeros(4), np.ones(4), mask=np.ones(3))
    with pytest.raises(ValueError, match=r"mask of shape \(2, 4\) does not broadcast to .* \(4,\)"):
        Elementwise()(np.zeros(4), np.ones(4), mask=np.ones((2, 4)))


LARGE = {"float16": 2049, "bfloat16": 257, "float32": 16_777_217, "float64": 2**53 + 1}


class Ids(simdloss.Loss):
    """Notes what it was called with."""

    received: Any = None

    def call(self, y_true: Any, y_pred: Any) -> Any:
        self.received = y_true
        return np.zeros(2, np.float32)


@pytest.mark.parametrize("dtype", LARGE)
@pytest.mark.parametrize("integer", ["int32", "int64", "uint64"])
def test_class_ids_are_exact(dtype: str, integer: str) -> None:
    large = LARGE[dtype]
    if large > np.iinfo(integer).max:
        return
    loss = Ids(dtype=dtype)
    for given in ([large, 0], [np.iinfo(integer).max, 0], [[large, 0]]):
        ids = np.array(given, integer)
        loss({"a": ids}, {"a": np.zeros(2)})
        assert loss.received["a"].dtype == ids.dtype
        assert np.array_equal(loss.received["a"], ids)
    for held in ([large - 1, 0], [1, 0]):
        loss(np.array(held, integer), np.zeros(2))
        assert loss.received.dtype.name == dtype
        assert loss.received.tolist() == held


def test_large_class_ids_in_a_wrapper() -> None:
    ids = [2049, 2048]
    p = np.linspace(0.1, 1.0, 2 * 3000, dtype=np.float16).reshape(2, 3000)
    sparse = simdloss.sparse_categorical_crossentropy
    loss = LossFunctionWrapper(sparse, dtype="float16", reduction=None)
    assert_same_bits(loss(ids, p), sparse(ids, p))
    labels = [2049, 2048, 2049]
    embeddings = np.eye(3, dtype=np.float16)
    circle = LossFunctionWrapper(simdloss.circle, dtype="float16", reduction=None)
    assert_same_bits(circle(labels, embeddings), simdloss.circle(labels, embeddings))


@pytest.mark.parametrize("values", [[70000, -70000], [-70000, 1], [2**31 - 1, 0]], ids=str)
def test_integers_beyond_the_range_of_the_dtype(values: list[int]) -> None:
    loss = Ids(dtype="float16")
    loss(values, np.zeros(2))
    assert loss.received.tolist() == values
