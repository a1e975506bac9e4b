# SPDX-License-Identifier: Apache-2.0
"""What is said of measured rows, as text: cells of tables, means of ratios."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, log

from .subject import Result, Row

LARGE = 1e6  # bytes of operands of the rows that means are taken over

HEAD = (
    "loss",
    "size",
    "dtype",
    "threads",
    "simdloss",
    "GB/s",
    "of stream",
    "error",
    "best peer",
    "time",
    "error",
    "ratio",
)


def duration(seconds: float) -> str:
    """Three digits, and a unit that keeps them short."""
    for unit, factor in ("s", 1.0), ("ms", 1e3), ("µs", 1e6):
        number = seconds * factor
        if number >= 0.9995 or unit == "µs":
            break
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f} {unit}"


def error(row: Row, result: Result) -> str:
    """Of the value and, if there is one, of the gradient."""
    text = "?" if result.error is None else f"{result.error:.0e}"
    return text if result.gradient_error is None else f"{text}, {result.gradient_error:.0e}"


def cells(row: Row) -> list[str]:
    """A line of a table with the columns of HEAD."""
    workload = row.workload
    line = [workload.loss, workload.size, workload.dtype, str(row.n_threads)]
    ours, peers = row.ours, row.peers
    if ours is None:
        line += ["-"] * 4
    else:
        # Threads that start for a small array are no measure.
        streamed = row.streaming if row.bytes_read >= LARGE else None
        share = f"{streamed / ours.median:.0%}" if streamed else "-"
        speed = f"{row.n_bytes / ours.median / 1e9:.1f}"
        line += [duration(ours.median), speed, share, error(row, ours)]
    if peers:
        line += [peers[0].name, duration(peers[0].median), error(row, peers[0])]
    else:
        line += ["none"] + ["-"] * 2
    return [*line, "-" if row.ratio is None else f"{row.ratio:.2f}"]


def geometric_mean(ratios: Sequence[float]) -> float:
    return exp(sum(map(log, ratios)) / len(ratios))


def groups(rows: Iterable[Row]) -> dict[tuple[str, int], list[Row]]:
    """Rows by forward or gradient and the number of threads."""
    found: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        found.setdefault((row.workload.what, row.n_threads), []).append(row)
    return found


def means(rows: Iterable[Row]) -> list[list[str]]:
    """For each group of large rows: how many there are, the mean ratio, how many are lost."""
    lines = []
    for (what, n_threads), group in groups(rows).items():
        large = [row for row in group if row.bytes_read >= LARGE]
        ratios = [row.ratio for row in large if row.ratio is not None]
        if ratios:
            lost = sum(ratio < 1 for ratio in ratios)
            fastest = [row.ratio_of_fastest for row in large if row.ratio_of_fastest is not None]
            line = [what, str(n_threads), str(len(ratios)), f"{geometric_mean(ratios):.2f}"]
            line += [f"{min(ratios):.2f}", f"{max(ratios):.2f}", str(lost)]
            lines.append([*line, f"{geometric_mean(fastest):.2f}"])
    return lines


MEANS_HEAD = (
    "what",
    "threads",
    "rows",
    "geometric mean",
    "least",
    "largest",
    "lost",
    "geometric mean of fastest calls",
)


def losing(rows: Iterable[Row]) -> list[Row]:
    """Where a peer is faster, the worst first."""
    lost = [row for row in rows if row.ratio is not None and row.ratio < 1]
    return sorted(lost, key=lambda row: row.ratio or 0)
