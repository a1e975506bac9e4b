# SPDX-License-Identifier: Apache-2.0
"""Others that use threads. Each asserts that it really used two; none imports simdloss."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

warnings.simplefilter("ignore")  # of the peers, and of Python about forks beside threads


def loaded_files() -> set[str]:
    """What is mapped into this process."""
    text = Path("/proc/self/maps").read_text()
    return {os.path.realpath(path) for path in re.findall(r"/\S+$", text, re.MULTILINE)}


def n_tasks() -> int:
    """How many threads the system counts."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def use_nothing() -> None:
    """The peer of a process without any."""


def use_torch() -> None:
    import torch

    torch.set_num_threads(2)
    x = torch.ones(1 << 20)
    assert float((x * 2).sum()) == 1 << 21
    assert torch.get_num_threads() == 2
    assert n_tasks() >= 2


def use_sklearn() -> None:
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

    x = np.random.default_rng(0).normal(size=(4000, 4))
    KMeans(2, n_init=1, max_iter=3, random_state=0).fit(x)
    assert _openmp_effective_n_threads() == 2
    assert n_tasks() >= 2


def use_numba() -> None:
    from support import numba_loops

    assert len(set(numba_loops.thread_ids(1000))) == 2
