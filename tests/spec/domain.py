# SPDX-License-Identifier: Apache-2.0
"""What an argument of a loss may be, as data, and how values are drawn from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]

REGIMES = ("core", "wide", "points", "near")
"""How values are drawn: everyday ones, log-uniform magnitudes up to the limits of the dtype,
neighbours of the points where something changes, and predictions close to their targets."""


@dataclass(frozen=True)
class Domain:
    """An interval and the values in it that are worth visiting.

    `choices` makes it a finite set. `points` are kinks, clip bounds, zeros and thresholds; they
    are visited together with their nearest neighbours.
    """

    lattice: str  # the values that golden files use, see support/golden.py
    low: float = -np.inf
    high: float = np.inf
    core: tuple[float, float] = (-4.0, 4.0)
    points: tuple[float, ...] = (0.0,)
    choices: tuple[float, ...] = ()
    choices_share: float = 1.0  # how many draws come from `choices`; the others from the interval

    def draw(self, regime: str, n: int, dtype: np.dtype, rng: np.random.Generator) -> FloatArray:
        values = self._interval(regime, n, dtype, rng)
        if self.choices:
            chosen = rng.choice(np.asarray(self.choices, dtype), n)
            values = np.where(rng.random(n) < self.choices_share, chosen, values)
        return values.astype(dtype)

    def near(self, other: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Values of this domain that differ from `other` by little: ulps to a few per cent."""
        n, info = other.size, np.finfo(other.dtype)
        relative = np.exp2(rng.uniform(-info.nmant - 1, -4, n)) * rng.choice([-1, 1], n)
        moved = (other * (1 + relative)).astype(other.dtype)
        return self.clip(moved)

    def _interval(
        self, regime: str, n: int, dtype: np.dtype, rng: np.random.Generator
    ) -> FloatArray:
        if regime == "wide":
            return self._wide(n, dtype, rng)
        if regime == "points":
            points = np.asarray(self.points, dtype)
            return self.clip(step(rng.choice(points, n), rng.integers(-3, 4, n)))
        return self.clip(rng.uniform(*self.core, n).astype(dtype))

    def _wide(self, n: int, dtype: np.dtype, rng: np.random.Generator) -> FloatArray:
        info = np.finfo(dtype)
        lowest = info.minexp - info.nmant
        highest = min(np.log2(max(abs(self.low), abs(self.high))), info.maxexp - 1e-3)
        exponents = rng.uniform(lowest, highest, n)
        signs = rng.choice([-1, 1], n) if self.low < 0 else np.ones(n)
        # Two factors: 2^-1074 itself is exact, but exp2 of its neighbours needs the wider range.
        return self.clip((signs * np.exp2(exponents / 2) * np.exp2(exponents / 2)).astype(dtype))

    def clip(self, values: FloatArray) -> FloatArray:
        """The nearest finite values of the domain."""
        info = np.finfo(values.dtype)
        low, high = max(self.low, float(info.min)), min(self.high, float(info.max))
        return np.clip(values, values.dtype.type(low), values.dtype.type(high))

    def visiting(self, *points: float) -> Domain:
        """The same domain with more points."""
        return replace(self, points=self.points + points)


def step(values: FloatArray, steps: npt.NDArray[np.integer]) -> FloatArray:
    """Moves each value by a number of representable neighbours."""
    values = values.copy()
    for k in range(int(np.abs(steps).max(initial=0))):
        up, down = steps > k, steps < -k
        values[up] = np.nextafter(values[up], values.dtype.type(np.inf))
        values[down] = np.nextafter(values[down], values.dtype.type(-np.inf))
    return values


REAL = Domain("real", points=(0.0, 1.0, -1.0, 0.5, 1.5, 2.0, 1e19, -1e19, 3e38, -3e38))
"""Any finite number."""

COUNT = Domain("count", low=0.0, core=(0.0, 10.0), points=(0.0, 1e-7, 1.0, 2.0, 1e6, 3e38))
"""Numbers from 0 on."""

PROBABILITY = Domain(
    "unit", low=0.0, high=1.0, core=(0.0, 1.0), points=(0.0, 1e-7, 1e-3, 0.5, 1 - 1e-7, 1.0)
)

SHARE = Domain(
    "unit", low=0.0, core=(0.0, 1.0), points=(0.0, 1e-7, 1e-3, 0.5, 1 - 1e-7, 1.0, 2.0, 3e38)
)
"""Shares of a total that need not be 1."""

CLASS = Domain("class", low=0.0)
"""Class ids; rows are drawn as memberships of one class."""

LABEL = Domain(
    "soft",
    low=0.0,
    high=1.0,
    core=(0.0, 1.0),
    points=(0.0, 0.5, 1.0),
    choices=(0.0, 1.0),
    choices_share=0.7,
)
"""Class membership: mostly 0 or 1, otherwise something between."""

SIGN = Domain("sign", low=-1.0, high=2.0, choices=(-1.0, 1.0, -1.0, 1.0, 0.0, 0.5, 2.0))
"""Hinge labels: mostly -1 or 1. None of the others makes label times prediction inexact."""

LOGIT = Domain(
    "logit",
    core=(-8.0, 8.0),
    points=(0.0, 1.0, -1.0, 17.0, -17.0, 37.0, -37.0, 88.0, -88.0, 104.0, -104.0, 710.0, -745.0),
)
