# SPDX-License-Identifier: Apache-2.0
"""Names of former versions: each means what it meant, and is a name for `get` too."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import simdloss
from report.names import report
from report.page import marked
from simdloss import compat, losses
from support.bits import assert_same_bits
from support.processes import run_python

PAGE = Path(__file__).parents[2] / "docs/names.md"


every_name = pytest.mark.parametrize("name", compat.FUNCTIONS)
OF_R = [
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "squared_hinge",
    "hinge",
    "categorical_hinge",
    "logcosh",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "binary_crossentropy",
    "kullback_leibler_divergence",
    "poisson",
    "cosine_proximity",
]


def unit(x: Any) -> Any:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


# What a name meant, where that is not the function of today with its default options.
FORMERLY = {
    "loss_hinge": lambda t, p: np.maximum(1 - t * p, 0).mean(axis=-1),
    "loss_squared_hinge": lambda t, p: (np.maximum(1 - t * p, 0) ** 2).mean(axis=-1),
    "cosine_proximity_mean": lambda t, p: -(unit(t) * unit(p)).mean(axis=-1),
    "cosine_proximity": lambda t, p: -(unit(t) * unit(p)).sum(axis=-1),
    "cosine": lambda t, p: -(unit(t) * unit(p)).sum(axis=-1),
    "loss_cosine_proximity": lambda t, p: -(unit(t) * unit(p)).sum(axis=-1),
    "huber_loss": lambda t, p: (0.5 * (t - p) ** 2).mean(axis=-1),  # for small differences
    "logcosh": lambda t, p: np.log(np.cosh(p - t)).mean(axis=-1),
    "loss_logcosh": lambda t, p: np.log(np.cosh(p - t)).mean(axis=-1),
    "kullback_leibler_divergence": lambda t, p: (t * np.log(t / p)).sum(axis=-1),
    "loss_kullback_leibler_divergence": lambda t, p: (t * np.log(t / p)).sum(axis=-1),
}


def test_the_functions_of_r_are_there() -> None:
    assert {f"loss_{name}" for name in OF_R} <= set(compat.FUNCTIONS)
    assert len(OF_R) == 14


@every_name
def test_every_name_is_importable_and_an_identifier(name: str) -> None:
    function = getattr(compat, name)
    assert name in compat.__all__
    assert name in dir(compat)
    assert losses.get(name) is function
    assert losses.deserialize(name) is function
    assert losses.get(losses.serialize(function)) is function
    assert losses.get({"class_name": name}) is function
    assert pickle.loads(pickle.dumps(function)) is function
    assert list(inspect.signature(function).parameters)[:2] == ["y_true", "y_pred"]


@every_name
def test_what_is_not_defined_anew_is_the_function_of_today(name: str) -> None:
    old = compat.FUNCTIONS[name]
    if name in vars(compat):
        assert old.options or old.note
    else:
        assert not old.options
        assert getattr(compat, name) is getattr(losses, old.loss)


@every_name
def test_options_of_the_table_give_the_same(name: str) -> None:
    old = compat.FUNCTIONS[name]
    if not old.options:
        return
    t, p = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[0.5, 0.25], [2.0, -3.0]])
    today = eval(f"losses.{old.loss}(t, p, {old.options})", {"losses": losses, "t": t, "p": p})
    assert_same_bits(getattr(compat, name)(t, p), today)
    assert not np.array_equal(today, getattr(losses, old.loss)(t, p))


@pytest.mark.parametrize("name", FORMERLY)
def test_old_definitions(name: str) -> None:
    t = np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    if "leibler" in name:
        t = np.array([[0.2, 0.3, 0.5], [0.25, 0.5, 0.25]])
    p = np.array([[0.25, 0.5, 0.25], [0.5, 0.125, 0.375]])
    np.testing.assert_allclose(getattr(compat, name)(t, p), FORMERLY[name](t, p), rtol=1e-12)


def test_the_mean_of_the_first_cosine_proximity_takes_what_others_take() -> None:
    for shapes in [((), ()), ((3,), (3,)), ((2, 3), (2, 3)), ((2,), (2, 1)), ((2, 1), (2,))]:
        t, p = (np.ones(shape, np.float32) for shape in shapes)
        length = 3 if 3 in t.shape else 1
        expected = losses.get("cosine_proximity")(t, p) / np.float32(length)
        assert_same_bits(compat.cosine_proximity_mean(t.tolist(), p.tolist()), expected)


def test_reductions_of_tf_keras() -> None:
    t, p = np.zeros((2, 3)), np.ones((2, 3))
    for key in compat.Reduction.all():
        compat.Reduction.validate(key)
        loss = simdloss.MeanSquaredError(reduction=key)
        assert_same_bits(loss(t, p), simdloss.MeanSquaredError(loss.reduction)(t, p))
    assert simdloss.MeanSquaredError("auto").reduction == "sum_over_batch_size"
    with pytest.raises(ValueError, match="Invalid Reduction Key: 'mean'"):
        compat.Reduction.validate("mean")


@pytest.mark.parametrize("function", losses.REGISTRY)
def test_functions_of_today_by_their_names_in_r(function: str) -> None:
    old = compat.FUNCTIONS[f"loss_{function}"]
    assert old.loss == function
    assert losses.get(f"loss_{function}") is getattr(compat, f"loss_{function}")


def test_r_before_labels_were_converted() -> None:
    for name in ("loss_hinge", "loss_squared_hinge"):
        old = compat.FUNCTIONS[name]
        assert "before 2.3" in old.where
        assert f"`{old.loss}`" in old.note


@pytest.mark.parametrize("module", [simdloss, losses], ids=lambda m: m.__name__)
@pytest.mark.parametrize(
    "name",
    ["logcosh", "kullback_leibler_divergence", "cosine_proximity", "Reduction", "loss_huber"],
)
def test_former_names_as_attributes(module: Any, name: str) -> None:
    message = rf"{module.__name__}' has no attribute '{name}'.*simdloss\.compat\.{name}$"
    with pytest.raises(AttributeError, match=message):
        getattr(module, name)
    assert not hasattr(module, "spam")


def test_the_module_is_an_attribute() -> None:
    run_python("import simdloss; simdloss.compat.logcosh; 'compat' in dir(simdloss) or 1 / 0")


def test_dir_has_public_names_only() -> None:
    for module in (simdloss, losses):
        assert set(dir(module)) - {"compat"} == set(vars(module)["__all__"])


def test_both_tables_say_the_same() -> None:
    """A function whose meaning changed is not the same under a former name."""
    changed = {name for entry in compat.CHANGED for name in entry.name.split(", ")}
    for name, old in compat.FUNCTIONS.items():
        assert old.note or old.loss not in changed, name


def test_unknown_attributes() -> None:
    with pytest.raises(AttributeError, match=r"simdloss.compat.*'spam'"):
        _ = compat.spam


def test_the_page_is_what_the_command_makes() -> None:
    """docs/names.md is made by `python -m tests.report names --write`."""
    text, right = report(quick=False)
    assert right
    assert PAGE.read_text(encoding="utf-8") == marked("names", text) + "\n"


def test_star_import() -> None:
    run_python("from simdloss.compat import *; logcosh, loss_hinge, Reduction")
