# SPDX-License-Identifier: Apache-2.0
"""Every loss is within its bound |error| <= k u A + ulp / 2 of the exact value.

The sweep with more inputs and rows of 10^6 elements is `python -m tests.report accuracy`.
"""

from __future__ import annotations

from operator import attrgetter

import numpy as np
import pytest

from support.accuracy import choose, make_pool, measure, pool
from support.variants import BY_NAME, ISAS, Variant, both_widths, every_variant

by_error = attrgetter("error")
PAIRS = 60
ROWS = {1: PAIRS, 10: 8, 1000: 3}

# All but `baseline` have the same bits, which test_isas checks; so two are all that there are.
DISTINCT_ISAS = [i for i in ISAS if i in (ISAS[0], "baseline")]


@pytest.mark.parametrize("n_cols", ROWS)
@both_widths
@every_variant
def test_error_is_within_the_bound(variant: Variant, dtype: str, n_cols: int) -> None:
    for regime in variant.case.regimes:
        source = pool(variant, dtype, regime, PAIRS, n_cols)
        rows = choose(source, ROWS[n_cols], n_cols)
        worst = max(measure(source, rows, DISTINCT_ISAS), key=by_error)
        assert worst.error <= 1, str(worst)


@both_widths
@every_variant
def test_rounding_errors_of_a_lane_may_not_pile_up(variant: Variant, dtype: str) -> None:
    """Elements a lane apart are added up in the computation type: the worst ones, one after
    another in every lane."""
    lanes = 32 if dtype == "float32" else 16
    source, among = pool(variant, dtype, "core", PAIRS, 8), None
    if variant.case.row_finish != "whole":
        singles = sorted(measure(source, choose(source, 0, 1)), key=by_error)
        among = np.array([m.chosen[0] for m in singles[-12:]])
    rows = choose(source, 20, 8 * lanes, lanes=lanes, among=among)
    worst = max(measure(source, rows), key=by_error)
    assert worst.error <= 1, str(worst)


@both_widths
def test_poisson_at_predictions_near_one_with_large_labels(dtype: str) -> None:
    """ln(p + epsilon) is small there, and its absolute error counts label times."""
    p = (1 - np.linspace(-3e-7, 3e-7, 41)).astype(dtype)
    labels = np.full_like(p, 1e6)
    source = make_pool(BY_NAME["poisson"], dtype, "near one", labels[None], p[None])
    worst = max(measure(source, choose(source, 0, 1)), key=by_error)
    assert worst.error <= 1, str(worst)


def test_binary_crossentropy_where_both_logarithms_err_most() -> None:
    """ln(1 - p) is -ln 2 + 0.4 there, and its error, that of the product and of the lane add up."""
    t = np.array([[0.000117748132, 4.97685733e-06, 0.00133839168]], np.float32)
    p = np.array([[0.259457201, 0.257593572, 0.257448703]], np.float32)
    source = make_pool(BY_NAME["binary_crossentropy"], "float32", "soft labels", t, p)
    rows = [[1] * 32 + [0] * 32, [0] * 29 + [1] * 3 + [0] * 29 + [2] * 3]
    worst = max(measure(source, np.array(rows)), key=by_error)
    assert worst.error <= 1, str(worst)


@pytest.mark.parametrize(
    ("gamma", "logit"), [(64.0, -1.24918127), (100.0, -1.09421968), (600.0, -2.54483771)]
)
def test_binary_focal_of_large_gammas(gamma: float, logit: float) -> None:
    """The relative error of e^-|p| counts gamma e / (1 + e) times, the bound gamma ln(1 + e)."""
    case = BY_NAME["binary_focal_crossentropy_from_logits"].case
    t, z = np.ones((1, 1), np.float32), np.array([[logit]], np.float32)
    source = make_pool(Variant(case, {"gamma": gamma}), "float32", "wrong", t, z)
    worst = max(measure(source, np.zeros((1, 1), int)), key=by_error)
    assert worst.error <= 1, str(worst)
