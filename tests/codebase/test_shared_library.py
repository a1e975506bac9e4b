# SPDX-License-Identifier: Apache-2.0
"""What the libraries of an installed wheel show to the linker, and what they ask of it."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
from pathlib import Path

import pytest

import simdloss._core
from support import c_api
from support.builds import ROOT

HEADERS = ROOT / "cpp/include"
PACKAGE = Path(simdloss.__file__).parent
LIBRARY = c_api.IN_WHEEL
MODULE = Path(simdloss._core.__file__)
MARKED = re.compile(r"SIMDLOSS_API\s+(?:[\w:<>*&]+\s+)*?[*&]*(\w+)\s*(?:\(|final|:(?!:)|\{)")

in_a_wheel = pytest.mark.skipif(not LIBRARY.exists(), reason="the core is linked statically")


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def squeezed(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text)


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
    assert {name for name in names if name.startswith("simdloss_")} == c_api.DECLARED


def test_the_module_exports_its_entry_alone() -> None:
    weak = "VWu"  # type information and the like of the standard library
    assert exported(MODULE, but=weak) == {"PyInit__core"}


@in_a_wheel
def test_programs_ask_for_the_minor_version() -> None:
    """[Compatibility] in docs/embedding.md: the interface may change with it."""
    name = "libsimdloss.so." + ".".join(simdloss.__version__.split(".")[:2])
    assert [path.name for path in PACKAGE.glob("lib/lib*")] == [name]
    assert f"(SONAME) Library soname: [{name}]" in squeezed(run("readelf", "-d", LIBRARY))
    assert f"(NEEDED) Shared library: [{name}]" in squeezed(run("readelf", "-d", MODULE))


@in_a_wheel
def test_what_the_libraries_need() -> None:
    system = {"libstdc++", "libm", "libgcc_s", "libc", "libpthread"}
    system |= {"ld-linux-x86-64", "ld-linux-aarch64"}
    assert needed(LIBRARY) - system == {"libgomp"}
    assert needed(MODULE) - system == {"libsimdloss"}


def test_licences_of_what_is_bundled() -> None:
    bundled = PACKAGE.parent / "simdloss.libs"
    if not bundled.is_dir():
        pytest.skip("simdloss is not installed from a portable wheel")
    files = importlib.metadata.files("simdloss") or []
    texts = {path.name: path.read_text() for path in files if "licenses" in path.parts}
    assert texts.keys() >= {path.name for path in (ROOT / "LICENSES").iterdir()} | {"LICENSE"}
    for path in bundled.iterdir():
        assert path.name.split("-")[0] + "*" in texts["libgomp.txt"], path
