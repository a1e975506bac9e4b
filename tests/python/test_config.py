# SPDX-License-Identifier: Apache-2.0
"""Instances: names, configs, copies, pickles, attributes and subclasses."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import simdloss
from spec.numbers import FORMATS
from spec.semantics import Reduced
from support.bits import assert_same_bits
from support.dtypes import FLOATS
from support.keras_calls import keras
from support.variants import VARIANTS, Variant, every_loss, every_variant, mse

CLONES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "config": lambda x: type(x).from_config(x.get_config()),
    "json": lambda x: type(x).from_config(json.loads(json.dumps(x.get_config()))),
    "repr": lambda x: eval(repr(x), vars(simdloss)),
}


# Lost by Keras 3.15, kept by its next version.
LOST_BY_KERAS: dict[str, dict[str, Any]] = {
    "huber": {"delta": 1.0},
    "cosine_similarity": {"axis": -1},
    "sparse_categorical_crossentropy": {"axis": -1},
}


def configured(variant: Variant) -> simdloss.Loss:
    return variant.loss(axis=0, reduction="sum", name="mine", dtype="float64")


@pytest.mark.parametrize("clone", CLONES.values(), ids=CLONES)
@every_variant
def test_clones_compute_the_same(variant: Variant, clone: Any) -> None:
    for loss in (variant.loss(), configured(variant)):
        t, p = variant.draw((8, 5), axis=loss.get_config().get("axis", -1))
        again = clone(loss)
        assert type(again) is type(loss)
        assert again is not loss
        assert again.get_config() == loss.get_config()
        assert (again.name, again.reduction, again.dtype) == (loss.name, loss.reduction, loss.dtype)
        assert_same_bits(again(t, p), loss(t, p))
        if loss.get_config().get("axis") != 0:  # rows across the samples have no parts
            assert again.partial(t, p).to_bytes() == loss.partial(t, p).to_bytes()
        assert dir(again) == dir(loss)


@pytest.mark.parametrize("axis", [0, (0, 1), (), None], ids=str)
def test_every_axis_survives(axis: Any) -> None:
    t, p = mse.draw((3, 4, 5))
    for clone in CLONES.values():
        assert_same_bits(clone(mse.loss(axis=axis))(t, p), mse.loss(axis=axis)(t, p))


@every_loss
def test_config_has_the_arguments_of_keras(variant: Variant) -> None:
    case = variant.case
    theirs = getattr(keras.losses, case.class_name)(**case.keras_arguments(variant.options))
    ours = variant.loss().get_config()
    assert ours == theirs.get_config() | LOST_BY_KERAS.get(case.function, {})
    assert list(ours)[:2] == ["name", "reduction"]
    getattr(keras.losses, variant.case.class_name).from_config(ours)


def test_dtype_is_in_the_config_when_it_was_given() -> None:
    assert "dtype" not in mse.loss().get_config()
    assert mse.loss(dtype="float16").get_config()["dtype"] == "float16"


def test_unknown_config_keys() -> None:
    with pytest.raises(TypeError, match="spam"):
        simdloss.Huber.from_config({"spam": 1})


@every_loss
def test_default_names(variant: Variant) -> None:
    assert variant.loss().name == variant.case.instance_name
    assert variant.loss().name == variant.case.instance_name, "explicit defaults are not numbered"
    assert variant.loss(name="mine").name == "mine"


def test_false_names_become_the_class_name_numbered() -> None:
    class OneMoreLoss(simdloss.Loss):
        pass

    assert OneMoreLoss(name=None).name == "one_more_loss"
    assert OneMoreLoss(name="").name == "one_more_loss_1"
    assert OneMoreLoss().name == "one_more_loss_2"


@every_variant
def test_repr_tells_class_and_options(variant: Variant) -> None:
    text = repr(variant.loss())
    assert text.startswith(variant.case.class_name + "(")
    for name, value in variant.options.items():
        assert f"{name}={value!r}" in text


@every_variant
def test_parameters_are_attributes(variant: Variant) -> None:
    loss = variant.loss()
    for name, value in variant.case.arguments(variant.options).items():
        assert getattr(loss, name) == value
    assert loss.reduction == "sum_over_batch_size"
    assert loss.dtype == "float32"


def test_dtype_is_read_only() -> None:
    loss = mse.loss()
    with pytest.raises(AttributeError):
        loss.dtype = "float64"  # type: ignore[misc]


class Policy:
    compute_dtype = "bfloat16"

    def __repr__(self) -> str:
        return "a policy"


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        ("float16", "float16"),
        (np.float64, "float64"),
        (np.dtype("float16"), "float16"),
        (float, "float32"),
        (FLOATS["bfloat16"], "bfloat16"),
        ("mixed_float16", "float16"),
        ("mixed_bfloat16", "bfloat16"),
        (Policy(), "bfloat16"),
        (None, "float32"),
        ("", "float32"),
    ],
    ids=repr,
)
def test_what_dtype_may_be(given: Any, dtype: str) -> None:
    loss = mse.loss(dtype=given)
    assert loss.dtype == dtype
    assert loss([[1.0]], [[2.0]]).dtype == FLOATS[dtype]


def test_changed_attributes_count_from_the_next_call_on() -> None:
    loss = simdloss.Huber()
    assert loss([[0.0]], [[3.0]]) == 2.5
    loss.delta = 2.0
    loss.reduction = "sum"
    assert loss([[0.0], [0.0]], [[3.0], [3.0]]) == 8.0


class Quantile(simdloss.Loss):
    """A loss of a user's."""

    def __init__(self, q: float = 0.9, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.q = q

    def call(self, y_true: Any, y_pred: Any) -> Any:
        assert y_true.dtype == y_pred.dtype == self.dtype
        d = y_true - y_pred
        return np.maximum(self.q * d, (self.q - 1) * d).mean(axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "q": self.q}


def test_subclasses() -> None:
    t, p = mse.draw((40, 3), "float64")
    for dtype in ("float32", "float64"):
        samples = Quantile(dtype=dtype, reduction=None)(t, p)
        assert samples.shape == (40,)
        assert samples.dtype == dtype
        w = np.linspace(0, 1, 40)
        for reduction in ("sum", "mean", "mean_with_sample_weight"):
            loss = Quantile(dtype=dtype, reduction=reduction)
            expected = Reduced(samples, w, None, reduction).rounded(FORMATS[dtype])
            assert_same_bits(loss(t, p, w), expected.astype(dtype))
            parts = loss.partial(t[:13], p[:13], w[:13]) + loss.partial(t[13:], p[13:], w[13:])
            assert_same_bits(parts.result(), loss(t, p, w))
    for clone in ("copy", "deepcopy", "pickle", "config"):
        again = CLONES[clone](Quantile(0.3, name="q", dtype="float64"))
        assert (again.q, again.name, again.dtype) == (0.3, "q", "float64")
        assert_same_bits(again(t, p), Quantile(0.3, dtype="float64")(t, p))


def test_a_subclass_of_a_built_in_loss() -> None:
    class Doubled(simdloss.Huber):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return 2 * super().call(y_true, y_pred)

    t, p = mse.draw((6, 3))
    assert_same_bits(Doubled(delta=0.5, reduction=None)(t, p), 2 * simdloss.huber(t, p, delta=0.5))


class HalfHuber(simdloss.Huber):
    """A built-in loss with an __init__ of the user's."""

    def __init__(self, delta: float = 0.5, **kwargs: Any) -> None:
        super().__init__(delta, **kwargs)


@pytest.mark.parametrize("clone", ["pickle", "config", "json"])
def test_a_built_in_loss_with_another_init(clone: str) -> None:
    loss = HalfHuber(name="half")
    expected = {"name": "half", "reduction": "sum_over_batch_size", "delta": 0.5}
    assert loss.get_config() == expected
    assert "axis" not in repr(loss)
    assert CLONES[clone](loss).get_config() == expected
    again = CLONES[clone](HalfHuber(axis=0))
    assert again.get_config()["axis"] == 0


def test_configs_hold_plain_values() -> None:
    """NumPy's numbers become Python's, which JSON knows."""
    losses = [
        simdloss.Huber(np.float32(0.5), axis=np.int64(1)),
        simdloss.Huber(axis=(np.int64(0), np.int8(1))),
        simdloss.BinaryCrossentropy(np.bool_(True), np.float32(0.125)),  # type: ignore[arg-type]
        simdloss.BinaryFocalCrossentropy(np.False_, gamma=np.int32(3)),  # type: ignore[arg-type]
    ]
    for loss in losses:
        assert "np." not in repr(loss)
        config = json.loads(json.dumps(loss.get_config()))
        assert repr(type(loss).from_config(config)) == repr(loss)


class Pair(NamedTuple):
    low: Any
    high: Any


def test_subclasses_may_take_named_tuples() -> None:
    class Interval(simdloss.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            assert isinstance(y_pred, Pair)
            return np.maximum(y_pred.low - y_true, 0) + np.maximum(y_true - y_pred.high, 0)

    bounds = Pair(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    assert Interval(reduction="sum")([3.0, 0.5], bounds) == 2.5


def test_a_subclass_that_does_not_call_the_constructor() -> None:
    class Forgetful(simdloss.Loss):
        def __init__(self, q: float) -> None:
            self.q = q

    assert repr(Forgetful(0.5)) == "<Forgetful whose __init__ has not called super().__init__()>"
    for use in (Forgetful(0.5), Forgetful(0.5).partial):
        with pytest.raises(RuntimeError, match=r"Forgetful.__init__ must call super\(\)"):
            use([[1.0]], [[2.0]])


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (None, TypeError, "the value returned by Returns.call is None"),
        ("text", TypeError, "the value returned by Returns.call must hold real numbers"),
        ([[1.0], [2.0, 3.0]], ValueError, "the value returned by Returns.call is not a rect"),
    ],
)
def test_what_call_returns_is_named_in_errors(returned: Any, error: Any, message: str) -> None:
    class Returns(simdloss.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return returned

    for use in (Returns(), Returns().partial):
        with pytest.raises(error, match=message):
            use([[1.0]], [[2.0]])


@every_loss
def test_call_gives_unweighted_samples(variant: Variant) -> None:
    t, p = variant.draw((6, 3))
    assert_same_bits(variant.loss(reduction="sum").call(t, p), variant.samples(t, p))


def test_functions_pickle_as_themselves() -> None:
    for variant in VARIANTS:
        function = getattr(simdloss, variant.case.function)
        assert pickle.loads(pickle.dumps(function)) is function
        assert inspect.isfunction(function)


def test_an_attribute_that_changes_while_a_call_reads_it() -> None:
    """As another thread may do."""
    loss: Any = simdloss.Huber()

    class Delta:
        def __float__(self) -> float:
            loss.delta = 2.0
            return 1.0

    loss.delta = Delta()
    assert loss([[0.0]], [[3.0]]) == 2.5
    assert loss.delta == 2.0
    assert loss([[0.0]], [[3.0]]) == 4.0


def test_a_number_that_changes_in_place() -> None:
    delta = np.array(1.0)
    loss = simdloss.Huber(delta)  # type: ignore[arg-type]
    delta[...] = 2
    assert loss([[0.0]], [[3.0]]) == 2.5
    assert loss.get_config()["delta"] == 1.0


def test_auto_is_a_reduction_of_attributes_too() -> None:
    loss = simdloss.Huber(reduction="sum")
    loss.reduction = "auto"
    assert loss.reduction == "sum_over_batch_size"
    assert loss([[0.0], [0.0]], [[1.0], [3.0]]) == 1.5


@pytest.mark.parametrize("docstring", ["A loss.", None])
def test_the_function_of_a_built_in_loss_stays(docstring: str | None) -> None:
    def fn(y_true: Any, y_pred: Any) -> Any:
        """A function."""

    for base in (simdloss.Huber, simdloss.CategoricalCrossentropy):
        members = {"fn": staticmethod(fn), "__doc__": docstring}
        with pytest.raises(TypeError, match=r"Own\.fn: .* LossFunctionWrapper"):
            type("Own", (base,), members)
