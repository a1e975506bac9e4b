# SPDX-License-Identifier: Apache-2.0
"""Calls that Keras and simdloss are both asked, with the exact answers."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

import simdloss
from spec import similarity
from spec.bound import Row
from spec.numbers import FLOAT64, Format
from spec.semantics import compute_format
from support.backends import BACKENDS, TORCH_CTC, Call
from support.comparison import WEIGHTS, batch, exact_rows, reduced_rows, weights_of
from support.dtypes import FLOATS
from support.keras_calls import keras, known_to_keras
from support.special_losses import (
    CIRCLE_OPTIONS,
    U,
    circle_error,
    ctc_error,
    embeddings_of,
    exact_ctc,
    sequences_of,
)
from support.variants import VARIANTS, Variant

DTYPES = ("float16", "bfloat16", "float32", "float64")
REDUCTIONS = ("none", "sum", "mean", "sum_over_batch_size", "mean_with_sample_weight")
SHAPES = ((5,), (3, 4), (2, 3, 4), (2, 2, 2, 3))
SEEDS = range(6)
TORCH_SEEDS = range(100)

Rows = Callable[[], list[Row]]


@dataclass(frozen=True)
class Question:
    """One call, what we answer, and what is right; `dtype` is that of the result."""

    loss: str
    regime: str
    call: Call
    ours: Callable[[], Any] = field(repr=False)
    exact: Rows = field(repr=False)
    compute: Format
    dtype: str
    backends: Sequence[str] = BACKENDS


@dataclass(frozen=True)
class Batch:
    """What a loss is called with; `shape` is that of its losses, `rows` are the exact ones."""

    loss: str  # its name in the catalogue
    function: str
    class_name: str
    regime: str
    dtype: str
    y_true: Any
    y_pred: Any
    shape: tuple[int, ...]
    rows: Rows
    compute: Format
    options: Mapping[str, Any]
    keras_options: Mapping[str, Any]
    mask: Callable[[], Any] = lambda: None  # that the loss sets itself

    def of_function(self, backends: Sequence[str] = BACKENDS, **more: Any) -> Question:
        function = getattr(simdloss, self.function)
        return Question(
            self.loss,
            self.regime,
            Call(self.function, self.y_true, self.y_pred, {**self.keras_options, **more}),
            lambda: function(self.y_true, self.y_pred, **{**self.options, **more}),
            self.rows,
            self.compute,
            self.dtype,
            backends,
        )

    def of_class(self, reduction: str, weights: Any = None, mask: Any = None) -> Question:
        cls, arrays = getattr(simdloss, self.class_name), (self.y_true, self.y_pred)
        more = {"reduction": reduction, "dtype": self.dtype}

        def exact() -> list[Row]:
            everywhere = self.mask() if mask is None else mask
            return reduced_rows(self.rows(), self.shape, weights, everywhere, reduction)

        return Question(
            self.loss,
            self.regime,
            Call(self.class_name, *arrays, {**self.keras_options, **more}, weights, mask),
            lambda: cls(**{**self.options, **more})(*arrays, weights, mask=mask),
            exact,
            self.compute,
            self.dtype,
        )

    def of_both(self, rng: np.random.Generator) -> Iterator[Question]:
        """The function, and the class with every reduction, weighted or not."""
        yield self.of_function()
        for reduction, kind in itertools.product(REDUCTIONS, ("none", "full")):
            yield self.of_class(reduction, weights_of(kind, self.shape, rng))


def questions(quick: bool) -> Iterator[Question]:
    """All of them, always the same."""
    dtypes, shapes = (DTYPES, SHAPES) if not quick else (("float32",), SHAPES[:2])
    variants = [v for v in VARIANTS if known_to_keras(v.case, v.options)]
    for variant, dtype, shape in itertools.product(variants, dtypes, shapes):
        # Without a batch class ids have no array, and Keras's cosine has the shape (1,) on NumPy.
        cosine = variant.case.function == "cosine_similarity"
        if len(shape) > 1 or not (cosine or variant.case.target == "class_id"):
            for regime in variant.case.regimes:
                yield _batch(variant, dtype, shape, regime).of_function()
            yield from _of_axes(variant, dtype, shape)
            yield from _of_weights(variant, dtype, shape)
            yield from _of_ignored_ids(variant, dtype, shape)
            yield from _of_alphas(variant, dtype, shape)
    for dtype, seed in itertools.product(dtypes, SEEDS[:1] if quick else SEEDS):
        yield from _of_circle(dtype, seed)
        yield from _of_ctc(dtype, seed)
    for dtype, seed in itertools.product(("float32", "float64"), TORCH_SEEDS):
        yield _of_torch(dtype, seed)


# --- losses of rows -------------------------------------------------------------------------------


@cache
def _batch(
    variant: Variant,
    dtype: str,
    shape: tuple[int, ...],
    regime: str,
    drawn: int = -1,
    axis: Any = -1,
) -> Batch:
    """A batch drawn for rows along one axis, if that matters, and used along another."""
    case = variant.case
    t, p = batch(variant, shape, dtype, regime, axis=drawn)
    setting = case.setting(variant.options, dtype)
    return Batch(
        case.name,
        case.function,
        case.class_name,
        regime,
        dtype,
        t,
        p,
        shape[:-1],
        cache(lambda: exact_rows(variant, *variant.rows_last(t, p, axis), setting)),
        compute_format(case.target, t.dtype.name, dtype, dtype),
        case.arguments(variant.options),
        case.keras_arguments(variant.options),
    )


def _of_axes(variant: Variant, dtype: str, shape: tuple[int, ...]) -> Iterator[Question]:
    """Keras's axis, for the losses that have one, where it is right."""
    case, n = variant.case, len(shape)
    if "axis" not in inspect.signature(getattr(keras.losses, case.function)).parameters:
        return
    regimes = itertools.cycle(case.regimes)
    several = [None, *itertools.combinations(range(n), 2)] if case.axes == "any" else []
    for axis in (*range(-n, n), *several):
        backends = [b for b in BACKENDS if is_right(variant, b, axis, n)]
        drawn = axis if case.axes == "one" else -1
        found = _batch(variant, dtype, shape, next(regimes), drawn, axis)
        if backends:
            yield found.of_function(backends, axis=axis)


def is_right(variant: Variant, backend: str, axis: Any, n: int) -> bool:
    """Whether Keras 3.15 takes this axis of n and means by it what it means elsewhere."""
    if variant.case.keras_axis or axis in (-1, n - 1):
        return True
    if variant.case.function == "cosine_similarity":
        return backend != "numpy" or (isinstance(axis, int) and axis != 0)
    if variant.case.target == "class_id":
        return backend == "torch"
    return not variant.options.get("label_smoothing")  # divided by the length of the last axis


def _of_weights(variant: Variant, dtype: str, shape: tuple[int, ...]) -> Iterator[Question]:
    """Every reduction, shape of weights and mask."""
    rng, regimes = variant.rng("weights", dtype, shape), itertools.cycle(variant.case.regimes)
    for reduction in REDUCTIONS:
        for weights, mask in weightings(shape[:-1], rng):
            yield _batch(variant, dtype, shape, next(regimes)).of_class(reduction, weights, mask)


def weightings(shape: tuple[int, ...], rng: np.random.Generator) -> list[tuple[Any, Any]]:
    """Weights and masks that Keras takes; not twice where two kinds have the same shape."""
    several = [weights_of(kind, shape, rng) for kind in WEIGHTS]
    weights = {w.shape: w for w in several if w is not None}
    mask = rng.random(shape) < 0.7
    unmasked = [(w, None) for w in (None, *weights.values())]
    return [*unmasked, (None, mask), (weights[shape], mask)]


def _of_ignored_ids(variant: Variant, dtype: str, shape: tuple[int, ...]) -> Iterator[Question]:
    """`ignore_class`, among the classes or not."""
    if variant.case.function != "sparse_categorical_crossentropy":
        return
    rng, regimes = variant.rng("ignored", dtype, shape), itertools.cycle(variant.case.regimes)
    for ignored in (-1, 0, 255):
        found = _batch(variant, dtype, shape, next(regimes))
        t = np.where(rng.random(found.shape) < 0.4, ignored, found.y_true)
        yield from _ignoring(found, t, ignored).of_both(rng)


def _ignoring(found: Batch, t: Any, ignored: int) -> Batch:
    def rows() -> list[Row]:
        pairs = zip(found.rows(), t.ravel() != ignored, strict=True)
        return [row if kept else Row(0.0, 0.0, 0.0) for row, kept in pairs]

    more = {"ignore_class": ignored}
    return replace(
        found,
        y_true=t,
        rows=rows,
        options={**found.options, **more},
        keras_options={**found.keras_options, **more},
        mask=lambda: t != ignored,
    )


def _of_alphas(variant: Variant, dtype: str, shape: tuple[int, ...]) -> Iterator[Question]:
    """`alpha` for each class, which is a weight of the class."""
    case = variant.case
    if case.function != "categorical_focal_crossentropy":
        return
    rng, regimes = variant.rng("alphas", dtype, shape), itertools.cycle(case.regimes)
    alphas = {"alpha": [0.125 * (i + 1) for i in range(shape[-1])]}
    setting = case.setting({**variant.options, "alpha": 1.0}, dtype, class_weight=alphas["alpha"])
    found = _batch(variant, dtype, shape, next(regimes))
    yield from replace(
        found,
        rows=cache(lambda: exact_rows(variant, found.y_true, found.y_pred, setting)),
        options={**found.options, **alphas},
        keras_options={**found.keras_options, **alphas},
    ).of_both(rng)


# --- circle and CTC -------------------------------------------------------------------------------


def _special(
    loss: str, regime: str, t: Any, p: Any, options: Mapping[str, Any], rows: Rows
) -> Batch:
    """They compute in float64; means of circle are those of the queries with a positive loss."""
    return Batch(
        loss,
        loss,
        {"circle": "Circle", "ctc": "CTC"}[loss],
        regime,
        p.dtype.name,
        t,
        p,
        t.shape[:1],
        rows,
        FLOAT64,
        options,
        options,
        lambda: np.array([row.value > 0 for row in rows()]) if loss == "circle" else None,
    )


def _bounded(values: list[Any], error: Callable[[Any], float]) -> list[Row]:
    return [Row(v, error(v) / U if math.isfinite(v) else 0.0, 0.0) for v in values]


def _of_circle(dtype: str, seed: int) -> Iterator[Question]:
    rng = np.random.default_rng([1, seed])
    n, d, m = (int(rng.integers(2, 9)) for _ in range(3))
    t, e = rng.integers(0, 3, n), embeddings_of(n, d, rng, FLOATS[dtype])
    for options in CIRCLE_OPTIONS:
        yield from _circle(t, e, options).of_both(rng)
    references = {
        "ref_labels": rng.integers(0, 3, m),
        "ref_embeddings": embeddings_of(m, d, rng, FLOATS[dtype]),
        "remove_diagonal": m == n,  # for which Keras wants a square
    }
    yield _circle(t, e, {"gamma": 8.0, **references}).of_function()


def _circle(t: Any, e: Any, options: Mapping[str, Any]) -> Batch:
    error = circle_error(options.get("gamma", 80.0))
    rows = cache(lambda: _bounded(similarity.circle(t, e, **options), error))
    return _special("circle", "core", t, e, options, rows)


def _of_ctc(dtype: str, seed: int) -> Iterator[Question]:
    """Classes are few, so labels repeat; some rows are empty, and some have no alignment."""
    rng = np.random.default_rng([2, seed])
    for scale, n_steps in ((2.0, 6), (20.0, 9), (0.0, 4)):
        n, n_classes = int(rng.integers(1, 5)), int(rng.integers(2, 5))
        length = int(rng.integers(1, 6))
        t, z = sequences_of((n, n_steps, n_classes), length, rng, FLOATS[dtype], scale)
        yield from _ctc(t, z).of_both(rng)


def _ctc(t: Any, z: Any) -> Batch:
    rows = cache(lambda: _bounded(exact_ctc(t, z), ctc_error(z)))
    return _special("ctc", "any", t, z, {}, rows)


def _of_torch(dtype: str, seed: int) -> Question:
    """PyTorch's own function, of rows whose labels end with the first 0."""
    rng = np.random.default_rng([3, seed])
    shape = (int(rng.integers(1, 6)), int(rng.integers(1, 13)), int(rng.integers(2, 6)))
    scale = float(rng.choice([0.0, 1.0, 5.0, 50.0]))
    t, z = sequences_of(shape, int(rng.integers(1, 7)), rng, dtype, scale)
    t = np.minimum.accumulate(t != 0, axis=1) * t
    question = _ctc(t, z).of_function(["torch"])
    return replace(question, loss=f"ctc beside {TORCH_CTC}", call=Call(TORCH_CTC, t, z, {}))
