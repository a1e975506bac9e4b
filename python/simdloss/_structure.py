# SPDX-License-Identifier: Apache-2.0
"""Nested y_true and y_pred of custom losses: dicts, lists and tuples of arrays."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

_NUMBERS = {bool, int, float}


def map_leaves(function: Callable[[Any, str], Any], value: Any, path: str) -> Any:
    """`value` with each leaf replaced by `function(leaf, path of the leaf)`."""
    if not _is_structure(value):
        return function(value, path)
    return _rebuilt(
        value,
        [map_leaves(function, item, path + _step(value, key)) for key, item in _items(value)],
    )


def map_pairs(
    function: Callable[[Any, Any], tuple[Any, Any]], y_true: Any, y_pred: Any, path: str = ""
) -> tuple[Any, Any]:
    """Both structures with each pair of leaves replaced by `function(leaf, leaf)`.

    ValueError, naming the place, unless the structures are the same.
    """
    if _kind(y_true) != _kind(y_pred):
        raise ValueError(
            f"y_true and y_pred must have the same structure; y_true{path} is "
            f"{_description(y_true)}, y_pred{path} is {_description(y_pred)}"
        )
    if not _is_structure(y_true):
        return function(y_true, y_pred)
    of_pred = dict(_items(y_pred))
    pairs = {
        key: map_pairs(function, item, of_pred[key], path + _step(y_true, key))
        for key, item in _items(y_true)
    }
    return (
        _rebuilt(y_true, [x for x, _ in pairs.values()]),
        _rebuilt(y_pred, [pairs[key][1] for key in of_pred]),
    )


def adjust_ranks(a: Any, b: Any) -> tuple[Any, Any]:
    """Keras's rank adjustment of two arrays.

    If ranks differ by one and the last axis of the higher rank has length 1, a partner of rank 1
    gets such an axis; otherwise the higher rank loses it.
    """
    if a.ndim > b.ndim:
        return adjust_ranks(b, a)[::-1]
    if b.ndim - a.ndim != 1 or b.shape[-1] != 1:
        return a, b
    return (a[:, np.newaxis], b) if a.ndim == 1 else (a, b[..., 0])


def _is_structure(value: Any) -> bool:
    """Whether `value` is no leaf: a dict, a named tuple, or a list or tuple that holds one of them
    or an array. Lists of numbers, nested or not, are arrays."""
    if isinstance(value, dict) or _is_named_tuple(value):
        return True
    if not isinstance(value, (list, tuple)) or set(map(type, value)) <= _NUMBERS:
        return False
    return any(
        not isinstance(item, np.generic)
        and (hasattr(item, "shape") or hasattr(item, "__array__") or _is_structure(item))
        for item in value
    )


def _is_named_tuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    """The items of a structure with their keys, field names or positions."""
    if isinstance(value, dict):
        return value.items()
    return zip(value._fields, value, strict=True) if _is_named_tuple(value) else enumerate(value)


def _step(value: Any, key: Any) -> str:
    """How Python writes the way from a structure to an item."""
    return f".{key}" if _is_named_tuple(value) else f"[{key!r}]"


def _rebuilt(value: Any, items: list[Any]) -> Any:
    """A structure like `value` with other items."""
    if isinstance(value, dict):
        result = copy.copy(value)  # the type may be that of a subclass
        result.update(zip(value, items, strict=True))
        return result
    kind: Any = type(value)
    return kind._make(items) if _is_named_tuple(value) else kind(items)


def _kind(value: Any) -> Any:
    """Equal for structures that agree but for what their items are."""
    if not _is_structure(value):
        return None
    if isinstance(value, dict):
        return frozenset(value)
    return type(value), len(value)


def _description(value: Any) -> str:
    if not _is_structure(value):
        return f"an array of shape {np.shape(value)}"
    if isinstance(value, dict):
        return f"a dict with the keys {list(value)}"
    return f"a {type(value).__name__} of {len(value)}"
