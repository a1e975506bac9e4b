# SPDX-License-Identifier: Apache-2.0
"""Against Keras 3.15.1 on its NumPy backend: equal, or closer to the exact value.

Where the two differ on purpose is a table, support/differences.py, and not a tolerance.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simdloss
from spec.arithmetic import MP, to_fraction
from spec.bound import Row, mp_fraction
from spec.numbers import FORMATS, Format
from spec.rowwise import RowCase
from spec.semantics import Reduced, compute_format, result_format, signed
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
    source = "float64" if dtype == "float64" else "float32"
    t, p = variant.draw(shape, source, regime, salt=draw(st.integers(0, 2**20)))
    limit = float(FORMATS[dtype].largest)
    t, p = (np.where(np.isinf(a), a, np.clip(a, -limit, limit)) for a in (t, p))
    t, p = variant.cast(t, p, dtype)
    if isinstance(case, RowCase) and case.some_prediction:
        p[~p.any(axis=-1), 0] = 1  # rows that have become 0
    return t, p


def exact_rows(variant: Variant, t: Any, p: Any, declared: str) -> list[Row]:
    """Exact losses of the rows of batches whose last axis is the row."""
    case = variant.case
    t = t.astype(np.float64)
    if case.converts_binary_labels:
        t = signed(t)
    setting = case.setting(variant.options, declared)
    p = p.astype(np.float64).reshape(-1, p.shape[-1])
    t = t.reshape(-1, *t.shape[-1:] if case.target != "class_id" else ())
    return [case.exact(x, y, setting) for x, y in zip(t, p, strict=True)]


def assert_at_least_as_close(
    ours: Any, theirs: Any, exact: list[Row], compute: Format, result: Format
) -> None:
    """Either they agree within twice what our accuracy bound allows, or ours is nearer."""
    for x, y, r in zip(np.ravel(ours), np.ravel(theirs), exact, strict=True):
        x, y = float(x), float(y)
        if math.isfinite(y) and abs(x - y) <= 2 * float(r.allowed(compute, result)):
            continue
        assert r.error(x, compute, result) <= max(1.0, r.error(y, compute, result)), (x, y)


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
    exact = exact_rows(variant, t, p, dtype)
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
    exact = exact_rows(variant, *variant.rows_last(t, p, axis), dtype)
    assert_at_least_as_close(ours, theirs, exact, compute, result_format(dtype))


WEIGHTS = ("none", "scalar", "samples", "column", "full")
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
    weights = _weights(data.draw(st.sampled_from(WEIGHTS)), shape, rng)
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
    exact = reduced_rows(exact_rows(variant, t, p, dtype), shape, weights, mask, reduction)
    assert_at_least_as_close(ours, theirs, exact, compute, FORMATS[dtype])


def _weights(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Weights that Keras and we read alike; integers, so that no type rounds them."""
    shapes = {
        "scalar": (),
        "samples": shape[:1],
        "column": (*shape[:1], *[1] * len(shape[1:])),
        "full": shape,
    }
    if kind == "none" or (kind == "samples" and len(shape) != 1):
        return None
    return rng.integers(0, 4, shapes[kind]).astype(np.float32)


def reduced_rows(
    rows: list[Row], shape: tuple[int, ...], weights: Any, mask: Any, reduction: str
) -> list[Row]:
    """Exact reduced losses; their bounds go through the same reduction, weights being positive."""

    def reduce(values: list[Any]) -> Any:
        exact = (MP.mpf(v) for v in values)
        numbers = np.array(
            [to_fraction(v) if MP.isfinite(v) else float(v) for v in exact], dtype=object
        )
        reduced = Reduced(numbers.reshape(shape), weights, mask, reduction).exact()
        return [MP.mpf(x) if isinstance(x, float) else mp_fraction(x) for x in reduced.ravel()]

    parts = [reduce([getattr(r, name) for r in rows]) for name in ("value", "bound", "lost")]
    return [Row(*part) for part in zip(*parts, strict=True)]


def test_lists_go_to_the_float_type_of_keras() -> None:
    t, p = [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]
    for name in ("BinaryCrossentropy", "MeanSquaredError", "Hinge"):
        theirs = call_keras_class(name, np.array(t), np.array(p), None, None)
        ours = getattr(simdloss, name)()(t, p)
        assert ours.dtype == theirs.dtype
        assert ours == pytest.approx(float(theirs), rel=1e-6)
    assert mse.function(t, p).dtype == np.float32
