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
        ("--sample-weight=w.npy", "--sample-weight and --kind go with"),
        ("--kind=values", "--sample-weight and --kind go with"),
        ("--y-true=y.npy --y-pred=absent.npy", "absent.npy cannot be read"),
        ("--y-true=y.npy --y-pred=text.npy", "text.npy cannot be read"),
        ("--y-true=empty.npy --y-pred=empty.npy", "empty.npy holds no samples"),
        ("--y-true=narrow.npy --y-pred=y.npy", "shapes of y_true and y_pred differ"),
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
