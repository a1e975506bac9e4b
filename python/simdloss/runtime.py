# SPDX-License-Identifier: Apache-2.0
"""Settings of the process: default precision, epsilon, instruction set and threads."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
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

    Example:
        >>> import simdloss
        >>> simdloss.floatx()
        'float32'
    """
    return _core.floatx()


def set_floatx(value: Any) -> None:
    """Sets `floatx()` for the process: "float16", "bfloat16", "float32", "float64" or their dtypes.

    Losses that exist already keep their dtype. ValueError for anything else, ImportError for
    bfloat16 without the package ml_dtypes.
    """
    _core.set_floatx(_array.floatx_name(value))


def epsilon() -> float:
    """The small number that keeps probabilities and divisors away from 0.

    Example:
        >>> import simdloss
        >>> simdloss.epsilon()
        1e-07
    """
    return _core.epsilon()


def set_epsilon(value: float) -> None:
    """Sets `epsilon()` for the process, read at each call; 0 switches clipping off.

    ValueError for a number outside [0, 0.5): the bounds epsilon and 1 - epsilon would cross.
    """
    _core.set_epsilon(value)


@contextmanager
def using_epsilon(value: float) -> Iterator[None]:
    """Another `epsilon()` in [0, 0.5) inside a with statement, for this thread or task alone.

    Example:
        >>> import simdloss
        >>> with simdloss.using_epsilon(0):
        ...     float(simdloss.binary_crossentropy([1.0], [0.0]))
        inf
    """
    with _in_context(_core.epsilon_context, _core.checked_epsilon(value)):
        yield


def available_isas() -> list[str]:
    """The instruction sets that this build and this machine can run, best first.

    All give the same bits but "baseline", which is for x86 machines without FMA.

    Example:
        >>> import simdloss
        >>> "scalar" in simdloss.available_isas()
        True
    """
    return _core.available_isas()


def active_isa() -> str:
    """The instruction set of the next call: the forced one, `SIMDLOSS_ISA`, or the best."""
    return _core.active_isa()


def force_isa(name: str | None) -> None:
    """Makes the process use one of `available_isas()`; None returns to the default.

    ValueError for a name that cannot run here.
    """
    _core.force_isa(name)


@contextmanager
def using_isa(name: str | None) -> Iterator[None]:
    """`force_isa(name)` inside a with statement, for the whole process: a tool for tests.

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

    That of `using_num_threads`, else of `set_num_threads`, else `SIMDLOSS_NUM_THREADS`, else the
    least of what OpenMP, the CPU affinity and the cgroup quota allow.
    """
    return _core.get_num_threads()


def set_num_threads(n: int | None) -> None:
    """Sets the number of threads for the process; None returns to the default.

    ValueError below 1.
    """
    _core.set_num_threads(n)


@contextmanager
def using_num_threads(n: int | None) -> Iterator[None]:
    """Another number of threads inside a with statement, for this thread or task alone.

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
    """How many threads the last call from this thread ran on."""
    return _core.last_num_threads()


def config() -> dict[str, Any]:
    """What runs here and why, as a dict: for bug reports and benchmarks."""
    return {
        **_core.build_config(),
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
    """Prints `config()`."""
    for key, value in config().items():
        print(f"{key:18} {value}")
