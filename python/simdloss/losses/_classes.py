# SPDX-License-Identifier: Apache-2.0
"""What losses over classes share: the options that say how much each class counts."""

from __future__ import annotations

from typing import Any

from simdloss._array import class_weights
from simdloss._loss import VECTORS, ArrayLike, CatalogLoss, DTypeLike


def class_extras(class_weight: Any, ignore_class: int | None = None) -> dict[str, Any]:
    """The options beside the parameters, as the core takes them."""
    weights = None if class_weight is None else class_weights(class_weight)
    return {"class_weight": weights, "ignore_class": ignore_class}


def is_vector(alpha: Any) -> bool:
    if isinstance(alpha, (float, int)):
        return False
    return isinstance(alpha, (list, tuple)) or getattr(alpha, "ndim", 0) > 0


def alpha_and_weights(alpha: Any, class_weight: Any) -> tuple[Any, Any]:
    """A scalar alpha and weights of classes that do what these arguments say.

    An alpha for each class is a weight for each class.
    """
    if not is_vector(alpha):
        return alpha, class_weight
    by_class = class_weights(alpha, "alpha")
    if len(by_class) == 1:
        return by_class.item(), class_weight
    if class_weight is None:
        return 1.0, by_class
    weights = class_weights(class_weight)
    if len(weights) != len(by_class):
        raise ValueError(
            f"alpha and class_weight must have one number for each class; received {len(by_class)} "
            f"and {len(weights)} numbers"
        )
    return 1.0, by_class * weights


class WeightedClasses(CatalogLoss):
    """Base of the losses whose classes may have weights."""

    class_weight: tuple[float, ...] | None

    def __init__(
        self,
        reduction: str | None,
        name: str | None,
        dtype: DTypeLike,
        *,
        class_weight: ArrayLike | None,
        **arguments: Any,
    ) -> None:
        super().__init__(reduction, name, dtype, **arguments, class_weight=class_weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments as a dict of plain values, for `from_config`.

        Vectors are lists, as in Keras; arguments that Keras does not have are left out where they
        are at their default, so that Keras can read the config.
        """
        config = super().get_config()
        return config | {key: list(config[key]) for key in VECTORS if is_vector(config.get(key))}

    def _kept(self, argument: str, value: Any) -> Any:
        is_weight = argument == "class_weight" and value is not None
        if is_weight or (argument == "alpha" and is_vector(value)):
            return tuple(class_weights(value, argument).tolist())
        return super()._kept(argument, value)

    def _core_arguments(self) -> dict[str, Any]:
        arguments = super()._core_arguments()
        if self.class_weight is not None:
            arguments["class_weight"] = class_weights(self.class_weight)
        return arguments
