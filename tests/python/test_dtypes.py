# SPDX-License-Identifier: Apache-2.0
"""Declared dtypes alone decide the computation type and the result type."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import simdloss
from spec.numbers import FORMATS
from spec.semantics import compute_format, result_format, signed
from support.bits import assert_same_bits
from support.dtypes import BFLOAT16, DTYPES, FLOATS, every_dtype, every_float, floatx
from support.variants import DEFAULTS, Variant, every_loss, every_reduction, every_variant, mae, mse

SHAPE = (6, 5)


def small_integers(variant: Variant, dtype: str, which: str) -> Any:
    """Values that every dtype holds exactly, and that the loss is defined for."""
    case, rng = variant.case, variant.rng(which)
    if which == "y_true" and case.target == "class_id":
        return rng.integers(0, 2 if dtype == "bool" else SHAPE[1], SHAPE[0]).astype(DTYPES[dtype])
    domain = case.y_true if which == "y_true" else case.y_pred
    top = 1 if domain.high <= 2 or dtype == "bool" else 100
    values = rng.integers(0, top + 1, SHAPE).astype(DTYPES[dtype])
    if case.row_finish == "whole":
        values[:, 0] = 1  # rows of zeros have no meaning for some
    return values


PAIRS = [pytest.param(t, p, id=f"{t}-{p}") for t, p in itertools.product(DTYPES, DTYPES)]


@pytest.mark.parametrize(("true_dtype", "pred_dtype"), PAIRS)
def test_every_pair_of_dtypes(true_dtype: str, pred_dtype: str) -> None:
    for variant in DEFAULTS:
        case = variant.case
        t = small_integers(variant, true_dtype, "y_true")
        p = small_integers(variant, pred_dtype, "y_pred")
        compute = compute_format(case.target, true_dtype, pred_dtype)
        result = result_format(pred_dtype)
        losses = variant.function(t, p)
        assert losses.dtype == FLOATS[result.name], variant
        setting = case.setting(variant.options, result.name)
        labels = t.astype(np.float64)
        if case.converts_binary_labels:
            labels = signed(labels)
        for tt, pp, loss in zip(labels, p.astype(np.float64), losses.tolist(), strict=True):
            exact = case.exact(tt, pp, setting)
            assert exact.error(float(loss), compute, result) <= 1, (str(variant), tt, pp, loss)


@pytest.mark.parametrize(("true_dtype", "pred_dtype"), PAIRS)
def test_reading_a_dtype_is_converting_it_first(true_dtype: str, pred_dtype: str) -> None:
    """The same bits as from arrays of the computation type."""
    for variant in DEFAULTS:
        t = small_integers(variant, true_dtype, "y_true")
        p = small_integers(variant, pred_dtype, "y_pred")
        compute = compute_format(variant.case.target, true_dtype, pred_dtype, "float32").name
        expected = variant.samples(t.astype(compute), p.astype(compute))
        assert_same_bits(variant.samples(t, p), expected, variant)


@pytest.mark.parametrize("narrow", ["float16", "bfloat16"])
@every_variant
def test_narrow_floats_are_computed_in_float32(variant: Variant, narrow: str) -> None:
    t, p = variant.draw((30, 9), narrow)
    in_float32 = variant.samples(*variant.cast(t, p, "float32"))
    assert_same_bits(variant.samples(t, p), in_float32)
    assert_same_bits(variant.function(t, p), in_float32.astype(FLOATS[narrow]))


@every_reduction
@every_float
def test_classes_return_their_dtype(dtype: str, reduction: str) -> None:
    for given in DTYPES:
        t, p = np.ones((3, 2), DTYPES[given]), np.zeros((3, 2), DTYPES[given])
        loss = simdloss.losses.MeanSquaredError(dtype=dtype, reduction=reduction)
        result = loss(t, p)
        assert result.dtype == FLOATS[dtype]
        assert isinstance(result, np.ndarray) == (reduction == "none")
        assert loss.dtype == dtype


@every_loss
def test_a_class_of_dtype_float64_computes_in_float64(variant: Variant) -> None:
    t, p = variant.draw((5, 7), "float32")
    expected = variant.function(*variant.cast(t, p, "float64"))
    assert_same_bits(variant.samples(t, p, "float64"), expected)


def test_wide_inputs_of_a_float32_class_are_computed_in_float64() -> None:
    t, p = np.array([[1.0 + 1e-12]]), np.array([[1.0]])
    for loss in (mse.loss(), mse.loss(dtype="float32")):
        assert loss(t, p) == np.float32((t - p)[0, 0] ** 2)
    assert mae.function(t, p.astype(np.float32))[0] == np.float32((t - p)[0, 0])


@pytest.mark.parametrize("wide", ["float64", "int32", "int64", "uint32", "uint64"])
def test_wide_labels_widen_the_losses_of_real_targets_only(wide: str) -> None:
    t = np.array([[2**24 + 1]], wide)
    assert mae.function(t, np.ones((1, 1), np.float16)).dtype == np.float16
    assert mae.function(t, np.full((1, 1), 2.0**24, np.float32))[0] == 1.0
    t = np.array([[0.1]])
    p = np.array([[0.3]], np.float32)
    expected = simdloss.binary_crossentropy(t.astype(np.float32), p)
    assert_same_bits(simdloss.binary_crossentropy(t, p), expected)


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
)
def test_integers_are_numbers_over_their_whole_range(dtype: str) -> None:
    info = np.iinfo(dtype)
    rng = np.random.default_rng(3)
    p = rng.integers(info.min, info.max, (50, 1), dtype, endpoint=True)
    p[:2] = [[info.min], [info.max]]
    expected = np.abs(p.astype(np.float64) - 0.5).astype(np.float32)
    half = np.full(p.shape, 0.5)
    assert_same_bits(mae.function(half, p), expected.ravel())
    assert_same_bits(mae.function(p, half.astype(np.float32)), expected.ravel())


def test_narrow_integer_predictions_do_not_wrap_and_labels_are_not_truncated() -> None:
    t, p = np.array([1, 2], np.uint8), np.array([0, 5], np.uint8)
    assert mae.function(t, p) == 2.0
    assert mse.function([0.9, 1.9], np.array([1, 2])) == pytest.approx(0.01)
    assert simdloss.huber([0.0], np.array([1]), delta=0.5) == 0.375


@every_float
def test_integer_predictions_give_floatx(dtype: str) -> None:
    p = np.ones((2, 3), np.int8)
    with floatx(dtype):
        assert mse.function(p, p).dtype == FLOATS[dtype]
        assert mse.function(p, [[1, 2, 3], [1, 2, 3]]).dtype == FLOATS[dtype]
        assert mse.loss().dtype == dtype


@every_dtype
def test_weights_and_masks_of_every_dtype(dtype: str) -> None:
    t, p = np.zeros((4, 1), np.float32), np.array([[1], [2], [3], [4]], np.float32)
    ones = np.array([0, 1, 1, 0]).astype(DTYPES[dtype])
    expected = np.array([0, 4, 9, 0], np.float32)
    loss = mse.loss(reduction=None)
    assert_same_bits(loss(t, p, ones), expected)
    assert_same_bits(loss(t, p, mask=ones), expected)
    assert mse.loss()(t, p, mask=ones) == np.float32(6.5)


def test_float64_weights_keep_their_precision() -> None:
    w = np.array([1.0, 2.0**-40])
    t, p = np.zeros((2, 1), np.float32), np.ones((2, 1), np.float32)
    loss = mse.loss(dtype="float64", reduction="sum")
    assert loss(t, p, w) == 1 + 2.0**-40
    partial = mse.loss(reduction="sum").partial(t, p, w)
    assert partial.sum == 1 + 2.0**-40 == partial.weight_sum


def test_bfloat16_results_are_rounded_once() -> None:
    p = np.array([[1 + 2.0**-7]], BFLOAT16)
    t = np.zeros((1, 1), BFLOAT16)
    exact = FORMATS["bfloat16"].round((1 + 2.0**-7) ** 2)
    assert float(mse.function(t, p)[0]) == exact
