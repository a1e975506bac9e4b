# SPDX-License-Identifier: Apache-2.0
"""The public names of keras.losses, and whether simdloss has each, declared alike and working."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from simdloss import losses

from .keras_calls import IDENTIFIERS, keras

Kind = Literal["function", "class", "lookup", "identifier"]
LOOKUPS = ("get", "serialize", "deserialize")
NO_VALUE = {"Loss": NotImplementedError, "LossFunctionWrapper": TypeError}
"""Identifiers of what has to be completed first, and what a call of it raises."""

LABELS = np.array([[0, 1, 0], [0, 0, 1]], np.float32)
SHARES = np.array([[0.2, 0.7, 0.1], [0.3, 0.3, 0.4]], np.float32)
IDS = np.array([1, 2])
VECTORS = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8]], np.float32)
CALLS = {
    "sparse_categorical_crossentropy": (IDS, SHARES),
    "categorical_generalized_cross_entropy": (IDS, SHARES),
    "circle": (np.array([0, 0, 1]), VECTORS),
    "ctc": (IDS[:, None], np.stack([SHARES, LABELS])),
}
REQUIRED = {"categorical_generalized_cross_entropy": {"q": 0.5}}


@dataclass(frozen=True)
class PublicName:
    """A name in keras.losses, or a string that keras.losses.get takes."""

    name: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def exists(self) -> bool:
        if self.kind != "identifier":
            return hasattr(losses, self.name)
        try:
            losses.get(self.name)
        except (TypeError, ValueError) as error:
            return isinstance(error, NO_VALUE.get(self.name, ()))
        return True

    @property
    def is_declared_alike(self) -> bool:
        """Whether Keras's parameters come first, as they are there, and ours are keyword-only."""
        ours, theirs = (
            [(p.name, p.default, p.kind) for p in self._parameters(library)]
            for library in (losses, keras.losses)
        )
        added = ours[len(theirs) :]
        alike = ours[: len(theirs)] == theirs
        return alike and all(kind is inspect.Parameter.KEYWORD_ONLY for _, _, kind in added)

    @property
    def additions(self) -> tuple[str, ...]:
        """Our parameters that Keras does not have."""
        n = len(self._parameters(keras.losses))
        return tuple(p.name for p in self._parameters(losses)[n:])

    def _parameters(self, library: Any) -> list[inspect.Parameter]:
        found = getattr(library, self.name, None)
        return list(inspect.signature(found).parameters.values()) if found else []

    @property
    def works(self) -> bool:
        """Whether a small call gives what Keras gives."""
        return self.exists and _equal(_outcome(losses, self), _outcome(keras.losses, self))


def _outcome(library: Any, public: PublicName) -> Any:
    """What a small call gives: a value, or the class of an expected exception."""
    try:
        return _result(library, public)
    except (TypeError, NotImplementedError) as error:
        if public.kind == "identifier" and public.name in NO_VALUE:
            return type(error)
        raise


def _result(library: Any, public: PublicName) -> Any:
    if public.name == "serialize":
        return library.serialize(library.MeanSquaredError(reduction="sum"))
    if public.kind == "lookup":
        huber = {"class_name": "Huber", "config": {"delta": 0.5}}
        return getattr(library, public.name)(huber)(LABELS, SHARES)
    if public.kind == "identifier":
        found = library.get(public.name)
    elif public.name == "Loss":
        members = {"call": lambda self, t, p: abs(t - p).mean(axis=-1)}
        found = type("Custom", (library.Loss,), members)(name="custom")
    else:
        found = getattr(library, public.name)
        found = found() if public.kind == "class" else found
    is_function = inspect.isfunction(found)
    name = found.__name__ if is_function else found.name
    options = REQUIRED.get(name, {}) if is_function else {}
    return found(*CALLS.get(name, (LABELS, SHARES)), **options)


def _equal(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, (dict, type)):
        return bool(ours == theirs)
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    alike = (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    return alike and np.allclose(ours, theirs, rtol=1e-5, atol=0)


def _kind(name: str) -> Kind:
    if name in LOOKUPS:
        return "lookup"
    return "class" if inspect.isclass(getattr(keras.losses, name)) else "function"


PUBLIC_NAMES = [
    *(PublicName(name, _kind(name)) for name in dir(keras.losses) if not name.startswith("_")),
    *(PublicName(name, "identifier") for name in sorted(IDENTIFIERS)),
]
