# SPDX-License-Identifier: Apache-2.0
"""Every derivative is within its bound |error| <= k u A + ulp / 2 of the exact one.

A is the sum of the absolute terms of the derivative, see tests/spec. The sweep with more inputs is
`python -m tests.report gradients`.
"""

from __future__ import annotations

from operator import attrgetter

import numpy as np
import pytest

from simdloss import losses
from support.accuracy import choose, make_pool, pool
from support.gradients import GRADIENT_VARIANTS, Which, has_hessian, measure
from support.variants import BY_NAME, ISAS, Variant, both_widths

by_error = attrgetter("error")
PAIRS = 60
ROWS = {1: PAIRS, 10: 4, 1000: 2}

# All but `baseline` have the same bits, which test_gradient_bits checks.
DISTINCT_ISAS = [i for i in ISAS if i in (ISAS[0], "baseline")]
lengths = pytest.mark.parametrize("n_cols", ROWS)
SOFTMAX = ["categorical_crossentropy_from_logits", "sparse_categorical_crossentropy_from_logits"]


def assert_within_bounds(variant: Variant, dtype: str, n_cols: int, which: Which) -> None:
    n_compared = 0
    # A single class is certain, which is a kink of some powers.
    one_class = variant.case.axes == "one" and n_cols == 1
    for regime in variant.case.regimes:
        source = pool(variant, dtype, regime, PAIRS, n_cols)
        rows = choose(source, ROWS[n_cols], n_cols)
        found = list(measure(source, rows, which, isas=DISTINCT_ISAS))
        worst = max(found, key=by_error, default=None)
        assert worst is None or worst.error <= 1, str(worst)
        n_compared += len(found)
        if regime == "core" and not one_class:
            assert {m.isa for m in found} == {*DISTINCT_ISAS}, "everyday values are at kinks"
    least = len(variant.case.regimes) * ROWS[n_cols] / 4 * len(DISTINCT_ISAS)
    assert one_class or n_compared > least


@lengths
@both_widths
@pytest.mark.parametrize("variant", GRADIENT_VARIANTS, ids=str)
def test_gradient_is_within_the_bound(variant: Variant, dtype: str, n_cols: int) -> None:
    assert_within_bounds(variant, dtype, n_cols, "gradient")


@lengths
@both_widths
@pytest.mark.parametrize("variant", GRADIENT_VARIANTS, ids=str)
def test_hessian_is_within_the_bound(variant: Variant, dtype: str, n_cols: int) -> None:
    if not has_hessian(variant):
        pytest.skip("no second derivatives are offered: test_which_losses_have_a_hessian")
    assert_within_bounds(variant, dtype, n_cols, "hessian")


@both_widths
@pytest.mark.parametrize("n_cols", [2, 10, 40, 1000])
def test_focal_loss_of_a_class_that_leads(dtype: str, n_cols: int) -> None:
    """Nothing of the sum over all classes may be left beside its gradient, which is far smaller."""
    focal = losses.CategoricalFocalCrossentropy(from_logits=True, reduction="sum", dtype=dtype)
    for lead in (1.0, 7.0, 20.0, 30.0):
        others = (n_cols - 1) * np.exp(np.longdouble(-lead))
        share, miss, loss = 1 / (1 + others), others / (1 + others), np.log1p(others)
        expected = 0.25 * miss * miss * (miss + 2 * share * loss)
        t, z = np.zeros((1, n_cols), dtype), np.zeros((1, n_cols), dtype)
        t[0, -1], z[0, -1] = 1, lead
        gradient = focal.value_and_grad(t, z)[1][0]
        # k u + ulp / 2 of the element itself, k = 4 + gamma |ln(1 - q)|
        rtol = (2.5 + abs(np.log(miss))) * np.finfo(dtype).eps
        np.testing.assert_allclose(gradient[-1], -expected, rtol=rtol)
        np.testing.assert_allclose(gradient[:-1], expected / (n_cols - 1), rtol=rtol)


@both_widths
@pytest.mark.parametrize("name", SOFTMAX)
def test_shares_next_to_the_smallest_normal_number(name: str, dtype: str) -> None:
    """Whatever e^max is on its own: a share is lost only below that number."""
    smallest = np.log(np.finfo(dtype).smallest_normal)
    for lead in np.linspace(-0.35, 0.35, 15):
        z = np.array([[lead, lead + smallest + 0.1]], dtype)
        source = make_pool(BY_NAME[name], dtype, f"a lead of {lead}", np.array([[1, 0]], dtype), z)
        worst = max(measure(source, np.arange(2)[None]), key=by_error)
        assert worst.error <= 1, str(worst)


@both_widths
@pytest.mark.parametrize("name", SOFTMAX)
def test_softmax_of_a_class_that_leads(name: str, dtype: str) -> None:
    """p - 1 is what is left of the others, and each of them is small."""
    t = np.zeros((1, 5), dtype)
    t[0, 1] = 1
    for gap, shift in ((1, 0), (17, 0), (40, 0), (80, 0), (87.4, 87.4)):
        # e^-87.3 is just above the smallest normal float
        z = np.array([[0.1, gap, 0.3, -0.7, 0.25]], dtype) - np.array(shift, dtype)
        source = make_pool(BY_NAME[name], dtype, f"a lead of {gap}", t, z)
        worst = max(measure(source, np.arange(5)[None]), key=by_error)
        assert worst.error <= 1, str(worst)


def test_focal_gradient_of_classes_that_are_all_but_tied() -> None:
    """The sum over the classes, nine tenths of the derivative, comes with all of the error."""
    case = BY_NAME["categorical_focal_crossentropy_from_logits"].case
    variant = Variant(case, {"gamma": 0.5, "label_smoothing": 0.125})
    last_digits = [6, 9, 9, 6, 7, 4, 7, 4, 5, 5]
    z = np.array([[float(f"640.147433239044{digit}") for digit in last_digits]])
    t = np.zeros_like(z)
    t[0, -1] = 1
    source = make_pool(variant, "float64", "all but tied", t, z)
    worst = max(measure(source, np.arange(10)[None]), key=by_error)
    assert worst.error <= 1, str(worst)


def test_focal_gradient_of_a_share_beside_a_small_one() -> None:
    """What all classes have in common is almost the whole derivative of the first."""
    t = np.array([[1.0, 0.999894573679593]])
    p = np.array([[0.4121302649514896, 8.243674653599204e-06]])
    source = make_pool(BY_NAME["categorical_focal_crossentropy"], "float64", "a small share", t, p)
    worst = max(measure(source, np.arange(2)[None]), key=by_error)
    assert worst.error <= 1, str(worst)


@pytest.mark.parametrize(
    ("gamma", "label_smoothing", "t", "p"),
    [
        (0.5, 0.0, [0.002, 0.998], [0.5161628613544474, 0.0017936313433019608]),
        (2.0, 0.0, [0.008, 0.992], [4.1668192535432367e-07, 0.5419167420622679]),
        (2.0, 0.125, [0.512, 0.488], [1.0349908177731656e-06, 0.5519875728477821]),
        (5.0, 0.125, [0.756, 0.244], [0.3952908229138579, 0.00024075056684438339]),
        (0.5, 0.0, [0.483, 0.517], [10.230679655469919, -6.963737237252596]),
        (1.0, 0.125, [0.912, 0.088], [12.942606014243994, -5.907885667394038]),
        (2.0, 0.125, [0.491, 0.509], [4.168629295051718, -5.221225438857626]),
        (
            1.0,
            0.0,
            [0, 0.676, 0.323],
            [-11.663298093397833, -12.748452832202377, 7.648434243950987],
        ),
        (5.0, 0.0, [0, 0.436, 0.563], [0.07280159799869182, -5.69687358276449, 7.624119427045842]),
    ],
)
def test_focal_gradient_where_many_roundings_add_up(
    gamma: float, label_smoothing: float, t: list[float], p: list[float]
) -> None:
    """Rows that a search for the largest errors in float64 found."""
    suffix = "_from_logits" if min(p) < 0 else ""
    case = BY_NAME[f"categorical_focal_crossentropy{suffix}"].case
    variant = Variant(case, {"gamma": gamma, "label_smoothing": label_smoothing})
    source = make_pool(variant, "float64", "search", np.array([t]), np.array([p]))
    worst = max(measure(source, np.arange(len(p))[None]), key=by_error)
    assert worst.error <= 1, str(worst)


@pytest.mark.parametrize(
    ("dtype", "label", "logit"),
    [
        ("float32", 0.7852365970611572, -6.492918014526367),
        ("float64", 0.8548997582705806, -3.8643023584413414),
        ("float64", 0.6253819105314428, -5.830081114367511),
    ],
)
def test_binary_focal_gradient_where_many_roundings_add_up(
    dtype: str, label: float, logit: float
) -> None:
    """What a search found: a power of much of 1 times a derivative of four roundings."""
    case = BY_NAME["binary_focal_crossentropy_from_logits"].case
    variant = Variant(case, {"gamma": 5.0, "label_smoothing": 0.125})
    t, z = np.array([[label]], dtype), np.array([[logit]], dtype)
    source = make_pool(variant, dtype, "search", t, z)
    worst = max(measure(source, np.zeros((1, 1), int)), key=by_error)
    assert worst.error <= 1, str(worst)


@pytest.mark.parametrize(
    ("options", "t", "p"),
    [
        (
            {},
            [0.0, 0.5220787766617967, 0.8084607406261758],
            [7.643626912053143e-05, 4.1471392396152324e-05, 7.13752383553005e-05],
        ),
        (
            {"alpha": 0.2, "beta": 0.8},
            [0.33485597991374283, 0.0, 0.008671312239350915],
            [0.0002181317403533767, 7.425150245236693e-06, 0.0003218545393599391],
        ),
        (
            {"alpha": 3.0, "beta": 0.0},
            [0.0, 0.0, 0.49999999999999994],
            [9.999999999999977e-08, 0.0010000000000000033, 0.9999999000000044],
        ),
    ],
)
def test_tversky_gradient_where_many_roundings_add_up(
    options: dict[str, float], t: list[float], p: list[float]
) -> None:
    """What a search found: the quotient of a sum and the square of another."""
    variant = Variant(BY_NAME["tversky"].case, options)
    source = make_pool(variant, "float64", "search", np.array([t]), np.array([p]))
    worst = max(measure(source, np.arange(3)[None]), key=by_error)
    assert worst.error <= 1, str(worst)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_gradient_of_balanced_classes(from_logits: bool, gamma: float) -> None:
    """What a class takes out of the sum over all classes is what it has put into it."""
    focal = losses.CategoricalFocalCrossentropy(
        alpha=0.3, gamma=gamma, from_logits=from_logits, reduction="sum", dtype="float64"
    )
    for n in (2, 4, 8):
        t, p = np.full((1, n), 1 / n), np.ones((1, n))
        assert not focal.value_and_grad(t, p)[1].any()


@pytest.mark.parametrize(("logit", "n_cols"), [(-13.142300605773926, 1000), (7.47755575, 61)])
def test_hessian_of_a_confident_logit(logit: float, n_cols: int) -> None:
    """e / (1 + e)^2, over a mean of many: each rounding counts."""
    variant = BY_NAME["binary_crossentropy_from_logits"]
    t, z = np.ones((1, 1), np.float32), np.array([[logit]], np.float32)
    source = make_pool(variant, "float32", "confident", t, z)
    worst = max(measure(source, np.zeros((1, n_cols), int), "hessian"), key=by_error)
    assert worst.error <= 1, str(worst)
