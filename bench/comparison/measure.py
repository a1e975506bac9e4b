# SPDX-License-Identifier: Apache-2.0
"""Timing of subjects in turns."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from random import Random

from .subject import Subject


@dataclass(frozen=True)
class Effort:
    """How long a row is measured."""

    seconds: float
    min_rounds: int
    max_rounds: int
    slow_rounds: int  # for subjects whose turns are more than SLOW times the shortest


SLOW = 8
TURN = 1e-3  # seconds: shorter calls are repeated within a turn
# Threads of a pool that has just worked spin for some time; this lets those of the subject before
# go to sleep.
PAUSE = 2e-3


def warm_up(subject: Subject) -> float:
    """Seconds of a call, when compiled and with the data in the cache if they fit there."""
    calls: list[float] = []
    with subject.context():
        while len(calls) < 2 or (len(calls) < 10 and sum(calls) < 0.1):
            start = time.perf_counter()
            subject.call()
            calls.append(time.perf_counter() - start)
    return min(calls)


def measure(subjects: Sequence[Subject], effort: Effort) -> dict[str, list[float]]:
    """Seconds of calls by the names of subjects, which take turns in an order that is shuffled."""
    fastest = {subject.name: warm_up(subject) for subject in subjects}
    times: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    order, shuffled = list(subjects), Random(1)
    end = time.perf_counter() + effort.seconds
    gc.collect()
    gc.disable()
    try:
        for round_ in range(effort.max_rounds):
            if round_ >= effort.min_rounds and time.perf_counter() > end:
                break
            shuffled.shuffle(order)
            limit = SLOW * max(TURN, min(fastest.values()))
            for subject in order:
                name = subject.name
                if round_ < effort.slow_rounds or fastest[name] <= limit or subject.is_essential:
                    times[name].append(_turn(subject, fastest[name]))
                    fastest[name] = min(fastest[name], times[name][-1])
    finally:
        gc.enable()
    return times


def _turn(subject: Subject, estimate: float) -> float:
    call = subject.call
    n_calls = max(1, int(TURN / estimate))
    with subject.context():
        time.sleep(PAUSE)
        for _ in repeat(None, 1 + n_calls // 10):
            call()
        start = time.perf_counter()
        for _ in repeat(None, n_calls):
            call()
        return (time.perf_counter() - start) / n_calls
