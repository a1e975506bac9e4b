# SPDX-License-Identifier: Apache-2.0
"""The programs of the tests with others that use OpenMP."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import pytest

from support.processes import run_python

SETTINGS = {
    "OMP_NUM_THREADS": "2",
    "OMP_WAIT_POLICY": "passive",
    "SIMDLOSS_NUM_THREADS": "",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "2",
}


@cache
def has_two_cpus() -> bool:
    """Whether affinity, quota and the build allow two threads, if OpenMP asks for them."""
    code = "import simdloss; print(simdloss.get_num_threads())"
    return run_python(code, SETTINGS) == "2"


def run(code: str, env: dict[str, str] | None = None, first: str = "") -> None:
    """Runs `first`, imports all of support.openmp, and with it simdloss, and runs `code`.

    Two threads are the default; `env` adds to the environment.
    """
    program = f"{first}\nfrom support.openmp import *\n{code}"
    run_python(program, {**SETTINGS, **(env or {})}, timeout=240)


def need(*packages: str) -> None:
    """Skips the test where one of them is not installed. Imports none."""
    for name in packages:
        if name and find_spec(name) is None:
            pytest.skip(f"needs {name}")
