# SPDX-License-Identifier: Apache-2.0
"""Bits are those of the golden files, on every instruction set and in every version."""

from __future__ import annotations

import pytest

from spec import CASES
from support import golden
from support.variants import ISAS


@pytest.mark.parametrize("isa", ISAS)
def test_bits_are_those_of_the_golden_file(isa: str) -> None:
    expected = golden.read(isa)
    actual = golden.evaluate_all(isa)
    assert len(actual) == len(expected)
    for mine, theirs in zip(actual, expected, strict=True):
        assert mine == theirs


@pytest.mark.parametrize("isa", ["scalar", "baseline"])
def test_golden_files_hold_every_entry(isa: str) -> None:
    assert {line.split()[0] for line in golden.read(isa)} == {case.name for case in CASES}


def test_the_stream_of_numbers() -> None:
    """splitmix64 from seed 0: its published first output is e220a8397b1dcdaf."""
    assert golden.stream(0, 1)[0] == 0xE220A8397B1DCDAF >> 40
