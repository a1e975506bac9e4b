# SPDX-License-Identifier: Apache-2.0
"""[One exported symbol per ISA], seen in the objects: nothing that is compiled for one instruction
set can end up in the code that runs on all machines."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest

import simdloss._core
from support.builds import built, run

TAGS = {
    "scalar": "simdloss::isa::Scalar",
    "baseline": "simdloss::isa::Baseline",
    "avx2": "simdloss::isa::Avx2",
    "avx512": "simdloss::isa::Avx512",
    "neon": "simdloss::isa::Neon",
}
ISAS = {
    "x86_64": ["scalar", "baseline", "avx2", "avx512"],
    "aarch64": ["scalar", "neon"],
}[platform.machine()]


def isa_objects(preset: str) -> dict[str, Path]:
    objects = {isa: next(built(preset).rglob(f"isa/{isa}.cpp.o")) for isa in ISAS}
    assert len(objects) == len(ISAS)
    return objects


@pytest.mark.parametrize("isa", ISAS)
def test_an_isa_object_exports_one_symbol_and_what_carries_its_tag(isa: str) -> None:
    lines = run("nm", "--demangle", "--defined-only", isa_objects("debug")[isa]).splitlines()
    symbols = [(kind, name) for _, kind, name in (line.split(maxsplit=2) for line in lines)]
    # Capital letters: visible to the linker. W, V and u: it keeps one of several definitions.
    weak = [name for kind, name in symbols if kind in "WVu"]
    strong = [name for kind, name in symbols if kind.isupper() and kind not in "WV"]
    assert strong == [f"simdloss::{isa}_kernels()"]
    assert weak, "a Debug build leaves the templates as functions"
    untagged = [name for name in weak if TAGS[isa] not in name]
    assert not untagged


@pytest.mark.parametrize("isa", ISAS)
def test_an_isa_object_needs_no_library_code(isa: str) -> None:
    """No allocation, no exceptions, no OpenMP, no std: at most libc's arithmetic and memory."""
    lines = run("nm", "--demangle", "--undefined-only", isa_objects("debug")[isa]).splitlines()
    needed = {line.split(maxsplit=1)[1] for line in lines}
    assert needed, "the exact way of the sum over samples is outside"
    foreign = {name for name in needed if not name.startswith("simdloss::")}
    assert foreign <= {"fma", "fmaf", "sqrt", "sqrtf", "memcpy", "memset"}


def test_no_wide_vectors_outside_the_isa_objects() -> None:
    """Nor in the objects for machines without them, whatever their names."""
    wide = re.compile(r"%[yz]mm\d|%k[0-7]\b")
    users: set[str] = set()
    narrow: set[str] = set()
    for path in built("default").rglob("*.o"):
        text = run("objdump", "-d", "--no-show-raw-insn", path)
        (users if wide.search(text) else narrow).add(path.name)
    expected = {"avx2.cpp.o", "avx512.cpp.o"} & {f"{isa}.cpp.o" for isa in ISAS}
    assert users == expected
    assert {"scalar.cpp.o", "evaluate.cpp.o"} <= narrow


def test_no_start_up_code_that_changes_the_arithmetic() -> None:
    """Linking with -ffast-math adds set_fast_math: no subnormals in the whole process."""
    module = Path(simdloss._core.__file__)
    libraries = [module, *module.parent.glob("lib/libsimdloss*")]
    for path in libraries:
        text = run("nm", "-D", "--demangle", path)
        text += run("objdump", "-d", "--no-show-raw-insn", path)
        assert "set_fast_math" not in text, path
        assert not re.search(r"\bv?ldmxcsr\b|\bmsr\s+fpcr", text), path
