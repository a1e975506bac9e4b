# SPDX-License-Identifier: Apache-2.0
"""Looks for the inputs with the largest errors.

Millions of rows are judged in np.longdouble; the worst are varied, and the worst of those are
measured exactly. Gradients, whose terms cancel, are measured exactly from the start, in hundreds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from spec.arithmetic import VECTORIZED
from spec.case import Setting
from spec.domain import FloatArray, step
from spec.numbers import FORMATS
from support.accuracy import Pool, make_pool
from support.gradients import Measurement, measure
from support.variants import Variant

ROUNDS = 6
KEPT = 40
KEPT_GRADIENTS = 12


def worst_rows(variant: Variant, dtype: str, n: int) -> Pool:
    """The rows with the largest errors, among n random ones of each regime and their relatives.

    They have one element, or ten if the loss needs the whole row.
    """
    whole = variant.case.row_finish == "whole"
    shape = (n // 10, 10) if whole else (n, 1)
    setting = variant.case.setting(variant.options, dtype, m=VECTORIZED)
    found = [
        _keep_worst(variant, setting, *variant.draw_rows(shape, dtype, regime, salt=1))
        for regime in variant.case.regimes
    ]
    t, p = _joined(found)
    rng = variant.rng("search", dtype)
    for _ in range(ROUNDS):
        relatives = list(_relatives(variant, t, p, max(1, shape[0] // (20 * KEPT)), rng))
        t, p = _keep_worst(variant, setting, *_joined([(t, p), *relatives]))
    if not whole:
        t, p = t.T, p.T  # one group of pairs
    return make_pool(variant, dtype, "search", t, p)


def _joined(pairs: list[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    return np.concatenate([t for t, _ in pairs]), np.concatenate([p for _, p in pairs])


def _relatives(
    variant: Variant, t: FloatArray, p: FloatArray, times: int, rng: np.random.Generator
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """The same pairs moved a little, by few or by many units in the last place."""
    case, digits = variant.case, np.finfo(t.dtype).nmant
    for _ in range(times):
        with np.errstate(over="ignore"):
            relative = np.exp2(rng.uniform(-digits, -1, t.shape)) * rng.choice([-1, 1], t.shape)
            yield t, case.y_pred.clip((p * (1 + relative)).astype(p.dtype))
            yield t, case.y_pred.clip(step(p, rng.integers(-40, 41, p.shape)))
            if case.axes == "any" and not case.y_true.choices:
                yield case.y_true.clip(step(t, rng.integers(-40, 41, t.shape))), p


def _keep_worst(
    variant: Variant, setting: Setting, t: FloatArray, p: FloatArray
) -> tuple[FloatArray, FloatArray]:
    errors = estimated_errors(variant, setting, t, p)
    _, first = np.unique(np.concatenate([t, p], axis=1), axis=0, return_index=True)
    order = first[np.argsort(errors[first])][-KEPT:]
    return t[order], p[order]


def estimated_errors(
    variant: Variant, setting: Setting, t: FloatArray, p: FloatArray
) -> npt.NDArray[np.longdouble]:
    """|error| as a multiple of k u A + ulp / 2, to about three digits."""
    case, m, fmt = variant.case, VECTORIZED, FORMATS[str(t.dtype)]
    labels = {"labels": "signed"} if case.converts_binary_labels else {}
    computed = variant.samples(case.given(t), p, fmt.name, **labels)
    with np.errstate(all="ignore"):
        parts = case.parts(m, m.real(t), m.real(p), setting)
        value, bound, lost = (x[..., 0] for x in case.finish(m, parts, setting))
        floor = float(fmt.smallest_normal)
        half_ulp = np.spacing(np.abs(computed)) / 2
        allowed = float(fmt.unit) * (bound + 4 * floor) + half_ulp + floor * lost
        errors: npt.NDArray[np.longdouble] = np.abs(computed - value) / allowed
    errors[~np.isfinite(errors)] = 0  # beyond the largest number: for the exact measurement
    return errors


def searched_gradients(
    variant: Variant, dtype: str, isas: Sequence[str], n: int, rounds: int
) -> Iterator[Measurement]:
    """The errors of gradients of n random rows of each regime and, round by round, of relatives of
    the worst.

    The rows have one element, or three if the loss needs the whole row.
    """
    shape = (n, 3) if variant.case.row_finish == "whole" else (n, 1)
    regimes = variant.case.regimes
    t, p = _joined([variant.draw_rows(shape, dtype, regime, salt=2) for regime in regimes])
    errors = np.zeros(len(t))
    rng = variant.rng("search", dtype)
    new = slice(None)
    for round_ in range(rounds + 1):
        for i, measurement in _gradient_errors(variant, dtype, isas, t[new], p[new]):
            errors[new][i] = max(errors[new][i], measurement.error)
            yield measurement
        if round_ == rounds:
            return
        worst = np.argsort(errors)[-KEPT_GRADIENTS:]
        relatives = list(_relatives(variant, t[worst], p[worst], 4, rng))
        new = slice(len(worst), None)
        t, p = _joined([(t[worst], p[worst]), *relatives])
        errors = np.concatenate([errors[worst], np.zeros(len(t) - len(worst))])


def _gradient_errors(
    variant: Variant, dtype: str, isas: Sequence[str], t: FloatArray, p: FloatArray
) -> Iterator[tuple[int, Measurement]]:
    """With the numbers of their rows."""
    rows = np.arange(t.size).reshape(t.shape)
    whole = variant.case.row_finish == "whole"
    source = make_pool(variant, dtype, "search", *((t, p) if whole else (t.T, p.T)))
    for measurement in measure(source, rows, isas=isas):
        yield int(measurement.chosen[0]) // t.shape[1], measurement
