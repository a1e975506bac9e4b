# SPDX-License-Identifier: Apache-2.0
"""Labels over a single class are a mistake as a rule: a warning, as in Keras."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import simdloss
from support.keras_calls import keras

NAMES = [
    ("categorical_crossentropy", "CategoricalCrossentropy"),
    ("categorical_focal_crossentropy", "CategoricalFocalCrossentropy"),
]
ONE = np.full((3, 1), 0.5, np.float32)

losses_that_warn = pytest.mark.parametrize(("function", "cls"), NAMES, ids=[n[0] for n in NAMES])


def one_warning(call: Any) -> Any:
    """What is warned of, by a warning that names this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with np.errstate(all="ignore"):
            call()
    (warning,) = caught
    return warning


@pytest.mark.parametrize("from_logits", [False, True])
@losses_that_warn
def test_the_warning_is_that_of_keras(function: str, cls: str, from_logits: bool) -> None:
    theirs = one_warning(lambda: getattr(keras.losses, function)(ONE, ONE))
    ours = getattr(simdloss, function)
    loss = getattr(simdloss, cls)(from_logits=from_logits)
    for call in (
        lambda: ours(ONE, ONE, from_logits=from_logits),
        lambda: loss(ONE, ONE),
        lambda: loss(ONE[:, 0], ONE),
        lambda: loss(ONE, ONE[:, 0]),
        lambda: loss.call(ONE, ONE),
    ):
        warning = one_warning(call)
        assert str(warning.message) == str(theirs.message)
        assert warning.category is theirs.category is SyntaxWarning
        assert warning.filename == __file__


@losses_that_warn
def test_the_axis_of_the_classes_counts(function: str, cls: str) -> None:
    ours = getattr(simdloss, function)
    two = np.full((1, 2), 0.5, np.float32)
    with pytest.warns(SyntaxWarning, match=r"y_pred.shape=\(1, 2\)\."):
        ours(two, two, axis=0)
    with pytest.warns(SyntaxWarning, match=r"y_pred.shape=\(1, 2, 1\)\."):
        getattr(simdloss, cls)(axis=-3)(two[:, :, None], two[:, :, None])
    ours(ONE, ONE, axis=0)
    ours(two, two)


@pytest.mark.filterwarnings("error::SyntaxWarning")
@losses_that_warn
def test_a_warning_may_be_an_error(function: str, cls: str) -> None:
    with pytest.raises(SyntaxWarning, match=f"In loss {function}, "):
        getattr(simdloss, function)(ONE, ONE)
    with pytest.raises(SyntaxWarning, match=f"In loss {function}, "):
        getattr(simdloss, cls)()(ONE, ONE)


def test_other_losses_do_not_warn() -> None:
    ids = np.zeros(3, np.int64)
    simdloss.sparse_categorical_crossentropy(ids, ONE)
    simdloss.categorical_generalized_cross_entropy(ids, ONE, 0.5)
    simdloss.categorical_hinge(ONE, ONE)
    simdloss.binary_crossentropy(ONE, ONE)
