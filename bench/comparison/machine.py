# SPDX-License-Identifier: Apache-2.0
"""Where a figure comes from: the machine, the day, the command, the versions."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from .peers import PACKAGES


@dataclass(frozen=True)
class Origin:
    """What every page of figures says."""

    cpu: str
    n_cpus: int
    memory_gib: float
    system: str
    python: str
    date: str
    command: str
    versions: dict[str, str]
    isa: str
    load: float  # of other processes, too, as the measurement starts

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return (
            f"{self.cpu}, {self.n_cpus} CPUs, {self.memory_gib:.0f} GiB, {self.system}, "
            f"{self.date}, load average {self.load:.1f} at the start. Python {self.python}; "
            f"{versions}. Instruction set of simdloss: {self.isa}."
        )


def origin() -> Origin:
    import simdloss

    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return Origin(
        cpu=_field("/proc/cpuinfo", "model name"),
        n_cpus=len(os.sched_getaffinity(0)),
        memory_gib=int(_field("/proc/meminfo", "MemTotal").split()[0]) / 2**20,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        date=datetime.now(timezone.utc).date().isoformat(),
        command=" ".join(["python bench/compare.py", *sys.argv[1:]]),
        versions=versions,
        isa=simdloss.active_isa(),
        load=os.getloadavg()[0],
    )


def _field(file: str, key: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return "0"
