# SPDX-License-Identifier: Apache-2.0
"""A loss with options, as something that tests can call and be named after."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import simdloss
from spec import CASES, Case, Options
from spec.domain import FloatArray


@dataclass(frozen=True)
class Variant:
    """A case under one set of options."""

    case: Case
    options: Options

    def __str__(self) -> str:
        return "-".join([self.case.name, *(f"{k}={v}" for k, v in self.options.items())])

    def __hash__(self) -> int:
        return hash(str(self))

    def function(self, y_true: Any, y_pred: Any, **kwargs: Any) -> Any:
        """The functional form."""
        function = getattr(simdloss.losses, self.case.function)
        return function(y_true, y_pred, **self.case.arguments(self.options), **kwargs)

    def loss(self, **kwargs: Any) -> simdloss.losses.Loss:
        """An instance of the class."""
        cls = getattr(simdloss.losses, self.case.class_name)
        loss: simdloss.losses.Loss = cls(**self.case.arguments(self.options), **kwargs)
        return loss

    def samples(self, y_true: Any, y_pred: Any, dtype: str = "float32", **kwargs: Any) -> Any:
        """Per-sample losses from the class, in the computation type if dtype is that."""
        return self.loss(dtype=dtype, reduction=None, **kwargs)(y_true, y_pred)

    def rng(self, *salt: object) -> np.random.Generator:
        """Random numbers that depend on nothing but the variant and the salt."""
        return np.random.default_rng(zlib.crc32(repr((str(self), *salt)).encode()))

    def draw(
        self, shape: tuple[int, ...], dtype: Any = "float32", regime: str = "core", salt: int = 0
    ) -> tuple[FloatArray, FloatArray]:
        """A batch (y_true, y_pred) of a NumPy floating dtype."""
        rng = self.rng(shape, str(dtype), regime, salt)
        t, p = self.case.draw(regime, int(np.prod(shape)), dtype, rng, self.options)
        return t.reshape(shape), p.reshape(shape)


VARIANTS = [Variant(case, options) for case in CASES for options in case.options]
DEFAULTS = [Variant(case, {}) for case in CASES]
BY_NAME = {v.case.name: v for v in DEFAULTS}

every_variant = pytest.mark.parametrize("variant", VARIANTS, ids=str)
every_loss = pytest.mark.parametrize("variant", DEFAULTS, ids=str)
mse = BY_NAME["mean_squared_error"]
mae = BY_NAME["mean_absolute_error"]

both_widths = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_reduction = pytest.mark.parametrize(
    "reduction", ["none", "sum", "mean", "mean_with_sample_weight"]
)

ISAS: list[str] = list(simdloss.available_isas())
IDENTICAL_ISAS = [isa for isa in ISAS if isa != "baseline"]
"""Those that promise the same bits; `baseline` (no fused multiply-add) has its own."""
