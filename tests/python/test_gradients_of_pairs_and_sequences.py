# SPDX-License-Identifier: Apache-2.0
"""Gradients of circle and CTC, which are no functions of one row, beside differences of exact
losses over a tiny step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import simdloss
from spec import sequence, similarity
from spec.arithmetic import MP
from support.bits import assert_same_bits
from support.special_losses import CIRCLE_OPTIONS, embeddings_of, sequences_of
from support.variants import IDENTICAL_ISAS, both_widths

STEP = MP.ldexp(MP.mpf(1), -60)
U = {"float32": 2.0**-24, "float64": 2.0**-53}


def differences(total: Callable[[Any], Any], p: Any) -> Any:
    """The gradient of a number that depends on an array, to about 35 digits."""
    exact = np.empty(p.shape, dtype=object)
    exact.ravel()[:] = [MP.mpf(float(x)) for x in p.ravel()]
    found = np.empty(p.shape)
    for i in np.ndindex(p.shape):
        around = []
        for by in (-1, 1):
            moved = exact.copy()
            moved[i] += by * STEP
            around.append(total(moved))
        found[i] = float((around[1] - around[0]) / (2 * STEP))
    return found


def of_circle(t: Any, e: Any, cotangent: Any, options: dict[str, Any]) -> Any:
    def total(embeddings: Any) -> Any:
        losses = similarity.circle(t, embeddings, **options)
        return MP.fdot(losses, map(float, cotangent))

    return differences(total, e)


@pytest.mark.parametrize("options", CIRCLE_OPTIONS, ids=str)
@both_widths
def test_circle(dtype: str, options: dict[str, Any]) -> None:
    """Every row is a query and a reference of the others."""
    for seed in range(4):
        rng = np.random.default_rng([6, seed])
        n, d = int(rng.integers(2, 7)), int(rng.integers(2, 5))
        t, e = rng.integers(0, 3, n), 0.9 * embeddings_of(n, d, rng, "float64")
        e, cotangent = e.astype(dtype), rng.standard_normal(n)
        grad = simdloss.vjp("circle", t, e, cotangent, **options)
        assert (grad.shape, grad.dtype) == (e.shape, e.dtype)
        expected = of_circle(t, e, cotangent, options)
        gamma = abs(options.get("gamma", 80.0))
        size = n * gamma * (1 + gamma * 2.0**-40) * float(np.abs(cotangent).max())
        np.testing.assert_allclose(grad, expected, rtol=0, atol=16 * U[dtype] * size + 1e-300)


@both_widths
def test_circle_with_references(dtype: str) -> None:
    """They are constants, so that a row is a query only."""
    rng = np.random.default_rng(7)
    t, e = rng.integers(0, 2, 4), (0.9 * embeddings_of(4, 3, rng, "float64")).astype(dtype)
    options = {
        "ref_labels": rng.integers(0, 2, 5),
        "ref_embeddings": embeddings_of(5, 3, rng, dtype),
        "remove_diagonal": False,
        "gamma": 8.0,
    }
    cotangent = np.array([1.0, -2.0, 0.5, 0.0])
    grad = simdloss.vjp("circle", t, e, cotangent, **options)
    expected = of_circle(t, e, cotangent, options)
    np.testing.assert_allclose(grad, expected, rtol=0, atol=1000 * U[dtype])
    assert not grad[3].any()


def test_circle_of_rows_without_pairs() -> None:
    rng = np.random.default_rng(8)
    e = embeddings_of(3, 2, rng)
    assert not simdloss.vjp("circle", [0, 1, 2], e, 1.0).any()
    assert not simdloss.vjp("circle", [1, 1, 1], e, 1.0).any()


@both_widths
@pytest.mark.parametrize("scale", [0.0, 2.0, 20.0])
def test_ctc(dtype: str, scale: float) -> None:
    n_feasible = 0
    for seed in range(4):
        rng = np.random.default_rng([9, seed])
        t, z = sequences_of((2, 5, 3), int(rng.integers(1, 5)), rng, dtype, scale)
        cotangent = rng.standard_normal(2)
        grad = simdloss.vjp("ctc", t, z, cotangent)
        assert (grad.shape, grad.dtype) == (z.shape, z.dtype)
        for labels, logits, c, found in zip(t, z, cotangent, grad, strict=True):
            if not sequence.can_be_aligned(len(logits), sequence.used_labels(labels)):
                assert_same_bits(found, np.zeros_like(logits))
                continue
            n_feasible += 1

            def total(moved: Any, labels: Any = labels) -> Any:
                return sequence.ctc(moved, labels)

            expected = c * differences(total, logits)
            np.testing.assert_allclose(found, expected, rtol=0, atol=8 * U[dtype] * abs(c))
            assert abs(found.astype(np.float64).sum(axis=1)).max() <= 16 * U[dtype] * abs(c)
    assert n_feasible


def test_ctc_rows_that_are_skipped() -> None:
    rng = np.random.default_rng(10)
    t, z = sequences_of((3, 6, 3), 2, rng)
    loss: Any = simdloss.CTC(reduction="sum")
    clean = loss.value_and_grad(t, z, [1.0, 0.0, 2.0])[1]
    z[1] = np.nan
    grad = loss.value_and_grad(t, z, [1.0, 0.0, 2.0])[1]
    assert_same_bits(grad, clean)
    assert not grad[1].any()


@pytest.mark.parametrize("name", ["Circle", "CTC"])
def test_no_second_derivatives(name: str) -> None:
    rng = np.random.default_rng(11)
    t, z = sequences_of((2, 3, 3), 1, rng)
    if name == "Circle":
        t, z = t[:, 0], z[:, 0]
    loss: Any = getattr(simdloss, name)()
    with pytest.raises(NotImplementedError):
        loss.value_grad_hess(t, z)


@pytest.mark.parametrize("name", ["Circle", "CTC"])
def test_bits_on_instruction_sets_and_threads(name: str) -> None:
    rng = np.random.default_rng(12)
    t, z = sequences_of((300, 20, 8), 5, rng)
    if name == "Circle":
        t, z = rng.integers(0, 9, 700), embeddings_of(700, 33, rng)
    loss: Any = getattr(simdloss, name)()
    with simdloss.using_isa("scalar"), simdloss.using_num_threads(1):
        expected = loss.value_and_grad(t, z)
    for isa in IDENTICAL_ISAS:
        for n in (1, 2, 3):
            with simdloss.using_isa(isa), simdloss.using_num_threads(n):
                assert simdloss.active_isa() == isa
                value, grad = loss.value_and_grad(t, z)
                assert simdloss.last_num_threads() == n
                assert_same_bits(value, loss(t, z), (isa, n))
                assert_same_bits(value, expected[0], (isa, n))
                assert_same_bits(grad, expected[1], (isa, n))
