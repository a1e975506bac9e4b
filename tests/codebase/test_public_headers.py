# SPDX-License-Identifier: Apache-2.0
"""Public headers: each compiles alone, without warnings, and the table of losses is complete."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from simdloss import _core

INCLUDE = Path(__file__).parents[2] / "cpp/include"
HEADERS = sorted(str(path.relative_to(INCLUDE)) for path in INCLUDE.rglob("*.h*"))
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
# Compilers of a language and its standards.
BUILDS = [
    ("c++", ("g++", "clang++-14"), ("c++17", "c++20")),
    ("c", ("gcc", "clang-14"), ("c99",)),
]
CASES = [
    pytest.param(header, language, compiler, standard, id=f"{header}-{compiler}-{standard}")
    for header in HEADERS
    for language, compilers, standards in BUILDS
    if language == "c++" or header.endswith(".h")
    for compiler in compilers
    for standard in standards
]


@pytest.mark.parametrize(("header", "language", "compiler", "standard"), CASES)
def test_a_header_compiles_alone(header: str, language: str, compiler: str, standard: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    command = [compiler, "-x", language, f"-std={standard}", *WARNINGS, f"-I{INCLUDE}"]
    done = subprocess.run(
        [*command, "-fsyntax-only", "-"],
        input=f'#include "{header}"\n#include "{header}"\nint nothing;\n',
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_lines_fit() -> None:
    for header in HEADERS:
        for line in (INCLUDE / header).read_text().splitlines():
            assert len(line) <= 100, f"{header}: {line}"


def test_the_table_of_losses_is_the_catalogue() -> None:
    text = (INCLUDE / "simdloss/catalog.hpp").read_text()
    table = text.split("// [Catalogue]")[1].split("\n\n")[0]
    named = re.findall(r"^//   (\w+) \((.*)\)\n//       \S", table, re.MULTILINE)
    assert named == [
        (entry["name"], ", ".join(param["name"] for param in entry["params"]))
        for entry in _core.catalog()
    ]
