# SPDX-License-Identifier: Apache-2.0
"""What runs here, and where the C++ package is: config() and `python -m simdloss`."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import simdloss
from simdloss import _package
from simdloss.__main__ import main
from support.processes import run_python

DIRECTORIES = {
    "include": ("include/simdloss/runtime.hpp", simdloss.get_include, "--include-dir"),
    "lib/cmake/simdloss": (
        "lib/cmake/simdloss/simdloss-config.cmake",
        simdloss.get_cmake_dir,
        "--cmake-dir",
    ),
    "lib": ("lib/libsimdloss.so.0.1", simdloss.get_library_dir, "--library-dir"),
    "lib/pkgconfig": (
        "lib/pkgconfig/simdloss.pc",
        simdloss.get_pkgconfig_dir,
        "--pkgconfig-dir",
    ),
}


def test_config() -> None:
    config = simdloss.config()
    assert config["version"] == simdloss.__version__
    assert config["isa"] == simdloss.active_isa()
    assert config["isa"] in config["available_isas"]
    assert config["isa_reason"] in {"detected", "SIMDLOSS_ISA"}
    assert config["num_threads"] == simdloss.get_num_threads()
    assert config["python"] == platform.python_version()
    assert config["numpy"] == np.__version__
    assert re.search(r"\d+\.\d+", config["compiler"])
    assert "-ffp-contract=off" in config["flags"]


def test_reasons_follow_the_settings() -> None:
    with simdloss.using_isa("scalar"):
        assert simdloss.config()["isa_reason"] == "forced"
    if simdloss.config()["openmp"] == "off":
        pytest.skip("no threads")
    simdloss.set_num_threads(3)
    try:
        config = simdloss.config()
    finally:
        simdloss.set_num_threads(None)
    assert (config["num_threads"], config["num_threads_reason"]) == (3, "set")
    with simdloss.using_num_threads(5):
        config = simdloss.config()
    assert (config["num_threads"], config["num_threads_reason"]) == (5, "using_num_threads")


def test_the_runtime_of_openmp_is_one_of_those_loaded() -> None:
    config = simdloss.config()
    if config["openmp"] == "off":
        assert config["openmp_library"] == ""
    elif platform.system() == "Linux":
        assert Path(config["openmp_library"]).is_file()
        assert config["openmp_library"] in config["openmp_runtimes"]


def test_runtimes_of_others_are_listed() -> None:
    pytest.importorskip("sklearn")
    code = """
import simdloss
before = simdloss.config()
import sklearn.cluster
after = simdloss.config()
assert after["openmp_library"] == before["openmp_library"]
assert set(after["openmp_runtimes"]) > set(before["openmp_runtimes"])
"""
    run_python(f"import warnings; warnings.simplefilter('ignore')\n{code}")


def test_info_prints_every_entry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(simdloss.config())


def test_info_for_a_reader_that_has_enough() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "simdloss", "info"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"{simdloss.__version__}\n"


def test_runs_as_a_module() -> None:
    code = """
import runpy, sys
sys.argv[1:] = ["--version"]
runpy.run_module("simdloss", run_name="__main__")
"""
    assert run_python(code) == simdloss.__version__


@pytest.mark.parametrize(
    "arguments", [[], ["what"], ["--what"], ["info", "--cmake-dir"]], ids=" ".join
)
def test_other_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: python -m simdloss" in capsys.readouterr().err


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_directories_of_a_wheel(
    directory: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, function, option = DIRECTORIES[directory]
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    monkeypatch.setattr(_package, "_PACKAGE", tmp_path)
    assert function() == str(tmp_path / directory)
    assert main([option]) == 0
    assert capsys.readouterr().out == f"{tmp_path / directory}\n"


@pytest.mark.parametrize(
    "name", ["libsimdloss.so", "libsimdloss.dylib", "libsimdloss.a", "simdloss.lib"]
)
def test_libraries_of_other_systems(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / name).touch()
    monkeypatch.setattr(_package, "_PACKAGE", tmp_path)
    assert simdloss.get_library_dir() == str(tmp_path / "lib")


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_installations_without_the_cpp_package(
    directory: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, function, option = DIRECTORIES[directory]
    (tmp_path / directory).mkdir(parents=True)  # empty
    monkeypatch.setattr(_package, "_PACKAGE", tmp_path)
    with pytest.raises(FileNotFoundError, match="has no C\\+\\+ package"):
        function()
    assert main([option]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: this installation of simdloss has no C++ package")


def test_unusable_settings_are_an_error_of_info(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unusable() -> None:
        raise ValueError("SIMDLOSS_ISA must be ...")

    monkeypatch.setattr(simdloss, "show_config", unusable)
    assert main(["info"]) == 1
    assert capsys.readouterr().err == "error: SIMDLOSS_ISA must be ...\n"
