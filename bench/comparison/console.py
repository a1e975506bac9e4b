# SPDX-License-Identifier: Apache-2.0
"""Tables on the console."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from .subject import Row
from .summary import HEAD, MEANS_HEAD, cells, duration, error, groups, means

TITLES = {"forward": "Mean losses", "gradient": "Mean losses and their gradients"}


def show(console: Console, rows: Sequence[Row], every_subject: bool) -> None:
    for (what, _), group in groups(rows).items():
        table = Table(*HEAD, title=f"{TITLES[what]}; ratio: time of the best peer / simdloss")
        for column in table.columns[3:]:
            column.justify = "right"
        for row in group:
            lost = row.ratio is not None and row.ratio < 1
            table.add_row(*cells(row), style="red" if lost else None)
        console.print(table)
    if every_subject:
        for row in rows:
            console.print(_subjects(row))
    table = Table(*MEANS_HEAD, title="Ratios of rows of 1 MB and more")
    for line in means(rows):
        table.add_row(*line)
    console.print(table)


def _subjects(row: Row) -> Table:
    """All subjects of a row, the fastest first."""
    title = f"{row.workload.name}, threads: {row.n_threads}"
    table = Table("subject", "median", "fastest", "rounds", "error", title=title)
    for result in sorted(row.results, key=lambda result: result.median or float("inf")):
        if result.failed:
            table.add_row(result.name, "failed", "", "", result.failed.splitlines()[0])
            continue
        note = error(row, result) + ("" if row.is_right(result) else " wrong")
        times = duration(result.median), duration(result.fastest)
        table.add_row(result.name, *times, str(result.rounds), note)
    return table
