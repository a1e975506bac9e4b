# SPDX-License-Identifier: Apache-2.0
"""The core as CMake builds it, for tests of what is built."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*command: str | Path) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def built(preset: str) -> Path:
    """The core, built by that preset of CMakePresets.json: nothing to do if it is up to date."""
    directory = ROOT / "build"
    directory.mkdir(exist_ok=True)
    with (directory / f"{preset}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run("cmake", "--preset", preset)
        run("cmake", "--build", "--preset", preset, "--target", "simdloss")
    return directory / preset / "cpp"


def installed(prefix: Path) -> Path:
    """The static core, installed there."""
    build = built("default").parent
    run("cmake", "--install", build, "--prefix", prefix, "--component", "core")
    return prefix
