# SPDX-License-Identifier: Apache-2.0
"""Golden files: bits of every loss for inputs that any language and machine can make.

A line of a file is one batch:

    entry params dtype y_true y_pred rows cols seed mean samples... / gradient... / hessian...

params are the entry's parameters in order ("-" if it has none). y_true and y_pred name a lattice of
numbers that dtype holds exactly; element i of y_true is number i of the stream `seed`, that of
y_pred number i of the stream seed + 1. The lattice "class" is for ids: label i is number i modulo
cols, an int64. mean and samples are bit patterns in hexadecimal, of the
result dtype, which is dtype; at most MAX_SAMPLES of the samples stand there. gradient is that of
the sum of the samples, hessian the diagonal of that, where the loss has it: at most MAX_ELEMENTS
of their elements, evenly spaced.
tests/cpp/test_golden.cpp reads the same files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import simdloss
from spec.numbers import FORMATS

from .bits import bits
from .dtypes import FLOATS
from .variants import VARIANTS, Variant

DIRECTORY = Path(__file__).parent.parent / "golden"
MAX_SAMPLES = 20
MAX_ELEMENTS = 8

# Rows: of one element, short, odd, of several vectors, and long enough to be cut into segments.
SHAPES = {
    "float32": [(700, 1), (19, 2), (7, 10), (5, 37), (3, 300), (1, 70_001)],
    "float64": [(700, 1), (19, 2), (7, 10), (5, 37), (3, 300), (1, 70_001)],
    "float16": [(19, 2), (5, 37)],
    "bfloat16": [(19, 2), (5, 37)],
}


def file_of(isa: str) -> Path:
    """The file that an instruction set must reproduce."""
    return DIRECTORY / ("baseline.txt" if isa == "baseline" else "fma.txt")


def stream(seed: int, n: int) -> npt.NDArray[np.uint64]:
    """n numbers of 24 bits: the upper bits of splitmix64."""
    counter = np.arange(1, n + 1, dtype=np.uint64)
    z = np.uint64(seed) + counter * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    upper: npt.NDArray[np.uint64] = (z ^ (z >> np.uint64(31))) >> np.uint64(40)
    return upper


def lattice(name: str, numbers: npt.NDArray[np.uint64], dtype: str) -> npt.NDArray[Any]:
    """Numbers of a dtype: `width` bits after the binary point, then scaled by a power of two."""
    width = min(24, FORMATS[dtype].precision)
    unit = np.floor(numbers / 2.0 ** (24 - width)) / 2.0**width  # [0, 1)
    bit = (numbers % np.uint64(2)).astype(np.float64)
    values: dict[str, npt.NDArray[np.float64]] = {
        "real": unit * 16 - 8,
        "logit": unit * 64 - 32,
        "count": unit * 16,
        "unit": unit,
        "soft": np.where(numbers % np.uint64(8) < 2, unit, bit),
        "sign": 2 * bit - 1,
    }
    return values[name].astype(FLOATS[dtype])


@dataclass(frozen=True)
class Line:
    """One batch, without its results."""

    variant: Variant
    dtype: str
    shape: tuple[int, int]
    seed: int

    def inputs(self) -> str:
        case = self.variant.case
        values = case.complete(self.variant.options).values()
        parameters = ",".join(float(v).hex() for v in values) or "-"
        rows, cols = self.shape
        return (
            f"{case.name} {parameters} {self.dtype} {case.y_true.lattice} {case.y_pred.lattice} "
            f"{rows} {cols} {self.seed}"
        )

    def evaluate(self) -> str:
        """The whole line, from the library as it is set up now."""
        case, n = self.variant.case, self.shape[0] * self.shape[1]
        if case.target == "class_id":
            t = (stream(self.seed, self.shape[0]) % np.uint64(self.shape[1])).astype(np.int64)
        else:
            t = lattice(case.y_true.lattice, stream(self.seed, n), self.dtype).reshape(self.shape)
        p = lattice(case.y_pred.lattice, stream(self.seed + 1, n), self.dtype).reshape(self.shape)
        mean = self.variant.loss(dtype=self.dtype)(t, p)
        samples = self.variant.loss(dtype=self.dtype, reduction=None)(t, p)[:MAX_SAMPLES]
        results = [*self._bits(np.atleast_1d(mean)), *self._bits(samples)]
        total = self.variant.loss(dtype=self.dtype, reduction="sum")
        has_hessian = case.hessian is not None
        derive = total.value_grad_hess if has_hessian else total.value_and_grad
        for derivative in derive(t, p)[1:]:
            step = -(-derivative.size // MAX_ELEMENTS)
            results += ["/", *self._bits(derivative.ravel()[::step])]
        return " ".join([self.inputs(), *results])

    def _bits(self, values: npt.NDArray[Any]) -> list[str]:
        digits = 2 * FLOATS[self.dtype].itemsize
        return [f"{int(b):0{digits}x}" for b in bits(values)]


def lines() -> Iterator[Line]:
    """Every variant in every dtype and shape."""
    seed = 0
    for variant in VARIANTS:
        for dtype, shapes in SHAPES.items():
            for shape in shapes:
                seed += 2
                yield Line(variant, dtype, shape, seed)


def evaluate_all(isa: str) -> list[str]:
    """All lines of an instruction set."""
    with simdloss.using_isa(isa):
        assert simdloss.active_isa() == isa
        return [line.evaluate() for line in lines()]


def read(isa: str) -> list[str]:
    """What the golden file of an instruction set says."""
    text = file_of(isa).read_text(encoding="ascii").splitlines()
    return [line for line in text if not line.startswith("#")]


def write(isa: str) -> Path:
    """Writes the golden file anew."""
    header = (
        "# entry params dtype y_true y_pred rows cols seed "
        "mean samples... / gradient... / hessian...\n"
    )
    file_of(isa).write_text(header + "\n".join(evaluate_all(isa)) + "\n", encoding="ascii")
    return file_of(isa)
