# SPDX-License-Identifier: Apache-2.0
"""What callers pass as arrays and dtypes, turned into exact ndarrays and dtype names.

The extension module reads exact ndarrays itself and comes here for everything else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from simdloss import _core

if TYPE_CHECKING:
    NDArray: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# --- dtypes ---------------------------------------------------------------------------------------

# [bfloat16] How a bfloat16 array looks where ml_dtypes is not installed: two raw bytes and a tag,
# which the extension module knows.
_TAGGED_BFLOAT16 = np.dtype("V2", metadata={"bfloat16": True})

_DTYPE_NAMES = {
    "float16": "float16",
    "bfloat16": "bfloat16",
    "float32": "float32",
    "float64": "float64",
    "float": "float32",  # as in Keras: Python's float is the default precision
    "mixed_float16": "float16",
    "mixed_bfloat16": "bfloat16",
}


def bfloat16_dtype() -> np.dtype[Any]:
    """NumPy's name for bfloat16 results: the dtype of ml_dtypes, or its ImportError."""
    try:
        from ml_dtypes import bfloat16
    except ImportError as error:
        raise ImportError(
            "bfloat16 results need the package ml_dtypes (pip install ml_dtypes); "
            "or ask for dtype='float32', and for gradients by a y_pred of float32"
        ) from error
    dtype: np.dtype[Any] = np.dtype(bfloat16)
    return dtype


def bfloat16_view_dtype() -> np.dtype[Any]:
    """The dtype for reading bfloat16 memory: that of ml_dtypes, else tagged raw bytes."""
    try:
        return bfloat16_dtype()
    except ImportError:
        return _TAGGED_BFLOAT16


def numpy_dtype(name: str) -> np.dtype[Any]:
    return bfloat16_dtype() if name == "bfloat16" else np.dtype(name)


def dtype_name(dtype: Any) -> str:
    """The name of the floating dtype that `dtype` stands for, in any spelling that Keras accepts.

    A false-y value stands for `floatx()`.
    """
    if isinstance(dtype, dict):  # a serialized dtype policy
        dtype = dtype.get("config", {}).get("name")
    dtype = getattr(dtype, "compute_dtype", dtype) or _core.floatx()
    if isinstance(dtype, str):
        given = dtype
    else:
        # np.dtype has a name, NumPy's scalar types a __name__; torch.float32 has neither.
        given = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    name = _DTYPE_NAMES.get(given.removeprefix("torch."))
    if name is None:
        raise ValueError(
            "dtype must be one of 'float16', 'bfloat16', 'float32', 'float64', "
            "'mixed_float16', 'mixed_bfloat16', or an object that stands for one of them "
            f"(numpy.dtype, a dtype policy); received {_core.described(dtype)}"
        )
    return name


def floatx_name(value: Any) -> str:
    """The name of the dtype that `floatx()` shall be: one of the four names, or its dtype."""
    name = value if isinstance(value, str) else getattr(value, "name", None)
    name = name or getattr(value, "__name__", None)  # of NumPy's scalar types
    if name not in ("float16", "bfloat16", "float32", "float64"):
        raise ValueError(
            "floatx must be 'float16', 'bfloat16', 'float32', 'float64' or one of their "
            f"numpy.dtypes; received {_core.described(value)}"
        )
    numpy_dtype(name)  # ImportError for bfloat16 without ml_dtypes
    return name


# --- arrays ---------------------------------------------------------------------------------------

# Devices (DLPack numbers) whose memory the CPU reads: itself, pinned memory of CUDA and of ROCm.
_CPU_DEVICES = (1, 3, 11)

_FIXES = {
    "c": "take its real part or its absolute value",
    "m": "divide it by a unit such as np.timedelta64(1, 's')",
    "M": "subtract a date and divide by a unit such as np.timedelta64(1, 's')",
    "f": "convert it with .astype('float64') or .astype('float32')",
    "V": "take one of its fields",
}


# What lists of Python's ints are that int32 does not hold: the first dtype that does.
_WIDE_NUMBERS = ("int64", "float64")
_WIDE_IDS = ("int64", "uint64")


def operands(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    mask: Any,
    dtype: str | None = None,
    has_ids: bool = False,
) -> tuple[NDArray | None, NDArray, NDArray | None, NDArray | None]:
    """The arrays of one call as exact ndarrays of dtypes that the extension module reads.

    `dtype` is that of a loss class; None in a function. With `has_ids`, y_true holds class ids.
    None stays None. Checks what only a look at all of them can tell: that pandas objects have the
    same index.
    """
    given = {"y_true": y_true, "y_pred": y_pred, "sample_weight": sample_weight, "mask": mask}
    _check_indexes(given)
    # In a class Python's numbers lose nothing that its result could show. In a function they are
    # floatx and int32, but for y_true beside a float64 y_pred.
    wide_ints = () if dtype is None else _WIDE_NUMBERS
    float_type = _core.floatx() if dtype is None else class_float(dtype)
    pred = to_ndarray(y_pred, "y_pred", float_type, wide_ints=wide_ints)
    if pred.dtype == np.float64:
        float_type = "float64"
    true = None
    if has_ids:
        true = class_ids(y_true, "y_true")
    elif y_true is not None:
        true = to_ndarray(y_true, "y_true", float_type, wide_ints=wide_ints)
    weight = None if sample_weight is None else to_ndarray(sample_weight, "sample_weight")
    return true, pred, weight, None if mask is None else to_ndarray(mask, "mask")


def class_float(dtype: str) -> str:
    """The dtype of Python's floats in a loss class: that in which it computes at least."""
    return "float64" if dtype == "float64" else "float32"


def class_ids(value: Any, argument: str) -> NDArray:
    """Ids of classes as `to_ndarray` makes them, none of which is rounded."""
    return to_ndarray(value, argument, wide_ints=_WIDE_IDS)


def to_ndarray(
    value: Any,
    argument: str,
    python_float: str = "float64",
    *,
    wide_ints: tuple[str, ...] = _WIDE_NUMBERS,
) -> NDArray:
    """`value` as an exact ndarray of a dtype that the extension module reads, where possible
    without a copy.

    `python_float` is the dtype that Python's floats stand for. Its ints are int32, or the
    first of `wide_ints` that holds them all. Raises TypeError or ValueError naming `argument`.
    """
    if isinstance(value, np.ndarray):
        array = _from_ndarray(value, argument)
    elif isinstance(value, (bool, int, float, list, tuple)):
        array = _from_python(value, argument, python_float, wide_ints)
    elif isinstance(value, dict):
        structures = (
            "; structures of arrays are for a LossFunctionWrapper and for subclasses of Loss that "
            "define call"
        )
        raise TypeError(
            f"{argument} is a dict, or holds one, where an array belongs"
            + (structures if argument in ("y_true", "y_pred") else "")
        )
    elif hasattr(value, "to_numpy") and hasattr(value, "isna"):
        array = _from_pandas(value, argument)
    elif hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise TypeError(f"{argument} is a sparse matrix; convert it with .toarray()")
    else:
        array = _from_protocols(value, argument)
    return _readable(array, argument)


def to_dtype(value: Any, name: str, argument: str) -> NDArray:
    """`value` as an ndarray of the dtype `name`."""
    return _cast(to_ndarray(value, argument, class_float(name)), name)


def to_call_dtype(value: Any, name: str, argument: str) -> NDArray:
    """`value` as `Loss.call` receives it: of the dtype `name`, but integers that would not be the
    same in it, such as large class ids, as they are."""
    array = to_ndarray(value, argument, class_float(name))
    if array.dtype.kind not in "iu":
        return _cast(array, name)
    with np.errstate(over="ignore"):
        cast = _cast(array, name)
    wide = cast.astype(np.float64)
    in_range = np.isfinite(wide) & (wide < float(int(np.iinfo(array.dtype).max) + 1))
    is_exact = in_range.all() and np.array_equal(wide.astype(array.dtype), array)
    return cast if is_exact else array


def _cast(array: NDArray, name: str) -> NDArray:
    if array.dtype == _TAGGED_BFLOAT16:
        array = (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array.astype(numpy_dtype(name), copy=False)


def class_weights(value: Any, argument: str = "class_weight") -> NDArray:
    """Weights of classes as the extension module takes them: a contiguous vector of float64."""
    if isinstance(value, dict):
        raise TypeError(
            f"{argument} is a dict; pass a vector with the weight of each class, in their order"
        )
    array = to_dtype(value, "float64", argument)
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(
            f"{argument} must be a vector with one number for each class; received an array of "
            f"shape {array.shape}"
        )
    outside = np.flatnonzero(~((array >= 0) & (array < np.inf)))
    if len(outside):
        first = int(outside[0])
        raise ValueError(
            f"{argument} must hold finite numbers >= 0; received {array[first]} at position {first}"
        )
    return np.require(array, requirements=["C", "A"])


def _check_indexes(given: dict[str, Any]) -> None:
    indexed = [(name, value) for name, value in given.items() if hasattr(value, "iloc")]
    for name, value in indexed[1:]:
        first_name, first = indexed[0]
        if not first.index.equals(value.index):
            raise ValueError(
                f"{first_name} and {name} are pandas objects with unequal indexes; pandas objects "
                f"go by position here: align them first, for example with "
                f"{name}.reindex({first_name}.index), or pass .to_numpy()"
            )


def _elements_advice(argument: str, kept: str) -> str:
    """How to leave out elements, for the arrays of which there may be any."""
    if argument == "mask":
        return "pass mask.filled(False) or mask.fillna(False)"
    if argument in ("class_weight", "alpha"):
        return "give those classes the weight 0, for example with .filled(0) or .fillna(0)"
    if argument == "sample_weight":
        return "give those samples the weight 0, for example with .filled(0) or .fillna(0)"
    return (
        f"fill them, and leave the elements out with a loss class: axis=() and mask={kept} "
        f"(functions take no mask; without axis=() a mask has an entry for each sample)"
    )


def _text_advice(argument: str) -> str:
    """How to make numbers of text and of objects."""
    advice = "convert numbers in text with .astype('float64')"
    if argument.startswith(("y_pred", "sample_weight", "mask")):
        return advice
    return f"{advice}, names of classes to ids with np.unique({argument}, return_inverse=True)[1]"


def _from_ndarray(value: NDArray, argument: str) -> NDArray:
    if np.ma.is_masked(value):
        kept = f"~np.ma.getmaskarray({argument})"
        raise ValueError(
            f"{argument} is a masked array with masked entries; " + _elements_advice(argument, kept)
        )
    return np.asarray(value)


_PYTHON_NUMBERS = {float, int, bool}


def _leaves(value: list[Any] | tuple[Any, ...]) -> Iterator[Any]:
    """The items of nested lists and tuples; of numbers, one of each type and dtype."""
    by_type = {type(item): item for item in value}
    yield from (item for kind, item in by_type.items() if kind in _PYTHON_NUMBERS)
    if by_type.keys() <= _PYTHON_NUMBERS:
        return
    yield from {item.dtype: item for item in value if isinstance(item, np.generic)}.values()
    for item in value:
        if isinstance(item, (list, tuple)):
            yield from _leaves(item)
        elif type(item) not in _PYTHON_NUMBERS and not isinstance(item, np.generic):
            yield item


def _from_python(
    value: Any, argument: str, python_float: str, wide_ints: tuple[str, ...]
) -> NDArray:
    """Numbers and nested lists: the dtype follows from the types of the items alone."""
    kinds = set()
    dtypes = set()
    for leaf in _leaves([value]):
        if isinstance(leaf, (bool, int, float)) and not isinstance(leaf, np.generic):
            kinds.add(next(kind for kind in (bool, int, float) if isinstance(leaf, kind)))
        elif isinstance(leaf, np.generic):
            dtypes.add(_readable(np.asarray(leaf), argument).dtype)
        else:  # an array, which has to pass the checks that it would pass alone
            dtypes.add(to_ndarray(leaf, argument).dtype)
    # Python's numbers widen no array of their kind: ints beside floats are floats as they are.
    if float in kinds or not (kinds or dtypes):
        dtypes.add(numpy_dtype(python_float))
    elif int in kinds and not any(dtype.kind in "fV" for dtype in dtypes):
        dtypes.add(np.dtype("int32"))
    elif bool in kinds:
        dtypes.add(np.dtype("bool"))
    common = np.result_type(*dtypes)
    for dtype in (common, *map(np.dtype, wide_ints)):
        try:
            return np.asarray(value, dtype=dtype)
        except OverflowError as error:
            overflow = error
        except ValueError as error:
            raise ValueError(
                f"{argument} is not a rectangular array of numbers: {error}"
            ) from error
        except TypeError as error:
            raise TypeError(f"{argument} cannot be read as an array: {error}") from error
    if common.kind != "f" and not wide_ints:
        message = (
            f"beyond 32 bits, and Python's integers are taken as int32; pass "
            f"np.asarray({argument}, dtype='int64'), or dtype='float64' for those beyond 64 bits"
        )
    else:
        message = f"beyond the range of {'float64' if common.kind == 'f' else wide_ints[-1]}"
    raise ValueError(f"{argument} holds integers {message}") from overflow


def _from_pandas(value: Any, argument: str) -> NDArray:
    """pandas objects by position; their nullable columns as NumPy numbers."""
    is_frame = hasattr(value, "columns")
    names, given_dtypes = (value.columns, value.dtypes) if is_frame else ([""], [value.dtype])
    dtypes = []
    strange = []
    for name, given in zip(names, given_dtypes, strict=True):
        dtype = getattr(given, "numpy_dtype", given)  # of a nullable column
        if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
            dtypes.append(dtype)
        else:
            strange.append(f"{name!r} ({given})" if is_frame else str(given))
    if strange:
        held = "columns that are not numbers" if is_frame else "values that are not numbers"
        fix = _text_advice(argument)
        if any("category" in text for text in strange):
            fix = "convert categories to class ids with .cat.codes"
        raise TypeError(f"{argument} has {held}: {', '.join(strange)}; {fix}")
    nullable = any(
        not isinstance(d, np.dtype) for d in (value.dtypes if is_frame else [value.dtype])
    )
    if nullable and np.any(value.isna()):
        raise TypeError(
            f"{argument} has missing values in a nullable column, which .to_numpy(dtype='float64', "
            f"na_value=0) replaces; " + _elements_advice(argument, f"~{argument}.isna().to_numpy()")
        )
    return np.asarray(value.to_numpy(dtype=np.result_type(*dtypes) if dtypes else np.float64))


def _from_protocols(value: Any, argument: str) -> NDArray:
    """Arrays of other libraries, without a copy where they allow it."""
    ancestors = {(cls.__module__.partition(".")[0], cls.__name__) for cls in type(value).__mro__}
    if ("jax", "Tracer") in ancestors:
        raise TypeError(
            f"{argument} is a traced JAX value: simdloss cannot run under jit or grad; pass "
            f"concrete arrays, or call it through jax.pure_callback (see docs/gradients.md)"
        )
    if getattr(value, "requires_grad", False):
        raise TypeError(f"{argument} is a tensor that requires grad; pass {argument}.detach()")
    if hasattr(value, "__dlpack__"):
        try:
            device = int(value.__dlpack_device__()[0])
            if device in _CPU_DEVICES:
                return _from_dlpack(value)
        except (BufferError, TypeError, ValueError, RuntimeError) as error:
            if not hasattr(value, "__array__"):
                raise TypeError(f"{argument} cannot be read through DLPack: {error}") from error
        else:
            raise TypeError(
                f"{argument} is on another device than the CPU (DLPack device type {device}); "
                f"copy it first: {argument}.cpu() in torch, jax.device_get({argument}) in JAX"
            )
    elif type(value).__name__ == "PyCapsule":
        try:
            return _core.from_dlpack(value)
        except TypeError as error:
            raise TypeError(f"{argument}: {error}") from error
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"{argument} of type {type(value).__name__} cannot be read as an array: {error}"
        ) from error


def _from_dlpack(value: Any) -> NDArray:
    try:
        capsule = value.__dlpack__(max_version=(1, 0))
    except TypeError:  # a producer from before versions
        capsule = value.__dlpack__()
    return _core.from_dlpack(capsule)


def _readable(array: NDArray, argument: str) -> NDArray:
    """`array` in native byte order; TypeError for dtypes that have no place in a loss."""
    dtype = array.dtype
    if (
        dtype.kind in "biu"
        or (dtype.kind == "f" and dtype.itemsize in (2, 4, 8))
        or dtype.name == "bfloat16"
        or (dtype == _TAGGED_BFLOAT16 and dtype.metadata)
    ):
        return array if dtype.isnative else array.astype(dtype.newbyteorder("="))
    fix = _FIXES.get(dtype.kind, "convert it with .astype('float32')")
    if dtype.kind == "V" and dtype.names is None:
        fix = "convert it with .astype('float32')"
    if dtype.kind in "OSUT":
        fix = _text_advice(argument)
    raise TypeError(
        f"{argument} must hold real numbers (floating, integer or bool); received dtype {dtype}: "
        + fix
    )


def ml_dtypes_version() -> str | None:
    """The version of ml_dtypes that is loaded or can be, for bug reports."""
    if bfloat16_view_dtype() is _TAGGED_BFLOAT16:
        return None
    return str(sys.modules["ml_dtypes"].__version__)
