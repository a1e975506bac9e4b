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
from spec.semantics import rows_last

from .dtypes import FLOATS


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
        return function(y_true, y_pred, **{**self.case.arguments(self.options), **kwargs})

    def loss(self, **kwargs: Any) -> simdloss.losses.Loss:
        """An instance of the class."""
        cls = getattr(simdloss.losses, self.case.class_name)
        loss: simdloss.losses.Loss = cls(**{**self.case.arguments(self.options), **kwargs})
        return loss

    def samples(self, y_true: Any, y_pred: Any, dtype: str = "float32", **kwargs: Any) -> Any:
        """Per-sample losses from the class, in the computation type if dtype is that."""
        return self.loss(dtype=dtype, reduction=None, **kwargs)(y_true, y_pred)

    def rng(self, *salt: object) -> np.random.Generator:
        """Random numbers that depend on nothing but the variant and the salt."""
        return np.random.default_rng(zlib.crc32(repr((str(self), *salt)).encode()))

    def draw_rows(
        self, shape: tuple[int, ...], dtype: Any = "float32", regime: str = "core", salt: int = 0
    ) -> tuple[FloatArray, FloatArray]:
        """Labels and predictions of this shape; labels of class ids as memberships."""
        rng = self.rng(shape, str(dtype), regime, salt)
        return self.case.draw(regime, shape, dtype, rng, self.options)

    def draw(
        self,
        shape: tuple[int, ...],
        dtype: Any = "float32",
        regime: str = "core",
        salt: int = 0,
        axis: Any = -1,
    ) -> tuple[Any, Any]:
        """A batch (y_true, y_pred) of a floating dtype; `shape` is that of y_pred.

        If rows may only have one axis, that is `axis`. Class ids are integers.
        """
        if not shape:
            t, p = self.draw((1,), dtype, regime, salt)
            return t.reshape(()), p.reshape(())
        source = "float64" if str(dtype) == "float64" else "float32"
        one = axis if self.case.axes == "one" else -1
        moved = np.moveaxis(np.empty(shape, bool), one, -1).shape
        t, p = self.draw_rows(moved, source, regime, salt)
        t = self.case.given(t)
        if self.case.target != "class_id":
            t = np.moveaxis(t, -1, one)
        return self.cast(t, np.moveaxis(p, -1, one), dtype)

    def tile(self, shape: tuple[int, int], dtype: Any = "float32") -> tuple[Any, Any]:
        """A large batch that is cheap to make."""
        few = self.draw_rows((997, 5))
        t: Any = np.resize(few[0], shape)
        if self.case.target == "class_id":
            t = self.rng(shape).integers(0, shape[1], shape[0])
        return self.cast(t, np.resize(few[1], shape), dtype)

    def cast(self, t: Any, p: Any, dtype: Any) -> tuple[Any, Any]:
        """The batch in another dtype; class ids stay what they are."""
        dtype = FLOATS.get(str(dtype), dtype)
        with np.errstate(over="ignore"):
            return (t if self.case.target == "class_id" else t.astype(dtype)), p.astype(dtype)

    def rows_last(self, t: Any, p: Any, axis: Any) -> tuple[Any, Any]:
        """The batch with the axes of a row moved to the end and made one."""
        return (t if self.case.target == "class_id" else rows_last(t, axis)), rows_last(p, axis)


VARIANTS = [Variant(case, options) for case in CASES for options in case.options]
DEFAULTS = [Variant(case, case.options[0]) for case in CASES]
BY_NAME = {v.case.name: v for v in DEFAULTS}

every_variant = pytest.mark.parametrize("variant", VARIANTS, ids=str)
every_loss = pytest.mark.parametrize("variant", DEFAULTS, ids=str)
pointwise_losses = pytest.mark.parametrize(
    "variant", [v for v in DEFAULTS if v.case.row_finish != "whole"], ids=str
)
like_shaped_losses = pytest.mark.parametrize(
    "variant", [v for v in DEFAULTS if v.case.target != "class_id"], ids=str
)
losses_of_ids = pytest.mark.parametrize(
    "variant", [v for v in DEFAULTS if v.case.target == "class_id"], ids=str
)
losses_with_class_weight = pytest.mark.parametrize(
    "variant", [v for v in VARIANTS if v.case.takes_class_weight], ids=str
)
mse = BY_NAME["mean_squared_error"]
mae = BY_NAME["mean_absolute_error"]

both_widths = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_reduction = pytest.mark.parametrize(
    "reduction", ["none", "sum", "mean", "mean_with_sample_weight"]
)

ISAS: list[str] = list(simdloss.available_isas())
IDENTICAL_ISAS = [isa for isa in ISAS if isa != "baseline"]
"""Those that promise the same bits; `baseline` (no fused multiply-add) has its own."""
