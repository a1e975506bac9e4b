# SPDX-License-Identifier: Apache-2.0
"""Losses whose rows are means or sums of the losses of their elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .arithmetic import Arithmetic
from .case import ONE_TERM, Bound, Case, Formula, Options, Setting, four
from .domain import REGIMES, FloatArray


@dataclass(frozen=True, kw_only=True)
class PointwiseCase(Case):
    """`value` is the loss of an element, `terms` its A, `factor` its k, `lost` its lost exps."""

    terms: Formula | None = None  # absent: all terms have one sign, A = |value|
    factor: Formula = four
    hessian: Bound | None = ONE_TERM  # that of the row is diagonal
    related: bool = False  # predictions close to their targets are a case of their own

    @property
    def regimes(self) -> tuple[str, ...]:
        return REGIMES if self.related else REGIMES[:-1]

    @property
    def of_nothing(self) -> float:
        return np.nan if self.row_finish == "mean" else 0.0

    def draw(
        self,
        regime: str,
        shape: tuple[int, ...],
        dtype: Any,
        rng: np.random.Generator,
        options: Options,
    ) -> tuple[FloatArray, FloatArray]:
        n, dtype = int(np.prod(shape)), np.dtype(dtype)
        with np.errstate(over="ignore"):
            t = self.y_true.draw("core" if regime == "near" else regime, n, dtype, rng)
            if regime == "near":
                p = self.y_pred.near(t, rng)
            else:
                domain = self.y_pred
                if "delta" in options:
                    domain = domain.visiting(options["delta"], -options["delta"])
                p = domain.draw(regime, n, dtype, rng)
        return t.reshape(shape), p.reshape(shape)

    def parts(self, m: Arithmetic, t: Any, p: Any, s: Setting) -> tuple[Any, ...]:
        value = self.value(m, t, p, s)
        terms = m.abs(value) if self.terms is None else self.terms(m, t, p, s)
        # Terms of size zero have no error, whatever the factor (which may then be infinite).
        bound = m.where(terms == 0, m.real(0), self.factor(m, t, p, s) * terms)
        return value, bound, np.broadcast_to(self.lost(m, t, p, s), value.shape)

    def finish(self, m: Arithmetic, parts: tuple[Any, ...], s: Setting) -> tuple[Any, Any, Any]:
        value, bound, lost = (m.sum(x) for x in parts)
        n = m.size(parts[0]) if self.row_finish == "mean" else m.real(1)
        return value / n, bound / n, lost / n
