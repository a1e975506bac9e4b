# SPDX-License-Identifier: Apache-2.0
"""The C++ and C programs in examples/, built against an installed core: their own tests, and what
score_file refuses, needs and gives."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from simdloss import losses
from support.builds import ROOT, installed, run


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = installed(tmp_path_factory.mktemp("prefix"))
    build = tmp_path_factory.mktemp("examples")
    found = f"-DCMAKE_PREFIX_PATH={prefix}"
    run("cmake", "-G", "Ninja", "-S", ROOT / "examples", "-B", build, found)
    run("cmake", "--build", build)
    return build


def score(programs: Path, folder: Path, arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs / "score_file", *arguments.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def bits_and_memory(programs: Path, folder: Path, arguments: str) -> tuple[float, int]:
    done = score(programs, folder, arguments)
    found = re.search(r"bits (\S+)\n\d+ MiB of files, peak memory (\d+) MiB\n", done.stdout)
    assert found is not None, done.stderr
    return float.fromhex(found.group(1)), int(found.group(2))


def test_their_own_tests(programs: Path) -> None:
    output = run("ctest", "--test-dir", programs, "--output-on-failure")
    assert "100% tests passed" in output


def test_bits_are_those_of_one_call(programs: Path, tmp_path: Path) -> None:
    assert score(programs, tmp_path, "--make t p 5000 10").returncode == 0
    t, p = (np.fromfile(tmp_path / name, np.float32).reshape(-1, 10) for name in "tp")
    ids = (t[:, 0] * 10).astype(np.int64)
    ids.astype(np.float32).tofile(tmp_path / "ids")
    for options in ("", "1 1", "777 3", "100000 1"):
        of_labels = bits_and_memory(programs, tmp_path, f"log_cosh t p 10 {options}")[0]
        assert of_labels == losses.LogCosh()(t, p)
        name = "sparse_categorical_crossentropy_from_logits"
        of_ids = bits_and_memory(programs, tmp_path, f"{name} ids p 10 {options}")[0]
        assert of_ids == losses.SparseCategoricalCrossentropy(from_logits=True)(ids, p)


def test_memory_is_constant(programs: Path, tmp_path: Path) -> None:
    peaks = []
    for rows in (100_000, 1_600_000):
        assert score(programs, tmp_path, f"--make t p {rows} 10").returncode == 0
        command = "mean_squared_error t p 10 20000 2"
        peaks.append(bits_and_memory(programs, tmp_path, command)[1])
    assert abs(peaks[1] - peaks[0]) <= 4, peaks
    assert peaks[1] < 32


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        ("", "expected a loss, two files and the number of columns\nusage:", 2),
        ("huber t p ten", "COLUMNS must be a whole number from 1 to 1000000000, got 'ten'", 2),
        ("huber t p 2 0", "ROWS_PER_CHUNK must be a whole number from 1", 2),
        ("huber t p 2 1 2000", "THREADS must be a whole number from 1 to 1024", 2),
        ("--make t p 5", "--make takes two files and two numbers", 2),
        ("--make no/t p 5 2", "cannot write no/t: No such file or directory", 1),
        ("huber absent p 2", "cannot open absent: No such file or directory", 1),
        ("huber t p 3", "predictions: 40 bytes are no whole number of rows of 12", 1),
        ("huber short p 2", "labels: 5 rows take 40 bytes, the file has 36", 1),
        ("huber empty empty 2", "there are no rows", 1),
        ("hubert t p 2", "There is no loss named 'hubert'.", 1),
        ("circle t p 2", "circle is not a loss of single rows", 1),
        ("sparse_categorical_crossentropy ids p 2", "must hold class ids", 1),
    ],
)
def test_refused(programs: Path, tmp_path: Path, arguments: str, message: str, status: int) -> None:
    for name, size in (("t", 10), ("p", 10), ("short", 9), ("empty", 0), ("ids", 5)):
        np.full(size, 7, np.float32).tofile(tmp_path / name)
    done = score(programs, tmp_path, arguments)
    assert done.returncode == status
    assert done.stderr.startswith("score_file: ")
    assert message in done.stderr
