# SPDX-License-Identifier: Apache-2.0
"""The C API through ctypes: what cpp/include/simdloss.h declares, and calls on ndarrays.

The constants are read from the header; structs and signatures are written down once more here.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Mapping, Sequence
from ctypes import (
    POINTER,
    byref,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import simdloss

from .dtypes import DTYPES

Array = npt.NDArray[Any]

HEADER = (Path(__file__).parents[2] / "cpp/include/simdloss.h").read_text(encoding="ascii")
CONSTANTS = {name: int(x) for name, x in re.findall(r"\bSIMDLOSS_(\w+) = (-?\d+)", HEADER)}
DECLARED = set(re.findall(r"^SIMDLOSS_API [^;(]*?\b(simdloss_\w+)\(", HEADER, re.MULTILINE))

PACKAGE = Path(simdloss.__file__).parent
IN_WHEEL = next(PACKAGE.glob("lib/libsimdloss.so*"), PACKAGE / "lib/libsimdloss.so")
NO_LIBRARY = (
    "this package is linked with a static core: install a wheel, or name a shared library with "
    "SIMDLOSS_LIBRARY"
)


def find_library() -> Path | None:
    """What SIMDLOSS_LIBRARY names, or what a wheel holds; builds for development have none."""
    named = os.environ.get("SIMDLOSS_LIBRARY")
    if named:
        return Path(named)
    is_wheel = (PACKAGE / "include").exists()  # of which the library is a part as well
    return IN_WHEEL if is_wheel else None


class Error(ctypes.Structure):
    _fields_ = (
        ("status", c_int32),
        ("argument", ctypes.c_char * 60),
        ("message", ctypes.c_char * 960),
    )


class ArrayView(ctypes.Structure):
    """simdloss_array and simdloss_mutable_array."""

    _fields_ = (
        ("data", c_void_p),
        ("dtype", c_int32),
        ("rank", c_int32),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
    )


class ArrayType(ctypes.Structure):
    _fields_ = (("dtype", c_int32), ("rank", c_int32), ("shape", c_int64 * 64))


class LossInfo(ctypes.Structure):
    _fields_ = (
        ("name", c_char_p),
        ("target", c_int32),
        ("row_finish", c_int32),
        ("axis_kind", c_int32),
        ("flags", c_uint32),
        ("n_params", c_int32),
        ("reserved", c_int32),
    )


class ParamInfo(ctypes.Structure):
    _fields_ = (
        ("name", c_char_p),
        ("default_value", c_double),
        ("low", c_double),
        ("high", c_double),
        ("flags", c_uint32),
        ("reserved", c_uint32),
    )


class Param(ctypes.Structure):
    _fields_ = (("name", c_char_p), ("value", c_double))


Interrupted = ctypes.CFUNCTYPE(ctypes.c_int, c_void_p)


class Request(ctypes.Structure):
    _fields_ = (
        ("struct_size", c_uint32),
        ("reduction", c_int32),
        ("empty", c_int32),
        ("labels", c_int32),
        ("dtype", c_int32),
        ("default_dtype", c_int32),
        ("threads", c_int32),
        ("axes_kind", c_int32),
        ("axes", POINTER(c_int64)),
        ("n_axes", c_size_t),
        ("epsilon", c_double),
        ("scale", c_double),
        ("ignore_class", c_int64),
        ("has_scale", c_int32),
        ("has_ignore_class", c_int32),
        ("interrupted", Interrupted),
        ("interrupted_context", c_void_p),
    )


class Operands(ctypes.Structure):
    arrays: tuple[Array | None, ...]  # to keep them alive

    _fields_ = (
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("y_true", ArrayView),
        ("y_pred", ArrayView),
        ("sample_weight", POINTER(ArrayView)),
        ("mask", POINTER(ArrayView)),
        ("ref_labels", POINTER(ArrayView)),
        ("ref_embeddings", POINTER(ArrayView)),
    )


class SumsInfo(ctypes.Structure):
    _fields_ = (
        ("count", c_uint64),
        ("valid_count", c_uint64),
        ("weight_sum", c_double),
        ("reduction", c_int32),
        ("dtype", c_int32),
    )


class Build(ctypes.Structure):
    _fields_ = tuple((name, c_char_p) for name in ("version", "compiler", "flags", "openmp"))


_CALL = [c_void_p, POINTER(Operands), POINTER(Request)]
_VIEW, _ERROR, _TEXT = POINTER(ArrayView), POINTER(Error), POINTER(c_char_p)

STATUS: dict[str, list[Any]] = {
    "simdloss_catalog_entry": [c_int32, POINTER(LossInfo)],
    "simdloss_catalog_param": [c_int32, c_int32, POINTER(ParamInfo)],
    "simdloss_loss_create": [
        c_char_p,
        POINTER(Param),
        c_size_t,
        POINTER(c_double),
        c_size_t,
        POINTER(c_void_p),
    ],
    "simdloss_result_type": [*_CALL, POINTER(ArrayType)],
    "simdloss_gradient_type": [*_CALL, POINTER(ArrayType)],
    "simdloss_evaluate": [*_CALL, _VIEW],
    "simdloss_gradient": [*_CALL, _VIEW],
    "simdloss_value_and_gradient": [*_CALL, _VIEW, _VIEW],
    "simdloss_value_gradient_and_hessian": [*_CALL, c_int32, _VIEW, _VIEW, _VIEW],
    "simdloss_vjp": [c_void_p, POINTER(Operands), _VIEW, POINTER(Request), _VIEW],
    "simdloss_sums_create": [POINTER(c_void_p)],
    "simdloss_sums_add": [c_void_p, *_CALL],
    "simdloss_sums_merge": [c_void_p, c_void_p],
    "simdloss_sums_finalize": [c_void_p, c_int32, POINTER(c_double)],
    "simdloss_sums_get_info": [c_void_p, POINTER(SumsInfo)],
    "simdloss_sums_to_bytes": [c_void_p, c_void_p, c_size_t, POINTER(c_size_t)],
    "simdloss_sums_from_bytes": [c_char_p, c_size_t, POINTER(c_void_p)],
    "simdloss_active_isa": [_TEXT, _TEXT],
    "simdloss_force_isa": [c_char_p],
    "simdloss_num_threads": [POINTER(c_int32), _TEXT],
    "simdloss_set_num_threads": [c_int32],
}
"""Arguments of the functions that return a status, the error at the end left out."""

OTHERS: dict[str, tuple[Any, list[Any]]] = {
    "simdloss_status_name": (c_char_p, [c_int32]),
    "simdloss_dtype_name": (c_char_p, [c_int32]),
    "simdloss_dtype_size": (c_size_t, [c_int32]),
    "simdloss_catalog_size": (c_int32, []),
    "simdloss_loss_destroy": (None, [c_void_p]),
    "simdloss_request_init": (None, [POINTER(Request), c_size_t]),
    "simdloss_operands_init": (None, [POINTER(Operands), c_size_t]),
    "simdloss_sums_destroy": (None, [c_void_p]),
    "simdloss_api_version": (c_uint32, []),
    "simdloss_build_info": (None, [POINTER(Build)]),
    "simdloss_available_isa": (c_char_p, [c_int32]),
    "simdloss_last_num_threads": (c_int32, []),
}


@cache
def library() -> Any:
    """The library, with the signatures of its functions."""
    path = find_library()
    assert path is not None
    loaded = ctypes.CDLL(str(path))
    for name, arguments in STATUS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = c_int32, [*arguments, _ERROR]
    for name, (result, arguments) in OTHERS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


class Failure(Exception):
    """A status other than SIMDLOSS_OK."""

    def __init__(self, status: int, argument: str, message: str) -> None:
        super().__init__(message)
        self.status, self.argument, self.message = status, argument, message


def call(name: str, *arguments: Any) -> None:
    """A function that returns a status; raises Failure."""
    error = Error()
    status = getattr(library(), "simdloss_" + name)(*arguments, byref(error))
    assert status == error.status
    argument, message = error.argument.decode(), error.message.decode()
    if status != CONSTANTS["OK"]:
        assert message
        raise Failure(status, argument, message)
    assert (argument, message) == ("", "")


def view(array: Array, c_order: bool = False) -> ArrayView:
    """The array as C sees it, which it has to outlive; with null strides for C order."""
    if c_order:
        assert array.flags.c_contiguous
    dims = c_int64 * array.ndim
    dtype = next(i for i, dtype in enumerate(DTYPES.values()) if dtype == array.dtype)
    strides = None if c_order else dims(*array.strides)
    return ArrayView(array.ctypes.data, dtype, array.ndim, dims(*array.shape), strides)


def new_array(type_: ArrayType) -> Array:
    """An array of a type that the library told, full of ones."""
    assert not any(type_.shape[type_.rank :])
    return np.ones(tuple(type_.shape[: type_.rank]), list(DTYPES.values())[type_.dtype])


def operands(y_true: Array, y_pred: Array, **optional: Array | None) -> Operands:
    """Operands from arrays, which they keep alive."""
    made = Operands()
    library().simdloss_operands_init(byref(made), ctypes.sizeof(made))
    made.y_true, made.y_pred = view(y_true), view(y_pred)
    for name, array in optional.items():
        if array is not None:
            setattr(made, name, ctypes.pointer(view(array)))
    made.arrays = (y_true, y_pred, *optional.values())
    return made


def request(**members: Any) -> Request:
    """The default request but for some members; `axes` is None, or a sequence."""
    made = Request()
    library().simdloss_request_init(byref(made), ctypes.sizeof(made))
    if "axes" in members:
        axes: Sequence[int] | None = members.pop("axes")
        made.axes_kind = CONSTANTS["AXES_ALL" if axes is None else "AXES_LIST"]
        if axes is not None:
            made.axes, made.n_axes = (c_int64 * len(axes))(*axes), len(axes)
    for name, value in members.items():
        setattr(made, name, value)
        if name in ("scale", "ignore_class"):
            setattr(made, "has_" + name, 1)
    return made


class Loss:
    """A simdloss_loss and its calls, which make the arrays that results go to."""

    def __init__(
        self, name: str, params: Mapping[str, float] | None = None, weights: Sequence[float] = ()
    ) -> None:
        self.handle = c_void_p()
        given = [Param(key.encode(), value) for key, value in (params or {}).items()]
        call(
            "loss_create",
            name.encode(),
            (Param * len(given))(*given),
            len(given),
            (c_double * len(weights))(*weights),
            len(weights),
            byref(self.handle),
        )

    def __del__(self) -> None:
        library().simdloss_loss_destroy(self.handle)

    def out(self, function: str, o: Operands, r: Request) -> Array:
        """An array for a result, by "result_type" or "gradient_type"."""
        type_ = ArrayType()
        call(function, self.handle, byref(o), byref(r), byref(type_))
        return new_array(type_)

    def evaluate(self, o: Operands, r: Request) -> Array:
        out = self.out("result_type", o, r)
        call("evaluate", self.handle, byref(o), byref(r), byref(view(out)))
        return out

    def gradient(self, o: Operands, r: Request) -> Array:
        out = self.out("gradient_type", o, r)
        call("gradient", self.handle, byref(o), byref(r), byref(view(out)))
        return out

    def derivatives(self, o: Operands, r: Request, curvature: str | None = None) -> list[Array]:
        """Value, gradient and, of "DIAGONAL" or "UPPER_BOUND", curvature."""
        outs = [self.out("result_type", o, r), self.out("gradient_type", o, r)]
        if curvature is None:
            views = [byref(view(out)) for out in outs]
            call("value_and_gradient", self.handle, byref(o), byref(r), *views)
        else:
            outs.append(np.ones_like(outs[1]))
            views = [byref(view(out)) for out in outs]
            kind = CONSTANTS["CURVATURE_" + curvature]
            name = "value_gradient_and_hessian"
            call(name, self.handle, byref(o), byref(r), kind, *views)
        return outs

    def vjp(self, o: Operands, cotangent: Array, r: Request) -> Array:
        out = self.out("gradient_type", o, r)
        ends = byref(view(cotangent)), byref(r), byref(view(out))
        call("vjp", self.handle, byref(o), *ends)
        return out


class Sums:
    """A simdloss_sums: that of nothing, or of bytes."""

    def __init__(self, data: bytes | None = None) -> None:
        self.handle = c_void_p()
        if data is None:
            call("sums_create", byref(self.handle))
        else:
            call("sums_from_bytes", data, len(data), byref(self.handle))

    def __del__(self) -> None:
        library().simdloss_sums_destroy(self.handle)

    def add(self, loss: Loss, o: Operands, r: Request) -> None:
        call("sums_add", self.handle, loss.handle, byref(o), byref(r))

    def merge(self, other: Sums) -> None:
        call("sums_merge", self.handle, other.handle)

    def finalize(self, empty: str = "ZERO") -> float:
        value = c_double()
        call("sums_finalize", self.handle, CONSTANTS["EMPTY_" + empty], byref(value))
        return value.value

    def info(self) -> SumsInfo:
        info = SumsInfo()
        call("sums_get_info", self.handle, byref(info))
        return info

    def to_bytes(self) -> bytes:
        size = c_size_t()
        call("sums_to_bytes", self.handle, None, 0, byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        call("sums_to_bytes", self.handle, buffer, size, byref(size))
        return buffer.raw
