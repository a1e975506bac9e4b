# SPDX-License-Identifier: Apache-2.0
"""Functions of the user's as losses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np

from simdloss import _core
from simdloss._doc import documented
from simdloss._loss import ArrayLike, DTypeLike, Loss
from simdloss._structure import adjust_ranks, map_pairs
from simdloss.losses.identifiers import deserialize, serialize

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LossFunctionWrapper"]


@documented
class LossFunctionWrapper(Loss):
    """Any function of `(y_true, y_pred)` as a loss, with weights, mask and reduction.

    The function receives arrays of this loss's dtype, or structures of them (see `Loss.call`, also
    for large class ids; both must have the same structure). If the ranks of a pair of arrays differ
    by one and the last axis of the higher rank has length 1, it goes, or is added to a partner of
    rank 1.

    Args:
        fn: called with `(y_true, y_pred, **kwargs)`; returns the loss of each sample, which may be
            a `numpy.ma.MaskedArray` as in `Loss.call`.
        {reduction}
        {name}
        {dtype}
        kwargs: what else `fn` is called with.

    Raises:
        TypeError: for an `fn` that is not callable, or that returns None.
        ValueError: for a reduction or dtype that does not exist; in a call, for structures that
            differ.

    Example:
        >>> import numpy as np
        >>> from simdloss.losses import LossFunctionWrapper
        >>> def quantile(y_true, y_pred, q=0.5):
        ...     d = y_true - y_pred
        ...     return np.maximum(q * d, (q - 1) * d).mean(axis=-1)
        >>> loss = LossFunctionWrapper(quantile, q=0.75)
        >>> float(loss([[1.0], [3.0]], [[2.0], [1.0]], sample_weight=[1, 2]))
        1.625

    References:
        LossFunctionWrapper in keras.src.losses.losses, which Keras does not export.
    """

    fn: Callable[..., Any]

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(fn, type):
            raise TypeError(
                f"fn must be a function or an instance; received the class {fn.__name__}"
            )
        if not callable(fn):
            raise TypeError(
                f"fn must be callable; received {_core.described(fn)}"
                + ("; simdloss.losses.get makes a function of a name" * isinstance(fn, str))
            )
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        """What `fn` returns for these arrays, or structures of arrays, their ranks adjusted."""
        return self.fn(*map_pairs(adjust_ranks, y_true, y_pred), **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments as a dict of plain values, for `from_config`.

        Functions are in it by name; TypeError if `fn` has neither a name nor a `get_config()`.
        """
        kwargs = {key: _encoded(value) for key, value in self._fn_kwargs.items()}
        return {**super().get_config(), "fn": serialize(self.fn), **kwargs}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The instance that `get_config` describes.

        A function that is not one of simdloss's is looked up in the `custom_objects` of
        `simdloss.losses.deserialize`.
        """
        own = {key: config[key] for key in ("name", "reduction", "dtype") if key in config}
        config = {key: _decoded(value) for key, value in config.items() if key not in own}
        if isinstance(config.get("fn"), (str, dict)):
            config["fn"] = deserialize(config["fn"])
        return cls(**own, **config)

    def _function_name(self) -> str:
        return f"fn ({getattr(self.fn, '__name__', repr(self.fn))})"

    def _other_ways(self, method: str) -> str:
        from simdloss.losses import REGISTRY  # which imports this module

        known = REGISTRY.get(getattr(self.fn, "__name__", ""))
        if known is None or known.function is not self.fn:
            return super()._other_ways(method)
        options = "".join(f", {key}={value!r}" for key, value in self._fn_kwargs.items())
        return (
            f", or use the class {known.cls.__name__} in the place of the wrapper, or "
            f"simdloss.vjp({self.fn.__name__}, y_true, y_pred, cotangent{options})"
        )

    def _shown_options(self) -> dict[str, Any]:
        return {**super().get_config(), "fn": self.fn, **self._fn_kwargs}

    def _identifying_options(self) -> dict[str, Any]:
        arguments = {"fn": self.fn, **self._fn_kwargs}
        return {**super().get_config(), **{key: _key(value) for key, value in arguments.items()}}


def _key(value: Any) -> Any:
    """What is equal for equal options, in every process where that can be told."""
    if not callable(value):
        return _encoded(value)
    name = getattr(value, "__qualname__", "<")
    # Lambdas and local functions share their names, methods those of their class: their addresses
    # tell them apart.
    unnamed = "<" in name or isinstance(value, MethodType)
    return repr(value) if unnamed else f"{value.__module__}.{name}"


def _sequence(items: Iterable[Any], like: Any) -> Any:
    return list(items) if isinstance(like, list) else tuple(items)


def _encoded(value: Any) -> Any:
    """An option of a function as plain data, arrays as Keras writes them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        config = {"value": value.tolist(), "dtype": value.dtype.name}
        return {"class_name": "__numpy__", "config": config}
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return _sequence(map(_encoded, value), value)
    return serialize(value) if callable(value) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return _sequence(map(_decoded, value), value)
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in ("__numpy__", "__tensor__"):
        return np.asarray(value["config"]["value"], dtype=value["config"]["dtype"])
    if value.keys() >= {"module", "class_name", "config", "registered_name"}:
        return deserialize(value)  # what serialize() made; any other dict is an option as it is
    return {key: _decoded(item) for key, item in value.items()}
