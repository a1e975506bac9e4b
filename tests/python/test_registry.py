# SPDX-License-Identifier: Apache-2.0
"""Three lists of losses are equal, and names and signatures are those of Keras."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import simdloss
from simdloss import _core, losses
from spec import CASES
from support.keras_calls import KerasLossFunctionWrapper, keras
from support.processes import run_python
from support.public_names import LOOKUPS, PUBLIC_NAMES, PublicName
from support.variants import Variant, every_loss

ALIASES = {
    "mean_squared_error": ("mse", "MSE"),
    "mean_absolute_error": ("mae", "MAE"),
    "mean_absolute_percentage_error": ("mape", "MAPE"),
    "mean_squared_logarithmic_error": ("msle", "MSLE"),
    "binary_crossentropy": ("bce", "BCE"),
    "kl_divergence": ("kld", "KLD"),
}
PUBLIC: list[str] = vars(losses)["__all__"]
CATALOG: dict[str, Any] = {entry["name"]: entry for entry in _core.catalog()}
WITHOUT_CASE = {name for name, entry in CATALOG.items() if entry["axis_kind"] == "none"}
"""Losses that are no function of one row; their definitions are functions of the specification."""
FUNCTIONS = {case.function for case in CASES} | WITHOUT_CASE
CLASSES = {case.class_name for case in CASES} | {"Circle", "CTC"}


def test_catalogue_and_cases_are_equal() -> None:
    assert {"circle", "ctc"} == WITHOUT_CASE
    assert [name for name in CATALOG if name not in WITHOUT_CASE] == [case.name for case in CASES]


@pytest.mark.parametrize(
    ("name", "target", "parameters"),
    [
        ("circle", "pairs", {"gamma": 80.0, "margin": 0.4, "remove_diagonal": True}),
        ("ctc", "sequence", {}),
    ],
)
def test_entries_without_a_case(name: str, target: str, parameters: dict[str, float]) -> None:
    entry = CATALOG[name]
    assert (entry["target"], entry["row_finish"]) == (target, "whole")
    assert not entry["converts_binary_labels"]
    assert {p["name"]: p["default"] for p in entry["params"]} == parameters
    assert [p["name"] for p in entry["params"] if p["is_bool"]] == [
        name for name, default in parameters.items() if isinstance(default, bool)
    ]


@every_loss
def test_entries_are_declared_alike(variant: Variant) -> None:
    case, entry = variant.case, CATALOG[variant.case.name]
    assert entry["target"] == case.target
    assert entry["row_finish"] == case.row_finish
    assert entry["converts_binary_labels"] == case.converts_binary_labels
    assert [p["name"] for p in entry["params"]] == [q.name for q in case.parameters]
    for p, q in zip(entry["params"], case.parameters, strict=True):
        declared = (q.default, q.is_bool)
        assert (p["default"], bool(p["is_bool"])) == declared
        if not q.is_bool:
            assert (p["low"], p["high"], p["low_open"]) == (q.low, q.high, q.low_open)


def test_python_has_every_entry_and_nothing_else() -> None:
    functions = {
        name
        for name in PUBLIC
        if inspect.isfunction(getattr(losses, name)) and getattr(losses, name).__name__ == name
    }
    classes = {name for name in PUBLIC if inspect.isclass(getattr(losses, name))}
    assert functions == FUNCTIONS | set(LOOKUPS) | {"vjp"}
    assert classes == CLASSES | {"Loss", "LossFunctionWrapper"}
    aliases = set(PUBLIC) - functions - classes
    assert aliases == {alias for pair in ALIASES.values() for alias in pair}


@pytest.mark.parametrize(("name", "aliases"), ALIASES.items(), ids=ALIASES)
def test_aliases(name: str, aliases: tuple[str, str]) -> None:
    for alias in aliases:
        assert getattr(losses, alias) is getattr(losses, name)


def test_everything_is_at_top_level_too() -> None:
    for name in PUBLIC:
        assert getattr(simdloss, name) is getattr(losses, name)
        assert name in vars(simdloss)["__all__"]


def test_public_names_exist() -> None:
    for name in vars(simdloss)["__all__"]:
        assert hasattr(simdloss, name)
    for name in (
        "available_isas",
        "active_isa",
        "force_isa",
        "using_isa",
        "get_num_threads",
        "set_num_threads",
        "using_num_threads",
        "last_num_threads",
        "floatx",
        "set_floatx",
        "epsilon",
        "set_epsilon",
        "using_epsilon",
        "show_config",
        "config",
        "PartialSums",
        "losses",
        "to_categorical",
        "utils",
        "__version__",
    ):
        assert hasattr(simdloss, name), name


@pytest.mark.parametrize("public", PUBLIC_NAMES, ids=str)
def test_names_of_keras(public: PublicName) -> None:
    assert public.exists
    assert public.works
    if public.kind != "identifier":
        assert public.is_declared_alike
        allowed = {"axis", "out", "labels", "class_weight", "label_smoothing"}
        assert set(public.additions) <= allowed


def test_the_signature_of_the_wrapper() -> None:
    ours, theirs = (
        inspect.signature(cls) for cls in (losses.LossFunctionWrapper, KerasLossFunctionWrapper)
    )
    assert [(p.name, p.default, p.kind) for p in ours.parameters.values()] == [
        (p.name, p.default, p.kind) for p in theirs.parameters.values()
    ]


def test_call_signature() -> None:
    ours = inspect.signature(losses.Loss.__call__).parameters
    theirs = inspect.signature(keras.losses.Loss.__call__).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    extra = list(ours.values())[len(theirs) :]
    assert [p.name for p in extra] == ["mask", "out", "empty"]
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in extra)


def test_the_specification_imports_neither_subject_nor_keras() -> None:
    code = (
        "import sys, spec, spec.bound, spec.semantics\n"
        "assert not {'simdloss', 'keras', 'jax', 'scipy'} & set(sys.modules)"
    )
    run_python(code)
