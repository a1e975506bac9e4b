# SPDX-License-Identifier: Apache-2.0
"""Against Keras 3.15.1 on its NumPy backend: equal, or closer to the exact value.

Where the two differ on purpose is a table, support/differences.py, and not a tolerance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simdloss
from spec.numbers import FORMATS
from spec.semantics import compute_format, result_format
from support.comparison import (
    WEIGHTS,
    assert_at_least_as_close,
    batch,
    exact_rows,
    reduced_rows,
    weights_of,
)
from support.differences import DIFFERENCES, Difference
from support.keras_calls import (
    call_keras_class,
    call_keras_function,
    keras,
    known_to_keras,
)
from support.variants import VARIANTS, Variant, every_reduction, mse

# For a single class; Keras has the same.
pytestmark = pytest.mark.filterwarnings(r"ignore:In loss \w+, expected:SyntaxWarning")

DTYPES = ("float16", "bfloat16", "float32", "float64")
FLOAT32_FROM_FLOAT16 = ("mean_squared_logarithmic_error", "sparse_categorical_crossentropy")
"""What Keras returns as float32 whatever it is given."""

variants_in_keras = pytest.mark.parametrize(
    "variant", [v for v in VARIANTS if known_to_keras(v.case, v.options)], ids=str
)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda d: d.expression)
def test_deliberate_differences(difference: Difference) -> None:
    assert difference.evaluate_keras() == difference.keras
    assert difference.evaluate_ours() == difference.ours


def test_the_version_of_keras() -> None:
    assert keras.__version__ == "3.15.1"
    assert keras.backend.backend() == "numpy"


@st.composite
def batches(draw: Any, variant: Variant, in_class: bool = False) -> tuple[Any, Any]:
    """y_true and y_pred of random shapes and kinds of values; shrinks to small and simple ones."""
    case = variant.case
    dtype = draw(st.sampled_from(DTYPES))
    # Without a batch, Keras's cosine has the shape (1,), and class ids are an IndexError.
    min_rank = 2 if case.function == "cosine_similarity" or case.target == "class_id" else 1
    # A single class is an axis that Keras's classes drop to give y_pred the rank of ids.
    min_cols = 2 if in_class and case.target == "class_id" else 1
    outer = draw(st.lists(st.integers(1, 5), min_size=min_rank - 1, max_size=2))
    shape = (*outer, draw(st.integers(min_cols, 5)))
    regime = draw(st.sampled_from(variant.case.regimes))
    return batch(variant, shape, dtype, regime, salt=draw(st.integers(0, 2**20)))


@given(data=st.data())
@variants_in_keras
def test_functions(variant: Variant, data: st.DataObject) -> None:
    t, p = data.draw(batches(variant))
    ours = variant.function(t, p)
    theirs = call_keras_function(
        variant.case.function, t, p, **variant.case.keras_arguments(variant.options)
    )
    assert ours.shape == theirs.shape
    dtype = p.dtype.name
    if dtype in ("float16", "float32") and variant.case.function not in FLOAT32_FROM_FLOAT16:
        assert ours.dtype == theirs.dtype
    compute = compute_format(variant.case.target, t.dtype.name, dtype)
    setting = variant.case.setting(variant.options, dtype)
    exact = exact_rows(variant, t, p, setting)
    assert_at_least_as_close(ours, theirs, exact, compute, result_format(dtype))


@given(data=st.data())
@pytest.mark.parametrize(
    "variant", [v for v in variants_in_keras.args[1] if v.case.keras_axis], ids=str
)
def test_axes(variant: Variant, data: st.DataObject) -> None:
    """Keras's axis, for the losses that have one and get it right."""
    t, p = data.draw(batches(variant))
    axis = data.draw(st.sampled_from([None, *range(-t.ndim, t.ndim)]))
    arguments = {**variant.case.keras_arguments(variant.options), "axis": axis}
    theirs = call_keras_function(variant.case.function, t, p, **arguments)
    ours = variant.function(t, p, axis=axis)
    assert ours.shape == theirs.shape
    dtype = p.dtype.name
    compute = compute_format(variant.case.target, dtype, dtype)
    setting = variant.case.setting(variant.options, dtype)
    exact = exact_rows(variant, *variant.rows_last(t, p, axis), setting)
    assert_at_least_as_close(ours, theirs, exact, compute, result_format(dtype))


MASKS = ("none", "full")


@given(data=st.data())
@every_reduction
@variants_in_keras
def test_classes(variant: Variant, reduction: str, data: st.DataObject) -> None:
    t, p = data.draw(batches(variant, in_class=True))
    dtype = data.draw(st.sampled_from(DTYPES))
    shape = p.shape[:-1]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**20)))
    mask = None
    weights = weights_of(data.draw(st.sampled_from(WEIGHTS)), shape, rng)
    if data.draw(st.sampled_from(MASKS)) == "full" and (weights is None or weights.shape == shape):
        mask = rng.random(shape) < 0.7
    ours = variant.loss(reduction=reduction, dtype=dtype)(t, p, weights, mask=mask)
    theirs = call_keras_class(
        variant.case.class_name,
        t,
        p,
        weights,
        mask,
        reduction=reduction,
        dtype=dtype,
        **variant.case.keras_arguments(variant.options),
    )
    assert ours.shape == theirs.shape
    if dtype in ("float16", "float32") and variant.case.function not in FLOAT32_FROM_FLOAT16:
        assert ours.dtype == theirs.dtype
    compute = compute_format(variant.case.target, t.dtype.name, p.dtype.name, dtype)
    setting = variant.case.setting(variant.options, dtype)
    rows = exact_rows(variant, t, p, setting)
    exact = reduced_rows(rows, shape, weights, mask, reduction)
    assert_at_least_as_close(ours, theirs, exact, compute, FORMATS[dtype])


def test_lists_go_to_the_float_type_of_keras() -> None:
    t, p = [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]
    for name in ("BinaryCrossentropy", "MeanSquaredError", "Hinge"):
        theirs = call_keras_class(name, np.array(t), np.array(p), None, None)
        ours = getattr(simdloss, name)()(t, p)
        assert ours.dtype == theirs.dtype
        assert ours == pytest.approx(float(theirs), rel=1e-6)
    assert mse.function(t, p).dtype == np.float32
