# SPDX-License-Identifier: Apache-2.0
"""Settings of the process: default precision, epsilon, instruction set and threads."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from simdloss import _array, _core

__all__ = [
    "active_isa",
    "available_isas",
    "config",
    "epsilon",
    "floatx",
    "force_isa",
    "get_num_threads",
    "last_num_threads",
    "set_epsilon",
    "set_floatx",
    "set_num_threads",
    "show_config",
    "using_epsilon",
    "using_isa",
    "using_num_threads",
]

T = TypeVar("T")


@contextmanager
def _in_context(variable: ContextVar[T], value: T) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def floatx() -> str:
    """The default floating dtype: of Python floats, and of loss classes that are given none.

    Returns:
        "float16", "bfloat16", "float32" or "float64".

    Example:
        >>> import simdloss
        >>> simdloss.floatx()
        'float32'
    """
    return _core.floatx()


def set_floatx(value: Any) -> None:
    """Sets `floatx()` for the process. Losses that exist already keep their dtype.

    Args:
        value: "float16", "bfloat16", "float32", "float64", or their dtypes.

    Raises:
        ValueError: for anything else.
        ImportError: for bfloat16 without the package ml_dtypes.

    Example:
        >>> import simdloss
        >>> simdloss.set_floatx("float64")
        >>> simdloss.mean_squared_error([1.0], [3.0])
        np.float64(4.0)
        >>> simdloss.set_floatx("float32")
    """
    _core.set_floatx(_array.floatx_name(value))


def epsilon() -> float:
    """The small number that keeps probabilities and divisors away from 0.

    Returns:
        A float in [0, 0.5): that of `using_epsilon`, else that of `set_epsilon`, else 1e-7.

    Example:
        >>> import simdloss
        >>> simdloss.epsilon()
        1e-07
    """
    return _core.epsilon()


def set_epsilon(value: float) -> None:
    """Sets `epsilon()` for the process, read at each call.

    Args:
        value: a number in [0, 0.5); 0 switches clipping off.

    Raises:
        ValueError: for a number outside [0, 0.5): the bounds epsilon and 1 - epsilon would cross.
        TypeError: for what is no number.

    Example:
        >>> import simdloss
        >>> simdloss.set_epsilon(1e-6)
        >>> simdloss.epsilon()
        1e-06
        >>> simdloss.set_epsilon(1e-7)
    """
    _core.set_epsilon(value)


@contextmanager
def using_epsilon(value: float) -> Iterator[None]:
    """Another `epsilon()` inside a with statement, for this thread or task alone.

    Args:
        value: a number in [0, 0.5).

    Raises:
        ValueError, TypeError: as `set_epsilon` does.

    Example:
        >>> import simdloss
        >>> with simdloss.using_epsilon(0):
        ...     float(simdloss.binary_crossentropy([1.0], [0.0]))
        inf
    """
    with _in_context(_core.epsilon_context, _core.checked_epsilon(value)):
        yield


def available_isas() -> list[str]:
    """The instruction sets that this build and this machine can run.

    Returns:
        Their names, best first. All give the same bits but "baseline", which is for x86 machines
        without FMA.

    Example:
        >>> import simdloss
        >>> "scalar" in simdloss.available_isas()
        True
    """
    return _core.available_isas()


def active_isa() -> str:
    """The instruction set of the next call.

    Returns:
        The name of the forced one, else that of `SIMDLOSS_ISA`, else the best.

    Raises:
        ValueError: where `SIMDLOSS_ISA` names what cannot run here and nothing is forced.

    Example:
        >>> import simdloss
        >>> simdloss.active_isa() in simdloss.available_isas()
        True
    """
    return _core.active_isa()


def force_isa(name: str | None) -> None:
    """Makes the process use an instruction set.

    Args:
        name: one of `available_isas()`; None returns to the default.

    Raises:
        ValueError: for a name that cannot run here.
        TypeError: for what is no name.

    Example:
        >>> import simdloss
        >>> simdloss.force_isa("scalar")
        >>> simdloss.active_isa()
        'scalar'
        >>> simdloss.force_isa(None)
    """
    _core.force_isa(name)


@contextmanager
def using_isa(name: str | None) -> Iterator[None]:
    """`force_isa(name)` inside a with statement, for the whole process: a tool for tests.

    Args:
        name: one of `available_isas()`, or None.

    Raises:
        ValueError, TypeError: as `force_isa` does.

    Example:
        >>> import simdloss
        >>> with simdloss.using_isa("scalar"):
        ...     simdloss.active_isa()
        'scalar'
    """
    before = active_isa() if _core.build_config()["isa_reason"] == "forced" else None
    force_isa(name)
    try:
        yield
    finally:
        force_isa(before)


def get_num_threads() -> int:
    """How many threads a large call uses at most.

    Returns:
        The number of `using_num_threads`, else of `set_num_threads`, else `SIMDLOSS_NUM_THREADS`,
        else the least of what OpenMP, the CPU affinity and the cgroup quota allow.

    Raises:
        ValueError: where `SIMDLOSS_NUM_THREADS` is no number from 1 to 1024 and none is set.

    Example:
        >>> import simdloss
        >>> simdloss.get_num_threads() >= 1
        True
    """
    return _core.get_num_threads()


def set_num_threads(n: int | None) -> None:
    """Sets how many threads large calls of the process use; small ones stay on one.

    Args:
        n: from 1 to 1024; None returns to the default.

    Raises:
        ValueError: for another number.
        TypeError: for what is no int.

    Example:
        >>> import simdloss
        >>> simdloss.set_num_threads(1)
        >>> simdloss.get_num_threads()
        1
        >>> simdloss.set_num_threads(None)
    """
    _core.set_num_threads(n)


@contextmanager
def using_num_threads(n: int | None) -> Iterator[None]:
    """Another number of threads inside a with statement, for this thread or task alone.

    Calls of every size use it.

    Args:
        n: from 1 to 1024; None stands for the number outside of all such statements.

    Raises:
        ValueError, TypeError: as `set_num_threads` does.

    Example:
        >>> import simdloss
        >>> with simdloss.using_num_threads(1):
        ...     simdloss.get_num_threads()
        1
    """
    checked = None if n is None else _core.checked_threads(n)
    with _in_context(_core.threads_context, checked):
        yield


def last_num_threads() -> int:
    """How many threads the last call from this thread ran on.

    Returns:
        A number from 1 on; small calls run on one thread.

    Example:
        >>> import simdloss
        >>> loss = simdloss.huber([1.0], [2.0])
        >>> simdloss.last_num_threads()
        1
    """
    return _core.last_num_threads()


def _openmp_runtimes() -> list[str]:
    """The files of all OpenMP runtimes in this process; none where the system does not tell."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text(errors="replace").splitlines() if maps.exists() else []
    paths = {line.split(maxsplit=5)[5] for line in lines if line.count("/")}
    return sorted(p for p in paths if re.match(r"lib(gomp|omp|iomp)[\d.-]", Path(p).name))


def config() -> dict[str, Any]:
    """What runs here and why: for bug reports and benchmarks.

    Returns:
        A dict of the version, compiler and flags of the build, the instruction sets, the number of
        threads, where these come from, the OpenMP runtime used and all those loaded, `floatx()`,
        `epsilon()`, and the versions of what is loaded.

    Raises:
        ValueError: as `active_isa` and `get_num_threads` do.

    Example:
        >>> import simdloss
        >>> simdloss.config()["floatx"]
        'float32'
    """
    build = _core.build_config()
    library = build["openmp_library"]
    if _core.threads_context.get(None) is not None:
        build["num_threads_reason"] = "using_num_threads"
    return {
        **build,
        "openmp_library": str(Path(library).resolve()) if library else "",
        "openmp_runtimes": _openmp_runtimes(),
        "isa": active_isa(),
        "available_isas": available_isas(),
        "num_threads": get_num_threads(),
        "floatx": floatx(),
        "epsilon": epsilon(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "ml_dtypes": _array.ml_dtypes_version(),
    }


def show_config() -> None:
    """Prints `config()`, one entry a line.

    Raises:
        ValueError: as `config` does.

    Example:
        >>> import simdloss
        >>> simdloss.show_config()  # doctest: +ELLIPSIS
        version            ...
    """
    for key, value in config().items():
        print(f"{key:18} {value}")
