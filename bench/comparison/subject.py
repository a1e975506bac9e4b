# SPDX-License-Identifier: Apache-2.0
"""What is timed, and what comes out: the types that peers, the worker and the reports share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .data import Array
from .workloads import Workload

OURS = "simdloss"
STREAMING = "streaming"


@dataclass(frozen=True)
class Job:
    """A workload and its arrays, for peers to make subjects of."""

    workload: Workload
    y_true: Array
    y_pred: Array
    n_threads: int


@dataclass(frozen=True)
class Subject:
    """One way to compute a workload, with everything prepared that an expert prepares once."""

    name: str
    call: Callable[[], Any]  # returns when the result is there
    # The value, or the value and the gradient, of what `call` returns.
    outcome: Callable[[Any], Any] = float
    context: Callable[[], AbstractContextManager[Any]] = nullcontext  # entered around a turn

    @property
    def is_essential(self) -> bool:
        """Whether it takes part in every round, however slow: all ratios need it."""
        return self.name.startswith((OURS, STREAMING))


@dataclass
class Result:
    """What one subject did in one row. Times are seconds of a call."""

    name: str
    median: float = 0.0
    fastest: float = 0.0
    quartiles: tuple[float, float] = (0.0, 0.0)
    rounds: int = 0
    first_call: float = 0.0  # with compilation, unless that was kept from an earlier run
    value: float | None = None
    error: float | None = None  # of the value, absolute
    gradient_error: float | None = None  # the largest, relative to the largest magnitude
    failed: str = ""

    @property
    def is_ours(self) -> bool:
        return self.name.startswith(OURS)


@dataclass
class Row:
    """A measured workload."""

    workload: Workload
    n_threads: int
    reference: float
    bytes_read: int
    bytes_written: int
    streaming: float | None  # seconds to stream the same bytes
    results: list[Result] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Row:
        workload = fields["workload"]
        workload["shape"] = tuple(workload["shape"])
        results = [Result(**result) for result in fields["results"]]
        return cls(**fields | {"workload": Workload(**workload), "results": results})

    @property
    def n_bytes(self) -> int:
        return self.bytes_read + self.bytes_written

    def is_right(self, result: Result) -> bool:
        """Whether a subject computed this loss at all: within 1 %, 5 % in 16 bits."""
        if result.failed or result.error is None or not np.isfinite(result.error):
            return False
        tolerance = 0.05 if "16" in self.workload.dtype else 0.01
        if (result.gradient_error or 0.0) > tolerance:
            return False
        return result.error <= tolerance * abs(self.reference)

    @property
    def peers(self) -> list[Result]:
        """Peers with a right result, the fastest one first."""
        right = [r for r in self.results if not r.is_ours and self.is_right(r)]
        return sorted(right, key=lambda result: result.median)

    @property
    def ours(self) -> Result | None:
        """simdloss; of a gradient, the call with `out`, as peers with arrays of their own do."""
        found = [r for r in self.results if r.is_ours and not r.failed]
        return found[-1] if found else None

    @property
    def ratio(self) -> float | None:
        """The time of the best peer as a multiple of ours."""
        return self.peers[0].median / self.ours.median if self.ours and self.peers else None

    @property
    def ratio_of_fastest(self) -> float | None:
        """The same of the fastest calls, which other work on the machine disturbs less."""
        if not (self.ours and self.peers):
            return None
        return min(result.fastest for result in self.peers) / self.ours.fastest
