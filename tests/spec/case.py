# SPDX-License-Identifier: Apache-2.0
"""A loss as the tests see it: its definition, its accuracy bound and its domains, as data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arithmetic import EXACT, MP, Arithmetic, Exact
from .bound import Row
from .domain import Domain, FloatArray
from .jets import Jets, slopes
from .numbers import FLOAT32, FORMATS, Format

Options = Mapping[str, Any]
Array = npt.NDArray[Any]


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

    The bounds are rounded to the declared dtype, to float32 if that is narrower. `class_weight` is
    1, or one number per class.
    """

    def __init__(
        self,
        parameters: Mapping[str, float],
        declared: Format,
        epsilon: float = 1e-7,
        m: Arithmetic = EXACT,
        class_weight: Any = 1.0,
    ) -> None:
        rounded = declared if declared.precision > FLOAT32.precision else FLOAT32
        self.epsilon = m.real(rounded.round(epsilon))
        self.low = self.epsilon
        self.high = m.real(rounded.round(1.0 - epsilon))
        self.class_weight = m.real(class_weight)
        self._parameters = {name: m.real(value) for name, value in parameters.items()}

    def __getattr__(self, name: str) -> Any:
        try:
            return vars(self)["_parameters"][name]
        except KeyError:
            raise AttributeError(name) from None

    def of_classes(self, chosen: Array) -> Setting:
        """The setting of a row that has only these classes."""
        if np.ndim(self.class_weight) == 0:
            return self
        setting = object.__new__(Setting)
        vars(setting).update(vars(self), class_weight=self.class_weight[chosen])
        return setting


Formula = Callable[[Arithmetic, Any, Any, Setting], Any]
"""f(m, t, p, s) of labels t and predictions p, whose last axis is the row."""


Kinks = Callable[[Arithmetic, Any, Any, Setting, Any], Any]
"""f(m, t, p, s, near): elements for which relative errors of size `near` may reach a place where a
derivative jumps."""


def nothing(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return m.real(0.0)


def four(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    return m.real(4.0)


@dataclass(frozen=True)
class Bound:
    """The error bound of a derivative by an element, as formulas that give one number for each.

    `terms` is A, the sum of the absolute terms of the derivative (absent: it is one term, so that
    A is its absolute value); `factor` is k and `lost` what exps or powers taken as 0 count.
    """

    terms: Formula | None = None
    factor: Formula = four
    lost: Formula = nothing

    def row(self, derivative: Any, i: int, m: Arithmetic, t: Any, p: Any, s: Setting) -> Row:
        """The derivative by element i, with its bound."""
        if not MP.isfinite(derivative):
            return Row(derivative, MP.mpf(0), MP.mpf(0))

        def at(formula: Formula) -> Any:
            found: Any = np.broadcast_to(formula(m, t, p, s), p.shape)[i]
            return found

        terms = abs(derivative) if self.terms is None else at(self.terms)
        return Row(derivative, at(self.factor) * terms if terms else MP.mpf(0), at(self.lost))


ONE_TERM = Bound()


@dataclass(frozen=True)
class Slopes:
    """Exact derivatives of the loss of a row by one of its elements; NaN at and near kinks."""

    gradient: Row
    hessian: Row | None

    def times(self, factor: Any) -> Slopes:
        """The derivatives of a multiple of the loss."""
        return Slopes(self.gradient.times(factor), self.hessian and self.hessian.times(factor))


@dataclass(frozen=True)
class Case(ABC):
    """One entry of the catalogue.

    The result of a row may be off by k u A plus half a unit in its last place, where u is the
    relative error of one rounding, A the sum of the absolute terms of the loss and k mostly 4.
    """

    name: str
    function: str
    class_name: str
    _: KW_ONLY
    value: Formula
    y_true: Domain
    y_pred: Domain
    parameters: tuple[Parameter, ...] = ()
    options: tuple[Options, ...] = (MappingProxyType({}),)
    fixed: Options = field(default_factory=dict)  # arguments that select this entry
    target: Literal["real", "label", "class_id"] = "real"
    lost: Formula = nothing  # how much an exp or power counts that is subnormal, so taken as 0
    default_name: str = ""
    keras_axis: bool = False  # Keras 3.15 has an axis and gets all of them right
    keras_names: Options = field(default_factory=dict)  # parameters that Keras 3.15 swaps
    axes: Literal["any", "one"] = "any"  # what may be a row: any set of axes, or exactly one

    row_finish: Literal["mean", "sum", "whole"] = "mean"
    converts_binary_labels: bool = False
    takes_class_weight: bool = False

    gradient: Bound = ONE_TERM
    hessian: Bound | None = None  # absent: the diagonal says little, so it is not offered
    gradient_kinks: Kinks | None = None
    hessian_kinks: Kinks | None = None

    @property
    def instance_name(self) -> str:
        return self.default_name or self.function

    @property
    @abstractmethod
    def regimes(self) -> tuple[str, ...]:
        """The ways in which values are drawn."""

    @property
    @abstractmethod
    def of_nothing(self) -> float:
        """The loss of a row without elements."""

    @abstractmethod
    def draw(
        self,
        regime: str,
        shape: tuple[int, ...],
        dtype: Any,
        rng: np.random.Generator,
        options: Options,
    ) -> tuple[FloatArray, FloatArray]:
        """Labels and predictions of this shape and floating dtype; the last axis is the row."""

    @abstractmethod
    def parts(self, m: Arithmetic, t: Any, p: Any, s: Setting) -> tuple[Any, ...]:
        """What of a loss can be computed for each element, whatever else is in its row."""

    @abstractmethod
    def finish(self, m: Arithmetic, parts: tuple[Any, ...], s: Setting) -> tuple[Any, Any, Any]:
        """Value, k A and lost exps of rows; the last axis has one element then."""

    def complete(self, options: Options) -> dict[str, float]:
        """The value of every parameter under these options."""
        return {q.name: float(options.get(q.name, q.default)) for q in self.parameters}

    def arguments(self, options: Options) -> dict[str, Any]:
        """Keyword arguments of the Python function or class."""
        return {**self.fixed, **options}

    def keras_arguments(self, options: Options) -> dict[str, Any]:
        """The same for Keras 3.15."""
        given = self.arguments(options)
        return {self.keras_names.get(name, name): value for name, value in given.items()}

    def setting(
        self,
        options: Options,
        declared: str,
        epsilon: float = 1e-7,
        m: Arithmetic = EXACT,
        class_weight: Any = 1.0,
    ) -> Setting:
        return Setting(self.complete(options), FORMATS[declared], epsilon, m, class_weight)

    def given(self, t: Array) -> Array:
        """Drawn labels as the library takes them: class ids, if this is a loss of ids."""
        return t.argmax(axis=-1) if self.target == "class_id" else t

    def drawn(self, t: Any, n_cols: int) -> Any:
        """The reverse of `given`, for one row."""
        if self.target != "class_id":
            return t
        return (np.arange(n_cols) == int(t)).astype(np.float64)

    def exact(self, t: Any, p: Any, s: Setting) -> Row:
        """The exact loss of one row, given as the library takes it."""
        p = np.asarray(p)
        return Cells(self, self.drawn(t, p.size), p, s).row()


class Cells:
    """Elements (label, prediction) of which exact rows are made."""

    def __init__(self, case: Case, t: Any, p: Any, setting: Setting) -> None:
        self._case, self._setting = case, setting
        t, p = (np.asarray(EXACT.real(np.asarray(a)), dtype=object) for a in (t, p))
        self._t, self._p = t, p
        self._n = len(p)

    @cached_property
    def _parts(self) -> tuple[Any, ...]:
        return self._case.parts(EXACT, self._t, self._p, self._setting)

    def row(self, counts: Array | None = None) -> Row:
        """The row that holds each element once, or `counts` times."""
        counts = np.ones(self._n, int) if counts is None else counts
        used = np.flatnonzero(counts)
        parts = tuple(x[used] for x in self._parts)
        m = Exact([int(k) for k in counts[used]])
        found = self._case.finish(m, parts, self._setting.of_classes(used))
        return Row(*(x[0] for x in found))

    def moved(self, i: int, by: Any) -> Cells:
        """The elements with one prediction moved."""
        cells = object.__new__(Cells)
        vars(cells).update(_case=self._case, _setting=self._setting, _t=self._t, _n=self._n)
        p = self._p.copy()
        p[i] += by
        vars(cells)["_p"] = p
        return cells

    def slopes(self, i: int, counts: Array | None = None, unit: float = 2.0**-24) -> Slopes:
        """The derivatives by one instance of element i of the same row.

        They are not compared where a few roundings, of relative size `unit`, reach a kink.
        """
        case, counts = self._case, np.ones(self._n, int) if counts is None else counts.copy()
        if case.row_finish != "whole":
            scale = MP.mpf(1) / (int(counts.sum()) if case.row_finish == "mean" else 1)
            found = self._element(i, unit)
            return found.times(scale)
        counts[i] -= 1
        used = np.append(np.flatnonzero(counts), i)
        repeated = [int(k) for k in counts[used[:-1]]] + [1]
        return self._slopes(used, repeated, unit)

    def _element(self, i: int, unit: float) -> Slopes:
        """Of a pointwise loss, the derivatives of the loss of element i alone."""
        found = self._elements.get(i)
        if found is None:
            found = self._elements[i] = self._slopes(np.array([i]), [1], unit)
        return found

    @cached_property
    def _elements(self) -> dict[int, Slopes]:
        return {}

    def _slopes(self, used: Array, repeated: list[int], unit: float) -> Slopes:
        """The derivatives by the last of these elements."""
        case, s = self._case, self._setting.of_classes(used)
        t, p, last = self._t[used], self._p[used], len(used) - 1

        def loss(x: Any) -> Any:
            moved = p.copy()
            moved[last] = x
            return case.value(Jets(repeated), t, moved, s)[0]

        first, second = slopes(loss, p[last])
        m, near = Exact(repeated), 8 * MP.mpf(unit)

        def row(derivative: Any, bound: Bound, kinks: Any) -> Row:
            if kinks is not None and np.broadcast_to(kinks(m, t, p, s, near), p.shape)[last]:
                derivative = MP.nan
            return bound.row(derivative, last, m, t, p, s)

        hessian = case.hessian and row(second, case.hessian, case.hessian_kinks)
        return Slopes(row(first, case.gradient, case.gradient_kinks), hessian or None)


def options_id(options: Options) -> str:
    """'delta=0.5' or 'default', for test ids."""
    return ",".join(f"{k}={v}" for k, v in options.items()) or "default"
