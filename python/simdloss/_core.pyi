# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Literal, TypedDict, TypeVar, final

import numpy as np
from typing_extensions import Self

_F = TypeVar("_F", bound=Callable[..., Any])

class _Param(TypedDict):
    name: str
    default: float
    low: float
    high: float
    low_open: bool
    is_bool: bool

class _Entry(TypedDict):
    name: str
    params: list[_Param]
    target: Literal["real", "label", "class_id", "sequence", "pairs"]
    row_finish: Literal["mean", "sum", "whole"]
    axis_kind: Literal["any", "one", "none"]
    has_classes: bool
    needs_elements: bool
    has_hessian: bool
    converts_binary_labels: bool

__version__: str

def catalog() -> list[_Entry]: ...
def described(value: object) -> str: ...
def evaluate(
    name: str,
    params: tuple[Any, ...],
    axis: Any,
    extras: dict[str, Any] | None,
    y_true: Any,
    y_pred: Any,
    out: Any,
    /,
) -> Any: ...

@final
class Loss:
    def __new__(
        cls,
        name: str | None,
        params: tuple[Any, ...],
        axis: Any,
        dtype: str | None,
        reduction: str | None,
        extras: dict[str, Any] | None = None,
        identity: str = "",
    ) -> Self: ...
    def __call__(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any = None,
        mask: Any = None,
        out: Any = None,
        empty: str = "zero",
        /,
    ) -> Any: ...
    def partial(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None, /
    ) -> PartialSums: ...
    def value_and_grad(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any,
        mask: Any,
        out: Any,
        empty: str,
        scale: float | None,
        /,
    ) -> tuple[Any, Any]: ...
    def value_grad_hess(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any,
        mask: Any,
        empty: str,
        scale: float | None,
        hessian: str,
        /,
    ) -> tuple[Any, Any, Any]: ...

def direct_method(function: _F, /) -> _F: ...

@final
class Cotangent:
    def __init__(self, value: Any, out: Any) -> None: ...

class PartialSums:
    def __init__(self) -> None: ...
    def merge(self, other: PartialSums) -> Self: ...
    def __add__(self, other: PartialSums) -> PartialSums: ...
    def __radd__(self, other: int) -> PartialSums: ...
    def __eq__(self, other: object) -> bool: ...
    def result(self, empty: str = "zero") -> Any: ...
    @property
    def sum(self) -> float: ...
    @property
    def weight_sum(self) -> float: ...
    @property
    def count(self) -> int: ...
    @property
    def valid_count(self) -> int: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes | bytearray | memoryview) -> PartialSums: ...

def from_dlpack(capsule: object) -> np.ndarray[Any, np.dtype[Any]]: ...

epsilon_context: ContextVar[float]
threads_context: ContextVar[int | None]

def checked_epsilon(value: float) -> float: ...
def checked_threads(n: int) -> int: ...
def floatx() -> str: ...
def set_floatx(value: str) -> None: ...
def epsilon() -> float: ...
def set_epsilon(value: float) -> None: ...
def available_isas() -> list[str]: ...
def active_isa() -> str: ...
def force_isa(name: str | None) -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int | None) -> None: ...
def last_num_threads() -> int: ...
def build_config() -> dict[str, str]: ...
