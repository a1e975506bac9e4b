# SPDX-License-Identifier: Apache-2.0
"""docs/gradients.md: its code runs, and its tables are complete."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simdloss import _core, losses

PAGE = Path(__file__).parents[2] / "docs/gradients.md"
TEXT = PAGE.read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def run_block(beginning: str) -> dict[str, Any]:
    (block,) = (text for text in BLOCKS if text.startswith(beginning))
    names: dict[str, Any] = {}
    exec(block, names)
    return names


def rows(title: str) -> list[str]:
    """The first cells of the tables of a section."""
    section = TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)


def test_examples_run() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried > 10
    assert failed == 0


def test_every_function_has_its_derivative() -> None:
    text = TEXT.split("## The derivatives")[1].split("## Second derivatives")[0]
    for name in losses.REGISTRY:
        assert f"`{name}`" in text, name


def test_the_table_of_hessians_is_that_of_the_catalogue() -> None:
    named = [cell.strip("`") for cell in rows("Second derivatives")]
    assert named == [entry["name"] for entry in _core.catalog() if entry["has_hessian"]]


def test_torch() -> None:
    pytest.importorskip("torch")
    gradient = run_block("import torch")["y_pred"].grad.numpy()
    np.testing.assert_allclose(gradient, np.array([[-2, 1, 1], [1, 1, -2]]) / 6, rtol=1e-6)


def test_jax() -> None:
    jax = pytest.importorskip("jax")
    names = run_block("from functools")
    zeros, ones = jax.numpy.zeros((2, 3)), jax.numpy.ones((2, 3))
    np.testing.assert_allclose(names["gradient"](ones, zeros), np.full((2, 3), 1 / 6), rtol=1e-6)
    ids = jax.numpy.array([0, 1])
    fn = losses.sparse_categorical_crossentropy
    of_ids = jax.grad(lambda p: names["loss"](fn, ids, p).sum())(ones / 3)
    np.testing.assert_allclose(of_ids, [[-2, 1, 1], [1, -2, 1]], rtol=1e-5)


class Data:
    """What XGBoost and LightGBM give an objective."""

    def __init__(self, label: Any, weight: Any) -> None:
        self.get_label = lambda: np.asarray(label, np.float32)
        self.get_weight = lambda: weight


@pytest.mark.parametrize("weight", [None, np.zeros(0), np.ones(2)], ids=["None", "empty", "ones"])
def test_objectives_of_boosting(weight: Any) -> None:
    names = run_block("from simdloss import losses\n\nbinary")
    data = Data([0, 1], weight)
    gradient, hessian = names["objective"](names["binary"])(np.zeros(2), data)
    np.testing.assert_allclose(gradient, [0.5, -0.5])
    np.testing.assert_allclose(hessian, [0.25, 0.25])
    gradient, hessian = names["objective"](names["classes"])(np.zeros((2, 3)), data)
    np.testing.assert_allclose(gradient, np.array([[-2, 1, 1], [1, -2, 1]]) / 3)
    np.testing.assert_allclose(hessian, np.full((2, 3), 4 / 9))
