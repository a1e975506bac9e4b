# SPDX-License-Identifier: Apache-2.0
"""What losses over classes share: class weights, alpha per class, one-hot labels and ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import simdloss
from spec.numbers import FORMATS
from support.bits import assert_same_bits
from support.dtypes import DTYPES, FLOATS
from support.keras_calls import call_keras_function
from support.layouts import LAYOUTS
from support.variants import (
    BY_NAME,
    DEFAULTS,
    IDENTICAL_ISAS,
    ISAS,
    VARIANTS,
    Variant,
    both_widths,
    every_reduction,
    losses_with_class_weight,
)

C = 7
W = np.array([0.5, 2.0, 0.0, 1.0, 3.0, 0.25, 1.5])
SPARSE = [v for v in VARIANTS if v.case.function == "sparse_categorical_crossentropy"]
FOCAL = [v for v in DEFAULTS if v.case.function == "categorical_focal_crossentropy"]
WEIGHTED = [v for v in DEFAULTS if v.case.takes_class_weight]
sparse_losses = pytest.mark.parametrize("variant", SPARSE, ids=str)
focal_losses = pytest.mark.parametrize("variant", FOCAL, ids=str)
weighted_losses = pytest.mark.parametrize("variant", WEIGHTED, ids=str)


def assert_within_the_bound(
    variant: Variant, t: Any, p: Any, losses: Any, dtype: str, class_weight: Any
) -> None:
    fmt = FORMATS[dtype]
    setting = variant.case.setting(variant.options, dtype, class_weight=class_weight)
    for tt, pp, loss in zip(t, p, losses.tolist(), strict=True):
        exact = variant.case.exact(tt, pp, setting)
        assert exact.error(loss, fmt, fmt) <= 1, (tt, pp, loss, float(exact.value))


@both_widths
@losses_with_class_weight
def test_class_weight_is_that_of_the_definition(variant: Variant, dtype: str) -> None:
    for regime in variant.case.regimes:
        t, p = variant.draw((12, C), dtype, regime)
        for isa in ISAS:
            with simdloss.using_isa(isa):
                losses = variant.function(t, p, class_weight=W)
                assert_same_bits(variant.samples(t, p, dtype, class_weight=W), losses)
            assert_within_the_bound(variant, t, p, losses, dtype, W)


@weighted_losses
def test_weights_of_one_are_none(variant: Variant) -> None:
    t, p = variant.draw((20, C))
    assert_same_bits(variant.function(t, p, class_weight=np.ones(C)), variant.function(t, p))


@pytest.mark.parametrize("scale", [2.0, 0.25])
@weighted_losses
def test_powers_of_two_scale_exactly(variant: Variant, scale: float) -> None:
    t, p = variant.draw((20, C))
    scaled = variant.function(t, p, class_weight=np.full(C, scale))
    assert_same_bits(scaled, (scale * variant.function(t, p)).astype(np.float32))


@every_reduction
@weighted_losses
def test_denominators_do_not_change(variant: Variant, reduction: str) -> None:
    t, p = variant.draw((20, C))
    w = np.linspace(0, 2, 20)
    losses = variant.function(t, p, class_weight=W)
    weighted = variant.loss(reduction=reduction, class_weight=W)(t, p, w)
    expected = {
        "none": losses * w,
        "sum": (losses * w).sum(),
        "mean": (losses * w).mean(),
        "mean_with_sample_weight": (losses * w).sum() / w.sum(),
    }
    np.testing.assert_allclose(weighted, expected[reduction], rtol=1e-6)


@pytest.mark.parametrize("isa", IDENTICAL_ISAS)
@weighted_losses
def test_bits_with_class_weight(variant: Variant, isa: str) -> None:
    """Instruction set, threads, layout, axis and splits change nothing."""
    with simdloss.using_isa("scalar"), simdloss.using_num_threads(1):
        t, p = variant.tile((3000, 33))
        w = np.linspace(0, 3, 33)
        loss = variant.loss(class_weight=w)
        expected = variant.function(t, p, class_weight=w), loss.partial(t, p).to_bytes()
    with simdloss.using_isa(isa), simdloss.using_num_threads(3):
        assert_same_bits(variant.function(t, p, class_weight=w), expected[0])
        moved = t if variant.case.target == "class_id" else t.T
        assert_same_bits(variant.function(moved, p.T, axis=0, class_weight=w), expected[0])
        for change in LAYOUTS.values():
            actual = variant.function(change(t), change(p), class_weight=change(w))
            assert_same_bits(actual, expected[0], change)
        parts = loss.partial(t[:1234], p[:1234]) + loss.partial(t[1234:], p[1234:])
        assert parts.to_bytes() == expected[1]


@pytest.mark.parametrize("shape", [(4, 3, C), (2, 4, 3, C)], ids=str)
@weighted_losses
def test_labels_of_any_rank(variant: Variant, shape: tuple[int, ...]) -> None:
    t, p = variant.draw(shape)
    flat_t = t.ravel() if variant.case.target == "class_id" else t.reshape(-1, C)
    expected = variant.function(flat_t, p.reshape(-1, C), class_weight=W).reshape(shape[:-1])
    assert_same_bits(variant.function(t, p, class_weight=W), expected)
    assert_same_bits(variant.samples(t, p, class_weight=W), expected)


@pytest.mark.parametrize("kind", ["list", "tuple", *DTYPES])
@weighted_losses
def test_kinds_of_class_weight(variant: Variant, kind: str) -> None:
    t, p = variant.draw((20, C))
    numbers = np.array([0, 1, 1, 0, 1, 1, 0])
    given: Any = numbers.tolist() if kind == "list" else tuple(numbers.tolist())
    if kind in DTYPES:
        given = numbers.astype(DTYPES[kind])
    expected = variant.function(t, p, class_weight=numbers.astype(np.float64))
    assert_same_bits(variant.function(t, p, class_weight=given), expected)


@pytest.mark.parametrize(
    "value",
    [np.ones(C - 1), np.ones(C + 1), np.ones((1, C)), 1.0, [], ["a"] * C, {0: 1.0}],
    ids=lambda x: str(np.shape(x)),
)
@weighted_losses
def test_class_weight_that_does_not_fit(variant: Variant, value: Any) -> None:
    t, p = variant.draw((4, C))
    with pytest.raises((TypeError, ValueError), match="class_weight"):
        variant.function(t, p, class_weight=value)
    with pytest.raises((TypeError, ValueError), match="class_weight"):
        variant.loss(class_weight=value)(t, p)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
@weighted_losses
def test_class_weights_are_finite_and_not_negative(variant: Variant, bad: float) -> None:
    t, p = variant.draw((4, C))
    w = W.copy()
    w[3] = bad
    with pytest.raises(ValueError, match="class_weight"):
        variant.function(t, p, class_weight=w)


@weighted_losses
def test_class_weight_survives_a_config(variant: Variant) -> None:
    t, p = variant.draw((20, C))
    loss = variant.loss(class_weight=W)
    assert "class_weight" not in variant.loss().get_config()
    assert loss.get_config()["class_weight"] == W.tolist()
    again = type(loss).from_config(loss.get_config())
    assert_same_bits(again(t, p), loss(t, p))
    with pytest.raises(ValueError, match="same loss"):
        loss.partial(t, p).merge(variant.loss().partial(t, p))


# --- focal: alpha per class -----------------------------------------------------------------------


@both_widths
@focal_losses
def test_alpha_per_class(variant: Variant, dtype: str) -> None:
    t, p = variant.draw((12, C), dtype)
    unweighted = Variant(variant.case, {"alpha": 1.0})
    for alpha in (W.tolist(), tuple(W), W, W.astype(np.float32)):
        losses = variant.function(t, p, alpha=alpha)
        assert losses.dtype == dtype, "Keras makes float32 of float16"
        assert_same_bits(losses, unweighted.function(t, p, class_weight=W))
        assert_same_bits(variant.samples(t, p, dtype, alpha=alpha), losses)
    assert_within_the_bound(unweighted, t, p, losses, dtype, W)


@focal_losses
def test_alpha_and_class_weight_multiply(variant: Variant) -> None:
    t, p = variant.draw((12, C), "float64")
    both = variant.function(t, p, alpha=W, class_weight=W)
    np.testing.assert_allclose(both, variant.function(t, p, alpha=W * W), rtol=1e-14)


def test_alpha_per_class_agrees_with_keras() -> None:
    (variant,) = (v for v in FOCAL if "from_logits" not in v.case.fixed)
    t, p = variant.draw((12, C))
    theirs = call_keras_function(variant.case.function, t, p, alpha=W.tolist())
    np.testing.assert_allclose(variant.function(t, p, alpha=W.tolist()), theirs, rtol=1e-5)


@focal_losses
def test_alpha_goes_along_the_axis_of_the_classes(variant: Variant) -> None:
    """Keras takes the last one."""
    t, p = variant.draw((4, C, 3), axis=1)
    moved = variant.function(np.moveaxis(t, 1, -1), np.moveaxis(p, 1, -1), alpha=W)
    assert_same_bits(variant.function(t, p, alpha=W, axis=1), moved)


@focal_losses
def test_alpha_of_another_length(variant: Variant) -> None:
    t, p = variant.draw((4, C))
    assert_same_bits(variant.function(t, p, alpha=[0.75]), variant.function(t, p, alpha=0.75))
    for alpha in ([0.1] * (C + 1), [[0.1] * C], []):
        with pytest.raises(ValueError, match="alpha"):
            variant.function(t, p, alpha=alpha)
    with pytest.raises(ValueError, match="alpha"):
        variant.function(t, p, alpha=[-1.0] * C)


@focal_losses
def test_alpha_per_class_survives_a_config(variant: Variant) -> None:
    t, p = variant.draw((12, C))
    for alpha in (W, W.tolist(), tuple(W.tolist())):
        loss = variant.loss(alpha=alpha)
        assert list(loss.get_config()["alpha"]) == W.tolist()
        again = type(loss).from_config(loss.get_config())
        assert_same_bits(again(t, p), loss(t, p))


# --- ids and one-hot labels -----------------------------------------------------------------------


def dense(variant: Variant) -> Variant:
    """The loss of labels over classes that a loss of ids is."""
    return Variant(BY_NAME[variant.case.name.removeprefix("sparse_")].case, variant.options)


@pytest.mark.parametrize("dtype", FLOATS)
@sparse_losses
def test_ids_are_one_hot_labels(variant: Variant, dtype: str) -> None:
    """Label smoothing and class weights included."""
    for regime in variant.case.regimes:
        for n in (2, C, 40, 1001):
            t, p = variant.draw((9, n), dtype, regime)
            one_hot = np.eye(n, dtype=np.float32)[t].astype(FLOATS[dtype])
            for kwargs in ({}, {"class_weight": np.linspace(0, 2, n)}):
                expected = dense(variant).function(one_hot, p, **kwargs)
                actual = variant.function(t, p, **kwargs)
                assert_close(actual, expected, dtype)


def assert_close(actual: Any, expected: Any, dtype: str) -> None:
    """Equal up to the error bounds of both losses and their rounding to the result's dtype."""
    unit = 2.0**-53 if dtype == "float64" else 2.0**-24
    rounding = {"float16": 2.0**-10, "bfloat16": 2.0**-7}.get(dtype, 0.0)
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    np.testing.assert_allclose(actual, expected, rtol=16 * unit + rounding, atol=16 * unit)


@pytest.mark.parametrize("axis", [0, 1, -2])
@sparse_losses
def test_ids_are_one_hot_labels_along_any_axis(variant: Variant, axis: int) -> None:
    """Keras's smoothing divides by the size of the last axis."""
    t, p = variant.draw((4, 5, 3), axis=axis)
    one_hot = np.moveaxis(np.eye(p.shape[axis], dtype=np.float32)[t], -1, axis)
    expected = dense(variant).function(one_hot, p, axis=axis)
    assert_close(variant.function(t, p, axis=axis), expected, "float32")


@pytest.mark.parametrize("smoothing", [0.125, 0.5, 1.0])
def test_ignored_rows_are_not_smoothed(smoothing: float) -> None:
    ids, p = np.array([-1, 2, -1, 0]), np.full((4, C), 1 / C, np.float32)
    p[[0, 2]] = np.nan
    loss = simdloss.SparseCategoricalCrossentropy(
        ignore_class=-1, label_smoothing=smoothing, class_weight=np.ones(C)
    )
    assert loss(ids, p) == pytest.approx(np.log(C), rel=1e-6)


def test_one_hot_rows_need_not_be_one_hot() -> None:
    """Soft labels count by their values, whatever their sum."""
    p = np.full((1, 4), 0.25, np.float32)
    cce = simdloss.categorical_crossentropy
    assert cce([[1, 1, 0, 0]], p)[0] == pytest.approx(2 * np.log(4), rel=1e-6)
    assert cce([[0, 0, 0, 0]], p)[0] == 0
    assert cce([[0.5, 0, 0, 0]], np.zeros((1, 4)), from_logits=True)[0] == pytest.approx(
        np.log(4) / 2
    )


def test_generalized_cross_entropy_q() -> None:
    """Any q > 0 as a function; the class takes 0 < q < 1, as in Keras."""
    ids, p = np.array([0]), np.array([[0.25, 0.75]], np.float32)
    gce = simdloss.categorical_generalized_cross_entropy
    assert gce(ids, p, 1.0)[0] == 0.75
    assert gce(ids, p, q=2.0)[0] == 0.46875
    for q in (0.0, 1.0, 2.0, np.nan):
        with pytest.raises(ValueError, match="q"):
            simdloss.CategoricalGeneralizedCrossEntropy(q=q)
    assert simdloss.CategoricalGeneralizedCrossEntropy()(ids, p) == 1.0


# --- options that change in place -----------------------------------------------------------------


@weighted_losses
def test_a_class_weight_that_changes_in_place(variant: Variant) -> None:
    """The loss keeps the numbers that it was given, and reports them."""
    t, p = variant.draw((12, C))
    expected = variant.loss(class_weight=W)(t, p)
    for given in (W.tolist(), W.copy()):
        made: Any = variant.loss(class_weight=given)
        changed: Any = variant.loss()
        changed.class_weight = given
        given[0] = 99
        for loss in (made, changed):
            assert_same_bits(loss(t, p), expected)
            assert loss.get_config()["class_weight"] == W.tolist()
            assert str(W.tolist()) in repr(loss)
            with pytest.raises(TypeError, match="item assignment"):
                loss.class_weight[0] = 99
            loss.class_weight = None
            assert_same_bits(loss(t, p), variant.loss()(t, p))


@focal_losses
def test_an_alpha_that_changes_in_place(variant: Variant) -> None:
    t, p = variant.draw((12, C))
    expected = variant.loss(alpha=W)(t, p)
    given = W.tolist()
    loss: Any = variant.loss(alpha=given)
    given[0] = 99
    assert_same_bits(loss(t, p), expected)
    assert loss.get_config()["alpha"] == W.tolist()
    with pytest.raises(TypeError, match="item assignment"):
        loss.alpha[0] = 99
    loss.alpha = 1.0
    assert_same_bits(loss(t, p), variant.loss(alpha=1.0)(t, p))


@weighted_losses
def test_class_weights_are_checked_when_they_are_set(variant: Variant) -> None:
    loss: Any = variant.loss()
    with pytest.raises(ValueError, match="class_weight must be a vector"):
        loss.class_weight = 1.0
    weights, message = [1.0, 1.0, 0.0, -1.0, np.nan], r"class_weight .* -1\.0 at position 3"
    with pytest.raises(ValueError, match=message):
        loss.class_weight = weights
    with pytest.raises(ValueError, match=message):
        variant.loss(class_weight=weights)


@focal_losses
def test_alphas_are_checked(variant: Variant) -> None:
    with pytest.raises(ValueError, match=r"alpha must hold finite .* received nan at position 1"):
        variant.loss(alpha=[1.0, np.nan])
