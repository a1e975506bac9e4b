# SPDX-License-Identifier: Apache-2.0
"""simdloss beside its peers: mean losses, and values with gradients.

python bench/compare.py --quick                    (the package and the extra `bench` installed)
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from comparison.console import show
from comparison.machine import Origin, origin
from comparison.measure import Effort
from comparison.page import page
from comparison.plot import plot
from comparison.subject import Row
from comparison.worker import Plan, environment
from comparison.workloads import WORKLOADS
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

BENCH = Path(__file__).resolve().parent
PAGE = BENCH.parent / "docs" / "benchmarks.md"
FULL = Effort(seconds=4, min_rounds=7, max_rounds=101, slow_rounds=3)
QUICK = Effort(seconds=1, min_rounds=5, max_rounds=51, slow_rounds=2)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="compare.py", description=__doc__)
    parser.add_argument("--what", choices=["forward", "gradient", "all"], default="all")
    parser.add_argument("--only", metavar="PATTERN", help="rows whose name has it (a regex)")
    parser.add_argument("--threads", help="such as 1,2; default: 1 and all CPUs, --quick: all CPUs")
    parser.add_argument("--quick", action="store_true", help="some rows, in about 3 minutes")
    parser.add_argument("--skip", default="", help="parts of names of subjects to leave out: a,b")
    parser.add_argument("--every", action="store_true", help="show every subject of every row")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--read", type=Path, metavar="FILE", help="report such a file instead")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the ratios")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    return parser.parse_args()


def chosen_names(options: argparse.Namespace) -> tuple[str, ...]:
    """The workloads that the options ask for; --only finds those beside --quick, too."""
    return tuple(
        workload.name
        for workload in WORKLOADS
        if options.what in ("all", workload.what)
        and (re.search(options.only, workload.name) if options.only else True)
        and (workload.quick or not options.quick or options.only)
    )


def thread_counts(options: argparse.Namespace) -> list[int]:
    n_cpus = len(os.sched_getaffinity(0))
    if options.threads:
        counts = [int(count) for count in options.threads.split(",")]
        if not all(1 <= count <= n_cpus for count in counts):
            raise SystemExit(f"--threads: there are 1 to {n_cpus} CPUs")
        return counts
    return [n_cpus] if options.quick else sorted({1, n_cpus})


def measured(plan: Plan, log: Path) -> Iterator[Row]:
    """Rows, one by one, of a worker of its own."""
    with (
        log.open("a") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "comparison.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(plan.n_threads) | {"PYTHONPATH": str(BENCH)},
            text=True,
        ) as worker,
    ):
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(plan.to_json())
        worker.stdin.close()
        for line in worker.stdout:
            yield Row.from_json(json.loads(line))
    if worker.returncode:
        print(f"worker of {plan.n_threads} threads: status {worker.returncode}, see {log}")


def measure_all(options: argparse.Namespace, console: Console) -> list[Row]:
    names, counts = chosen_names(options), thread_counts(options)
    skipped = tuple(filter(None, options.skip.split(",")))
    effort = QUICK if options.quick else FULL
    log = BENCH.parent / "build" / "compare.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text("")
    rows: list[Row] = []
    columns = TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=len(names) * len(counts))
        for n_threads in counts:
            for row in measured(Plan(n_threads, names, skipped, effort), log):
                rows.append(row)
                done = f"{row.workload.name}, threads: {n_threads}"
                progress.update(task, advance=1, description=done)
                if not console.is_terminal:
                    console.print(done)
    return rows


def report(rows: Sequence[Row], source: Origin, options: argparse.Namespace) -> None:
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(str(source), highlight=False)
    show(console, rows, options.every)
    if options.json:
        data = {"origin": asdict(source), "rows": [row.to_json() for row in rows]}
        options.json.write_text(json.dumps(data, indent=1) + "\n")
    if options.plot:
        plot(rows, options.plot)
    if options.write:
        PAGE.write_text(page(rows, source))
        console.print(f"written: docs/{PAGE.name}")


def main() -> None:
    options = arguments()
    if options.read:
        data = json.loads(options.read.read_text())
        report([Row.from_json(row) for row in data["rows"]], Origin(**data["origin"]), options)
        return
    source = origin()
    report(measure_all(options, Console(stderr=True)), source, options)


if __name__ == "__main__":
    main()
