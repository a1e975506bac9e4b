# SPDX-License-Identifier: Apache-2.0
"""Losses that need a whole row at once: a softmax, a norm, a ratio of sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from .arithmetic import Arithmetic
from .case import Case, Formula, Options, Setting, nothing
from .domain import FloatArray
from .rows import Change, memberships, one_hot

EVERYDAY = ("core", "wide", "points")


@dataclass(frozen=True, kw_only=True)
class RowCase(Case):
    """`value` is the loss of a row, `bound` its k A, `lost` its lost exps.

    They reduce the last axis by `m.sum` and `m.max`, which leave one element, and do not depend on
    the order of the elements.
    """

    bound: Formula = nothing
    rows: Mapping[str, Change] = field(default_factory=dict)  # further regimes
    some_prediction: bool = False  # a row of zeros has no meaning
    empty: float = 0.0
    row_finish: Literal["mean", "sum", "whole"] = "whole"

    @property
    def regimes(self) -> tuple[str, ...]:
        return (*EVERYDAY, *self.rows)

    @property
    def of_nothing(self) -> float:
        return self.empty

    def draw(
        self,
        regime: str,
        shape: tuple[int, ...],
        dtype: Any,
        rng: np.random.Generator,
        options: Options,
    ) -> tuple[FloatArray, FloatArray]:
        dtype, n_cols = np.dtype(dtype), shape[-1]
        n = int(np.prod(shape[:-1]))
        base = regime if regime in EVERYDAY else "core"
        with np.errstate(over="ignore"):
            if self.axes == "any":
                t = self.y_true.draw(base, n * n_cols, dtype, rng).reshape(n, n_cols)
            else:
                t = (one_hot if self.target == "class_id" else memberships)(n, n_cols, dtype, rng)
            p = self.y_pred.draw(base, n * n_cols, dtype, rng).reshape(n, n_cols)
            if regime in self.rows:
                p = self.rows[regime](t, p, rng)
        if self.some_prediction and n_cols:
            p[~p.any(axis=1), 0] = 1
        return t.reshape(shape), p.reshape(shape)

    def parts(self, m: Arithmetic, t: Any, p: Any, s: Setting) -> tuple[Any, ...]:
        return t, p

    def finish(self, m: Arithmetic, parts: tuple[Any, ...], s: Setting) -> tuple[Any, Any, Any]:
        t, p = parts
        found = (formula(m, t, p, s) for formula in (self.value, self.bound, self.lost))
        value, bound, lost = (np.broadcast_to(x, (*p.shape[:-1], 1)) for x in found)
        return value, bound, lost
