# SPDX-License-Identifier: Apache-2.0
"""Every loss is within its bound |error| <= k u A + ulp / 2 of the exact value.

The sweep with more inputs and rows of 10^6 elements is `python -m tests.report accuracy`.
"""

from __future__ import annotations

from operator import attrgetter

import numpy as np
import pytest

import simdloss
from support.accuracy import choose, make_pool, measure, pool
from support.variants import BY_NAME, ISAS, Variant, both_widths, every_variant

by_error = attrgetter("error")
PAIRS = 60
ROWS = {1: PAIRS, 10: 8, 1000: 3}

# All but `baseline` have the same bits, which test_isas checks; so two are all that there are.
distinct_isas = pytest.mark.parametrize("isa", [i for i in ISAS if i in (ISAS[0], "baseline")])


@distinct_isas
@pytest.mark.parametrize("n_cols", ROWS)
@both_widths
@every_variant
def test_error_is_within_the_bound(variant: Variant, dtype: str, n_cols: int, isa: str) -> None:
    with simdloss.using_isa(isa):
        assert simdloss.active_isa() == isa
        for regime in variant.case.regimes:
            source = pool(variant, dtype, regime, PAIRS, n_cols)
            worst = max(measure(source, choose(source, ROWS[n_cols], n_cols)), key=by_error)
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
