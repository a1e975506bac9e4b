# SPDX-License-Identifier: Apache-2.0
"""Keras, on its NumPy backend unless the environment says otherwise, without its warnings."""

from __future__ import annotations

import inspect
import os
import warnings
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "numpy")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import keras
    from keras.src.backend import set_keras_mask
    from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE
    from keras.src.losses import ALL_OBJECTS_DICT
    from keras.src.losses.loss import reduce_weighted_values, squeeze_or_expand_to_same_rank
    from keras.src.losses.losses import LossFunctionWrapper as KerasLossFunctionWrapper

from spec import Case, Options

__all__ = [
    "IDENTIFIERS",
    "KerasLossFunctionWrapper",
    "call_keras_class",
    "call_keras_function",
    "keep_float64",
    "keras",
    "known_to_keras",
    "reduce_with_keras",
    "set_keras_mask",
    "squeeze_or_expand_to_same_rank",
]


IDENTIFIERS = tuple(ALL_OBJECTS_DICT)
"""The strings that keras.losses.get takes."""


def known_to_keras(case: Case, options: Options) -> bool:
    """Whether Keras's function has all of these options."""
    parameters = inspect.signature(getattr(keras.losses, case.function)).parameters
    return set(case.arguments(options)) <= set(parameters)


def reduce_with_keras(values: Any, weights: Any, mask: Any, reduction: str | None) -> Any:
    """Keras's reduction in float64."""
    with np.errstate(all="ignore"):
        return reduce_weighted_values(
            np.array(values), _copy(weights), _copy(mask), reduction, dtype="float64"
        )


def call_keras_function(name: str, y_true: Any, y_pred: Any, **options: Any) -> Any:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss = getattr(keras.losses, name)(y_true, y_pred, **options)
        return keras.ops.convert_to_numpy(loss)


def call_keras_class(
    name: str, y_true: Any, y_pred: Any, weights: Any, mask: Any, **options: Any
) -> Any:
    y_pred = np.array(y_pred)
    if mask is not None:
        set_keras_mask(y_pred, np.asarray(mask))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss = getattr(keras.losses, name)(**options)
        return keras.ops.convert_to_numpy(loss(y_true, y_pred, sample_weight=_copy(weights)))


def keep_float64() -> None:
    """Has Keras compute means of float64 in float64, on every backend, from now on.

    It rounds them to float32, which would hide what there is to compare.
    """
    BIT64_TO_BIT32_DTYPE.clear()


def _copy(x: Any) -> Any:
    return None if x is None else np.array(x)  # Keras writes to the weights it is given
