# SPDX-License-Identifier: Apache-2.0
"""The process that measures: one for each number of threads, which some peers fix at their start.

Reads a plan as JSON from standard input and writes a row as a line of JSON for each workload.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import quantiles

import numpy as np

from .data import Array, make_arrays
from .measure import Effort, measure
from .peers import all_subjects
from .reference import reference
from .subject import STREAMING, Job, Result, Row, Subject
from .workloads import WORKLOADS


@dataclass(frozen=True)
class Plan:
    """What a worker has to do."""

    n_threads: int
    names: tuple[str, ...]
    skipped: tuple[str, ...]
    effort: Effort

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        fields = json.loads(text)
        effort = Effort(**fields["effort"])
        return cls(fields["n_threads"], tuple(fields["names"]), tuple(fields["skipped"]), effort)


def environment(n_threads: int) -> dict[str, str]:
    """For a worker: pools of n threads that sleep when they have nothing to do."""
    number = str(n_threads)
    pools = ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR")
    return os.environ | {
        **{f"{pool}_NUM_THREADS": number for pool in pools},
        "PJRT_NPROC": number,  # the pool of XLA in JAX
        "KERAS_BACKEND": "numpy",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }


def measured_row(plan: Plan, name: str) -> Row:
    """Measures the workload of that name."""
    workload = next(workload for workload in WORKLOADS if workload.name == name)
    job = Job(workload, *make_arrays(workload), plan.n_threads)
    value, gradient = reference(workload, job.y_true, job.y_pred)
    written = job.y_pred.nbytes if gradient is not None else 0
    row = Row(workload, plan.n_threads, value, job.y_true.nbytes + job.y_pred.nbytes, written, None)
    subjects: list[Subject] = []
    for subject in all_subjects(job, plan.skipped):
        result = _checked(subject, value, gradient)
        row.results.append(result)
        if not result.failed:
            subjects.append(subject)
    times = measure([*subjects, *_streaming(job)], plan.effort)
    if STREAMING in times:
        row.streaming = float(np.median(times[STREAMING]))
    for result in row.results:
        if result.name in times:
            _fill(result, times[result.name])
    return row


def _checked(subject: Subject, reference_value: float, gradient: Array | None) -> Result:
    """What the first call gives: with it compilers do their work."""
    result = Result(subject.name)
    try:
        with subject.context():
            start = time.perf_counter()
            returned = subject.call()
            result.first_call = time.perf_counter() - start
            outcome = subject.outcome(returned)
        result.value = float(outcome[0] if gradient is not None else outcome)
        result.error = abs(result.value - reference_value)
        if gradient is not None:
            difference = np.abs(np.asarray(outcome[1], np.float64) - gradient)
            result.gradient_error = float(difference.max() / np.abs(gradient).max())
    except Exception as error:  # of any peer, which is then a row without it
        result.failed = f"{type(error).__name__}: {error}"[:300]
    return result


def _streaming(job: Job) -> Iterator[Subject]:
    try:
        from .peers.numba_peer import streaming
    except ImportError:
        return
    yield streaming(job)


def _fill(result: Result, times: list[float]) -> None:
    result.median, result.fastest, result.rounds = float(np.median(times)), min(times), len(times)
    if len(times) > 1:
        first, _, third = quantiles(times, method="inclusive")
        result.quartiles = (first, third)


def main() -> None:
    plan = Plan.from_json(sys.stdin.read())
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cpus[-plan.n_threads :])
    warnings.simplefilter("ignore")
    rows = os.fdopen(os.dup(1), "w")  # what peers print goes to standard error
    os.dup2(2, 1)
    for name in plan.names:
        print(json.dumps(measured_row(plan, name).to_json()), file=rows, flush=True)
    rows.close()
    sys.stderr.flush()
    os._exit(0)  # threads of a dozen runtimes need no farewell


if __name__ == "__main__":
    main()
