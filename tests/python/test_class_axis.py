# SPDX-License-Identifier: Apache-2.0
"""Rows that are columns in memory, as with class axis 1 of images, have the bits of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import simdloss
from support.bits import assert_same_bits
from support.gradients import call, gradient, has_hessian
from support.layouts import misaligned
from support.variants import (
    DEFAULTS,
    ISAS,
    Variant,
    both_widths,
    every_loss,
    losses_with_class_weight,
)

BATCH = 3
INNER = (1, 5, 15, 16, 17, 49, 600)
CLASSES = (1, 2, 10, 31, 32, 33)
LABELS = {"labels": "signed"}
losses_that_ignore = pytest.mark.parametrize(
    "variant", [v for v in DEFAULTS if "ignore_class" in v.loss().get_config()], ids=str
)
SPECIAL = (np.nan, np.inf, -np.inf, 1e38, -1e38, 0.0, -0.0, 1e-38)


def images(variant: Variant, inner: int, classes: int, dtype: str) -> tuple[Any, Any]:
    """Labels and predictions, the classes last."""
    t, p = variant.tile((BATCH * inner, classes), dtype)
    return t.reshape(BATCH, inner, *t.shape[1:]), p.reshape(BATCH, inner, classes)


def columns(rows: Any) -> Any:
    """An array of shape (batch, inner, classes) as one with the classes before the inner axis."""
    return np.ascontiguousarray(np.moveaxis(rows, -1, 1)) if rows.ndim == 3 else rows


def layouts(t: Any, p: Any) -> Iterator[tuple[Any, Any]]:
    """The batch with class axis 1: both arrays by columns, or only one of them."""
    yield columns(t), columns(p)
    yield columns(t), np.moveaxis(p, -1, 1)
    if t.ndim == 3:
        yield np.moveaxis(t, -1, 1), columns(p)
    yield misaligned(columns(t)), misaligned(columns(p))


def derivatives(variant: Variant, t: Any, p: Any, weights: Any, axis: int) -> Any:
    """Value and derivatives, those with the classes last."""
    options = {"axis": axis, **(LABELS if variant.case.converts_binary_labels else {})}
    method = "value_grad_hess" if has_hessian(variant) else "value_and_grad"
    value, *found = call(method, variant, t, p, weights, options)
    return [value, *(np.moveaxis(d, axis, -1) for d in found)]


def assert_all_same(found: Any, expected: Any, what: object) -> None:
    for x, y in zip(found, expected, strict=True):
        assert_same_bits(x, y, what)


@pytest.mark.parametrize("isa", ISAS)
@both_widths
@every_loss
def test_every_number_of_rows_and_classes(variant: Variant, dtype: str, isa: str) -> None:
    with simdloss.using_isa(isa):
        for inner in INNER:
            for classes in CLASSES:
                t, p = images(variant, inner, classes, dtype)
                weights = np.resize([1.0, 0.0, 0.3, 2.0, 0.7], t.shape[:2])
                expected = variant.function(t, p)
                slopes = derivatives(variant, t, p, weights, -1)
                for tt, pp in layouts(t, p):
                    what = (inner, classes, pp.strides)
                    assert_same_bits(variant.function(tt, pp, axis=1), expected, what)
                    assert_all_same(derivatives(variant, tt, pp, weights, 1), slopes, what)


@both_widths
@every_loss
def test_special_values(variant: Variant, dtype: str) -> None:
    """Rows that are computed again, and those that are left as they are."""
    for inner in (5, 49):
        t, p = images(variant, inner, 10, dtype)
        chosen = variant.rng(inner).permutation(p.size)[: p.size // 20]
        p.ravel()[chosen] = np.resize(np.array(SPECIAL, dtype), len(chosen))
        weights = np.resize([1.0, 0.0, 1e-60], t.shape[:2])
        expected = variant.function(t, p)
        slopes = derivatives(variant, t, p, weights, -1)
        for tt, pp in layouts(t, p):
            assert_same_bits(variant.function(tt, pp, axis=1), expected)
            assert_all_same(derivatives(variant, tt, pp, weights, 1), slopes, pp.strides)


@pytest.mark.parametrize("threads", [1, 2, 3])
@both_widths
@every_loss
def test_reductions_masks_and_threads(variant: Variant, dtype: str, threads: int) -> None:
    t, p = images(variant, 7001, 10, dtype)
    mask = np.resize([True, True, False], t.shape[:2])
    weights = np.resize([1.0, 0.0, 0.3, 2.0, 0.7], t.shape[:2])
    for reduction in ("mean", "mean_with_sample_weight"):
        rows, cols = (variant.loss(reduction=reduction, axis=axis) for axis in (-1, 1))
        for w, m in ((None, None), (weights, None), (None, mask), (weights, mask)):
            with simdloss.using_num_threads(1):
                expected = rows(t, p, w, mask=m)
            with simdloss.using_num_threads(threads):
                assert_same_bits(cols(columns(t), columns(p), w, mask=m), expected)


@pytest.mark.parametrize("classes", CLASSES)
@both_widths
@losses_that_ignore
def test_ignored_classes(variant: Variant, dtype: str, classes: int) -> None:
    t, p = images(variant, 49, classes, dtype)
    t = np.where(np.resize([False, False, True], t.shape), -1, t)
    rows, cols = (variant.loss(ignore_class=-1, axis=axis) for axis in (-1, 1))
    value, slopes = rows.value_and_grad(t, p)
    found = cols.value_and_grad(t, columns(p))
    assert_same_bits(cols(t, columns(p)), value)
    assert_same_bits(found[0], value)
    assert_same_bits(np.moveaxis(found[1], 1, -1), slopes)


@pytest.mark.parametrize("classes", CLASSES)
@both_widths
@losses_with_class_weight
def test_class_weights(variant: Variant, dtype: str, classes: int) -> None:
    t, p = images(variant, 49, classes, dtype)
    w = np.linspace(0.0, 3.0, classes)
    expected = variant.function(t, p, class_weight=w)
    for tt, pp in layouts(t, p):
        assert_same_bits(variant.function(tt, pp, class_weight=w, axis=1), expected)


@both_widths
@every_loss
def test_outputs_of_every_layout(variant: Variant, dtype: str) -> None:
    """Gradients by columns of predictions by rows, and the reverse; what lies between stays."""
    t, p = images(variant, 49, 10, dtype)
    options = LABELS if variant.case.converts_binary_labels else {}
    expected = gradient(variant, t, p, **options)
    for tt, pp in layouts(t, p):
        pairs = np.full((BATCH, 10, 2, 49), 7, dtype)
        singles = np.full((BATCH, 10, 49, 2), 7, dtype)
        for out in (pairs[:, :, 1], singles[..., 1], np.moveaxis(np.empty_like(p), -1, 1)):
            gradient(variant, tt, pp, axis=1, out=out, **options)
            assert_same_bits(np.moveaxis(out, 1, -1), expected, out.strides)
        assert np.all(pairs[:, :, 0] == 7)
        assert np.all(singles[..., 0] == 7)
