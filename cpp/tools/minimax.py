# SPDX-License-Identifier: Apache-2.0
"""Print the polynomial coefficients used in cpp/src/simd, and check that the headers have them.

    python cpp/tools/minimax.py [NAME ...]        (needs mpmath and numpy; all fits by default)

Each fit is a weighted Remez exchange in 60 digits. Coefficients are then rounded to the target type
one by one, lowest power first, and after each one those still free are fitted again, so that the
printed polynomial is close to the best one with representable coefficients. The error printed is
that of the rounded polynomial in exact arithmetic, in ULP of a result with mantissa 1 (2^-23 or
2^-52 of it), the unit in which rounding alone costs 0.5.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpmath import mp, mpf

mp.dps = 60

Real = Callable[[mpf], mpf]
DIGITS = {"float": 24, "double": 53}
HEADERS = sorted((Path(__file__).resolve().parent.parent / "src" / "simd").glob("*.hpp"))


@dataclass(frozen=True)
class Fit:
    """Approximate target(x) on [low, high] by a polynomial; the error counts as weight(x) times."""

    target: Real
    weight: Real
    low: mpf
    high: mpf
    degree: dict[str, int]


@dataclass(frozen=True)
class Table:
    """One polynomial for each entry of a table, all of one degree."""

    fits: Sequence[Fit]

    @property
    def degree(self) -> dict[str, int]:
        return self.fits[0].degree


def round_to(x: mpf, digits: int) -> mpf:
    """x rounded to a binary floating-point number of that many digits."""
    with mp.workprec(digits):
        return +x


def solve_reference(
    points: Sequence[mpf], values: Sequence[mpf], weights: Sequence[mpf]
) -> list[mpf]:
    """Coefficients whose weighted error on the points alternates with equal size."""
    n = len(points)
    matrix = mp.matrix(n, n)
    for i in range(n):
        for power in range(n - 1):
            matrix[i, power] = points[i] ** power
        matrix[i, n - 1] = (-1) ** i / weights[i]
    solution = mp.lu_solve(matrix, mp.matrix(values))
    return [solution[j] for j in range(n - 1)]


def extrema(errors: Sequence[mpf], count: int) -> list[int]:
    """Indices of `count` alternating extrema, the largest ones of a run of equal sign."""
    peaks: list[int] = []
    for i, error in enumerate(errors):
        if peaks and (errors[peaks[-1]] > 0) == (error > 0):
            if abs(error) > abs(errors[peaks[-1]]):
                peaks[-1] = i
        else:
            peaks.append(i)
    while len(peaks) > count:
        drop = 0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1
        peaks.pop(drop)
    return peaks


def remez(
    grid: Sequence[mpf], values: Sequence[mpf], weights: Sequence[mpf], degree: int
) -> list[mpf]:
    """Coefficients of the weighted minimax polynomial on a grid."""
    count = degree + 2
    last = len(grid) - 1
    reference = [
        round(last * (1 - float(mp.cos(mp.pi * (i + mpf(1) / 2) / count))) / 2)
        for i in range(count)
    ]
    best: tuple[mpf, list[mpf]] | None = None
    for _ in range(30):
        coefficients = solve_reference(
            [grid[i] for i in reference],
            [values[i] for i in reference],
            [weights[i] for i in reference],
        )
        errors = [
            w * (v - mp.polyval(coefficients[::-1], x))
            for x, v, w in zip(grid, values, weights, strict=True)
        ]
        largest = max(abs(e) for e in errors)
        if best is None or largest < best[0]:
            best = (largest, coefficients)
        peaks = extrema(errors, count)
        if len(peaks) < count or min(abs(errors[i]) for i in peaks) > largest * mpf("0.999"):
            break
        reference = peaks
    assert best is not None
    return best[1]


def fit(spec: Fit, type_name: str) -> tuple[list[mpf], mpf]:
    """Rounded coefficients, lowest power first, and their largest weighted error."""
    digits = DIGITS[type_name]
    n_points = 800
    middle, half = (spec.low + spec.high) / 2, (spec.high - spec.low) / 2
    grid = [middle - half * mp.cos(mp.pi * (i + mpf(1) / 2) / n_points) for i in range(n_points)]
    weights = [spec.weight(x) for x in grid]
    values = [spec.target(x) for x in grid]
    degree = spec.degree[type_name]
    coefficients = remez(grid, values, weights, degree)
    # Errors from here on are in units of the type's ULP, small enough for double precision.
    unit = mpf(2) ** (digits - 1)
    basis = np.array(
        [[float(w * x**k) for k in range(degree + 1)] for x, w in zip(grid, weights, strict=True)]
    )
    for k in range(degree + 1):
        errors = [
            w * (v - mp.polyval(coefficients[::-1], x)) * unit
            for x, v, w in zip(grid, values, weights, strict=True)
        ]
        free = basis[:, k:]
        for j, change in enumerate(refit(free, np.array([float(e) for e in errors]))):
            coefficients[k + j] += mpf(float(change)) / unit
        coefficients[k] = round_to(coefficients[k], digits)
    worst = max(
        abs(w * (v - mp.polyval(coefficients[::-1], x))) * unit
        for x, v, w in zip(grid, values, weights, strict=True)
    )
    return coefficients, worst


def refit(basis: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Changes of the free coefficients that make the largest error small (Lawson's algorithm)."""
    emphasis = np.ones(len(errors))
    best, smallest = np.zeros(basis.shape[1]), np.max(np.abs(errors))
    for _ in range(60):
        root = np.sqrt(emphasis)
        change = np.linalg.lstsq(basis * root[:, None], errors * root, rcond=None)[0]
        left = np.abs(errors - basis @ change)
        if left.max() < smallest:
            best, smallest = change, left.max()
        emphasis *= left / left.max() + 1e-6
        emphasis /= emphasis.max()
    return best


def two_atanh(s: mpf) -> mpf:
    return mp.log1p(2 * s / (1 - s))


LN2 = mp.log(2)
HALF = mpf(1) / 2
TAIL_HIGH = mp.exp(-2)


def log_cosh(x: mpf) -> mpf:
    return mp.log(mp.cosh(x))


def exp_rest(step: mpf, degree: dict[str, int]) -> Fit:
    """q with e^r = 1 + r + r^2 q(r) for what multiples of a step leave of a number."""
    limit = step / 2 * mpf("1.001")
    return Fit(
        target=lambda r: (mp.expm1(r) - r) / r**2,
        weight=lambda r: r**2 / mp.exp(r),
        low=-limit,
        high=limit,
        degree=degree,
    )


def log1p_piece(low: mpf, high: mpf, degree: int, type_name: str = "float") -> Fit:
    """q with log1p(m) = m + m^2 q(m) on an interval."""
    return Fit(
        target=lambda m: (mp.log1p(m) - m) / m**2,
        weight=lambda m: m**2 / abs(mp.log1p(m)),
        low=low,
        high=high,
        degree={type_name: degree},
    )


# name -> what the polynomial stands for; see the comment beside each use.
FITS: dict[str, Fit | Table] = {
    # e^r = 1 + r + r^2 q(r)
    "exp": exp_rest(LN2, {"float": 4, "double": 9}),
    # the same, for results that count as floats
    "exp_short": exp_rest(LN2, {"double": 5}),
    # the same, between eighths of powers of two
    "exp_eighth": exp_rest(LN2 / 8, {"float": 2}),
    # log1p(t) = t + t v(t - 1/2)
    "log1p_unit": Fit(
        target=lambda w: mp.log1p(w + HALF) / (w + HALF) - 1,
        weight=lambda w: (w + HALF) / mp.log1p(w + HALF),
        low=-HALF,
        high=HALF,
        degree={"double": 20},
    ),
    # log1p(t) = t + t^2 q(t) next to t = i / 7
    "log1p_sevenths": Table(
        [log1p_piece(max(mpf(0), (i - HALF) / 7), min(mpf(1), (i + HALF) / 7), 4) for i in range(8)]
    ),
    # log1p(m) = m + m^2 q(m) by the first three digits of 1 + m
    "log_eighths": Table(
        [log1p_piece(mpf(i) / 8, mpf(i + 1) / 8, 4) for i in range(4)]
        + [log1p_piece(mpf(i) / 16 - HALF, mpf(i + 1) / 16 - HALF, 4) for i in range(4, 8)]
    ),
    # log1p(m) = m - m^2 / 2 + m^3 q(m)
    "log": Fit(
        target=lambda m: (mp.log1p(m) - m + m**2 / 2) / m**3,
        weight=lambda m: m**3 / mp.log1p(m),
        low=-HALF / 2,
        high=HALF,
        degree={"float": 7},
    ),
    # log1p(m) = m + m^2 q(m), for results that count as floats
    "log1p_short": log1p_piece(-HALF / 2, HALF, 10, "double"),
    # log1p(m) = 2 s + s z q(z), s = m / (2 + m), z = s^2
    "log_quotient": Fit(
        target=lambda z: (two_atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z,
        weight=lambda z: z * mp.sqrt(z) / two_atanh(mp.sqrt(z)),
        low=mpf(0),
        high=mpf(1) / 25,
        degree={"double": 6},
    ),
    # log cosh x = z / 2 + z^2 q(z), z = x^2
    "log_cosh": Fit(
        target=lambda z: (log_cosh(mp.sqrt(z)) / z - HALF) / z,
        weight=lambda z: z**2 / log_cosh(mp.sqrt(z)),
        low=mpf(0),
        high=mpf(1),
        degree={"float": 6, "double": 13},
    ),
    # tanh x = x + x z q(z), z = x^2, |x| < 5/8
    "tanh": Fit(
        target=lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
        weight=lambda z: z * mp.sqrt(z) / mp.tanh(mp.sqrt(z)),
        low=mpf(0),
        high=mpf(25) / 64,
        degree={"float": 4, "double": 10},
    ),
    # log1p(t) = t + t^2 q(t) for t = e^(-2 |x|), |x| >= 1; the error counts against log cosh x
    "log_cosh_tail": Fit(
        target=lambda t: (mp.log1p(t) - t) / t**2,
        weight=lambda t: t**2 / log_cosh(-mp.log(t) / 2),
        low=mpf(0),
        high=TAIL_HIGH,
        degree={"float": 3, "double": 8},
    ),
}


def literal(x: mpf, type_name: str) -> str:
    """The shortest decimal that rounds to x, as a C++ literal."""
    digits = DIGITS[type_name]
    for places in range(1, 20):
        text = str(mp.nstr(x, places, strip_zeros=True))
        if round_to(mpf(text), digits) == x:
            return text + ("F" if type_name == "float" else "")
    raise AssertionError(x)


def is_used(text: str) -> bool:
    """Whether the headers hold these literals, one after the other."""
    return any(text in re.sub(r"\s+", " ", header.read_text()) for header in HEADERS)


def main(names: Sequence[str]) -> int:
    stale = 0
    for name in names or list(FITS):
        spec = FITS[name]
        for type_name in spec.degree:
            if isinstance(spec, Fit):
                coefficients, error = fit(spec, type_name)
                rows = [coefficients]
            else:
                pieces = [fit(piece, type_name) for piece in spec.fits]
                rows = [list(row) for row in zip(*(found for found, _ in pieces), strict=True)]
                error = max(error for _, error in pieces)
            texts = [", ".join(literal(c, type_name) for c in row) for row in rows]
            used = all(is_used(text) for text in texts)
            stale += not used
            print(
                f"{name} {type_name}: error {mp.nstr(error, 3)} ULP"
                + ("" if used else ", NOT what the headers have")
            )
            for text in texts:
                print(textwrap.indent(textwrap.fill(text, 92), "    "))
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
