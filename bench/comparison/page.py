# SPDX-License-Identifier: Apache-2.0
"""docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .console import TITLES
from .machine import Origin
from .subject import Row
from .summary import HEAD, MEANS_HEAD, cells, duration, groups, losing, means

INTRODUCTION = """\
# Speed beside peers

{origin}

`{command}`, see [bench/README.md](../bench/README.md) for what is measured and what is not.
Absolute figures move with the machine's clock and its neighbours; the subjects of a row take turns,
so compare within rows.

- *time*: median of a call; arrays are converted and placed before, functions compiled.
- *GB/s*: bytes of both operands, and of the gradient if there is one, in the time of simdloss. *of
  stream*: the time of a loop over the same arrays, in turns with the others, that adds them as
  integers and writes as many bytes as the gradient has, as a part of the time of simdloss.
- *error*: of the mean, absolute, against float64; of a gradient, the largest one as a part of the
  largest magnitude.
- *best peer*: the fastest one within 1 % (in 16 bits 5 %) of the true value. *ratio*: its time as a
  multiple of that of simdloss; below 1, simdloss loses.
"""


def page(rows: Sequence[Row], origin: Origin) -> str:
    parts = [INTRODUCTION.format(origin=origin, command=origin.command)]
    parts += ["## Ratios of rows of 1 MB and more", _table(MEANS_HEAD, means(rows))]
    parts += ["## Where simdloss loses"]
    lost = losing(rows)
    lines = [[row.workload.what, *cells(row)] for row in lost]
    parts += [_table(("what", *HEAD), lines) if lost else "Nowhere in this run."]
    for (what, n_threads), group in groups(rows).items():
        parts += [f"## {TITLES[what]}, threads: {n_threads}"]
        parts += [_table(HEAD, map(cells, group))]
    parts += ["## Every subject"]
    parts += ["Medians; *wrong*: more than 1 % (5 %) off; *-*: not offered, or failed."]
    for (what, n_threads), group in groups(rows).items():
        parts += [f"### {TITLES[what]}, threads: {n_threads}", _matrix(group)]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _matrix(rows: Sequence[Row]) -> str:
    """Times of all subjects, one column each."""
    names = list(dict.fromkeys(result.name for row in rows for result in row.results))
    lines = []
    for row in rows:
        line = [f"{row.workload.loss} {row.workload.size} {row.workload.dtype}"]
        results = {result.name: result for result in row.results}
        for name in names:
            result = results.get(name)
            if result is None or result.failed:
                line.append("-")
            else:
                wrong = "" if row.is_right(result) else ", wrong"
                line.append(duration(result.median) + wrong)
        lines.append(line)
    return _table(("", *names), lines)


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
