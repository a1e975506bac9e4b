# SPDX-License-Identifier: Apache-2.0
"""Counts the combinations of instruction set, threads, layout and split that give equal bits."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import simdloss
from support.bits import same_bits
from support.dtypes import FLOATS
from support.layouts import LAYOUTS
from support.splits import split
from support.variants import IDENTICAL_ISAS, VARIANTS, Variant

from .page import origin, table

THREADS = (1, 2, 3, 7)
LONG_ROW_LAYOUTS = ("contiguous", "strided", "misaligned")
PIECES = (1, 2, 5, 17)
SHAPES = ((600, 65), (1500, 10), (1, 460_000))  # the last has nothing to split
READS_ONE_ELEMENT = "categorical_generalized_cross_entropy"  # so no threads share a row

INTRODUCTION = """\
## Bit equality

Each combination computes the per-sample losses, the reduced loss and the bytes of the partial sums,
and compares all of them with one thread of the scalar reference on one contiguous batch. The
instruction set and, for whole batches, the number of threads that ran are checked to be those asked
for. Batches are split at random places into pieces that are merged in random order.
"""


@dataclass(frozen=True)
class Batch:
    """A loss, its data, and the results that everything must equal."""

    variant: Variant
    dtype: str
    t: Any
    p: Any

    def results(self, layout: str, pieces: int, threads: int) -> tuple[Any, Any, bytes]:
        change = LAYOUTS[layout]
        losses, reduced = self.variant.loss(reduction=None), self.variant.loss()
        whole = pieces == 1
        rng = self.variant.rng(self.dtype, pieces)
        slices = [slice(None)] if whole else split(rng, len(self.p), pieces)
        samples = np.empty(len(self.p), np.float32)
        merged = simdloss.PartialSums()
        for s in slices:
            t, p = change(self.t[s]), change(self.p[s])
            samples[s] = losses(t, p)
            merged.merge(reduced.partial(t, p))
            if whole and threads != simdloss.last_num_threads():
                raise AssertionError(f"{simdloss.last_num_threads()} threads instead of {threads}")
        return samples, merged.result(), merged.to_bytes()


def batches(quick: bool) -> Iterator[Batch]:
    for variant in VARIANTS[:: 9 if quick else 1]:
        for dtype in FLOATS:
            for shape in SHAPES:
                yield Batch(variant, dtype, *variant.tile(shape, dtype))


def report(quick: bool) -> tuple[str, bool]:
    """The page, and whether all bits are equal."""
    checked: Counter[str] = Counter()
    different: Counter[str] = Counter()
    for batch in batches(quick):
        with simdloss.using_isa("scalar"), simdloss.using_num_threads(1):
            expected = batch.results("contiguous", 1, 1)
        alone = len(batch.p) == 1 and batch.variant.case.name == READS_ONE_ELEMENT
        for isa, threads in itertools.product(IDENTICAL_ISAS, (1,) if alone else THREADS):
            with simdloss.using_isa(isa), simdloss.using_num_threads(threads):
                if simdloss.active_isa() != isa:
                    raise AssertionError(f"{simdloss.active_isa()} instead of {isa}")
                for layout, pieces in itertools.product(LAYOUTS, PIECES):
                    if (batch.dtype, layout) == ("bfloat16", "byte_swapped"):
                        continue  # NumPy forgets that it is bfloat16
                    if len(batch.p) == 1 and (pieces > 1 or layout not in LONG_ROW_LAYOUTS):
                        continue
                    found = batch.results(layout, pieces, threads)
                    equal = all(itertools.starmap(_equal, zip(found, expected, strict=True)))
                    checked[batch.variant.case.name] += 1
                    different[batch.variant.case.name] += not equal
    rows = [[f"`{name}`", f"{n:,}", different[name]] for name, n in checked.items()]
    rows.append(["all", f"{sum(checked.values()):,}", sum(different.values())])
    axes = (
        f"Instruction sets: {', '.join(IDENTICAL_ISAS)}. Threads: {THREADS}. Layouts: "
        f"{', '.join(LAYOUTS)}. Pieces: {PIECES}. Shapes: {SHAPES}. Types: {', '.join(FLOATS)}."
    )
    parts = [
        INTRODUCTION,
        axes,
        origin("python -m tests.report bits"),
        table(["loss", "combinations", "different"], rows),
    ]
    return "\n\n".join(parts), not sum(different.values())


def _equal(x: Any, y: Any) -> bool:
    return bool(x == y) if isinstance(x, bytes) else same_bits(x, y)
