# SPDX-License-Identifier: Apache-2.0
"""floatx, epsilon, threads and instruction set: set, restored, and read when they should be."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import simdloss
from support.variants import mse


@contextmanager
def floatx(value: str) -> Iterator[None]:
    before = simdloss.floatx()
    simdloss.set_floatx(value)
    try:
        yield
    finally:
        simdloss.set_floatx(before)


def test_defaults() -> None:
    assert simdloss.floatx() == "float32"
    assert simdloss.epsilon() == 1e-7
    assert simdloss.active_isa() == simdloss.available_isas()[0]


def test_floatx_is_read_when_a_class_is_constructed() -> None:
    early = mse.loss()
    with floatx("float64"):
        assert simdloss.floatx() == "float64"
        late = mse.loss()
        assert early.dtype == "float32"
        assert early([[1.0]], [[2.0]]).dtype == np.float32
    assert late.dtype == "float64"
    assert late([[1.0]], [[2.0]]).dtype == np.float64


def test_floatx_is_the_type_of_python_numbers() -> None:
    with floatx("float16"):
        assert mse.function([1.0], [2.0]).dtype == np.float16
    with floatx("float64"):
        assert mse.function([0.1], [0.2]) == (0.1 - 0.2) ** 2


@pytest.mark.parametrize("value", ["int32", "float128", "", None, "f4"])
def test_unknown_floatx(value: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="float"):
        simdloss.set_floatx(value)
    assert simdloss.floatx() == "float32"


def test_epsilon_is_read_at_each_call() -> None:
    loss = simdloss.BinaryCrossentropy()
    before = simdloss.epsilon()
    simdloss.set_epsilon(0.25)
    try:
        assert simdloss.epsilon() == 0.25
        assert loss([[1.0]], [[0.0]]) == pytest.approx(-math.log(0.25))
        with simdloss.using_epsilon(0.125):
            assert simdloss.epsilon() == 0.125
            assert loss([[1.0]], [[0.0]]) == pytest.approx(-math.log(0.125))
        assert simdloss.epsilon() == 0.25
    finally:
        simdloss.set_epsilon(before)
    assert loss([[1.0]], [[0.0]]) == pytest.approx(16.118095)


@pytest.mark.parametrize("value", [-1e-7, math.nan, math.inf, "small", None])
def test_unusable_epsilons(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        simdloss.set_epsilon(value)
    with pytest.raises((ValueError, TypeError)), simdloss.using_epsilon(value):
        pass
    assert simdloss.epsilon() == 1e-7


def test_context_managers_belong_to_their_context() -> None:
    """Other threads and tasks do not see them."""
    with simdloss.using_epsilon(0.25), simdloss.using_num_threads(5), ThreadPoolExecutor(1) as pool:
        assert pool.submit(simdloss.epsilon).result() == 1e-7
        assert pool.submit(simdloss.get_num_threads).result() != 5

    async def task(n: int) -> int:
        with simdloss.using_num_threads(n):
            await asyncio.sleep(0.001)
            return simdloss.get_num_threads()

    async def both() -> tuple[int, int]:
        return await asyncio.gather(task(3), task(4))

    assert tuple(asyncio.run(both())) == (3, 4)


def test_context_managers_nest() -> None:
    with simdloss.using_epsilon(0.25):
        with simdloss.using_epsilon(0.5):
            assert simdloss.epsilon() == 0.5
        assert simdloss.epsilon() == 0.25
    assert simdloss.epsilon() == 1e-7


def test_context_managers_leave_on_errors() -> None:
    for manager in (simdloss.using_epsilon(0.25), simdloss.using_num_threads(5)):
        with pytest.raises(ZeroDivisionError), manager:
            raise ZeroDivisionError
    assert simdloss.epsilon() == 1e-7
    assert simdloss.get_num_threads() != 5


def test_show_config(capsys: pytest.CaptureFixture[str]) -> None:
    config = simdloss.config()
    simdloss.show_config()
    text = capsys.readouterr().out
    for part in (simdloss.__version__, simdloss.active_isa(), str(simdloss.get_num_threads())):
        assert part in text
    for isa in simdloss.available_isas():
        assert isa in text
    for value in config.values():
        assert str(value) in text or not isinstance(value, str)
