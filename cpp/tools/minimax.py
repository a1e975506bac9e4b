# SPDX-License-Identifier: Apache-2.0
"""Print the polynomial coefficients of cpp/src/simd/{exp,log}.hpp.

    python cpp/tools/minimax.py [NAME ...]        (needs mpmath; all fits without arguments)

Each fit is a weighted Remez exchange in 60 digits. Coefficients are then rounded to the target type
one by one, lowest power first, and the ones still free are fitted again to what is left over, so
that the printed polynomial is close to the best one with representable coefficients. The error
printed is that of the rounded polynomial in exact arithmetic, in ULP of a result with mantissa 1
(2^-23 or 2^-52 of it), the unit in which rounding alone costs 0.5.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mpmath import mp, mpf

mp.dps = 60

Real = Callable[[mpf], mpf]
DIGITS = {"float": 24, "double": 53}


@dataclass(frozen=True)
class Fit:
    """Approximate target(x) on [low, high] by a polynomial; the error counts as weight(x) times."""

    target: Real
    weight: Real
    low: mpf
    high: mpf
    degree: dict[str, int]


def round_to(x: mpf, digits: int) -> mpf:
    """x rounded to a binary floating-point number of that many digits."""
    with mp.workprec(digits):
        return +x


def solve_reference(points: Sequence[mpf], values: Sequence[mpf], weights: Sequence[mpf],
                    powers: Sequence[int]) -> list[mpf]:
    """Coefficients whose weighted error on the points alternates with equal size."""
    n = len(points)
    matrix = mp.matrix(n, n)
    for i in range(n):
        for j, power in enumerate(powers):
            matrix[i, j] = points[i] ** power
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


def remez(grid: Sequence[mpf], values: Sequence[mpf], weights: Sequence[mpf],
          powers: Sequence[int]) -> list[mpf]:
    """Weighted minimax coefficients of the given powers on a grid."""
    count = len(powers) + 1
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
            powers,
        )
        errors = [
            w * (v - sum(c * x**p for c, p in zip(coefficients, powers, strict=True)))
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


def fit(name: str, type_name: str) -> tuple[list[mpf], mpf]:
    """Rounded coefficients, lowest power first, and their largest weighted error."""
    spec = FITS[name]
    digits = DIGITS[type_name]
    n_points = 800
    middle, half = (spec.low + spec.high) / 2, (spec.high - spec.low) / 2
    grid = [middle - half * mp.cos(mp.pi * (i + mpf(1) / 2) / n_points) for i in range(n_points)]
    weights = [spec.weight(x) for x in grid]
    rest = [spec.target(x) for x in grid]
    powers = list(range(spec.degree[type_name] + 1))
    rounded: list[mpf] = []
    while powers:
        c = round_to(remez(grid, rest, weights, powers)[0], digits)
        rest = [v - c * x ** powers[0] for x, v in zip(grid, rest, strict=True)]
        rounded.append(c)
        powers.pop(0)
    return rounded, max(abs(w * v) for w, v in zip(weights, rest, strict=True))


def two_atanh(s: mpf) -> mpf:
    return mp.log1p(2 * s / (1 - s))


LN2 = mp.log(2)
SQRT2 = mp.sqrt(2)
TAIL_HIGH = mp.exp(-2)


def log_cosh(x: mpf) -> mpf:
    return mp.log(mp.cosh(x))


# name -> what the polynomial stands for; see the comment beside each use.
FITS = {
    # e^r = 1 + r + r^2 q(r)
    "exp": Fit(
        target=lambda r: (mp.expm1(r) - r) / r**2,
        weight=lambda r: r**2 / mp.exp(r),
        low=-LN2 / 2 * mpf("1.001"),
        high=LN2 / 2 * mpf("1.001"),
        degree={"float": 4, "double": 9},
    ),
    # log1p(t) = t + t^2 q(t)
    "log1p_unit": Fit(
        target=lambda t: (mp.log1p(t) - t) / t**2,
        weight=lambda t: t**2 / mp.log1p(t),
        low=mpf(0),
        high=mpf(1),
        degree={"float": 8},
    ),
    # log1p(m) = 2 s + s z q(z), s = m / (2 + m), z = s^2
    "log1p_unit_quotient": Fit(
        target=lambda z: (two_atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z,
        weight=lambda z: z * mp.sqrt(z) / two_atanh(mp.sqrt(z)),
        low=mpf(0),
        high=mpf(1) / 9,
        degree={"double": 9},
    ),
    # log1p(m) = m - m^2 / 2 + m^3 q(m)
    "log": Fit(
        target=lambda m: (mp.log1p(m) - m + m**2 / 2) / m**3,
        weight=lambda m: m**3 / mp.log1p(m),
        low=1 / SQRT2 - 1,
        high=SQRT2 - 1,
        degree={"float": 7},
    ),
    "log_quotient": Fit(
        target=lambda z: (two_atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z,
        weight=lambda z: z * mp.sqrt(z) / two_atanh(mp.sqrt(z)),
        low=mpf(0),
        high=((SQRT2 - 1) / (SQRT2 + 1)) ** 2 * mpf("1.0001"),
        degree={"double": 6},
    ),
    # log cosh x = z / 2 + z^2 q(z), z = x^2
    "log_cosh": Fit(
        target=lambda z: (log_cosh(mp.sqrt(z)) / z - mpf(1) / 2) / z,
        weight=lambda z: z**2 / log_cosh(mp.sqrt(z)),
        low=mpf(0),
        high=mpf(1),
        degree={"float": 6, "double": 13},
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
        text = mp.nstr(x, places, strip_zeros=True)
        if round_to(mpf(text), digits) == x:
            return text + ("f" if type_name == "float" else "")
    raise AssertionError(x)


def main(names: Sequence[str]) -> None:
    for name in names or list(FITS):
        for type_name in FITS[name].degree:
            coefficients, error = fit(name, type_name)
            ulps = error * 2 ** (DIGITS[type_name] - 1)
            print(f"{name} {type_name}: error {mp.nstr(ulps, 3)} ULP")
            for c in coefficients:
                print(f"    {literal(c, type_name)},")


if __name__ == "__main__":
    main(sys.argv[1:])
