# SPDX-License-Identifier: Apache-2.0
"""Losses that are checked, in the processes of the tests with others that use OpenMP."""

from __future__ import annotations

import os

import numpy as np

import simdloss
from support.openmp_peers import *  # noqa: F403

Y_TRUE = np.random.default_rng(0).integers(0, 2, (4000, 64)).astype(np.float32)
Y_PRED = np.random.default_rng(1).normal(size=(4000, 64)).astype(np.float32)
LOSS = simdloss.BinaryCrossentropy(from_logits=True)


def compute() -> tuple[list[bytes], set[int]]:
    """The bits of a loss and of its gradient, and the numbers of threads that ran."""
    loss = LOSS(Y_TRUE, Y_PRED)
    ran = {simdloss.last_num_threads()}
    value, gradient = LOSS.value_and_grad(Y_TRUE, Y_PRED)
    ran.add(simdloss.last_num_threads())
    return [loss.tobytes(), value.tobytes(), gradient.tobytes()], ran


with simdloss.using_num_threads(1):
    REFERENCE, _ = compute()


def check(threads: int, _: object = None) -> int:
    """The bits are those of one thread, and so many ran; returns the number of this process."""
    bits, ran = compute()
    assert bits == REFERENCE
    assert ran == {threads}, (ran, simdloss.config())
    return os.getpid()


def check_number(threads: int, reason: str) -> None:
    """What is announced is what runs."""
    check(threads)
    config = simdloss.config()
    assert (config["num_threads"], config["num_threads_reason"]) == (threads, reason), config


def own_runtime() -> str:
    """The file of the runtime that simdloss uses."""
    return str(simdloss.config()["openmp_library"])


def wait_for(pid: int) -> None:
    """A child must succeed."""
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
