# SPDX-License-Identifier: Apache-2.0
"""The loss classes: `Loss`, which users subclass, and `CatalogLoss` for those of the core."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from simdloss import _core
from simdloss._array import class_float, dtype_name, to_call_dtype, to_ndarray
from simdloss._differentiable import Differentiable
from simdloss._doc import document_class, documented
from simdloss._registry import EXTRAS, PARAMETERS, entry_name
from simdloss._structure import adjust_ranks, map_leaves
from simdloss._types import ArrayLike as ArrayLike
from simdloss._types import Axis as Axis
from simdloss._types import DTypeLike as DTypeLike
from simdloss._types import Result as Result

if TYPE_CHECKING:
    from typing_extensions import Self

_names_used: Counter[str] = Counter()
_names_lock = threading.Lock()


def _unique_name(cls: type) -> str:
    """The class name in snake case; from the second time on with _1, _2, ..."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", cls.__name__)
    name = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    with _names_lock:
        used = _names_used[name]
        _names_used[name] += 1
    return f"{name}_{used}" if used else name


# Options that may be vectors.
VECTORS = ("alpha", "class_weight")


def _refuse_data(cls: type, options: Mapping[str, Any]) -> None:
    """TypeError for data among the options: the arrays of a call, passed to the class instead."""
    for option, value in options.items():
        rank = getattr(value, "ndim", 0)
        is_array = isinstance(rank, int) and rank > 0
        is_list = isinstance(value, (list, tuple)) and len(value) > 0 and option != "axis"
        if (is_array or is_list) and option not in VECTORS:
            name = cls.__name__
            raise TypeError(
                f"{name}() takes options; call the instance: {name}()(y_true, y_pred). Received "
                f"{_core.described(value)} as {option}"
            )


@documented
class Loss(Differentiable):
    """Base class of all losses: subclass it and write `call(y_true, y_pred)`.

    `call` receives arrays of this loss's dtype and returns the loss of each sample. Weights, mask
    and reduction are the business of `__call__`. Attributes may be changed; a change holds from
    the next call on.

    Args:
        {name}
        {reduction}
        {dtype}

    Raises:
        ValueError: for a reduction or dtype that does not exist.
        ImportError: for dtype "bfloat16" without the package ml_dtypes.

    Example:
        >>> import numpy as np, simdloss
        >>> class Quantile(simdloss.Loss):
        ...     def call(self, y_true, y_pred):
        ...         d = y_true - y_pred
        ...         return np.maximum(0.9 * d, -0.1 * d).mean(axis=-1)
        >>> float(Quantile()(np.ones((4, 2)), np.zeros((4, 2))))
        0.8999999761581421

    References:
        keras.losses.Loss.
    """

    # Whether the core computes from y_true and y_pred; else it reduces what call() returns.
    _computed_by_core: ClassVar[bool] = False
    # The native callable, made of the attributes at the first call after a change. A change puts
    # an empty list here: what another thread is making of the old attributes goes into the old one.
    _bound: Sequence[_core.Loss] = ()

    name: str
    reduction: str | None

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: DTypeLike = None,
    ) -> None:
        _refuse_data(type(self), {"reduction": reduction, "name": name, "dtype": dtype})
        self._dtype = dtype_name(dtype)
        self._dtype_given = bool(dtype)
        self.name = name or _unique_name(type(self))
        self.reduction = reduction
        self._reducer()  # checks the options

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "reduction" and isinstance(value, str) and value == "auto":
            value = "sum_over_batch_size"  # what tf.keras calls "auto", in configs too
        object.__setattr__(self, name, value)
        object.__setattr__(self, "_bound", [])  # bound anew at the next call

    @property
    def dtype(self) -> str:
        """The name of the dtype of results; fixed at construction."""
        return self._dtype

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        """The loss of each sample, for arrays of this loss's dtype: what subclasses write.

        `y_true` and `y_pred` may be structures of arrays: dicts, named tuples, and lists and tuples
        with arrays in them, nested as deep as need be. `call` receives the structures that the
        loss was called with, each leaf as an array of this loss's dtype. Lists of numbers are
        arrays. An array of integers with one that this dtype cannot hold, such as the class id 2049
        in float16, comes as it is: class ids are exact.

        A `numpy.ma.MaskedArray` as the result also says which of its entries count: masked ones
        do not, just as if the mask of the call were false there. They leave the denominator of
        means, and what they hold does not matter.

        Example:
            >>> import numpy as np, simdloss
            >>> class IgnoreMissing(simdloss.Loss):
            ...     def call(self, y_true, y_pred):
            ...         return np.ma.masked_invalid(abs(y_true["a"] - y_pred["a"]))
            >>> float(IgnoreMissing()({"a": [1.0, np.nan, 5.0]}, {"a": [2.0, 2.0, 2.0]}))
            2.0
        """
        raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred)")

    @_core.direct_method
    def __call__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
        out: Any = None,
        empty: str = "zero",
    ) -> Result:
        """The reduced loss of a batch.

        Formula:
            With l the unreduced loss, n its size, w the weights (1 if there are none) and m the
            mask: "sum" is sum(w m l); "sum_over_batch_size" and "mean" are the sum of w l where m
            is not 0, divided by n, or by n mean(m) if there is a mask; "mean_with_sample_weight"
            is sum(w m l) / sum(w m), w m as they are before they broadcast.

            So samples outside the mask leave the denominator, and those of weight 0 stay in n.
            A mask of other numbers than 0 and 1 is taken by its values, as in Keras.

        Args:
            y_true: what is true, see the class. Arrays of rank 1 are one sample: pass
                `y_true[:, None]` and `y_pred[:, None]`, or make the loss with `axis=()`, for one
                value per sample.
            y_pred: what was predicted, see the class.
            sample_weight: a number; an array `[batch]` with the weight of each sample; or an array
                that broadcasts to the unreduced loss.
            mask: which samples count, an array like `sample_weight`.
            out: with reduction None, an array to write the result to. What it holds after an error
                is not specified.
            empty: what the mean over nothing is: "zero", "nan" or "raise".

        Returns:
            A NumPy scalar of this loss's dtype; with reduction None an ndarray of that dtype.
            Samples of weight 0 or outside the mask count as 0, whatever they hold; only the hinge
            losses with labels "auto" look at their labels, to see whether all are 0 or 1. An
            empty batch with one loss per sample gives an empty array, as in Keras, unless `empty`
            is given.

        Raises:
            ValueError: for shapes or weights that do not fit, and for an unknown option.
            TypeError: for arguments that are not arrays of real numbers.
        """
        kernel = (self._bound or self._bind())[0]
        if not self._computed_by_core:
            y_pred, mask = self._losses(y_true, y_pred, mask)
            y_true = None
        return kernel(y_true, y_pred, sample_weight, mask, out, empty)

    def partial(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
    ) -> _core.PartialSums:
        """What a part of the data contributes to the reduced loss, see `PartialSums`.

        The arguments are those of a call. The states of all parts, merged, give `result()`: the
        loss of all the data at once, to the last bit, whatever the split and the order. All have to
        come from equal losses under the same `epsilon()`; of a subclass that writes `call`, equal
        is what has the same class and, but for the name, the same `get_config()`. So that has to
        return what its `__init__` takes.

        Parts are cut along the first axis, so it has to be that of the samples. Under
        "mean_with_sample_weight" each sample needs its own weight.

        Raises:
            ValueError: for what does not add up: reduction None, arrays of rank 1 (which are one
                sample) and axes that reach across the samples, weights that samples share.
            TypeError: for a subclass whose `__init__` takes what `get_config` does not return.
            ValueError, TypeError: as a call does.
        """
        kernel = (self._bound or self._bind())[0]
        if not self._computed_by_core:
            kernel = self._reducer(self._identity())
            y_pred, mask = self._losses(y_true, y_pred, mask)
            y_true = None
        return kernel.partial(y_true, y_pred, sample_weight, mask)

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments as a dict of plain values, for `from_config`."""
        config: dict[str, Any] = {"name": self.name, "reduction": self.reduction}
        if self._dtype_given:
            config["dtype"] = self._dtype
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The instance that `get_config` describes."""
        return cls(**config)

    def __repr__(self) -> str:
        if not self._is_initialised():
            return f"<{type(self).__name__} whose __init__ has not called super().__init__()>"
        arguments = ", ".join(f"{key}={value!r}" for key, value in self._shown_options().items())
        return f"{type(self).__name__}({arguments})"

    def _is_initialised(self) -> bool:
        return "_dtype" in vars(self)

    def _shown_options(self) -> dict[str, Any]:
        return self.get_config()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_bound": []}

    def _losses(
        self, y_true: ArrayLike, y_pred: ArrayLike, mask: ArrayLike | None
    ) -> tuple[ArrayLike, ArrayLike | None]:
        """What call() returns for arrays of this loss's dtype, and the mask for it."""

        def converted(leaf: Any, path: str) -> Any:
            return to_call_dtype(leaf, self._dtype, path)

        losses = self.call(
            map_leaves(converted, y_true, "y_true"), map_leaves(converted, y_pred, "y_pred")
        )
        source = f"the value returned by {self._function_name()}"
        if losses is None:
            raise TypeError(f"{source} is None, not an array with the loss of each sample")
        if isinstance(losses, np.ma.MaskedArray):
            valid = ~np.ma.getmaskarray(losses)
            mask = valid if mask is None else _mask_where(valid, to_ndarray(mask, "mask"))
            losses = np.ma.getdata(losses)
        return to_ndarray(losses, source, class_float(self._dtype)), mask

    def _bind(self) -> Sequence[_core.Loss]:
        """Makes the native callable of the attributes as they are now, and keeps it."""
        if not self._is_initialised():
            raise RuntimeError(f"{type(self).__name__}.__init__ must call super().__init__()")
        bound: list[_core.Loss] = vars(self)["_bound"]
        bound.append(self._native())
        return bound

    def _function_name(self) -> str:
        """The function of the user's that computes the losses, for messages."""
        return f"{type(self).__name__}.call"

    def _native(self) -> _core.Loss:
        return self._reducer()

    def _identifying_options(self) -> dict[str, Any]:
        """What tells this loss from others of its class."""
        return self.get_config()

    def _identity(self) -> str:
        """The class and its options without the name: states of equal ones merge."""
        cls = type(self)
        options = self._identifying_options()
        unknown = _options_beside(cls, {*options, *getattr(self, "_arguments", ())})
        if unknown:
            raise TypeError(
                f"{cls.__name__}.__init__ takes {unknown}, which get_config() does not return: "
                f"partial sums of different losses would merge. Define get_config as {{"
                f"**super().get_config(), '{unknown}': self.{unknown}}}"
            )
        sorted_options = sorted((key, value) for key, value in options.items() if key != "name")
        return f"{cls.__module__}.{cls.__qualname__}{sorted_options!r}"

    def _reducer(self, identity: str = "") -> _core.Loss:
        """The native callable that weights and reduces per-sample losses."""
        return _core.Loss(None, (), None, self._dtype, self.reduction, None, identity)


def _options_beside(cls: type, known: set[str]) -> str:
    """The first option of a class that is neither known nor one of `Loss`; none if it has its own
    get_config beside its __init__."""
    from inspect import signature  # not for every import

    owners = [
        next(i for i, base in enumerate(cls.__mro__) if method in vars(base))
        for method in ("__init__", "get_config")
    ]
    if owners[1] <= owners[0]:
        return ""
    known = known | {"name", "reduction", "dtype"}
    parameters = signature(cls).parameters.values()
    named = (p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))
    return next((name for name in named if name not in known), "")


def _mask_where(valid: Any, mask: Any) -> Any:
    """The mask that was given, false where the loss is not valid."""
    if mask.ndim == 1 < valid.ndim and len(mask) == len(valid):  # one entry per sample
        mask = mask.reshape(-1, *[1] * (valid.ndim - 1))
    valid, mask = adjust_ranks(valid, mask)
    try:
        return np.where(valid, mask, False)
    except ValueError:
        raise ValueError(
            f"mask of shape {mask.shape} does not broadcast to the loss of shape {valid.shape}. "
            f"Fix: pass a scalar, one value per sample, or an array that does."
        ) from None


def _plain(value: Any) -> Any:
    """Numbers of NumPy as those of Python, also in tuples and lists; arrays as lists."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(_plain, value))
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


class CatalogLoss(Loss):
    """Base of the losses that the core computes: `fn` with its arguments as attributes."""

    fn: ClassVar[Callable[..., Any]]
    _computed_by_core = True

    axis: Axis

    def __init__(
        self, reduction: str | None, name: str | None, dtype: DTypeLike, **arguments: Any
    ) -> None:
        super().__init__(name, reduction, dtype)
        _refuse_data(type(self), arguments)
        self._arguments = tuple(arguments)
        for argument, value in arguments.items():
            setattr(self, argument, value)
        self._bind()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._computed_by_core = cls.call is CatalogLoss.call
        if "fn" not in vars(cls):
            return
        if any("fn" in vars(base) for base in cls.__mro__[1:]):
            raise TypeError(
                f"{cls.__name__}.fn: the function of a built-in loss cannot be replaced; define "
                f"call(y_true, y_pred), or wrap the function in a LossFunctionWrapper"
            )
        document_class(cls, cls.fn)

    def __setattr__(self, name: str, value: Any) -> None:
        is_argument = name in vars(self).get("_arguments", ())
        super().__setattr__(name, self._kept(name, value) if is_argument else value)

    def _kept(self, argument: str, value: Any) -> Any:
        """The attribute for a constructor argument: nothing that can change unnoticed."""
        if isinstance(value, np.ndarray) and value.ndim == 0:
            return value.item()
        return tuple(value) if argument == "axis" and isinstance(value, list) else value

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> Result:
        """The loss of each sample, without weights and reduction."""
        return self._evaluator(None)(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments as a dict of plain values, for `from_config`.

        Arguments that Keras does not have, the keyword-only ones, only where they are not at their
        default, so that Keras can read the config.
        """
        cls = next(cls for cls in type(self).__mro__ if "fn" in vars(cls))
        ours: dict[str, Any] = vars(cls)["__init__"].__kwdefaults__ or {}
        config = super().get_config()
        for argument in self._arguments:
            value = _plain(getattr(self, argument))
            if argument not in ours or value != ours[argument]:
                config[argument] = value
        return config

    def _native(self) -> _core.Loss:
        return self._evaluator(self.reduction) if self._computed_by_core else self._reducer()

    def _core_arguments(self) -> dict[str, Any]:
        """The constructor arguments as the core takes them."""
        return {argument: getattr(self, argument) for argument in self._arguments}

    def _evaluator(self, reduction: str | None) -> _core.Loss:
        """The native callable that computes, weights and reduces."""
        arguments = self._core_arguments()
        extras = {key: arguments[key] for key in EXTRAS if key in arguments}
        name = entry_name(self.fn.__name__, arguments.get("from_logits", False))
        return _core.Loss(
            name,
            tuple(arguments[parameter] for parameter in PARAMETERS[name]),
            arguments.get("axis", -1),
            self._dtype,
            reduction,
            extras,
        )
