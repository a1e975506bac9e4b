# SPDX-License-Identifier: Apache-2.0
"""What the libraries of an installed wheel show to the linker, and what they ask of it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import simdloss._core

HEADERS = Path(__file__).parents[2] / "cpp/include"
LIBRARY = Path(simdloss.__file__).parent / "lib/libsimdloss.so"
MODULE = Path(simdloss._core.__file__)
MARKED = re.compile(r"SIMDLOSS_API\s+(?:[\w:<>*&]+\s+)*?[*&]*(\w+)\s*(?:\(|final|:(?!:)|\{)")

in_a_wheel = pytest.mark.skipif(not LIBRARY.exists(), reason="the core is linked statically")


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def exported(library: Path, but: str = "") -> set[str]:
    """Demangled names of what others may link to, but for some kinds of nm's."""
    lines = run("nm", "-D", "--defined-only", "--demangle", library).splitlines()
    symbols = [line.split(maxsplit=2)[1:] for line in lines]
    return {name for kind, name in symbols if kind not in but}


def needed(library: Path) -> set[str]:
    """Shared libraries without their versions."""
    names = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", library))
    return {re.split(r"-[0-9a-f]{6,}\.so|\.so", name)[0] for name in names}


def public() -> set[str]:
    """Functions and classes that the headers mark."""
    headers = sorted(p for p in HEADERS.rglob("*.h*") if p.name != "export.h")
    code = [re.sub(r"//[^\n]*|/\*.*?\*/", "", p.read_text(), flags=re.DOTALL) for p in headers]
    return {name for text in code for name in MARKED.findall(text)}


@in_a_wheel
def test_the_library_exports_its_public_functions_and_classes() -> None:
    names = {re.sub(r"^(typeinfo|typeinfo name|vtable) for ", "", n) for n in exported(LIBRARY)}
    for name in names:
        assert name.startswith(("simdloss::", "simdloss_")), name
    seen = {re.sub(r"\[abi:\w+\]|\(.*", "", n).removeprefix("simdloss::") for n in names}
    assert {name.split("::")[0] for name in seen} == public()
    assert {"evaluate", "gradient", "PartialSums", "Error"} <= public()


@in_a_wheel
def test_the_module_exports_its_entry_alone() -> None:
    weak = "VWu"  # type information and the like of the standard library
    assert exported(MODULE, but=weak) == {"PyInit__core"}


@in_a_wheel
def test_what_the_libraries_need() -> None:
    system = {"libstdc++", "libm", "libgcc_s", "libc", "libpthread", "ld-linux-x86-64"}
    assert needed(LIBRARY) - system == {"libgomp"}
    assert needed(MODULE) - system == {"libsimdloss"}
