# SPDX-License-Identifier: Apache-2.0
"""Which losses there are: derived from the catalogue of the core and from the family modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from simdloss import _core

# The parameters of each entry of the catalogue, in the order in which the core wants them.
PARAMETERS = {
    entry["name"]: tuple(parameter["name"] for parameter in entry["params"])
    for entry in _core.catalog()
}

# Options beside the parameters that the core takes, where a loss has them.
EXTRAS = ("labels", "ignore_class", "class_weight")


def entry_name(function_name: str, from_logits: object = False) -> str:
    """The catalogue's name of a loss: logits make another formula, so another entry."""
    if not isinstance(from_logits, (bool, np.bool_)):
        raise TypeError(
            f"from_logits must be a bool; received {_core.described(from_logits)}"
            + (". Other options go by keyword" * isinstance(from_logits, str))
        )
    return function_name + "_from_logits" if from_logits else function_name


class RegisteredLoss(NamedTuple):
    """What the package offers for one loss."""

    function: Callable[..., Any]
    cls: type[Any]
    aliases: tuple[str, ...]  # other names of the function


def derive(namespace: Mapping[str, Any]) -> dict[str, RegisteredLoss]:
    """The losses among the public names of a module, by function name, in the catalogue's order.

    A loss class points to its function; a function under a name that is not its own is an alias.
    """
    classes = {
        value.fn.__name__: value
        for value in namespace.values()
        if isinstance(value, type) and hasattr(value, "fn")
    }
    losses = {}
    for name in PARAMETERS:
        if name in classes:  # an entry for logits belongs to the loss without that suffix
            function = namespace[name]
            aliases = (alias for alias, value in namespace.items() if value is function)
            losses[name] = RegisteredLoss(
                function, classes[name], tuple(alias for alias in aliases if alias != name)
            )
    return losses
