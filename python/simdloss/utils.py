# SPDX-License-Identifier: Apache-2.0
"""What belongs to losses without being one."""

from __future__ import annotations

import operator
import reprlib
import sys
from typing import Any

import numpy as np

from simdloss._array import numpy_dtype, to_dtype, to_ndarray

__all__ = ["to_categorical"]


def to_categorical(x: Any, num_classes: int | None = None, dtype: Any = "float32") -> Any:
    """Class ids as one-hot vectors.

    The losses over classes do not need it: the sparse ones take ids.

    Args:
        x: ids, integers in [0, num_classes) of any dtype, so also floats that hold integers; any
            shape. A last axis of length 1 is dropped if there are others.
        num_classes: the number of classes; None takes the greatest id plus 1.
        dtype: of the result.

    Returns:
        An ndarray of the shape of `x` and a last axis for the classes: 1 at the id, else 0.

        Keras's to_categorical depends on what `x` is: arrays give float32, lists float64;
        a negative id gives a row of zeros or counts from the end; floats are truncated or refused.
        Here all input goes one way, and ids that are no classes are errors. The argument `dtype`
        is that of Keras 2.

    Raises:
        ValueError: for ids that are negative, not below `num_classes`, NaN or not integral, with
            the first position, the value and how many there are; for `num_classes` below 1; for
            empty `x` without `num_classes`; for more classes than memory can hold.
        TypeError: for what holds no numbers, a `num_classes` that is no integer, and a `dtype`
            that is not one of numbers.

    Example:
        >>> import simdloss
        >>> simdloss.to_categorical([0, 2, 1])
        array([[1., 0., 0.],
               [0., 0., 1.],
               [0., 1., 0.]], dtype=float32)
        >>> simdloss.to_categorical([[0], [1]], num_classes=2, dtype="int8")
        array([[1, 0],
               [0, 1]], dtype=int8)

    References:
        keras.utils.to_categorical.
    """
    ids = to_ndarray(x, "x")
    if ids.ndim > 1 and ids.shape[-1] == 1:
        ids = ids[..., 0]
    if ids.dtype.kind in "iub":
        is_id = ids >= 0
    else:
        ids = to_dtype(ids, "float64", "x")
        is_id = np.isfinite(ids) & (ids >= 0) & (ids == np.floor(ids))
    number_dtype = _number_dtype(dtype)
    classes = _class_count(ids, is_id, num_classes)
    if ids.size * classes * number_dtype.itemsize > sys.maxsize:
        source = "the greatest id in x" if num_classes is None else "num_classes"
        raise ValueError(
            f"{source} is too large: no memory holds {ids.size} one-hot vectors of "
            f"{reprlib.repr(classes)} numbers"
        )
    is_id &= ids < classes
    if not is_id.all():
        first = np.unravel_index(np.argmin(is_id), ids.shape)
        allowed = "integers from 0 on"
        if num_classes is not None:
            allowed = f"integers in [0, {classes}) for {classes} classes"
        raise ValueError(
            f"x must hold class ids, {allowed}; the first of "
            f"{is_id.size - np.count_nonzero(is_id)} that are not is {ids[first]!s} at position "
            f"{tuple(map(int, first))}"
        )
    one_hot = np.zeros((ids.size, classes), dtype=number_dtype)
    one_hot[np.arange(ids.size), ids.ravel().astype(np.intp)] = 1
    return one_hot.reshape(*ids.shape, classes)


def _number_dtype(dtype: Any) -> np.dtype[Any]:
    """`dtype` as one of numbers or bool, or a TypeError."""
    try:
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
        number_dtype = numpy_dtype(name)
    except TypeError:
        number_dtype = np.dtype(object)
    if number_dtype.kind in "biufc" or number_dtype.name == "bfloat16":
        return number_dtype
    raise TypeError(f"dtype must be a dtype of numbers; received {dtype!r}")


def _class_count(ids: Any, is_id: Any, num_classes: int | None) -> int:
    """`num_classes`, checked; without it, what the greatest id asks for."""
    if num_classes is None:
        if not ids.size:
            raise ValueError("num_classes is needed where x is empty")
        return int(np.max(ids, where=is_id, initial=0)) + 1
    if isinstance(num_classes, (bool, np.bool_)):
        raise TypeError(f"num_classes must be an integer; received {num_classes!r}")
    try:
        count = operator.index(num_classes)
    except TypeError:
        raise TypeError(f"num_classes must be an integer; received {num_classes!r}") from None
    if count < 1:
        raise ValueError(f"num_classes must be at least 1; received {count}")
    return count
