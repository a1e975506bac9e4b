# SPDX-License-Identifier: Apache-2.0
"""What every gradient obeys: of values, weights, masks, reductions, factors, classes and kinks."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simdloss
from spec.bound import Row, mp_fraction
from spec.numbers import FORMATS
from support.bits import assert_same_bits
from support.comparison import WEIGHTS, weights_of
from support.gradients import call, factors, gradient, has_hessian, slopes_of
from support.kinks import KINKS, Kink
from support.splits import split
from support.variants import (
    DEFAULTS,
    Variant,
    both_widths,
    every_loss,
    every_reduction,
    every_variant,
    losses_with_class_weight,
    mse,
    pointwise_losses,
)

SHAPES = ((6, 4), (3, 2, 5), (5, 1), (1, 7))
variants = st.sampled_from(DEFAULTS)


def vjp(variant: Variant, t: Any, p: Any, cotangent: Any, **more: Any) -> Any:
    options: dict[str, Any] = {**variant.case.arguments(variant.options), **more}
    return simdloss.vjp(variant.case.function, t, p, cotangent, **options)


def assert_within(actual: Any, exact: list[Row], dtype: str, what: object = "") -> None:
    """Each derivative is within its bound, but at kinks, where the exact one is NaN."""
    fmt = FORMATS[dtype]
    for found, row in zip(np.ravel(actual).tolist(), exact, strict=True):
        assert math.isnan(row.value) or row.error(found, fmt, fmt) <= 1, (found, row, what)


def scaled(slopes: list[list[Any]], by: Any, which: str = "gradient") -> list[Row]:
    """The derivatives of rows times the factors of their losses."""
    pairs = zip(slopes, np.ravel(by).tolist(), strict=True)
    return [getattr(s, which).times(mp_fraction(Fraction(f))) for row, f in pairs for s in row]


def signed_labels(variant: Variant) -> dict[str, Any]:
    return {"labels": "signed"} if variant.case.converts_binary_labels else {}


# --- values and shapes ----------------------------------------------------------------------------


@given(
    variants,
    st.sampled_from(SHAPES),
    st.sampled_from(["float32", "float64"]),
    st.sampled_from(["none", "sum", "mean", "mean_with_sample_weight"]),
    st.sampled_from(WEIGHTS),
    st.booleans(),
    st.integers(0, 99),
)
def test_value_has_the_bits_of_a_call(
    variant: Variant,
    shape: tuple[int, ...],
    dtype: str,
    reduction: str,
    kind: str,
    masked: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    regime = str(rng.choice(variant.case.regimes))
    t, p = variant.draw(shape, dtype, regime, seed)
    weights = weights_of(kind, shape[:-1], rng)
    mask = rng.random(shape[:-1]) < 0.7 if masked else None
    loss: Any = variant.loss(reduction=reduction)
    value, grad = loss.value_and_grad(t, p, weights, mask=mask)
    assert_same_bits(value, loss(t, p, weights, mask=mask))
    assert (grad.shape, grad.dtype) == (p.shape, p.dtype)
    if has_hessian(variant):
        second = loss.value_grad_hess(t, p, weights, mask=mask)
        assert_same_bits(second[0], value)
        assert_same_bits(second[1], grad)
        assert (second[2].shape, second[2].dtype) == (p.shape, p.dtype)


@every_reduction
@every_loss
def test_empty_batches(variant: Variant, reduction: str) -> None:
    for shape in ((0, 3), (2, 0, 3)):
        t, p = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        if variant.case.target == "class_id":
            t = np.zeros(shape[:-1], np.int64)
        loss: Any = variant.loss(reduction=reduction)
        value, grad = loss.value_and_grad(t, p)
        assert_same_bits(value, loss(t, p))
        assert (grad.shape, grad.dtype) == (shape, np.float32)


@every_loss
def test_rows_without_elements(variant: Variant) -> None:
    t, p = np.zeros((3, 0), np.float32), np.zeros((3, 0), np.float32)
    if variant.case.target == "class_id":
        pytest.skip("no id has a class then: test_sizes")
    loss: Any = variant.loss(reduction=None)
    try:
        expected = loss(t, p)
    except ValueError:
        with pytest.raises(ValueError, match=r"(?s)."):
            loss.value_and_grad(t, p)
        return
    value, grad = loss.value_and_grad(t, p)
    assert_same_bits(value, expected)
    assert (grad.shape, grad.dtype) == ((3, 0), np.float32)


@pytest.mark.parametrize("empty", ["nan", "raise"])
def test_means_over_nothing(empty: str) -> None:
    loss: Any = mse.loss()
    t, p, mask = np.zeros((2, 3)), np.ones((2, 3)), [False, False]
    if empty == "raise":
        with pytest.raises(ValueError, match="empty"):
            loss.value_and_grad(t, p, mask=mask, empty=empty)
        return
    value, grad = loss.value_and_grad(t, p, mask=mask, empty=empty)
    assert math.isnan(value)
    assert not grad.any()


# --- rows that are skipped ------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["weight", "mask"])
@both_widths
@every_loss
def test_skipped_rows_have_no_gradient_whatever_they_hold(
    variant: Variant, dtype: str, how: str
) -> None:
    t, p = variant.draw((8, 5), dtype)
    kept = np.array([True, False, True, True, False, False, True, False])
    skip: dict[str, Any] = {"mask": kept} if how == "mask" else {"weights": kept * 3.0}
    options = signed_labels(variant)
    for reduction in ("none", "sum", "mean", "mean_with_sample_weight"):
        clean = gradient(variant, t, p, reduction=reduction, **skip, **options)
        hostile = p.copy()
        hostile[~kept] = np.resize([np.nan, np.inf, -np.inf, 1e30, -2.0], hostile[~kept].shape)
        grad = gradient(variant, t, hostile, reduction=reduction, **skip, **options)
        assert_same_bits(grad[~kept], np.zeros((4, 5), dtype))
        assert_same_bits(grad, clean)
        assert grad[kept].any()


@every_variant
def test_ignored_classes(variant: Variant) -> None:
    if variant.case.function != "sparse_categorical_crossentropy":
        return
    t, p = variant.draw((6, 4))
    for ignored in (-1, int(t[1]), 255):
        ids = np.where([0, 1, 0, 0, 1, 1], ignored, t)
        skipped = ids == ignored
        hostile = p.copy()
        hostile[skipped] = np.nan
        grad = gradient(variant, ids, hostile, ignore_class=ignored)
        assert_same_bits(grad[skipped], np.zeros((skipped.sum(), 4), np.float32))
        options: dict[str, Any] = {"mask": ~skipped}
        assert_same_bits(grad, gradient(variant, np.where(skipped, 0, ids), p, **options))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@every_loss
def test_skipped_rows_have_no_hessian(variant: Variant, bad: float) -> None:
    if not has_hessian(variant):
        return
    t, p = variant.draw((3, 4))
    p[1] = bad
    grad, hess = call("value_grad_hess", variant, t, p, [1.0, 0.0, 2.0], signed_labels(variant))[1:]
    assert not grad[1].any()
    assert not hess[1].any()


# --- factors --------------------------------------------------------------------------------------


@both_widths
@every_variant
def test_vjp_is_linear_in_the_cotangent(variant: Variant, dtype: str) -> None:
    t, p = variant.draw((6, 4), dtype)
    cotangent = variant.rng(dtype).standard_normal(6)
    grad = vjp(variant, t, p, cotangent)
    assert (grad.shape, grad.dtype) == (p.shape, p.dtype)
    assert np.array_equal(vjp(variant, t, p, -4 * cotangent), -4 * grad)
    assert np.array_equal(vjp(variant, t, p, 1.0), vjp(variant, t, p, np.ones(6)))
    for i in range(6):
        alone = vjp(variant, t, p, cotangent * (np.arange(6) == i))
        assert_same_bits(alone[i], grad[i])
        assert not np.delete(alone, i, axis=0).any()
    weighted = gradient(variant, t, p, cotangent, reduction=None, dtype=dtype)
    assert_same_bits(weighted, grad)


@given(
    variants,
    st.sampled_from(["none", "sum", "mean", "mean_with_sample_weight"]),
    st.sampled_from(WEIGHTS),
    st.booleans(),
    st.sampled_from(SHAPES),
    st.integers(0, 99),
)
def test_reduced_gradients(
    variant: Variant,
    reduction: str,
    kind: str,
    masked: bool,
    shape: tuple[int, ...],
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    t, p = variant.draw(shape, "float32", "core", seed)
    weights = weights_of(kind, shape[:-1], rng)
    mask = rng.random(shape[:-1]) < 0.7 if masked else None
    grad = gradient(
        variant, t, p, weights, mask=mask, reduction=reduction, **signed_labels(variant)
    )
    by = factors(shape[:-1], weights, mask, reduction)
    assert_within(grad, scaled(slopes_of(variant, t, p), by), "float32", (reduction, weights))


def test_fractional_weights_and_masks() -> None:
    t, p = mse.draw((5, 3), "float64")
    w, m = np.array([0.1, -2.5, 0.0, 1e-3, 7.0]), np.array([0.5, 2.0, 1.0, 0.0, 1.0])
    for reduction in ("none", "sum", "mean", "mean_with_sample_weight"):
        grad = gradient(mse, t, p, w, mask=m, reduction=reduction)
        by = factors((5,), w, m, reduction)
        np.testing.assert_allclose(grad, (p - t) * 2 / 3 * by.astype(float)[:, None], rtol=1e-14)


@both_widths
@every_loss
def test_pieces_of_a_known_factor_give_the_bits_of_the_whole(variant: Variant, dtype: str) -> None:
    rng, n = variant.rng(dtype), 57
    t, p = variant.draw((n, 5), dtype)
    weights, options = rng.random(n), signed_labels(variant)
    for scale, reduction in (
        (1 / n, "mean"),
        (1.0, "sum"),
        (1 / math.fsum(weights), "mean_with_sample_weight"),
    ):
        whole = gradient(variant, t, p, weights, reduction=reduction, **options)
        pieces = np.full_like(p, np.nan)
        for s in split(rng, n, 7):
            pieces[s] = gradient(variant, t[s], p[s], weights[s], scale=scale, **options)
        assert_same_bits(pieces, whole, reduction)


@every_reduction
def test_scale_replaces_the_factor_of_the_reduction(reduction: str) -> None:
    t, p = mse.draw((6, 3))
    w = np.arange(6.0)
    expected = 0.375 * gradient(mse, t, p, w, reduction="sum")
    loss: Any = mse.loss(reduction=reduction)
    value, grad = loss.value_and_grad(t, p, w, scale=0.375)
    np.testing.assert_allclose(grad, expected, rtol=1e-6)
    assert_same_bits(value, loss(t, p, w))
    hess = loss.value_grad_hess(t, p, w, scale=0.375)[2]
    np.testing.assert_allclose(hess, np.repeat(0.375 * w * 2 / 3, 3).reshape(6, 3), rtol=1e-6)


# --- classes and elements -------------------------------------------------------------------------


@both_widths
@every_variant
def test_gradients_of_softmaxes_add_up_to_zero(variant: Variant, dtype: str) -> None:
    """A constant added to all logits of a row changes nothing."""
    if not variant.case.name.endswith("categorical_crossentropy_from_logits"):
        return
    unit = float(FORMATS[dtype].unit)
    for regime in ("core", "wide", "points", "confident", "tied", "spread"):
        t, p = variant.draw((40, 7), dtype, regime)
        grad = gradient(variant, t, p, reduction=None, dtype=dtype)
        for label, row in zip(t, grad.tolist(), strict=True):
            total = float(np.sum(variant.case.drawn(label, 7), dtype=np.float64))
            assert abs(math.fsum(row)) <= 10 * unit * (2 * total + 1), regime


@pointwise_losses
def test_gradients_of_elements_do_not_know_their_place(variant: Variant) -> None:
    order = variant.rng().permutation(40)
    t, p = variant.draw((3, 40))
    assert_same_bits(gradient(variant, t[:, order], p[:, order]), gradient(variant, t, p)[:, order])


@every_variant
def test_permuted_elements_have_permuted_gradients(variant: Variant) -> None:
    order = np.array([3, 0, 4, 1, 2])
    for regime in variant.case.regimes:
        t, p = variant.draw((4, 5), "float32", regime)
        labels = np.argsort(order)[t] if variant.case.target == "class_id" else t[:, order]
        grad = gradient(variant, labels, p[:, order], reduction=None, **signed_labels(variant))
        exact = slopes_of(variant, t, p)
        assert_within(grad, [row[i].gradient for row in exact for i in order], "float32", regime)


@losses_with_class_weight
def test_class_weights(variant: Variant) -> None:
    t, p = variant.draw((5, 4))
    class_weight = [0.5, 2.0, 0.0, 3.0]
    grad = gradient(variant, t, p, reduction=None, class_weight=class_weight)
    exact = slopes_of(variant, t, p, class_weight=class_weight)
    assert_within(grad, [s.gradient for row in exact for s in row], "float32")


@pytest.mark.parametrize("from_logits", [False, True])
def test_alpha_of_each_class(from_logits: bool) -> None:
    name = "categorical_focal_crossentropy" + from_logits * "_from_logits"
    variant = next(v for v in DEFAULTS if v.case.name == name)
    t, p = variant.draw((5, 4))
    alpha = [0.125, 0.25, 1.0, 0.5]
    grad = gradient(variant, t, p, reduction=None, alpha=alpha)
    one = Variant(variant.case, {"alpha": 1.0})
    exact = slopes_of(one, t, p, class_weight=alpha)
    assert_within(grad, [s.gradient for row in exact for s in row], "float32")


# --- hinge labels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["hinge", "squared_hinge"])
def test_labels_auto_look_at_the_whole_batch(function: str) -> None:
    variant = next(v for v in DEFAULTS if v.case.name == function)
    p = np.array([[0.5, -0.25], [0.75, 0.125]], np.float32)
    binary, other = np.array([[0, 1], [1, 0]]), np.array([[0, 1], [1, -1]])
    for t, meant in ((binary, 2 * binary - 1), (other, other)):
        expected = gradient(variant, meant, p, labels="signed")
        assert_same_bits(gradient(variant, t, p), expected)
        assert_same_bits(vjp(variant, t, p, 0.5), expected)
    expected = gradient(variant, 2 * binary - 1, p, labels="signed")
    assert_same_bits(gradient(variant, binary, p, labels="binary"), expected)


# --- kinks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kink", KINKS, ids=lambda k: f"{k.function}: {k.what}")
def test_kinks_are_those_of_keras_on_torch(kink: Kink) -> None:
    labels = np.array([kink.y_true])
    t = labels if labels.dtype.kind == "i" else labels.astype(np.float32)
    options: dict[str, Any] = dict(kink.options)
    if kink.function.endswith("hinge") and kink.function != "categorical_hinge":
        options["labels"] = "signed"
    p = np.array([kink.y_pred], np.float32)
    grad = simdloss.vjp(kink.function, t, p, 1.0, **options)
    np.testing.assert_allclose(grad, [kink.gradient], rtol=1e-6, atol=0)


# --- second derivatives ---------------------------------------------------------------------------

WITHOUT_HESSIAN = {
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_focal_crossentropy_from_logits",
    "categorical_hinge",
    "dice",
    "tversky",
    "cosine_similarity",
}


@every_loss
def test_which_losses_have_a_hessian(variant: Variant) -> None:
    name = variant.case.name
    if name in WITHOUT_HESSIAN:
        assert variant.case.hessian is None
        assert not has_hessian(variant)
    if "binary" in name or name.endswith("categorical_crossentropy_from_logits"):
        assert has_hessian(variant)


@every_variant
def test_upper_bounds(variant: Variant) -> None:
    if not has_hessian(variant):
        return
    for regime in variant.case.regimes:
        t, p = variant.draw((6, 5), "float32", regime)
        value, grad, diagonal = call("value_grad_hess", variant, t, p)
        bound = call("value_grad_hess", variant, t, p, hessian="upper_bound")
        assert_same_bits(bound[0], value)
        assert_same_bits(bound[1], grad)
        softmax = variant.case.name.endswith("categorical_crossentropy_from_logits")
        with np.errstate(over="ignore", invalid="ignore"):
            expected = 2 * diagonal if softmax else np.maximum(diagonal, 0)
        # The smallest numbers are rounded before they are doubled, or after.
        tiny = float(np.finfo(np.float32).smallest_subnormal)
        np.testing.assert_allclose(bound[2], expected, rtol=0, atol=tiny)


@pytest.mark.parametrize("hessian", ["full", "", None])
def test_other_hessians_are_refused(hessian: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="hessian"):
        call("value_grad_hess", mse, [[1.0]], [[2.0]], hessian=hessian)


@both_widths
def test_derivatives_at_a_clip_bound_do_not_depend_on_the_scale(dtype: str) -> None:
    loss = simdloss.CategoricalCrossentropy(reduction="sum")
    k = np.arange(1, 500)
    t = np.tile(np.array([1, 0], dtype), (len(k), 1))
    with simdloss.using_epsilon(0.25):
        for p in (np.stack([k, 3 * k], -1), np.stack([3 * k, k], -1)):
            gradient = loss.value_and_grad(t, p.astype(dtype))[1]
            assert (gradient != 0).all()


@both_widths
def test_a_perfect_prediction_costs_nothing_at_any_scale(dtype: str) -> None:
    k = np.arange(1, 500)
    p = np.stack([k, 0 * k, 0 * k], -1).astype(dtype)
    with simdloss.using_epsilon(0.0):
        dense = simdloss.losses.categorical_crossentropy(np.tile([1, 0, 0], (len(k), 1)), p)
        ids = simdloss.losses.sparse_categorical_crossentropy(0 * k, p)
    assert (dense == 0).all()
    assert (ids == 0).all()
