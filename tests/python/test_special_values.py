# SPDX-License-Identifier: Apache-2.0
"""NaN, infinities, zeros, subnormal numbers and values at the ends of the range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import simdloss
from spec.numbers import FORMATS
from support.bits import assert_same_bits
from support.dtypes import DTYPES
from support.variants import (
    BY_NAME,
    IDENTICAL_ISAS,
    ISAS,
    Variant,
    both_widths,
    every_loss,
    every_variant,
    mae,
    mse,
)

inf, nan = math.inf, math.nan


@both_widths
@every_variant
def test_nan_in_a_value_that_takes_part_gives_nan(variant: Variant, dtype: str) -> None:
    """In that row, and in no other."""
    for n in (1, 7, 40, 300):
        t, p = variant.draw((5, n), dtype)
        if variant.case.target == "class_id":
            p[[1, 3], t[[1, 3]]] = nan
        else:
            t[1, n // 2] = nan
            p[3, n - 1] = nan
        samples = variant.samples(t, p, dtype)
        assert_same_bits(np.isnan(samples), np.isin(np.arange(5), (1, 3)))
        assert np.isnan(variant.loss(dtype=dtype)(t, p))


LIMITS = [
    # loss, y_true, y_pred, value
    ("mean_squared_error", 0.0, inf, inf),
    ("mean_squared_error", -inf, inf, inf),
    ("mean_squared_error", inf, inf, nan),
    ("mean_absolute_error", 0.0, -inf, inf),
    ("mean_absolute_percentage_error", 1.0, inf, inf),
    ("mean_absolute_percentage_error", inf, 1.0, nan),
    ("mean_squared_logarithmic_error", 1.0, inf, inf),
    ("mean_squared_logarithmic_error", inf, 1.0, inf),
    ("huber", 0.0, inf, inf),
    ("huber", 0.0, -inf, inf),
    ("log_cosh", 0.0, inf, inf),
    ("log_cosh", 0.0, -inf, inf),
    ("poisson", 0.0, inf, inf),
    ("poisson", 0.0, 0.0, 0.0),
    ("binary_crossentropy_from_logits", 1.0, inf, 0.0),
    ("binary_crossentropy_from_logits", 0.0, -inf, 0.0),
    ("binary_crossentropy_from_logits", 0.0, inf, inf),
    ("binary_crossentropy_from_logits", 1.0, -inf, inf),
    ("binary_crossentropy_from_logits", 0.5, inf, inf),
    ("binary_crossentropy_from_logits", 0.0, 100.0, 100.0),
    ("binary_crossentropy_from_logits", 1.0, -3e38, 3e38),
    ("binary_focal_crossentropy_from_logits", 1.0, -100.0, 100.0),
    ("binary_focal_crossentropy_from_logits", 1.0, inf, 0.0),
    ("binary_focal_crossentropy_from_logits", 0.0, -inf, 0.0),
    ("binary_focal_crossentropy_from_logits", 1.0, -inf, inf),
    ("binary_focal_crossentropy", 1.0, 1.0, 0.0),
    ("binary_focal_crossentropy", 0.0, 0.0, 0.0),
    ("hinge", 1.0, inf, 0.0),
    ("hinge", 1.0, -inf, inf),
    ("hinge", 0.0, inf, 1.0),
    ("hinge", 0.0, -inf, 1.0),
    ("squared_hinge", -1.0, inf, inf),
    ("squared_hinge", 0.0, inf, 1.0),
    ("kl_divergence", 1.0, 1.0, 0.0),
]


@pytest.mark.parametrize(("name", "t", "p", "value"), LIMITS)
@pytest.mark.parametrize("isa", ISAS)
def test_limits(name: str, t: float, p: float, value: float, isa: str) -> None:
    kwargs = {"labels": "signed"} if BY_NAME[name].case.converts_binary_labels else {}
    for n in (1, 9, 40):
        with simdloss.using_isa(isa):
            y_true, y_pred = np.full((2, n), t), np.full((2, n), p)
            wide = BY_NAME[name].function(y_true, y_pred, **kwargs)
            y_true, y_pred = y_true.astype(np.float32), y_pred.astype(np.float32)
            narrow = BY_NAME[name].function(y_true, y_pred, **kwargs)
        assert_same_bits(wide, np.full(2, value))
        assert_same_bits(narrow, np.full(2, value, np.float32))


ROW_LIMITS = [
    # loss, options, y_true, y_pred, value
    ("categorical_crossentropy_from_logits", {}, [0, 1], [-inf, 3], 0.0),
    ("categorical_crossentropy_from_logits", {}, [0, 1], [inf, 3], inf),
    ("categorical_crossentropy_from_logits", {}, [1, 0], [inf, 3], 0.0),
    ("categorical_crossentropy_from_logits", {}, [0, 1], [3, -inf], inf),
    ("categorical_crossentropy_from_logits", {}, [0.5, 0.5], [3, -inf], inf),
    ("categorical_crossentropy_from_logits", {}, [1, 0, 0], [0, 0, -inf], math.log(2)),
    ("categorical_crossentropy_from_logits", {}, [1, 0], [-3e38, 3e38], inf),
    ("categorical_crossentropy_from_logits", {}, [0, 1], [-3e38, 3e38], 0.0),
    ("categorical_crossentropy_from_logits", {}, [1, 0], [20, 0], 2.0611536e-9),
    ("categorical_crossentropy_from_logits", {}, [0, 0], [20, 0], 0.0),
    ("categorical_crossentropy", {}, [1, 0], [1, 1], math.log(2)),
    ("categorical_crossentropy", {}, [1, 0], [3e38, 3e38], math.log(2)),
    ("categorical_crossentropy", {}, [1, 0], [1e-45, 1e-45], math.log(2)),
    ("categorical_crossentropy", {}, [0, 1], [1, 0], 16.118095),
    ("categorical_crossentropy", {}, [0, 0], [1, 0], 0.0),
    ("categorical_focal_crossentropy_from_logits", {}, [1, 0], [-200, 0], 50.0),
    ("categorical_focal_crossentropy_from_logits", {}, [1, 0], [-inf, 0], inf),
    ("categorical_focal_crossentropy_from_logits", {}, [0, 1], [-inf, 0], 0.0),
    ("categorical_focal_crossentropy_from_logits", {}, [1, 0], [inf, 0], 0.0),
    ("categorical_focal_crossentropy_from_logits", {"gamma": 0.0}, [1, 0], [inf, 0], 0.0),
    ("sparse_categorical_crossentropy_from_logits", {}, 0, [0, -inf, -inf], 0.0),
    ("sparse_categorical_crossentropy_from_logits", {}, 0, [0, -inf, 0], math.log(2)),
    ("sparse_categorical_crossentropy_from_logits", {}, 1, [0, -inf], inf),
    ("sparse_categorical_crossentropy_from_logits", {}, 1, [0, inf], 0.0),
    ("sparse_categorical_crossentropy_from_logits", {}, 0, [0, inf], inf),
    ("sparse_categorical_crossentropy_from_logits", {}, 0, [-2e38, 1e38], 3e38),
    ("sparse_categorical_crossentropy_from_logits", {}, 0, [88], 0.0),
    ("sparse_categorical_crossentropy", {}, 0, [0.2, 0.3], 0.91629073),
    ("sparse_categorical_crossentropy", {}, 0, [2, 3], 0.91629073),
    ("categorical_generalized_cross_entropy", {"q": 0.5}, 0, [0, 1], 2.0),
    ("categorical_generalized_cross_entropy", {"q": 0.5}, 1, [0, 1], 0.0),
    ("categorical_generalized_cross_entropy", {"q": 1e-6}, 0, [0.5, 0.5], 0.69314694),
    ("categorical_hinge", {}, [1, 0], [inf, 2], 0.0),
    ("categorical_hinge", {}, [1, 0], [1, -inf], 0.0),
    ("categorical_hinge", {}, [1, 0], [-inf, 2], inf),
    ("categorical_hinge", {}, [1, 0], [0, inf], inf),
    ("categorical_hinge", {}, [0, 1], [-3, -2], 3.0),
    ("cosine_similarity", {}, [0, 0], [1, 2], 0.0),
    ("cosine_similarity", {}, [1, 2], [0, 0], 0.0),
    ("cosine_similarity", {}, [3e38, 3e38], [3e38, 3e38], -1.0),
    ("cosine_similarity", {}, [1e-45, 0], [-1e-45, 0], 1.0),
    ("cosine_similarity", {}, [3e38, 3e38], [1e-45, 0], -math.sqrt(0.5)),
    ("dice", {}, [0, 0], [0, 0], 1.0),
    ("dice", {}, [1, 1], [1, 1], 0.0),
    ("dice", {}, [1, 0], [0, 1], 1.0),
    ("dice", {}, [1e20, 1e20], [1e20, 1e20], -1e20),
    ("tversky", {}, [0, 0], [0, 0], 1.0),
    ("tversky", {}, [1, 0], [1, 0], 0.0),
    ("tversky", {"alpha": 0.2, "beta": 0.8}, [1, 1, 0, 0], [1, 0, 1, 1], 0.54545454),
]


@pytest.mark.parametrize(("name", "options", "t", "p", "value"), ROW_LIMITS)
@pytest.mark.parametrize("isa", ISAS)
def test_limits_of_rows(name: str, options: Any, t: Any, p: Any, value: float, isa: str) -> None:
    variant = Variant(BY_NAME[name].case, options)
    ids = variant.case.target == "class_id"
    expected = pytest.approx(value, rel=2e-7, abs=0 if name.endswith("_from_logits") else 2e-7)
    for dtype in ("float32", "float64"):
        if dtype == "float64" and math.isinf(value) and np.isfinite(p).all():
            continue  # finite in float64
        y_true, y_pred = np.array([t, t], int if ids else dtype), np.array([p, p], dtype)
        with simdloss.using_isa(isa):
            losses = variant.function(y_true, y_pred)
            assert losses.tolist() == [expected, expected]
            assert_same_bits(variant.samples(y_true, y_pred, dtype), losses)


FLOAT32_BOUNDS = (1.0000000116860974e-07, 1 - 2.0**-23)


@pytest.mark.parametrize(
    ("dtype", "wrong_at_zero", "wrong_at_one"),
    [("float32", 16.118095, 15.942385), ("float64", 16.11809565095832, 16.118095651)],
)
def test_clip_bounds_are_those_of_the_declared_type(
    dtype: str, wrong_at_zero: float, wrong_at_one: float
) -> None:
    t, p = np.array([[1], [0]], dtype), np.array([[0], [1]], dtype)
    rel = 1e-7 if dtype == "float32" else 1e-10
    expected = pytest.approx([wrong_at_zero, wrong_at_one], rel=rel)
    assert simdloss.binary_crossentropy(t, p).tolist() == expected
    assert simdloss.BinaryCrossentropy(dtype=dtype, reduction=None)(t, p).tolist() == expected


@pytest.mark.parametrize("narrow", ["float16", "bfloat16", "int8", "bool"])
def test_clip_bounds_are_never_coarser_than_float32(narrow: str) -> None:
    t = np.array([[1], [0], [1], [0]], DTYPES[narrow])
    p = np.array([[0], [1], [1], [0]], DTYPES[narrow])
    expected = simdloss.binary_crossentropy(t.astype(np.float32), p.astype(np.float32))
    result = simdloss.binary_crossentropy(t, p)
    assert_same_bits(result, expected.astype(result.dtype))
    assert np.isfinite(result).all()


def test_clip_bounds_of_a_float32_class_with_float64_predictions() -> None:
    """The class declares float32; the computation is in float64."""
    loss = simdloss.BinaryCrossentropy()
    assert loss([[0.0]], np.array([[1.0]])) == np.float32(-math.log(1 - FLOAT32_BOUNDS[1]))


def test_unclipped_probabilities() -> None:
    with simdloss.using_epsilon(0.0):
        bce = simdloss.binary_crossentropy
        assert bce([1.0], [0.0]) == inf
        assert bce([0.0], [1.0]) == inf
        assert_same_bits(bce([1.0], [1.0]), np.float32(0))
        assert_same_bits(bce([0.0], [0.0]), np.float32(0))
        assert bce([0.5], [0.0]) == inf
        assert bce([1.0], [1e-30]) == pytest.approx(-math.log(1e-30), rel=1e-6)
        focal = simdloss.binary_focal_crossentropy
        assert focal([1.0], [0.0]) == inf
        assert_same_bits(focal([1.0], [1.0]), np.float32(0))
        kl = simdloss.kl_divergence
        assert kl([1.0], [0.0]) == inf
        assert_same_bits(kl([0.0], [0.0]), np.float32(0))
        assert_same_bits(kl([0.0], [0.5]), np.float32(0))
        assert simdloss.poisson([1.0], [0.0]) == inf
        assert_same_bits(simdloss.poisson([0.0], [0.0]), np.float32(0))
        assert simdloss.mape([0.0], [1.0]) == inf
        assert simdloss.msle([0.0], [1.0]) == pytest.approx(math.log(2) ** 2)


def test_unclipped_probabilities_of_rows() -> None:
    with simdloss.using_epsilon(0.0):
        rows = np.array([[1.0, 0.0], [1.0, 3.0], [1.0, 1e-30]], np.float32)
        ids = np.array([1, 1, 1])
        losses = simdloss.sparse_categorical_crossentropy(ids, rows)
        assert losses.tolist() == [inf, pytest.approx(-math.log(0.75)), pytest.approx(69.0775528)]
        dense = simdloss.categorical_crossentropy(np.eye(2)[ids], rows)
        assert dense.tolist() == pytest.approx(losses.tolist())
        sure = simdloss.sparse_categorical_crossentropy([0], rows[:1])
        assert_same_bits(sure, np.zeros(1, np.float32))
        focal = simdloss.categorical_focal_crossentropy
        assert_same_bits(focal([[1.0, 0.0]], rows[:1]), np.zeros(1, np.float32))
        assert focal([[0.0, 1.0]], rows[:1]) == inf


@both_widths
@pytest.mark.parametrize("n", [2, 10, 40, 1000])
def test_probabilities_without_a_sum_have_no_loss(n: int, dtype: str) -> None:
    """0 / 0 is not a number, as in Keras on torch."""
    p = np.ones((3, n), dtype)
    p[1] = 0
    ids = np.zeros(3, int)
    for loss, t in (
        (simdloss.CategoricalCrossentropy, np.eye(n)[ids]),
        (simdloss.CategoricalFocalCrossentropy, np.eye(n)[ids]),
        (simdloss.SparseCategoricalCrossentropy, ids),
    ):
        samples = loss(reduction=None, dtype=dtype)(t, p)
        assert np.isnan(samples).tolist() == [False, True, False]
        _, gradient = loss(reduction="sum", dtype=dtype).value_and_grad(t, p)
        assert np.isfinite(gradient).all(axis=1).tolist() == [True, False, True]
        assert not np.isfinite(gradient[1]).any()


def test_logits_are_never_clipped() -> None:
    for eps in (0.0, 1e-7, 0.1):
        with simdloss.using_epsilon(eps):
            z = np.array([[-50.0], [-1.0], [30.0]], np.float32)
            losses = simdloss.binary_crossentropy(np.zeros((3, 1)), z, from_logits=True)
            assert losses.tolist() == pytest.approx([math.exp(-50), 0.31326166, 30.0])


@every_loss
def test_zeros_come_back_positive(variant: Variant) -> None:
    """A mean of losses that are all zero is +0, as is a skipped sample."""
    same = np.array([[1.0, -0.0], [0.0, -0.0]], np.float32)
    t, p = variant.draw((2, 2))
    weights = -np.zeros(2)
    assert_same_bits(variant.loss(reduction=None)(t, p, weights), np.zeros(2, np.float32))
    assert_same_bits(variant.loss()(t, p, weights), np.float32(0))
    assert_same_bits(mse.function(same, -same[::-1] * 0 + same), np.zeros(2, np.float32))
    assert_same_bits(mse.loss(reduction=None)(same, same, [-1.0, 1.0]), np.zeros(2, np.float32))


@both_widths
def test_subnormal_numbers_are_numbers(dtype: str) -> None:
    tiny = np.finfo(dtype).smallest_subnormal
    p = (np.arange(1, 50).astype(dtype) * tiny)[:, None]
    t = np.zeros_like(p)
    for isa in ISAS:
        with simdloss.using_isa(isa):
            assert_same_bits(mae.function(t, p), p[:, 0])
            assert_same_bits(simdloss.huber(t, p, delta=0.5), np.zeros(49, dtype))
            scaled = simdloss.mape(t, p)
            np.testing.assert_allclose(scaled, p[:, 0] / 1e-9, rtol=1e-6)


RESCUES = [
    ("mean_absolute_error", "float32", [0, 0], [3e38, 3e38], 3e38),
    ("mean_absolute_error", "float32", [-3e38, 0], [3e38, 0], 3e38),
    ("mean_absolute_error", "float64", [0, 0], [1.7e308, 1.7e308], 1.7e308),
    ("mean_absolute_error", "float64", [-1.7e308, 0], [1.7e308, 0], 1.7e308),
    ("mean_squared_error", "float32", [0, 0], [1.5e19, 1.5e19], 2.25e38),
    ("mean_squared_error", "float32", [0, 0], [2.4e19, 0], 2.88e38),
    ("mean_squared_error", "float64", [0, 0], [1.8e154, 0], 1.62e308),
    ("mean_absolute_percentage_error", "float32", [3e38], [-3e38], 200.0),
    ("mean_absolute_percentage_error", "float32", [1, 1], [4e36, 0], 2e38),
    ("mean_absolute_percentage_error", "float64", [1.7e308], [-1.7e308], 200.0),
    ("log_cosh", "float32", [-2e38, 0], [2e38, 0], 2e38),
    ("log_cosh", "float64", [-1e308, 0], [1e308, 0], 1e308),
    ("poisson", "float32", [0, 0], [3e38, 3e38], 3e38),
    ("poisson", "float64", [0, 0], [1.7e308, 1.7e308], 1.7e308),
    ("huber", "float32", [-2e38, 0], [2e38, 0], 2e38),
    ("hinge", "float32", [-1, -1], [3e38, 3e38], 3e38),
    ("hinge", "float64", [-1, -1], [1.7e308, 1.7e308], 1.7e308),
    ("squared_hinge", "float32", [-1, -1], [2.4e19, 0], 2.88e38),
    ("squared_hinge", "float64", [-1, -1], [1.8e154, 0], 1.62e308),
    ("binary_crossentropy_from_logits", "float32", [0, 0], [3e38, 3e38], 3e38),
    ("binary_crossentropy_from_logits", "float64", [0, 0], [1.7e308, 1.7e308], 1.7e308),
    ("binary_focal_crossentropy_from_logits", "float32", [0, 0], [3e38, 3e38], 3e38),
]


@pytest.mark.parametrize(("name", "dtype", "t", "p", "value"), RESCUES)
def test_rows_whose_sum_overflows_on_the_way(
    name: str, dtype: str, t: Any, p: Any, value: float
) -> None:
    variant = BY_NAME[name]
    for repeats in (1, 30, 500):
        y_true, y_pred = (np.tile(np.array(a, dtype), repeats)[None] for a in (t, p))
        results = {}
        for isa in ISAS:
            with simdloss.using_isa(isa):
                results[isa] = variant.function(y_true, y_pred)
            assert results[isa][0] == pytest.approx(value, rel=4 * float(np.finfo(dtype).eps))
        for isa in IDENTICAL_ISAS:
            assert_same_bits(results[isa], results["scalar"], isa)


ROW_RESCUES = [
    ("categorical_crossentropy", "float64", [1, 0], [1.7e308, 1.7e308], math.log(2)),
    ("categorical_crossentropy_from_logits", "float64", [1, 0], [-8e307, 8e307], 1.6e308),
    ("categorical_focal_crossentropy", "float32", [1, 0], [3e38, 3e38], math.log(2) / 16),
    ("categorical_focal_crossentropy_from_logits", "float32", [1, 0], [-3e38, 3e38], 1.5e38),
    ("sparse_categorical_crossentropy", "float64", 1, [1.7e308, 1.7e308], math.log(2)),
    ("categorical_hinge", "float32", [1, 1], [3e38, 3e38], 0.0),
    ("categorical_hinge", "float64", [1, 0], [-8e307, 8e307], 1.6e308),
    # The lanes of float32 are added two by two, 32 elements apart.
    (
        "categorical_hinge",
        "float32",
        [1, *[0] * 31, 1, 1, 1, 1],
        [3e38, *[0] * 31, 3e38, -3e38, -3e38, -3e38],
        3e38,
    ),
    ("categorical_hinge", "float32", [2, 1, 1, 1], [3e38, -3e38, -3e38, -3e38], 3e38),
    ("cosine_similarity", "float64", [], [], 0.0),
    ("cosine_similarity", "float64", [1.7e308, 1.7e308], [1.7e308, 1.7e308], -1.0),
    ("cosine_similarity", "float64", [5e-324, 5e-324], [5e-324, 5e-324], -1.0),
    ("cosine_similarity", "float64", [1.7e308, 5e-324], [5e-324, 0], -1.0),
    ("dice", "float64", [1, 1], [1.7e308, 1.7e308], -1.0),
    ("dice", "float64", [1e200, 0], [1e200, 0], -1e200),
    ("dice", "float32", [1, 1], [3e38, 3e38], -1.0),
]


@pytest.mark.parametrize(("name", "dtype", "t", "p", "value"), ROW_RESCUES)
def test_rows_that_overflow_on_the_way(name: str, dtype: str, t: Any, p: Any, value: float) -> None:
    variant = BY_NAME[name]
    rows = np.array([p] * 3, dtype)
    labels = np.array([t] * 3, int if variant.case.target == "class_id" else dtype)
    results = {}
    for isa in ISAS:
        with simdloss.using_isa(isa):
            results[isa] = variant.function(labels, rows)
        assert results[isa][0] == pytest.approx(value, rel=4 * float(np.finfo(dtype).eps))
    for isa in IDENTICAL_ISAS:
        assert_same_bits(results[isa], results["scalar"], isa)


def test_rescued_huber_in_float64_range() -> None:
    """delta (d - delta / 2) overflows float32 on the way, delta^2 / 2 too."""
    t, p = np.zeros((1, 2), np.float32), np.array([[1e30, 0]], np.float32)
    assert simdloss.huber(t, p, delta=1e8)[0] == pytest.approx(5e37, rel=1e-6)
    assert simdloss.huber(t, p, delta=1e25)[0] == inf
    p = p.astype(np.float64)
    assert simdloss.huber(t, p, delta=1e25)[0] == pytest.approx(5e54, rel=1e-5)


@both_widths
@every_variant
def test_true_overflow_is_infinite_and_nothing_else(variant: Variant, dtype: str) -> None:
    fmt = FORMATS[dtype]
    t, p = variant.draw((64, 1 if variant.case.row_finish != "whole" else 4), dtype, "wide")
    samples = variant.samples(t, p, dtype)
    assert not np.isnan(samples).any()
    setting = variant.case.setting(variant.options, dtype)
    for tt, pp, loss in zip(t, p, samples.tolist(), strict=True):
        exact = variant.case.exact(tt, pp, setting).value
        if abs(exact) < float(fmt.largest) * 0.999:
            assert math.isfinite(loss), (tt, pp)
        if abs(exact) > float(fmt.largest) * 1.001:
            assert math.isinf(loss), (tt, pp)
