# SPDX-License-Identifier: Apache-2.0
"""The command line of the example: what it refuses, and that it runs on files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "examples/evaluate.py"
ARRAYS: dict[str, Any] = {
    "y": np.zeros((4, 2), np.float32),
    "narrow": np.zeros((4, 1), np.float32),
    "empty": np.zeros((0, 2), np.float32),
    "w": np.ones(4),
    "w3": np.ones(3),
    "ids": np.array([0, 2, 1, -1]),
    "good_ids": np.array([0, 2, 1, 0]),
    "column_of_ids": np.array([[0.0], [2.0], [1.0], [0.0]]),
    "words": np.array(["cat", "dog", "cat", "cow"]),
    "p": np.tile(np.array([0.5, 0.25, 0.25], np.float32), (4, 1)),
    "image_ids": np.arange(24).reshape(2, 3, 4) % 5,
    "image_first": np.linspace(0.1, 0.9, 120, dtype=np.float32).reshape(2, 5, 3, 4),
    "one_hot": np.eye(3)[[0, 2, 1, 0]],
}
FILES = "--y-true=y.npy --y-pred=y.npy"


def evaluate(folder: Path, arguments: str) -> subprocess.CompletedProcess[str]:
    for name, array in ARRAYS.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "text.npy").write_text("no array")
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--y-true=y.npy", "--y-true and --y-pred go together"),
        ("--sample-weight=w.npy", "--sample-weight, --kind, --axis and --ignore-class go with"),
        ("--kind=values", "--sample-weight, --kind, --axis and --ignore-class go with"),
        ("--ignore-class=0", "--sample-weight, --kind, --axis and --ignore-class go with"),
        ("--y-true=y.npy --y-pred=absent.npy", "absent.npy cannot be read"),
        ("--y-true=y.npy --y-pred=text.npy", "text.npy cannot be read"),
        ("--y-true=empty.npy --y-pred=empty.npy", "empty.npy holds no samples"),
        ("--y-true=w3.npy --y-pred=y.npy", "shapes of y_true and y_pred differ"),
        ("--y-true=words.npy --y-pred=p.npy", "x must hold real numbers"),
        ("--y-true=ids.npy --y-pred=p.npy", "x must hold class ids"),
        ("--y-true=good_ids.npy --y-pred=p.npy --kind=values", "class ids go with"),
        (f"{FILES} --ignore-class=0", "--ignore-class goes with class ids"),
        (f"{FILES} --sample-weight=w3.npy", "w3.npy must hold 4 weights"),
    ],
)
def test_refused(tmp_path: Path, arguments: str, message: str) -> None:
    done = evaluate(tmp_path, arguments)
    assert done.returncode == 2
    assert f"error: {message}" in done.stderr
    assert "Traceback" not in done.stderr


def test_evaluates_files(tmp_path: Path) -> None:
    done = evaluate(tmp_path, f"{FILES} --sample-weight=w.npy")
    assert done.returncode == 0, done.stderr
    assert "MeanSquaredError" in done.stdout


OVER_CLASSES = ("CategoricalCrossentropy", "CategoricalFocalCrossentropy")
OF_IDS = ("SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy")


def rows(folder: Path, arguments: str) -> dict[str, str]:
    """The mean of each loss in the table."""
    done = evaluate(folder, arguments)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return {words[1]: words[3] for words in lines if len(words) > 5 and words[0] == "│"}


@pytest.mark.parametrize("y_true", ["good_ids", "column_of_ids"])
def test_class_ids(tmp_path: Path, y_true: str) -> None:
    means = rows(tmp_path, f"--y-true={y_true}.npy --y-pred=p.npy")
    expected = np.mean(-np.log([0.5, 0.25, 0.25, 0.5]))
    for name in ("SparseCategoricalCrossentropy", "CategoricalCrossentropy"):
        assert float(means[name]) == pytest.approx(expected, rel=1e-5)
    assert {*OVER_CLASSES, *OF_IDS, "BinaryCrossentropy", "Dice", "Tversky"} <= means.keys()
    assert "Circle" not in means
    logits = rows(tmp_path, f"--y-true={y_true}.npy --y-pred=p.npy --kind=logits")
    assert {*OVER_CLASSES, OF_IDS[0], "CategoricalHinge", "BinaryCrossentropy"} <= logits.keys()


def test_ignored_class(tmp_path: Path) -> None:
    means = rows(tmp_path, "--y-true=ids.npy --y-pred=p.npy --ignore-class=-1")
    expected = np.mean(-np.log([0.5, 0.25, 0.25]))
    for name in ("SparseCategoricalCrossentropy", "CategoricalCrossentropy"):
        assert float(means[name]) == pytest.approx(expected, rel=1e-5)


def test_axis_of_the_classes(tmp_path: Path) -> None:
    files = "--y-true=image_ids.npy --y-pred=image_first.npy --axis=1"
    means = rows(tmp_path, files)
    p = np.moveaxis(ARRAYS["image_first"], 1, -1).astype(np.float64)
    p /= p.sum(axis=-1, keepdims=True)
    expected = -np.log(np.take_along_axis(p, ARRAYS["image_ids"][..., None], -1)).mean()
    for name in ("SparseCategoricalCrossentropy", "CategoricalCrossentropy"):
        assert float(means[name]) == pytest.approx(expected, rel=1e-5)
    assert "Dice" in means
    assert "Dice" not in rows(tmp_path, f"{files} --ignore-class=0")


def test_one_hot_labels_and_vectors(tmp_path: Path) -> None:
    one_hot = rows(tmp_path, "--y-true=one_hot.npy --y-pred=p.npy --kind=probabilities")
    assert set(OVER_CLASSES) <= one_hot.keys()
    assert not set(OF_IDS) & one_hot.keys()
    assert not set(OVER_CLASSES) & rows(tmp_path, f"{FILES} --kind=probabilities").keys()
    assert "CosineSimilarity" in rows(tmp_path, FILES)
    columns = rows(tmp_path, "--y-true=narrow.npy --y-pred=narrow.npy")
    assert "CosineSimilarity" not in columns
