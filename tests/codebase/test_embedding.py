# SPDX-License-Identifier: Apache-2.0
"""docs/embedding.md: all that it shows is compiled and run, but for the builds of the core itself:
one is that of the preset `default`, the other is prepared only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import simdloss
from support.builds import ROOT, installed

TEXT = (ROOT / "docs/embedding.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def block(language: str, contents: str) -> str:
    (found,) = (text for text in blocks(language) if contents in text)
    return found


DATA = block("cpp", "// data.hpp")
(PROGRAM,) = (text for text in blocks("cpp") if text.startswith("#include"))
FRAGMENTS = [text for text in blocks("cpp") if text not in (DATA, PROGRAM)]
FIND_PACKAGE = block("cmake", "LANGUAGES CXX)\n\nfind_package")
INSTALLED = block("sh", "-DCMAKE_PREFIX_PATH")


PKG_CONFIG = block("sh", "$PREFIX/lib/pkgconfig")
(C_PROGRAM,) = blocks("c")

needs_pkg_config = pytest.mark.skipif(
    shutil.which("pkg-config") is None, reason="pkg-config is not installed"
)
in_a_wheel = pytest.mark.skipif(
    not (Path(simdloss.__file__).parent / "lib").is_dir(),
    reason="simdloss is not installed from a wheel",
)


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("prefix"))


def shell(script: str, folder: Path, prefix: Path) -> str:
    """What the script prints, run where the files are."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=os.environ | {"PREFIX": str(prefix), "PATH": path, "CMAKE_GENERATOR": "Ninja"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def project(folder: Path, lists: str, main: str) -> Path:
    (folder / "CMakeLists.txt").write_text(lists)
    (folder / "main.cpp").write_text(main)
    return folder


def test_an_installed_core(tmp_path: Path, prefix: Path) -> None:
    output = shell(INSTALLED, project(tmp_path, FIND_PACKAGE, PROGRAM), prefix)
    assert output.endswith("\n2\n")


@needs_pkg_config
def test_pkg_config(tmp_path: Path, prefix: Path) -> None:
    script = PKG_CONFIG.replace("/lib/", f"/{next(prefix.glob('lib*')).name}/")
    assert shell(script, project(tmp_path, "", PROGRAM), prefix) == "2\n"


@needs_pkg_config
def test_pkg_config_for_c(tmp_path: Path, prefix: Path) -> None:
    (tmp_path / "main.c").write_text(C_PROGRAM)
    script = PKG_CONFIG.replace("/lib/", f"/{next(prefix.glob('lib*')).name}/")
    script = script.replace("g++ -std=c++17 main.cpp", "gcc -std=c99 main.c")
    assert shell(script, tmp_path, prefix) == "1\n"


@needs_pkg_config
@in_a_wheel
def test_pkg_config_of_the_wheel(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(C_PROGRAM)
    assert shell(block("sh", "--pkgconfig-dir"), tmp_path, tmp_path) == "1\n"


@in_a_wheel
def test_the_wheel(tmp_path: Path) -> None:
    script = block("sh", "--cmake-dir")
    assert shell(script, project(tmp_path, FIND_PACKAGE, PROGRAM), tmp_path).endswith("\n2\n")


def test_a_part_of_another_project(tmp_path: Path) -> None:
    (tmp_path / "third_party").mkdir()
    (tmp_path / "third_party/simdloss").symlink_to(ROOT)
    project(tmp_path, block("cmake", "add_subdirectory"), PROGRAM)
    commands = shell("cmake -B build && ninja -C build -n -v main", tmp_path, tmp_path)
    assert "parallel.cpp" in commands
    assert "-fopenmp" not in commands


def test_code(tmp_path: Path, prefix: Path) -> None:
    assert len(FRAGMENTS) > 10
    functions = [f"void example_{i}() {{\n{text}}}\n" for i, text in enumerate(FRAGMENTS)]
    calls = "".join(f"  example_{i}();\n" for i in range(len(FRAGMENTS)))
    main = '#include "data.hpp"\n' + "\n".join(functions) + f"int main() {{\n{calls}}}\n"
    lists = FIND_PACKAGE + "target_compile_options(main PRIVATE -Wall -Wextra -Werror -UNDEBUG)\n"
    (tmp_path / "data.hpp").write_text(DATA)
    shell(INSTALLED, project(tmp_path, lists, main), prefix)


def test_c(tmp_path: Path, prefix: Path) -> None:
    (tmp_path / "main.c").write_text(C_PROGRAM)
    (tmp_path / "CMakeLists.txt").write_text(block("cmake", "LANGUAGES C CXX"))
    strict = "export CFLAGS='-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Werror'\n"
    assert shell(strict + INSTALLED, tmp_path, prefix).endswith("\n1\n")


def test_c_without_cpp_is_refused(tmp_path: Path, prefix: Path) -> None:
    lists = block("cmake", "LANGUAGES C CXX").replace("LANGUAGES C CXX", "LANGUAGES C")
    (tmp_path / "CMakeLists.txt").write_text(lists)
    command = f"! {INSTALLED.splitlines()[0]}"
    assert "needs the runtime of C++: project(... LANGUAGES C CXX)" in " ".join(
        shell(command, tmp_path, prefix).split()
    )


def test_options_exist() -> None:
    lists = (ROOT / "CMakeLists.txt").read_text()
    options = set(re.findall(r"\bSIMDLOSS_OPENMP\b|\bBUILD_SHARED_LIBS\b", TEXT))
    assert len(options) == 2
    for option in options:
        stated = re.search(rf"option\({option} .* (ON|OFF)\)", lists)
        assert stated is not None
        assert f"| `{option}` | `{stated.group(1)}` |" in TEXT
