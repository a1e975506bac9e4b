# SPDX-License-Identifier: Apache-2.0
"""Losses by name and as plain data: get, serialize and deserialize, and the same in Keras."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest

import simdloss
from simdloss import losses
from support.bits import assert_same_bits
from support.keras_calls import KerasLossFunctionWrapper, keras, known_to_keras
from support.variants import VARIANTS, Variant, every_loss, every_variant, mse


def halved(y_true: Any, y_pred: Any, factor: Any = 0.5) -> Any:
    """A loss of a user's."""
    return factor * abs(y_true - y_pred).mean(axis=-1)


class Halved(simdloss.Loss):
    """A loss class of a user's."""

    def __init__(self, inner: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return halved(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "inner": losses.serialize(self.inner)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**{**config, "inner": losses.deserialize(config["inner"])})


@every_loss
def test_get_by_every_name(variant: Variant) -> None:
    function = getattr(losses, variant.case.function)
    cls = getattr(losses, variant.case.class_name)
    registered = losses.REGISTRY[variant.case.function]
    for name in (variant.case.function, *registered.aliases):
        assert losses.get(name) is function
        assert losses.deserialize(name) is function
        assert pickle.loads(pickle.dumps(losses.get(name))) is function
    for identifier in (variant.case.class_name, cls, {"class_name": variant.case.class_name}):
        loss = losses.get(identifier)
        assert type(loss) is cls
        assert loss.get_config() == cls().get_config()
    instance = variant.loss()
    assert losses.get(instance) is instance
    assert losses.get(function) is function


def test_get_of_other_things() -> None:
    assert losses.get(None) is None
    assert losses.serialize(None) is None
    assert losses.deserialize(None) is None
    assert losses.get(halved) is halved
    assert isinstance(losses.get(Halved), Halved)
    theirs = keras.losses.Huber()
    assert losses.get(theirs) is theirs
    assert type(losses.get("Loss")) is simdloss.Loss
    with pytest.raises(TypeError, match="fn"):
        losses.get("LossFunctionWrapper")


@pytest.mark.parametrize(
    ("identifier", "nearest"),
    [
        ("mean_sqared_error", "mean_squared_error"),
        ("MeanSquareError", "MeanSquaredError"),
        ("BinaryCrossEntropy", "BinaryCrossentropy"),
        ("Mse", "mse"),
        ("log-cosh", "log_cosh"),
        ("loss_mean_square_error", "mean_squared_error"),
        ("loss_hubber", "Huber"),
        ("categorical_crossentrpy", "categorical_crossentropy"),
        ("los_hinge", "loss_hinge"),
        ({"class_name": "Hube", "config": {}}, "Huber"),
    ],
    ids=str,
)
def test_unknown_names_suggest_the_nearest(identifier: Any, nearest: str) -> None:
    for find in (losses.get, losses.deserialize):
        with pytest.raises(ValueError, match="Could not interpret loss identifier") as caught:
            find(identifier)
        assert f"Did you mean {nearest!r}?" in str(caught.value).replace('"', "'")


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "zzzz",
        "none",
        "cce",
        "loss",
        "Losss",
        3,
        2.5,
        b"mse",
        [],
        {},
        {"config": {}},
        {"class_name": 3},
    ],
)
def test_what_stands_for_no_loss(identifier: Any) -> None:
    with pytest.raises(ValueError, match="Could not interpret loss identifier") as caught:
        losses.get(identifier)
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"class_name": "Huber", "config": "x"}, "the 'config' of a class must be a dict"),
        ({"class_name": "Huber", "registered_name": ["a"]}, "the 'registered_name' .* be a str"),
        ({"class_name": "function"}, "the 'config' of a function must be its name"),
        ({"class_name": ["Huber"]}, "the 'class_name' of a config must be a str"),
    ],
)
def test_broken_configs(config: Any, message: str) -> None:
    for find in (losses.get, losses.deserialize):
        with pytest.raises(ValueError, match=f"Could not interpret loss identifier.*{message}"):
            find(config)


def test_custom_objects_are_a_dict() -> None:
    with pytest.raises(TypeError, match=r"custom_objects must be a dict .* received \['a'\]"):
        losses.deserialize("a", custom_objects=["a"])  # type: ignore[arg-type]


@pytest.mark.parametrize("find", [losses.get, losses.deserialize], ids=["get", "deserialize"])
@every_variant
def test_round_trips(variant: Variant, find: Any) -> None:
    for options in ({}, {"name": "mine", "reduction": "sum", "dtype": "float64"}):
        loss = variant.loss(**options)
        for again in (
            find(losses.serialize(loss)),
            find(json.loads(json.dumps(losses.serialize(loss)))),
        ):
            assert type(again) is type(loss)
            assert again.get_config() == loss.get_config()
            assert (again.name, again.dtype) == (loss.name, loss.dtype)
    function = getattr(losses, variant.case.function)
    assert find(losses.serialize(function)) is function


@pytest.mark.parametrize(
    "variant", [v for v in VARIANTS if known_to_keras(v.case, v.options)], ids=str
)
def test_configs_are_exchanged_with_keras(variant: Variant) -> None:
    ours = variant.loss()
    theirs = getattr(keras.losses, variant.case.class_name)(
        **variant.case.arguments(variant.options)
    )
    data = keras.losses.serialize(theirs)
    read = losses.get(data)
    assert type(read) is type(ours)
    assert read.get_config().items() >= data["config"].items()
    data = losses.serialize(ours)
    assert data == {**keras.losses.serialize(theirs), "config": data["config"]}
    read = keras.losses.deserialize(data)
    if isinstance(read, str):  # Keras gives a name back that its registry lacks
        assert read == variant.case.class_name == "CategoricalGeneralizedCrossEntropy"
        return
    assert type(read) is type(theirs)
    assert read.get_config() == theirs.get_config()


@every_loss
def test_functions_are_exchanged_with_keras(variant: Variant) -> None:
    ours, theirs = (getattr(m.losses, variant.case.function) for m in (simdloss, keras))
    assert losses.serialize(ours) == keras.losses.serialize(theirs)
    assert losses.get(keras.losses.serialize(theirs)) is ours


def test_configs_of_tf_keras() -> None:
    config = {"reduction": "auto", "name": "huber_loss", "delta": 2.0, "fn": "huber"}
    loss: Any = losses.get({"class_name": "Huber", "config": config})
    assert (loss.delta, loss.reduction) == (2.0, "sum_over_batch_size")


def test_custom_objects() -> None:
    data = losses.serialize(Halved(losses.Huber(3.0), reduction="sum", name="h"))
    assert (data["class_name"], data["registered_name"]) == ("Halved", "Halved")
    for objects in ({"Halved": Halved}, {"mine>Halved": Halved}):
        for registered in ("Halved", "mine>Halved"):
            if registered in objects or "Halved" in objects:
                data["registered_name"] = registered
                again = losses.deserialize(data, custom_objects=objects)
                assert type(again) is Halved
                assert (again.inner.delta, again.reduction) == (3.0, "sum")
    assert losses.deserialize("halved", {"halved": halved}) is halved
    assert losses.deserialize("mse", {"mse": halved}) is halved
    assert losses.deserialize(losses.serialize(halved), {"halved": halved}) is halved
    for find in (losses.get, losses.deserialize):
        with pytest.raises(ValueError, match=r"custom_objects=\{'Halved'"):
            find(data)
        with pytest.raises(ValueError, match=r"custom_objects=\{'halved'"):
            find(losses.serialize(halved))


def test_custom_objects_hold_for_what_is_inside() -> None:
    """As in Keras: a from_config need not pass them on. Afterwards they are gone."""
    inner = losses.LossFunctionWrapper(halved, name="inner")
    data = losses.serialize(Halved(inner))
    again = losses.deserialize(data, {"halved": halved, "Halved": Halved})
    assert again.inner.fn is halved
    with pytest.raises(ValueError, match="halved"):
        losses.get("halved")


def test_a_class_that_shares_its_name_with_a_loss() -> None:
    class Huber(simdloss.Loss):
        pass

    data = losses.serialize(Huber())
    assert data["registered_name"] == "Huber"
    with pytest.raises(ValueError, match="custom_objects"):
        losses.get(data)
    assert type(losses.deserialize(data, {"Huber": Huber})) is Huber


def test_what_cannot_be_serialized() -> None:
    for value in (losses.Huber, np.ones(3), 3, "mse"):
        with pytest.raises(TypeError, match="cannot be serialized"):
            losses.serialize(value)


def test_a_wrapper_round_trip() -> None:
    loss = losses.LossFunctionWrapper(
        halved, "sum", "w", "float64", factor=np.array([0.5, 2.0], np.float32)
    )
    data = json.loads(json.dumps(losses.serialize(loss)))
    again = losses.deserialize(data, {"halved": halved})
    assert again.get_config() == loss.get_config()
    assert again._fn_kwargs["factor"].dtype == np.float32
    t, p = mse.draw((2, 3))
    assert_same_bits(again(t, p), loss(t, p))
    assert dir(again) == dir(loss)


def test_wrappers_are_exchanged_with_keras() -> None:
    ours = losses.LossFunctionWrapper(simdloss.huber, name="w", delta=2.0)
    theirs = KerasLossFunctionWrapper(keras.losses.huber, name="w", delta=2.0)
    assert losses.serialize(ours) == keras.losses.serialize(theirs)
    read = losses.get(keras.losses.serialize(theirs))
    assert isinstance(read, losses.LossFunctionWrapper)
    assert (read.fn, read._fn_kwargs) == (simdloss.huber, {"delta": 2.0})
    again = keras.losses.deserialize(losses.serialize(ours))
    assert again.fn is keras.losses.huber

    factor = np.array([0.5, 1.0])
    theirs = KerasLossFunctionWrapper(halved, factor=factor)
    read = losses.deserialize(keras.losses.serialize(theirs), {"halved": halved})
    assert_same_bits(read._fn_kwargs["factor"], factor)
