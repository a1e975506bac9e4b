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
from spec.bound import Row, elements, mp_fraction, row
from spec.numbers import FORMATS, Format
from spec.semantics import Reduced, compute_format, result_format, rows_last, signed
from support.differences import DIFFERENCES, Difference
from support.dtypes import FLOATS
from support.keras_calls import call_keras_class, call_keras_function, keras
from support.variants import Variant, every_reduction, every_variant, mse

DTYPES = ("float16", "bfloat16", "float32", "float64")


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda d: d.expression)
def test_deliberate_differences(difference: Difference) -> None:
    assert difference.evaluate_keras() == difference.keras
    assert difference.evaluate_ours() == difference.ours


def test_the_version_of_keras() -> None:
    assert keras.__version__ == "3.15.1"
    assert keras.backend.backend() == "numpy"


@st.composite
def batches(draw: Any, variant: Variant) -> tuple[Any, Any]:
    """y_true and y_pred of random shapes and kinds of values; shrinks to small and simple ones."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    regimes = ("core", "points", "wide") if variant.case.related else ("core", "points")
    regime = draw(st.sampled_from(regimes))
    source = "float64" if dtype == "float64" else "float32"
    t, p = variant.draw(shape, source, regime, salt=draw(st.integers(0, 2**20)))
    limit = float(FORMATS[dtype].largest)
    t, p = (np.clip(a, -limit, limit).astype(FLOATS[dtype]) for a in (t, p))
    return t, p


def exact_rows(variant: Variant, t: Any, p: Any, declared: str) -> list[Row]:
    """Exact losses of the rows of batches whose last axis is the row."""
    case = variant.case
    t = t.astype(np.float64)
    if case.converts_binary_labels:
        t = signed(t)
    setting = case.setting(variant.options, declared)
    t, p = (a.astype(np.float64).reshape(-1, a.shape[-1]) for a in (t, p))
    return [row(case, elements(case, x, y, setting)) for x, y in zip(t, p, strict=True)]


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
@every_variant
def test_functions(variant: Variant, data: st.DataObject) -> None:
    t, p = data.draw(batches(variant))
    ours = variant.function(t, p)
    theirs = call_keras_function(
        variant.case.function, t, p, **variant.case.arguments(variant.options)
    )
    assert ours.shape == theirs.shape
    dtype = p.dtype.name
    if dtype in ("float16", "float32") and variant.case.name != "mean_squared_logarithmic_error":
        assert ours.dtype == theirs.dtype
    compute = compute_format(variant.case.target, t.dtype.name, dtype)
    exact = exact_rows(variant, t, p, dtype)
    assert_at_least_as_close(ours, theirs, exact, compute, result_format(dtype))


@given(data=st.data())
@every_variant
def test_axes(variant: Variant, data: st.DataObject) -> None:
    """Keras's axis, for the losses that have one."""
    t, p = data.draw(batches(variant))
    if not variant.case.has_axis:
        return
    axis = data.draw(st.sampled_from([None, *range(-t.ndim, t.ndim)]))
    arguments = {**variant.case.arguments(variant.options), "axis": axis}
    theirs = call_keras_function(variant.case.function, t, p, **arguments)
    ours = variant.function(t, p, axis=axis)
    assert ours.shape == theirs.shape
    dtype = p.dtype.name
    compute = compute_format(variant.case.target, dtype, dtype)
    exact = exact_rows(variant, rows_last(t, axis), rows_last(p, axis), dtype)
    assert_at_least_as_close(ours, theirs, exact, compute, result_format(dtype))


WEIGHTS = ("none", "scalar", "samples", "column", "full")
MASKS = ("none", "full")


@given(data=st.data())
@every_reduction
@every_variant
def test_classes(variant: Variant, reduction: str, data: st.DataObject) -> None:
    t, p = data.draw(batches(variant))
    dtype = data.draw(st.sampled_from(DTYPES))
    shape = t.shape[:-1]
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
        **variant.case.arguments(variant.options),
    )
    assert ours.shape == theirs.shape
    if dtype in ("float16", "float32") and variant.case.name != "mean_squared_logarithmic_error":
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
        numbers = np.array([to_fraction(MP.mpf(v)) for v in values], dtype=object)
        reduced = Reduced(numbers.reshape(shape), weights, mask, reduction).exact()
        return [mp_fraction(x) for x in reduced.ravel()]

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
