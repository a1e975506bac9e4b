# SPDX-License-Identifier: Apache-2.0
"""Who may include whom in the C++ core, and what each layer may not mention."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import simdloss._core

ROOT = Path(__file__).parents[2]
SRC = ROOT / "cpp/src"
PUBLIC = ROOT / "cpp/include"
CORE_FILES = sorted(p for p in (ROOT / "cpp").rglob("*") if p.suffix in {".h", ".hpp", ".cpp"})

# What each layer may include besides the standard library: [Layers] in docs/design.md. The layers
# are the folders of cpp/src; "core" are the files directly in it.
ALLOWED = {
    "simd": {"simd"},
    "losses": {"losses", "simd", "public"},
    "kernels": {"kernels", "losses", "simd", "core", "public"},
    "isa": {"kernels", "simd"},
    "core": {"core", "kernels", "losses", "simd", "public"},
    "public": {"public"},
}
# Formulas and drivers are compiled for each instruction set, so only the objects of these may see
# them. The rest of the core sees the ABI, and of the losses what is not a formula.
ONLY_FOR_ISA_OBJECTS = {
    f"kernels/{name}.hpp"
    for name in ("alignments", "pairs", "pointwise", "sample_sum", "scaled", "special", "table")
}
INTRINSICS = re.compile(r"(immintrin|x86intrin|emmintrin|arm_neon|arm_sve)\.h")


def includes(path: Path) -> list[str]:
    return re.findall(r'^\s*#\s*include\s*["<]([^">]+)[">]', path.read_text(), re.MULTILINE)


def without_comments(path: Path) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


def layer(path: Path) -> str:
    if PUBLIC in path.parents:
        return "public"
    return "core" if path.parent == SRC else path.parent.name


def target(name: str) -> Path | None:
    """The file of the core that an include names, or None for a system header."""
    for root in (SRC, PUBLIC):
        if (root / name).is_file():
            return root / name
    return None


def core_includes(path: Path) -> list[Path]:
    return [found for name in includes(path) if (found := target(name)) is not None]


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_layers(path: Path) -> None:
    for included in core_includes(path):
        assert layer(included) in ALLOWED[layer(path)], f"{path.name} includes {included}"


def test_the_walk_sees_the_core() -> None:
    """The tests above would pass on no files."""
    names = {p.name for p in CORE_FILES}
    headers = {"vec.hpp", "table.hpp", "simdloss.hpp", "simdloss.h"}
    assert headers | {"evaluate.cpp", "avx512.cpp"} <= names
    assert SRC / "kernels/table.hpp" in core_includes(SRC / "isa/avx2.cpp")


def test_only_isa_objects_see_the_drivers() -> None:
    for path in CORE_FILES:
        if layer(path) in {"core", "public"}:
            seen = {str(i.relative_to(SRC)) for i in core_includes(path) if SRC in i.parents}
            assert not seen & ONLY_FOR_ISA_OBJECTS, path


def test_every_include_with_quotes_is_from_the_core() -> None:
    for path in CORE_FILES:
        for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE):
            assert target(name) is not None, f"{path}: {name}"


def test_the_core_knows_no_python() -> None:
    for path in CORE_FILES:
        for name in includes(path):
            assert not re.match(r"(Python\.h|pybind11/|numpy/)", name), f"{path}: {name}"


def test_public_headers_are_the_standard_library_only() -> None:
    for path in PUBLIC.rglob("*.hpp"):
        for name in includes(path):
            assert name.startswith("simdloss/") or re.fullmatch(r"[a-z_]+", name), f"{path}: {name}"


def test_headers_for_c_need_no_cpp() -> None:
    allowed = {"stddef.h", "stdint.h", "simdloss/export.h"}
    headers = list(PUBLIC.rglob("*.h"))
    assert {path.name for path in headers} == {"simdloss.h", "export.h"}
    for path in headers:
        assert set(includes(path)) <= allowed, path


def test_intrinsics_stand_in_the_vector_backends_only() -> None:
    users = {p.name for p in CORE_FILES for name in includes(p) if INTRINSICS.search(name)}
    assert users == {"vec_avx2.hpp", "vec_avx512.hpp", "vec_neon.hpp"}


def test_openmp_stands_in_one_file() -> None:
    users = {p.name for p in CORE_FILES if re.search(r"#\s*pragma omp|<omp\.h>", p.read_text())}
    assert users == {"parallel.cpp"}


def test_losses_mention_no_memory_and_no_instruction_set() -> None:
    for path in (SRC / "losses").glob("*.hpp"):
        text = without_comments(path)
        words = re.findall(r"Avx|Neon|Sse|isa::|__m|Weight|Reduction|DType|\bload|\bstore", text)
        assert not words, path
        # A star that hangs on a type makes a pointer; a product has spaces on both sides. The
        # tables of parameters, which are data about the loss, may be pointed to.
        pointers = re.findall(r"(?:const )?[\w:>]+\*+", text)
        assert set(pointers) <= {"const char*", "const ParamInfo*", "const double*"}, path


def test_kernels_name_no_loss() -> None:
    names = {entry["name"] for entry in simdloss._core.catalog()}
    assert "huber" in names
    classes = {"".join(word.capitalize() for word in name.split("_")) for name in names}
    for path in (SRC / "kernels").glob("*.hpp"):
        words = set(re.findall(r"\w+", path.read_text()))
        assert not words & (names | classes), path


def test_isa_objects_use_no_library_code() -> None:
    """[One exported symbol per ISA]: nothing of std may be instantiated with ISA flags."""
    allowed = {"cstdint", "cstddef", "limits", "type_traits", "utility"}
    seen: set[Path] = set()
    queue = list((SRC / "isa").glob("*.cpp"))
    while queue:
        path = queue.pop()
        if path not in seen:
            seen.add(path)
            queue += core_includes(path)
    assert SRC / "simd/math.hpp" in seen
    for path in seen:
        for name in includes(path):
            known = target(name) is not None or INTRINSICS.search(name)
            if PUBLIC not in path.parents:
                assert known or name in allowed, f"{path}: {name}"
