# SPDX-License-Identifier: Apache-2.0
"""Writes the golden files, or compares them."""

from __future__ import annotations

from support import golden
from support.variants import ISAS


def run(write: bool) -> int:
    """The exit status."""
    if write:
        for isa in ("scalar", "baseline"):
            print(f"written: {golden.write(isa)}")
        return 0
    failed = 0
    for isa in ISAS:
        actual, expected = golden.evaluate_all(isa), golden.read(isa)
        wrong = sum(x != y for x, y in zip(actual, expected, strict=True))
        print(f"{isa}: {len(actual)} lines, {wrong} differ")
        failed += wrong
    return 1 if failed else 0
