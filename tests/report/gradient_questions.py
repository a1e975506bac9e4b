# SPDX-License-Identifier: Apache-2.0
"""Gradients that Keras's backends and simdloss are both asked in float64, with the exact ones."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

import simdloss
from spec.arithmetic import MP
from spec.bound import Row, mp_fraction
from spec.rowwise import RowCase
from spec.sequence import can_be_aligned, used_labels
from support.autograd import BACKENDS, GradientCall
from support.backends import TORCH_CTC
from support.comparison import batch, weights_of
from support.gradients import GRADIENT_VARIANTS, factors, slopes_of
from support.keras_calls import keras, known_to_keras
from support.special_losses import CIRCLE_OPTIONS, embeddings_of, sequences_of
from support.variants import Variant

from .questions import REDUCTIONS, is_right, weightings

SHAPES = ((4, 5), (2, 3, 4))
SEEDS = range(12)
Rows = Callable[[], list[Row]]


# On PyTorch Keras clips float64 arrays of these to the float32 that is nearest to epsilon.
CLIPPED_ELSEWHERE = ("kl_divergence",)


@dataclass(frozen=True)
class Question:
    """One gradient; `exact` has its elements, NaN at kinks, or is absent."""

    loss: str
    regime: str
    call: GradientCall
    ours: Callable[[], Any] = field(repr=False)
    exact: Rows | None = field(repr=False)
    backends: Sequence[str] = BACKENDS
    # At kinks the model is torch, for what is the same there whatever the order of operations.
    compares_kinks: bool = False


def questions(quick: bool) -> Iterator[Question]:
    """All of them, always the same."""
    for variant in GRADIENT_VARIANTS[:: 5 if quick else 1]:
        if not known_to_keras(variant.case, variant.options):
            continue
        for shape in SHAPES[:1] if quick else SHAPES:
            for regime in variant.case.regimes:
                yield _of_function(variant, shape, regime)
            yield from _of_axes(variant, shape)
            yield from _of_classes(variant, shape)
            yield from _of_ignored_ids(variant, shape)
            yield from _of_alphas(variant, shape)
    for seed in SEEDS[:1] if quick else SEEDS:
        yield from _of_circle(seed)
        yield from _of_ctc(seed)


# --- losses of rows -------------------------------------------------------------------------------


def _question(
    variant: Variant,
    regime: str,
    call: GradientCall,
    ours: Callable[[], Any],
    exact: Rows | None,
    backends: Sequence[str] = BACKENDS,
) -> Question:
    function = variant.case.function
    shares = isinstance(variant.case, RowCase) and function != "categorical_hinge"
    alike = not shares and function not in CLIPPED_ELSEWHERE
    return Question(variant.case.name, regime, call, ours, exact, backends, alike)


def _scaled(variant: Variant, t: Any, p: Any, by: Any, class_weight: Any = 1.0) -> list[Row]:
    """The exact derivatives of a batch whose last axis is the row; 0 where the factor is."""
    nothing = Row(MP.mpf(0), MP.mpf(0), MP.mpf(0))
    slopes = slopes_of(variant, _signed(variant, t), p, "float64", class_weight)
    pairs = zip(slopes, np.ravel(by).tolist(), strict=True)
    return [
        s.gradient.times(mp_fraction(Fraction(f))) if f else nothing
        for row, f in pairs
        for s in row
    ]


def _signed(variant: Variant, t: Any) -> Any:
    binary = variant.case.converts_binary_labels and np.isin(t, (0, 1)).all()
    return 2 * t - 1 if binary else t


def _vjp(variant: Variant, call: GradientCall, more: Mapping[str, Any]) -> Callable[[], Any]:
    options = {**variant.case.arguments(variant.options), **more}
    return lambda: simdloss.vjp(
        variant.case.function, call.y_true, call.y_pred, call.cotangent, **options
    )


def _of_function(
    variant: Variant,
    shape: tuple[int, ...],
    regime: str,
    axis: int = -1,
    backends: Sequence[str] = BACKENDS,
    more: Mapping[str, Any] | None = None,
) -> Question:
    """The product with a random cotangent, along one axis."""
    case, more = variant.case, more or {}
    t, p = batch(variant, shape, "float64", regime, axis=axis)
    rows_t, rows_p = variant.rows_last(t, p, axis)
    cotangent = variant.rng(shape, regime, "cotangent").standard_normal(rows_p.shape[:-1])
    options = {**case.keras_arguments(variant.options), **more}
    call = GradientCall(case.function, t, p, options, cotangent)

    def exact() -> list[Row]:
        found = np.empty(rows_p.shape, dtype=object)
        found.ravel()[:] = _scaled(variant, rows_t, rows_p, cotangent)
        return list(np.moveaxis(found, -1, axis).ravel())

    return _question(variant, regime, call, _vjp(variant, call, more), exact, backends)


def _of_axes(variant: Variant, shape: tuple[int, ...]) -> Iterator[Question]:
    """Keras's axis, for the losses that have one, where it is right."""
    if "axis" not in inspect.signature(getattr(keras.losses, variant.case.function)).parameters:
        return
    for axis in range(len(shape) - 1):
        backends = [b for b in BACKENDS if is_right(variant, b, axis, len(shape))]
        if backends:
            yield _of_function(variant, shape, "core", axis, backends, {"axis": axis})


def _of_class(
    variant: Variant,
    regime: str,
    t: Any,
    p: Any,
    reduction: str,
    weights: Any,
    mask: Any,
    more: Mapping[str, Any] | None = None,
    own_mask: Any = None,
    exact_of: Variant | None = None,
    class_weight: Any = 1.0,
) -> Question:
    """The gradient of a reduced loss."""
    case = variant.case
    options = {**(more or {}), "reduction": reduction, "dtype": "float64"}
    call = GradientCall(
        case.class_name,
        t,
        p,
        {**case.keras_arguments(variant.options), **options},
        None,
        weights,
        mask,
    )
    loss: Any = variant.loss(**options)

    def exact() -> list[Row]:
        everywhere = own_mask if mask is None else mask
        by = factors(p.shape[:-1], weights, everywhere, reduction)
        if own_mask is not None:
            by = by * own_mask
        kept = np.where(own_mask, t, 0) if own_mask is not None else t
        return _scaled(exact_of or variant, kept, p, by, class_weight)

    return _question(
        variant, regime, call, lambda: loss.value_and_grad(t, p, weights, mask=mask)[1], exact
    )


def _of_classes(variant: Variant, shape: tuple[int, ...]) -> Iterator[Question]:
    """Every reduction, shape of weights and mask."""
    rng, regimes = variant.rng("weights", shape), itertools.cycle(variant.case.regimes)
    for reduction in REDUCTIONS:
        for weights, mask in weightings(shape[:-1], rng):
            regime = next(regimes)
            t, p = batch(variant, shape, "float64", regime, salt=1)
            yield _of_class(variant, regime, t, p, reduction, weights, mask)


def _of_ignored_ids(variant: Variant, shape: tuple[int, ...]) -> Iterator[Question]:
    """`ignore_class`, among the classes or not."""
    if variant.case.function != "sparse_categorical_crossentropy":
        return
    rng = variant.rng("ignored", shape)
    t, p = batch(variant, shape, "float64", "core", salt=2)
    for ignored in (-1, 0, 255):
        ids = np.where(rng.random(t.shape) < 0.4, ignored, t)
        for reduction, kind in itertools.product(REDUCTIONS, ("none", "full")):
            weights = weights_of(kind, t.shape, rng)
            yield _of_class(
                variant,
                "core",
                ids,
                p,
                reduction,
                weights,
                None,
                {"ignore_class": ignored},
                ids != ignored,
            )


def _of_alphas(variant: Variant, shape: tuple[int, ...]) -> Iterator[Question]:
    """`alpha` for each class, which is a weight of the class."""
    if variant.case.function != "categorical_focal_crossentropy":
        return
    t, p = batch(variant, shape, "float64", "core", salt=3)
    alpha = [0.125 * (i + 1) for i in range(shape[-1])]
    one = Variant(variant.case, {**variant.options, "alpha": 1.0})
    for reduction in REDUCTIONS:
        weights = weights_of("full", shape[:-1], variant.rng("alphas", shape))
        yield _of_class(
            variant,
            "core",
            t,
            p,
            reduction,
            weights,
            None,
            {"alpha": alpha},
            exact_of=one,
            class_weight=alpha,
        )


# --- circle and CTC -------------------------------------------------------------------------------


def _of_special(
    function: str,
    t: Any,
    p: Any,
    options: Mapping[str, Any],
    rng: np.random.Generator,
    backends: Sequence[str] = BACKENDS,
) -> Iterator[Question]:
    """The function with a cotangent, and the class with every reduction, weighted or not."""
    cotangent = rng.standard_normal(len(t))
    call = GradientCall(function, t, p, options, cotangent)
    yield Question(
        function,
        "core",
        call,
        lambda: simdloss.vjp(function, t, p, cotangent, **options),
        None,
        backends,
    )
    if "ref_labels" in options:
        return
    name = {"circle": "Circle", "ctc": "CTC"}[function]
    for reduction, kind in itertools.product(REDUCTIONS, ("none", "full")):
        weights = weights_of(kind, t.shape[:1], rng)
        more = {**options, "reduction": reduction, "dtype": "float64"}
        loss: Any = getattr(simdloss, name)(**more)

        def ours(loss: Any = loss, weights: Any = weights) -> Any:
            return loss.value_and_grad(t, p, weights)[1]

        call = GradientCall(name, t, p, more, None, weights)
        yield Question(function, "core", call, ours, None, backends)


def _of_circle(seed: int) -> Iterator[Question]:
    rng = np.random.default_rng([4, seed])
    n, d, m = (int(rng.integers(2, 9)) for _ in range(3))
    t, e = rng.integers(0, 3, n), embeddings_of(n, d, rng, "float64")
    for options in CIRCLE_OPTIONS:
        yield from _of_special("circle", t, e, options, rng)
    references = {
        "ref_labels": rng.integers(0, 3, m),
        "ref_embeddings": embeddings_of(m, d, rng, "float64"),
        "remove_diagonal": m == n,  # for which Keras wants a square
    }
    yield from _of_special("circle", t, e, {"gamma": 8.0, **references}, rng)


def _of_ctc(seed: int) -> Iterator[Question]:
    """Classes are few, so labels repeat; some rows are empty, and some have no alignment."""
    rng = np.random.default_rng([5, seed])
    for scale, n_steps in ((2.0, 6), (5.0, 9), (0.0, 4)):
        n, n_classes = int(rng.integers(1, 5)), int(rng.integers(2, 5))
        length = int(rng.integers(1, 6))
        t, z = sequences_of((n, n_steps, n_classes), length, rng, "float64", scale)
        t = np.minimum.accumulate(t != 0, axis=1) * t
        aligned = all(can_be_aligned(n_steps, used_labels(row)) for row in t)
        yield from _of_special("ctc", t, z, {}, rng, BACKENDS if aligned else ["torch"])
        call = GradientCall(TORCH_CTC, t, z, {}, rng.standard_normal(n))

        def ours(call: GradientCall = call) -> Any:
            return simdloss.vjp("ctc", call.y_true, call.y_pred, call.cotangent)

        yield Question(f"ctc beside {TORCH_CTC}", "core", call, ours, None, ["torch"])
