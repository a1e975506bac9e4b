# SPDX-License-Identifier: Apache-2.0
"""Docstrings: every public name has one, with the sections that were agreed, and examples run."""

from __future__ import annotations

import doctest
import inspect
from typing import Any

import pytest

import simdloss
from simdloss import compat, losses, runtime, utils
from spec import CASES
from support.variants import Variant, every_loss


def own(value: Any) -> bool:
    """Whether compat defines it, and it is not an alias or an import."""
    name = getattr(value, "__name__", "_")
    return getattr(value, "__module__", "") == compat.__name__ and not name.startswith("_")


def public_objects() -> dict[str, Any]:
    """What a user can name, with the methods of public classes."""
    found: dict[str, Any] = {
        module.__name__: module for module in (simdloss, losses, utils, compat)
    }
    # Names of compat that are no aliases.
    found |= {f"compat.{name}": value for name, value in vars(compat).items() if own(value)}
    for name in vars(simdloss)["__all__"]:
        value = getattr(simdloss, name)
        if inspect.isclass(value) or callable(value):
            found[name] = value
        if inspect.isclass(value):
            for member, method in inspect.getmembers(value, callable):
                if not member.startswith("_"):
                    found[f"{name}.{member}"] = method
    return found


PUBLIC = public_objects()


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name: str) -> None:
    text = inspect.getdoc(PUBLIC[name])
    assert text
    assert "{" not in text.split("Example")[0], "an unfilled placeholder"
    assert len(text.splitlines()[0]) <= 100


EXAMPLES = [
    example
    for name, value in PUBLIC.items()
    for example in doctest.DocTestFinder(recurse=False).find(value, name, module=False)
    if example.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_examples_run(example: doctest.DocTest) -> None:
    results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
    assert results.attempted
    assert not results.failed


@every_loss
def test_functions_have_all_sections(variant: Variant) -> None:
    text = inspect.getdoc(getattr(losses, variant.case.function)) or ""
    for section in ("Formula", "Args", "Returns", "Raises", "Example", "References"):
        assert f"\n{section}:" in text, section
    assert f"keras.losses.{variant.case.function}" in text


@pytest.mark.parametrize("name", sorted({c.class_name for c in CASES} | {"Loss"}))
def test_classes_have_an_example(name: str) -> None:
    text = inspect.getdoc(getattr(losses, name)) or ""
    for section in ("Args", "Example"):
        assert f"\n{section}:" in text, section


@every_loss
def test_classes_say_what_they_are_called_with(variant: Variant) -> None:
    function = inspect.getdoc(getattr(losses, variant.case.function)) or ""
    text = inspect.getdoc(getattr(losses, variant.case.class_name)) or ""
    for argument in ("y_true", "y_pred"):
        (line,) = (line for line in function.splitlines() if line.startswith(f"    {argument}: "))
        assert line in text.splitlines()


def test_losses_have_examples() -> None:
    named = {e.name for e in EXAMPLES}
    assert {case.function for case in CASES} | {case.class_name for case in CASES} <= named


@pytest.mark.parametrize("name", runtime.__all__)
def test_settings_have_all_sections(name: str) -> None:
    function = getattr(runtime, name)
    text = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    expected = {"Example": True, "Args": bool(signature.parameters)}
    expected["Returns"] = signature.return_annotation not in ("None", "Iterator[None]")
    for section, wanted in expected.items():
        assert (f"\n{section}:" in text) == wanted, section


OWN_OF_COMPAT = ["cosine_proximity_mean", "loss_hinge", "loss_squared_hinge"]


@pytest.mark.parametrize("name", OWN_OF_COMPAT)
def test_functions_of_compat_have_all_sections(name: str) -> None:
    text = inspect.getdoc(getattr(compat, name)) or ""
    for section in ("Formula", "Args", "Returns", "Raises", "Example", "References"):
        assert f"\n{section}:" in text, section
