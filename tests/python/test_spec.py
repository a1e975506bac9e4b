# SPDX-License-Identifier: Apache-2.0
"""The references are tested too: against Keras where Keras is right, and against known values."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from spec.arithmetic import MP, VECTORIZED, to_fraction
from spec.case import Cells
from spec.numbers import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, FORMATS
from spec.semantics import Reduced, adjust_ranks, signed
from support.accuracy import make_pool
from support.autograd import GradientCall, gradients
from support.gradients import GRADIENT_VARIANTS, slopes_of
from support.keras_calls import (
    call_keras_function,
    known_to_keras,
    reduce_with_keras,
    squeeze_or_expand_to_same_rank,
)
from support.variants import BY_NAME, Variant, both_widths, every_reduction, every_variant


@every_variant
def test_definition_agrees_with_keras_on_everyday_values(variant: Variant) -> None:
    case, (t, p) = variant.case, variant.draw((20, 6))
    p /= 2  # softmax of the logits is within Keras's clip bounds then
    setting = case.setting(variant.options, "float32")
    name, labels = case.function, t
    if not known_to_keras(case, variant.options):
        name, labels = name.removeprefix("sparse_"), np.eye(6, dtype=np.float32)[t]
    theirs = call_keras_function(name, labels, p, **case.keras_arguments(variant.options))
    rel = 0.2 if variant.options.get("q") == 1e-6 else 2e-5  # (1 - p^q) / q cancels
    for y_true, y_pred, loss in zip(t, p, theirs, strict=True):
        defined = float(case.exact(y_true, y_pred, setting).value)
        assert defined == pytest.approx(float(loss), rel=rel, abs=rel / 10)


@every_variant
def test_order_and_repetition_of_elements(variant: Variant) -> None:
    """Rows of the same elements have the same loss; so a row can be told by counts."""
    case = variant.case
    setting = case.setting(variant.options, "float32")
    for regime in case.regimes:
        t, p = (a[0] for a in variant.draw_rows((1, 5), regime=regime))
        counts = np.array([1, 0, 2, 3, 1])
        for order in ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1]):
            t, p, counts = t[order], p[order], counts[order]
            found = Cells(case, t, p, setting).row(counts)
            repeated = Cells(case, np.repeat(t, counts), np.repeat(p, counts), setting).row()
            for x, y in zip(vars(found).values(), vars(repeated).values(), strict=True):
                assert float(x) == pytest.approx(float(y), rel=1e-14)


@both_widths
@every_variant
def test_vectorized_definitions_agree_with_the_exact_ones(variant: Variant, dtype: str) -> None:
    """They choose the inputs of the accuracy report."""
    case, m = variant.case, VECTORIZED
    for regime in case.regimes:
        t, p = variant.draw_rows((30, 4), dtype, regime)
        with np.errstate(all="ignore"):
            setting = case.setting(variant.options, dtype, m=m)
            parts = case.parts(m, m.real(t), m.real(p), setting)
            value, bound, _ = (x[..., 0] for x in case.finish(m, parts, setting))
        exact = make_pool(variant, dtype, regime, t, p).groups
        for x, k, cells in zip(value, bound, exact, strict=True):
            row, near, terms = cells.row(), MP.mpf(str(x)), MP.mpf(str(k))
            if MP.isinf(row.value):
                assert near == row.value
                continue
            tiny = MP.mpf("1e-1000")
            assert abs(near - row.value) <= 1e-15 * (abs(row.value) + row.bound) + tiny, regime
            assert abs(terms - row.bound) <= 1e-6 * row.bound + tiny, regime


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((3,), (3, 1)),
        ((3, 1), (3,)),
        ((2, 3), (2, 3, 1)),
        ((2, 3, 1), (2, 3)),
        ((), (1,)),
        ((1,), ()),
        ((3, 2), (3,)),
        ((3,), (3,)),
        ((2, 1, 1), (2,)),
        ((2, 3, 4), (2, 3)),
    ],
    ids=str,
)
def test_rank_adjustment_is_that_of_keras(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    ours = adjust_ranks(np.zeros(x), np.zeros(y))
    theirs = squeeze_or_expand_to_same_rank(np.zeros(x), np.zeros(y))
    assert [a.shape for a in ours] == [a.shape for a in theirs]


SHAPES: list[tuple[tuple[int, ...], tuple[int, ...] | None, tuple[int, ...] | None]] = [
    # losses, weights, mask
    ((4,), None, None),
    ((4,), (), None),
    ((4,), (4,), None),
    ((4,), (4, 1), None),
    ((4,), (1,), None),
    ((4,), None, (4,)),
    ((4,), (4,), (4,)),
    ((4,), (4,), (4, 1)),
    ((4, 3), (4, 1), None),
    ((4, 3), (3,), None),
    ((4, 3), (4, 3), (4, 1)),
    ((4, 3), (4, 3), (4, 3)),
    ((4, 3), None, (4, 1)),
    ((4, 1), (4,), None),
    ((), (), None),
    ((), (1,), None),
    ((0,), None, None),
    ((0, 2), None, None),
    ((0, 2), (0, 2), (0, 2)),
]


@every_reduction
@pytest.mark.parametrize(("losses", "weights", "mask"), SHAPES, ids=str)
def test_reductions_agree_with_keras(
    losses: tuple[int, ...],
    weights: tuple[int, ...] | None,
    mask: tuple[int, ...] | None,
    reduction: str,
) -> None:
    rng = np.random.default_rng(7)
    values = rng.random(losses)
    w = None if weights is None else rng.integers(0, 4, weights).astype(float)
    m = None if mask is None else rng.random(mask) < 0.7
    ours = Reduced(values, w, m, reduction).rounded(FLOAT64)
    theirs = reduce_with_keras(values, w, m, reduction)
    assert ours.shape == np.shape(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_skipped_entries_are_not_multiplied() -> None:
    losses = np.array([math.nan, 2.0, math.inf])
    assert Reduced(losses, [0, 1, 0]).exact().item() == Fraction(2, 3)
    assert Reduced(losses, mask=[False, True, False]).exact().item() == 2


def test_weights_may_not_enlarge_the_loss() -> None:
    with pytest.raises(ValueError, match="enlarge"):
        Reduced(np.ones(2), np.ones((3, 2)))


@pytest.mark.parametrize("fmt", [FLOAT16, BFLOAT16, FLOAT32, FLOAT64], ids=lambda f: f.name)
def test_rounding(fmt: Any) -> None:
    largest, tiny = fmt.largest, fmt.ulp(Fraction(0))
    assert fmt.round(largest) == float(largest)
    half = fmt.ulp(largest) / 2
    assert math.isinf(fmt.round(largest + half))
    assert fmt.round(largest + half - tiny * half) == float(largest)
    assert fmt.round(tiny / 2) == 0.0
    assert fmt.round(tiny * Fraction(3, 2)) == float(2 * tiny)
    assert fmt.round(1 + fmt.unit) == 1.0
    assert fmt.round(1 + 3 * fmt.unit) == float(1 + 4 * fmt.unit)
    assert fmt.round(-1 - 3 * fmt.unit) == -float(1 + 4 * fmt.unit)


@pytest.mark.parametrize(
    ("fmt", "dtype"), [(FLOAT16, np.float16), (FLOAT32, np.float32)], ids=lambda f: str(f)
)
def test_rounding_agrees_with_numpy(fmt: Any, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal(500) * np.exp2(rng.uniform(-30, 20, 500))
    with np.errstate(over="ignore"):
        expected = x.astype(dtype).astype(np.float64)
    np.testing.assert_array_equal([fmt.round(Fraction(v)) for v in x.tolist()], expected)


@every_variant
def test_derivatives_agree_with_differences(variant: Variant) -> None:
    """The derivatives come of rules; differences of values over a tiny step know none of them."""
    case, step = variant.case, MP.ldexp(MP.mpf(1), -40)
    setting = case.setting(variant.options, "float64")
    for t, p in zip(*variant.draw_rows((3, 4), "float64"), strict=True):
        cells = Cells(case, t, p, setting)

        def moved(i: int, by: int, cells: Cells = cells) -> Any:
            """The loss with one element moved by a number of steps."""
            return cells.moved(i, by * step).row().value

        for i in range(4):
            found = cells.slopes(i)
            f = {k: moved(i, k) for k in (-2, -1, 0, 1, 2)}
            first = (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * step)
            second = (16 * (f[1] + f[-1]) - (f[2] + f[-2]) - 30 * f[0]) / (12 * step * step)
            assert abs(found.gradient.value - first) <= 1e-25 * (1 + abs(first))
            assert (found.hessian is None) == (case.hessian is None)
            if found.hessian is not None:
                assert abs(found.hessian.value - second) <= 1e-25 * (1 + abs(second))


def test_derivatives_agree_with_jax_on_everyday_values() -> None:
    """Keras's own, by jax.grad in float64, in one process for all of them."""
    known = [v for v in GRADIENT_VARIANTS if known_to_keras(v.case, v.options)]
    calls, exact = [], []
    for variant in known:
        case, (t, p) = variant.case, variant.draw((4, 5), "float64")
        p /= 2  # softmax of the logits is within Keras's clip bounds then
        cotangent = variant.rng().standard_normal(4)
        options = case.keras_arguments(variant.options)
        calls.append(GradientCall(case.function, t, p, options, cotangent))
        labels = signed(t) if case.converts_binary_labels else t
        exact.append(slopes_of(variant, labels, p, "float64"))
    assert len(calls) > 40
    for variant, call, rows, answer in zip(
        known, calls, exact, gradients("jax", calls), strict=True
    ):
        assert not answer.error
        rel = 1e-8 if variant.options.get("q") == 1e-6 else 1e-12
        for c, row, theirs in zip(call.cotangent, rows, answer.value, strict=True):
            for slopes, derivative in zip(row, theirs.tolist(), strict=True):
                terms = float(slopes.gradient.bound) * abs(c)
                assert abs(float(slopes.gradient.value) * c - derivative) <= rel * terms, variant


@both_widths
@every_variant
def test_error_bounds_of_derivatives_are_sums_of_terms(variant: Variant, dtype: str) -> None:
    """A is no less than the derivative; so a result that is rounded once keeps the bound."""
    fmt, n_compared = FORMATS[dtype], 0
    for regime in variant.case.regimes:
        t, p = variant.draw_rows((6, 5), dtype, regime)
        for cells in make_pool(variant, dtype, regime, t, p).groups:
            found = cells.slopes(2, unit=float(fmt.unit))
            for row in (found.gradient, found.hessian):
                if row is None or not MP.isfinite(row.value):
                    continue
                n_compared += 1
                assert row.bound >= 4 * abs(row.value) * (1 - MP.mpf("1e-40"))
                rounded = fmt.round(to_fraction(row.value))
                assert row.error(rounded, fmt, fmt) <= 1
    assert n_compared > len(variant.case.regimes)


def test_derivatives_at_kinks_are_left_out() -> None:
    case = BY_NAME["mean_absolute_error"].case
    cells = Cells(
        case, np.array([0.5, 0.5, 0.5]), np.array([0.5, 0.4, 0.6]), case.setting({}, "float32")
    )
    found = [float(cells.slopes(i).gradient.value) for i in range(3)]
    np.testing.assert_array_equal(found, [math.nan, -1 / 3, 1 / 3])


def test_derivatives_of_equal_elements() -> None:
    """The largest of equal logits is not one of them, so there is no kink."""
    case = BY_NAME["categorical_crossentropy_from_logits"].case
    cells = Cells(case, np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(4), case.setting({}, "float32"))
    found = [float(cells.slopes(i).gradient.value) for i in range(4)]
    assert found == [-0.75, 0.25, 0.25, 0.25]
    repeated = Cells(case, np.array([1.0, 0.0]), np.zeros(2), case.setting({}, "float32"))
    counts = np.array([1, 3])
    assert [float(repeated.slopes(i, counts).gradient.value) for i in range(2)] == found[:2]
