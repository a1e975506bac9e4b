# SPDX-License-Identifier: Apache-2.0
"""What must agree across the files of the repository."""

from __future__ import annotations

import doctest
import importlib.metadata
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

import simdloss
import simdloss._core

ROOT = Path(__file__).parents[2]
CODE = {".py", ".pyi", ".cpp", ".hpp", ".c", ".h", ".cmake"}


@cache
def sources() -> list[Path]:
    """Files that .gitignore lets pass: in a checkout, and in a source distribution, which is none.

    So git is asked about an empty repository whose work tree this is.
    """
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    with tempfile.TemporaryDirectory() as empty:
        git = ["git", f"--git-dir={empty}", f"--work-tree={ROOT}"]
        subprocess.run([*git, "init", "--quiet"], check=True)
        names = subprocess.run(
            [*git, "ls-files", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split("\0")
    return [ROOT / name for name in names if name]


def test_one_version() -> None:
    cmake = (ROOT / "CMakeLists.txt").read_text()
    stated = re.search(r"project\(simdloss VERSION ([0-9.]+)", cmake)
    assert stated is not None
    version = stated.group(1)
    assert simdloss.__version__ == version
    assert simdloss._core.__version__ == version
    assert importlib.metadata.version("simdloss") == version
    changelog = re.search(r"^## ([0-9.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert changelog is not None
    assert changelog.group(1) == version


def test_readme_commands_are_what_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text()
    ci = (ROOT / ".ci/run").read_text()
    commands = re.findall(r"^bash (\S+\.sh)$", readme, re.MULTILINE)
    assert commands == ["examples/run.sh", "tests/run.sh"]
    for command in commands:
        assert (ROOT / command).is_file()
        assert f"\nbash {command}\n" in ci


def test_readme_examples_run() -> None:
    failed, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert tried > 5
    assert failed == 0


def test_documents_name_files_that_exist() -> None:
    for path in sources():
        if path.suffix == ".md":
            prose = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
            for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
                assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_every_source_file_states_its_licence() -> None:
    licensed = CODE | {".sh", ".toml"}
    paths = [p for p in sources() if p.suffix in licensed or p.name == "CMakeLists.txt"]
    assert len(paths) > 50
    for path in paths:
        head = path.read_text().split("\n")[:2]
        assert any("SPDX-License-Identifier: Apache-2.0" in line for line in head), path


def test_files_stay_readable() -> None:
    lengths = {p: p.read_text().count("\n") for p in sources() if p.suffix in CODE}
    assert {p: n for p, n in lengths.items() if n > 450} == {}
    assert sorted(lengths.values())[len(lengths) // 2] <= 200


@pytest.mark.parametrize("word", ["/ho" + "me/", "/wo" + "rk/", "/ro" + "ot/"])
def test_no_path_of_someones_machine(word: str) -> None:
    for path in sources():
        if path.suffix not in {".bin", ".npy"}:
            assert word not in path.read_text(errors="replace"), path
