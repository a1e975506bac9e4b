# SPDX-License-Identifier: Apache-2.0
"""floatx, epsilon, threads and instruction set: set, restored, and read when they should be."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import simdloss
from support.dtypes import FLOATS, floatx
from support.processes import run_python
from support.variants import mse


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


@pytest.mark.parametrize("value", ["int32", "float128", "", None, "f4", 3])
def test_unknown_floatx(value: Any) -> None:
    with pytest.raises(ValueError, match="floatx must be"):
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


@pytest.mark.parametrize("value", [-1e-7, 0.5, 10**400, math.nan, math.inf, "1", None])
def test_unusable_epsilons(value: Any) -> None:
    error = TypeError if isinstance(value, str | None) else ValueError
    with pytest.raises(error, match=r"epsilon must be .*; received"):
        simdloss.set_epsilon(value)
    with pytest.raises(error, match=r"epsilon must be .*; received"), simdloss.using_epsilon(value):
        pass
    assert simdloss.epsilon() == 1e-7


@pytest.mark.parametrize("n", [0, -1, 2**31, 2**70, 2.5, True, "2"])
def test_unusable_numbers_of_threads(n: Any) -> None:
    error = ValueError if type(n) is int else TypeError
    with pytest.raises(error, match=r"n.* must be .*; received"):
        simdloss.set_num_threads(n)
    with pytest.raises(error, match=r"n.* must be .*; received"), simdloss.using_num_threads(n):
        pass


def test_an_isa_is_named_by_text() -> None:
    with pytest.raises(TypeError, match="name must be a str or None; received 3 of type int"):
        simdloss.force_isa(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [np.float64, np.dtype("float16"), FLOATS["bfloat16"]], ids=str)
def test_floatx_may_be_a_dtype(value: Any) -> None:
    with floatx(value):
        assert simdloss.floatx() == np.dtype(value).name
        assert mse.loss().dtype == simdloss.floatx()


def test_floatx_bfloat16_needs_ml_dtypes_at_once() -> None:
    code = """
import sys
sys.modules["ml_dtypes"] = None  # importing it fails
import simdloss
try:
    simdloss.set_floatx("bfloat16")
except ImportError as error:
    assert "ml_dtypes" in str(error)
else:
    raise AssertionError("no ImportError")
assert simdloss.floatx() == "float32"
"""
    run_python(code)


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
        with simdloss.using_epsilon(0.375):
            assert simdloss.epsilon() == 0.375
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
