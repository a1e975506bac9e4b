# SPDX-License-Identifier: Apache-2.0
"""Derivatives where a loss has a kink: those of Keras on PyTorch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

LOW = float(np.float32(1e-7))
HIGH = float(np.float32(1 - 1e-7))


class Kink(NamedTuple):
    """A row in float32 and the gradient of its loss."""

    what: str
    function: str
    y_true: Any
    y_pred: list[float]
    gradient: list[float]
    options: Mapping[str, Any] = {}


KINKS = (
    Kink("no error", "mean_absolute_error", [1.0], [1.0], [0.0]),
    Kink("no error", "mean_absolute_percentage_error", [2.0], [2.0], [0.0]),
    Kink("no error", "log_cosh", [2.0], [2.0], [0.0]),
    Kink("no error", "mean_squared_logarithmic_error", [2.0], [2.0], [0.0]),
    Kink(
        "at epsilon, half of both sides",
        "mean_squared_logarithmic_error",
        [1.0],
        [LOW],
        [(math.log1p(LOW) - math.log(2)) / (1 + LOW)],
    ),
    Kink("below epsilon", "mean_squared_logarithmic_error", [1.0], [-0.5], [0.0]),
    Kink("at delta", "huber", [0.0], [1.0], [1.0]),
    Kink("at -delta", "huber", [0.0], [-0.5], [-0.5], {"delta": 0.5}),
    Kink("at 0", "poisson", [0.0], [0.0], [1.0]),
    Kink("at the lower clip bound", "binary_crossentropy", [1.0], [LOW], [-1 / LOW]),
    Kink("below it", "binary_crossentropy", [1.0], [LOW / 2], [0.0]),
    Kink("at the upper clip bound", "binary_crossentropy", [0.0], [HIGH], [1 / (1 - HIGH)]),
    Kink("beyond it", "binary_crossentropy", [0.0], [1.0], [0.0]),
    Kink("sure and right", "binary_focal_crossentropy", [1.0], [1.0], [0.0]),
    Kink(
        "sure and wrong: the crossentropy is clipped, the focus is not",
        "binary_focal_crossentropy",
        [0.0],
        [1.0],
        [-2 * math.log(1 - HIGH)],
    ),
    Kink("at the lower clip bound", "kl_divergence", [0.5], [LOW], [-0.5 / LOW]),
    Kink("below it", "kl_divergence", [0.5], [0.0], [0.0]),
    Kink("at the upper clip bound", "kl_divergence", [0.5], [1.0], [-0.5]),
    Kink("beyond it", "kl_divergence", [0.5], [1.5], [0.0]),
    Kink("at the margin, half of both sides", "hinge", [-1.0, 1.0], [-1.0, 1.0], [0.25, -0.25]),
    Kink("at the margin", "squared_hinge", [-1.0, 1.0], [-1.0, 1.0], [0.0, 0.0]),
    Kink(
        "equal rivals share", "categorical_hinge", [1.0, 0.0, 0.0], [0.0, 2.0, 2.0], [-1, 0.5, 0.5]
    ),
    Kink(
        "a rival as large as what the label leaves",
        "categorical_hinge",
        [1.0, 0.0],
        [-0.5, 0.0],
        [-1.0, 0.5],
    ),
    Kink(
        "at the margin, half of both sides",
        "categorical_hinge",
        [1.0, 0.0],
        [2.0, 1.0],
        [-0.5, 0.5],
    ),
    Kink("clipped share", "categorical_crossentropy", [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]),
    Kink("share of 1", "categorical_crossentropy", [0.0, 1.0], [0.0, 1.0], [0.0, 0.0]),
    Kink("clipped share", "categorical_focal_crossentropy", [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]),
    Kink("clipped share", "sparse_categorical_crossentropy", 0, [0.0, 1.0], [0.0, 0.0]),
    Kink(
        "at 0", "categorical_generalized_cross_entropy", 1, [1.0, 0.0], [0.0, -math.inf], {"q": 0.5}
    ),
    Kink(
        "equal logits",
        "categorical_crossentropy",
        [1.0, 0.0, 0.0, 0.0],
        [3.0, 3.0, 3.0, 3.0],
        [-0.75, 0.25, 0.25, 0.25],
        {"from_logits": True},
    ),
    Kink("a vector of length 0", "cosine_similarity", [1.0, 2.0], [0.0, 0.0], [0.0, 0.0]),
    Kink("a label of length 0", "cosine_similarity", [0.0, 0.0], [1.0, 2.0], [0.0, 0.0]),
    Kink("nothing at all", "dice", [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], {"axis": -1}),
    Kink("nothing at all", "tversky", [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], {"axis": -1}),
)
