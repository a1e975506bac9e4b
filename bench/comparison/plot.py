# SPDX-License-Identifier: Apache-2.0
"""Ratios as bars, by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .subject import Row
from .summary import groups


def plot(rows: Sequence[Row], path: Path) -> None:
    """One panel for each number of threads, forward or gradient."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = groups(row for row in rows if row.ratio is not None)
    if not panels:
        return
    height = 1.5 + 0.22 * max(map(len, panels.values()))
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(9 * len(panels), height), squeeze=False, layout="constrained"
    )
    for axis, ((what, n_threads), group) in zip(axes[0], panels.items(), strict=True):
        labels = [f"{row.workload.loss} {row.workload.size} {row.workload.dtype}" for row in group]
        ratios = [row.ratio or 1.0 for row in group]
        colors = ["tab:blue" if ratio >= 1 else "tab:red" for ratio in ratios]
        # Bars start at 1, where both are equally fast.
        axis.barh(range(len(group)), [ratio - 1 for ratio in ratios], left=1, color=colors)
        axis.set_yticks(range(len(group)), labels, fontsize=7)
        for index, row in enumerate(group):
            text = f" {row.ratio:.2f} {row.peers[0].name}"
            axis.text(max(row.ratio or 1, 1), index, text, va="center", fontsize=7)
        axis.set_xscale("log", base=2)
        axis.axvline(1, color="black", linewidth=0.8)
        axis.invert_yaxis()
        axis.margins(x=0.25, y=0.01)
        axis.set_title(f"{what}, threads: {n_threads}")
        axis.set_xlabel("time of the best peer / time of simdloss")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
