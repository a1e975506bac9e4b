# SPDX-License-Identifier: Apache-2.0
"""A loss as the tests see it: its definition, its accuracy bound and its domains, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from .arithmetic import EXACT, MP, Arithmetic
from .domain import REGIMES, Domain, FloatArray
from .numbers import FLOAT32, FORMATS, Format

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a loss; it must lie between low and high, low itself excluded if open."""

    name: str
    default: float
    low: float = -np.inf
    high: float = np.inf
    low_open: bool = False
    is_bool: bool = False

    def outside(self) -> list[float]:
        """Values that must be refused."""
        if self.is_bool:
            return []
        bad = [float("nan")]
        if np.isfinite(self.low):
            bad += [self.low - 0.5] + ([self.low] if self.low_open else [])
        if np.isfinite(self.high):
            bad.append(self.high + 0.5)
        return bad


class Setting:
    """What a formula knows beside t and p: its parameters and the clip bounds, as exact numbers.

    The bounds are rounded to the declared dtype, to float32 if that is narrower.
    """

    def __init__(
        self,
        parameters: Mapping[str, float],
        declared: Format,
        epsilon: float = 1e-7,
        m: Arithmetic = EXACT,
    ) -> None:
        rounded = declared if declared.precision > FLOAT32.precision else FLOAT32
        self.epsilon = m.real(rounded.round(epsilon))
        self.low = self.epsilon
        self.high = m.real(rounded.round(1.0 - epsilon))
        self._parameters = {name: m.real(value) for name, value in parameters.items()}

    def __getattr__(self, name: str) -> Any:
        try:
            return self._parameters[name]
        except KeyError:
            raise AttributeError(name) from None


Formula = Callable[[Arithmetic, Any, Any, Setting], Any]
"""f(m, t, p, s): something about one element, from the label t and the prediction p."""


def _four(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return m.real(4.0)


@dataclass(frozen=True)
class Case:
    """One entry of the catalogue.

    The loss of a row is the mean (or sum) of `value` over its elements. The result of a row may
    be off by the mean (or sum) of k u A plus half a unit in its last place, where u is the
    relative error of one rounding, A is `terms` and k is `factor`.
    """

    name: str
    function: str
    class_name: str
    value: Formula
    y_true: Domain
    y_pred: Domain
    parameters: tuple[Parameter, ...] = ()
    options: tuple[Options, ...] = (MappingProxyType({}),)
    fixed: Options = field(default_factory=dict)  # arguments that select this entry
    target: Literal["real", "label"] = "real"
    row_finish: Literal["mean", "sum"] = "mean"
    converts_binary_labels: bool = False
    default_name: str = ""
    terms: Formula | None = None  # absent: all terms have one sign, A = |value|
    factor: Formula = _four
    related: bool = False  # predictions close to their targets are a case of their own
    has_axis: bool = False  # the Keras signature has an axis
    lost: Formula | None = None  # how much an exp or power counts that is subnormal, so taken as 0

    @property
    def instance_name(self) -> str:
        return self.default_name or self.function

    def complete(self, options: Options) -> dict[str, float]:
        """The value of every parameter under these options."""
        return {q.name: float(options.get(q.name, q.default)) for q in self.parameters}

    def arguments(self, options: Options) -> dict[str, Any]:
        """Keyword arguments of the Python function or class."""
        return {**self.fixed, **options}

    def setting(
        self, options: Options, declared: str, epsilon: float = 1e-7, m: Arithmetic = EXACT
    ) -> Setting:
        return Setting(self.complete(options), FORMATS[declared], epsilon, m)

    @property
    def regimes(self) -> tuple[str, ...]:
        return REGIMES if self.related else REGIMES[:-1]

    def draw(
        self, regime: str, n: int, dtype: Any, rng: np.random.Generator, options: Options
    ) -> tuple[FloatArray, FloatArray]:
        """n pairs (y_true, y_pred) of a floating dtype."""
        dtype = np.dtype(dtype)
        with np.errstate(over="ignore"):
            base = "core" if regime == "near" else regime
            t = self.y_true.draw(base, n, dtype, rng)
            if regime == "near":
                return t, self.y_pred.near(t, rng)
            domain = self.y_pred
            if "delta" in options:
                domain = domain.visiting(options["delta"], -options["delta"])
            return t, domain.draw(regime, n, dtype, rng)

    def exact(self, t: float, p: float, s: Setting) -> Element:
        """Value and bound of one element."""
        tt, pp = MP.mpf(float(t)), MP.mpf(float(p))
        value = self.value(EXACT, tt, pp, s)
        terms = abs(value) if self.terms is None else self.terms(EXACT, tt, pp, s)
        # Terms of size zero have no error, whatever the factor (which may then be infinite).
        bound = self.factor(EXACT, tt, pp, s) * terms if terms else terms
        lost = MP.mpf(0) if self.lost is None else self.lost(EXACT, tt, pp, s)
        return Element(value, bound, lost)


@dataclass(frozen=True)
class Element:
    """The exact loss of one element, k A of its error bound, and what an exp taken as 0 counts."""

    value: Any
    bound: Any
    lost: Any


def options_id(options: Options) -> str:
    """'delta=0.5' or 'default', for test ids."""
    return ",".join(f"{k}={v}" for k, v in options.items()) or "default"
