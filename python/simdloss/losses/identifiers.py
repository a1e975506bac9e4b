# SPDX-License-Identifier: Apache-2.0
"""Losses by name and as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from types import MappingProxyType
from typing import Any, NoReturn

from simdloss._core import described
from simdloss._loss import CatalogLoss, Loss

__all__ = ["deserialize", "get", "serialize"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})
# Those of the outermost `deserialize`, for the calls that a from_config makes inside it.
_custom_objects: ContextVar[Mapping[str, Any]] = ContextVar("custom_objects", default=_NOTHING)

# Keras does not export this class, so its configs name the module that it is in.
_UNEXPORTED = {"LossFunctionWrapper": "keras.src.losses.losses"}


def get(identifier: Any) -> Any:
    """The loss that `identifier` stands for.

    Args:
        identifier: the name of a function or class, an alias such as "mse", or a name of former
            versions of Keras (see `simdloss.compat`); a config, as `serialize` or Keras makes
            them; a class; a function or instance; or None.

    Returns:
        A function as it is; an instance, made with default options of a class; None for None.

    Raises:
        ValueError: for anything else. Of an unknown name, the error suggests the nearest one.

    Example:
        >>> from simdloss import losses
        >>> losses.get("mse") is losses.mean_squared_error
        True
        >>> losses.get("Huber").delta
        1.0
        >>> losses.get({"class_name": "Huber", "config": {"delta": 2.0}}).delta
        2.0
        >>> losses.get("hubr")
        Traceback (most recent call last):
        ValueError: Could not interpret loss identifier: 'hubr'. Did you mean 'Huber'?

    References:
        keras.losses.get.
    """
    if identifier is None:
        return None
    loss = deserialize(identifier) if isinstance(identifier, (str, dict)) else identifier
    if isinstance(loss, type):
        loss = loss()
    if not callable(loss):
        raise ValueError(
            f"Could not interpret loss identifier: {described(identifier)}; it must be a name, a "
            f"config, a class or a callable"
        )
    return loss


def serialize(loss: Any) -> Any:
    """A function or instance as plain data, from which `deserialize` makes it again.

    The data is in the form that Keras uses, which Keras can read too unless options are set that
    it does not have. One config means another loss there: versions of Keras up to 3.15 take alpha
    and beta of Tversky one for the other.

    Args:
        loss: a function with a name, an instance of a loss class, or None.

    Returns:
        A dict with "module", "class_name", "config" and "registered_name"; None for None.

    Raises:
        TypeError: for what has neither a config nor a name.

    Example:
        >>> from simdloss import losses
        >>> config = losses.serialize(losses.Huber(delta=2.0))
        >>> config["class_name"], config["config"]["delta"]
        ('Huber', 2.0)
        >>> losses.serialize(losses.mse)["config"]
        'mean_squared_error'

    References:
        keras.losses.serialize.
    """
    if loss is None:
        return None
    if hasattr(loss, "get_config") and not isinstance(loss, type):
        name = type(loss).__name__
        known = _objects().get(name) is type(loss)
        exported = known and name not in _UNEXPORTED
        module = _UNEXPORTED.get(name, "keras.losses") if known else type(loss).__module__
        return {
            "module": module,
            "class_name": name,
            "config": loss.get_config(),
            "registered_name": None if exported else name,
        }
    if not hasattr(loss, "__name__") or isinstance(loss, type):
        raise TypeError(
            f"{described(loss)} cannot be serialized: it must be a function with a name or an "
            f"instance with get_config()"
        )
    return {
        "module": "builtins",
        "class_name": "function",
        "config": loss.__name__,
        "registered_name": "function",
    }


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The function or instance that `serialize`, here or in Keras, made `name` of.

    Nothing is imported for it: functions and classes of your own come in `custom_objects`.

    Alpha and beta of Tversky are read as they are; configs of Keras up to 3.15 mean one by the
    other.

    Args:
        name: what `serialize` returned, the name of a function or class as in `get`, or None.
        custom_objects: functions and classes by their names, which take precedence.

    Returns:
        A function or an instance; None for None.

    Raises:
        ValueError: for an unknown name, with the nearest known one, and for what is no config.
        TypeError: for `custom_objects` that are no dict.

    Example:
        >>> from simdloss import losses
        >>> class Exact(losses.Loss):
        ...     def call(self, y_true, y_pred):
        ...         return (y_true != y_pred).mean(axis=-1)
        >>> config = losses.serialize(Exact(reduction="sum"))
        >>> losses.deserialize(config, custom_objects={"Exact": Exact}).reduction
        'sum'

    References:
        keras.losses.deserialize.
    """
    if custom_objects is None:
        return _deserialized(name)
    if not isinstance(custom_objects, Mapping):
        raise TypeError(
            f"custom_objects must be a dict of functions and classes by their names; received "
            f"{described(custom_objects)}"
        )
    token = _custom_objects.set({**_custom_objects.get(), **custom_objects})
    try:
        return _deserialized(name)
    finally:
        _custom_objects.reset(token)


def _deserialized(identifier: Any) -> Any:
    if identifier is None:
        return None
    if isinstance(identifier, str):
        found = _find(identifier, identifier)
        return found() if isinstance(found, type) else found
    if not isinstance(identifier, dict):
        _refuse(identifier, "a config is a dict with a 'class_name' and a 'config'")
    name, config = identifier.get("class_name"), identifier.get("config")
    registered = identifier.get("registered_name")
    if not isinstance(name, str):
        _refuse(identifier, "the 'class_name' of a config must be a str")
    if name == "function":
        if not isinstance(config, str):
            _refuse(identifier, "the 'config' of a function must be its name")
        return _find(config, identifier)
    if not isinstance(registered, (str, type(None))):
        _refuse(identifier, "the 'registered_name' of a config must be a str or None")
    if not isinstance(config, (dict, type(None))):
        _refuse(identifier, "the 'config' of a class must be a dict of its arguments")
    custom = _custom_objects.get()
    if registered is not None and registered in custom:
        found = custom[registered]
    else:  # a name that was registered is that of a class outside of Keras and simdloss
        found = _find(name, identifier, own=registered is None or name in _UNEXPORTED)
    if not isinstance(found, type):
        return found
    config = dict(config or {})
    if issubclass(found, CatalogLoss):
        config.pop("fn", None)  # the name of its function, in configs of tf.keras
    make: Callable[[dict[str, Any]], Any] = getattr(found, "from_config", lambda c: found(**c))
    return make(config)


def _refuse(identifier: Any, reason: str) -> NoReturn:
    raise ValueError(f"Could not interpret loss identifier: {described(identifier)}; {reason}")


def _find(name: str, identifier: Any, own: bool = True) -> Any:
    """The function or class of that name, in simdloss too if `own`; ValueError if there is none."""
    custom = _custom_objects.get()
    if name in custom:
        return custom[name]
    message = f"Could not interpret loss identifier: {identifier!r}."
    if own:
        if name in _objects():
            return _objects()[name]
        from simdloss import compat  # names that are seldom used do not slow down every import

        if name in compat.FUNCTIONS:
            return getattr(compat, name)
        near = _nearest(name, [*compat.FUNCTIONS, *_objects(), *custom])
        message += f" Did you mean {near!r}?" if near else ""
    if isinstance(identifier, dict):
        message += f" Functions and classes of your own go into custom_objects={{{name!r}: ...}}."
    raise ValueError(message)


def _nearest(name: str, known: list[str]) -> str | None:
    """The known name that `name` may be a misspelling of, first without the "loss_" of R."""
    from difflib import get_close_matches

    by_folded = {key.casefold(): key for key in known if key != "Loss"}
    folded = name.casefold().replace("-", "_")
    for text in dict.fromkeys((folded.removeprefix("loss_"), folded)):
        # Abbreviations are alike without being misspellings of each other.
        cutoff = 0.65 if len(text) > 5 else 0.8
        near = get_close_matches(text, by_folded, n=1, cutoff=cutoff)
        if near:
            return by_folded[near[0]]
    return None


def missing(module: str, name: str) -> AttributeError:
    """The error for an attribute that a module of the package does not have."""
    message = f"module {module!r} has no attribute {name!r}"
    if not name.startswith("_"):
        from simdloss import compat

        if name in compat.__all__:
            message += f"; it is a former name, which is simdloss.compat.{name}"
    return AttributeError(message)


@cache
def _objects() -> dict[str, Any]:
    """Every function, with its aliases, and every class, by name."""
    from simdloss.losses import REGISTRY, LossFunctionWrapper  # which import this module

    objects: dict[str, Any] = {"Loss": Loss, "LossFunctionWrapper": LossFunctionWrapper}
    for name, loss in REGISTRY.items():
        objects |= dict.fromkeys((name, *loss.aliases), loss.function)
        objects[loss.cls.__name__] = loss.cls
    return objects
