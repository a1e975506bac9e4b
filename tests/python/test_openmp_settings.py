# SPDX-License-Identifier: Apache-2.0
"""Settings of others that reach the number of threads: OpenMP's environment, affinity, quotas.

As in test_openmp.py, `check(n)` asserts the bits, and that n threads ran."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.openmp_runs import has_two_cpus, run

pytestmark = pytest.mark.skipif(not has_two_cpus(), reason="needs two CPUs")


@pytest.mark.parametrize(
    ("env", "threads", "reason"),
    [
        ("OMP_NUM_THREADS=1", 1, "openmp"),
        ("OMP_NUM_THREADS=2", 2, "openmp"),
        ("OMP_NUM_THREADS=2,1", 2, "openmp"),
        ("OMP_NUM_THREADS=many OMP_THREAD_LIMIT=2", 2, "openmp"),
        ("OMP_NUM_THREADS=-1 OMP_THREAD_LIMIT=2", 2, "openmp"),
        ("OMP_THREAD_LIMIT=1", 1, "openmp"),
        ("OMP_WAIT_POLICY=active", 2, "openmp"),
        ("OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0", 2, "openmp"),
        ("OMP_PROC_BIND=true", 2, "openmp"),
        ("OMP_PROC_BIND=close OMP_PLACES=cores", 2, "openmp"),
        ("OMP_NUM_THREADS=1 SIMDLOSS_NUM_THREADS=2", 2, "SIMDLOSS_NUM_THREADS"),
        ("OMP_NUM_THREADS=2 SIMDLOSS_NUM_THREADS=1", 1, "SIMDLOSS_NUM_THREADS"),
        ("OMP_NUM_THREADS=2 SIMDLOSS_NUM_THREADS=3", 3, "SIMDLOSS_NUM_THREADS"),
    ],
)
def test_environment(env: str, threads: int, reason: str) -> None:
    settings = dict(item.split("=") for item in env.split())
    code = f"""
from concurrent.futures import ThreadPoolExecutor
check_number({threads}, {reason!r})
check({threads})
with ThreadPoolExecutor(2) as pool: list(pool.map(check, [{threads}] * 10))
"""
    run(code, settings)


def test_more_threads_than_cpus() -> None:
    """The affinity mask is the limit, or a cgroup's quota that is less."""
    code = """
cpus = len(os.sched_getaffinity(0))
threads = simdloss.get_num_threads()
if simdloss.config()["num_threads_reason"] == "cgroup": assert threads < cpus
else: check_number(cpus, "affinity")
check(threads)
"""
    run(code, {"OMP_NUM_THREADS": "10000"})


@pytest.mark.parametrize("setting", ["OMP_DYNAMIC=true", "OMP_MAX_ACTIVE_LEVELS=0"])
def test_fewer_threads_than_announced(setting: str) -> None:
    """OpenMP may give fewer, by the load or for other reasons; the bits are the same."""
    code = """
bits, ran = compute()
assert bits == REFERENCE
assert ran <= {1, 2}
with simdloss.using_num_threads(4): assert compute()[0] == REFERENCE
"""
    run(code, dict([setting.split("=")]))


def test_affinity() -> None:
    """It is followed while the process runs, and when it starts."""
    code = """
import subprocess, sys
check_number(2, "openmp")
cpus = os.sched_getaffinity(0)
os.sched_setaffinity(0, {min(cpus)})
check_number(1, "affinity")
program = "from support.openmp import *; check_number(1, 'affinity')"
env = {**os.environ, "OMP_NUM_THREADS": "8"}
subprocess.run([sys.executable, "-c", program], check=True, env=env)
os.sched_setaffinity(0, cpus)
check_number(2, "openmp")
"""
    run(code)


def make_group() -> Path | None:
    """A cgroup with a quota of one and a half CPUs, where this process may make one."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        files = {"cpu.max": "150000 100000"}
        if controllers == "cpu":
            files = {"cpu.cfs_quota_us": "150000", "cpu.cfs_period_us": "100000"}
        elif controllers:
            continue
        parent = Path("/sys/fs/cgroup") / controllers / path.lstrip("/")
        group = parent / f"simdloss-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            for name, text in files.items():
                (group / name).write_text(text)
            return group
        except OSError:
            group.rmdir()
    return None


@pytest.fixture
def group() -> Iterator[Path]:
    made = make_group()
    if made is None:
        pytest.skip("no cgroup can be made here; test_cgroup.cpp has made-up ones")
    yield made
    made.rmdir()


def test_quota(group: Path) -> None:
    """One and a half CPUs make one thread."""
    enter = f"""
import os
with open("{group}/cgroup.procs", "w") as f: f.write(str(os.getpid()))
"""
    run('check_number(1, "cgroup")', first=enter)
    run('check_number(2, "openmp")')
