# SPDX-License-Identifier: Apache-2.0
"""Random splits of batches."""

from __future__ import annotations

import itertools

import numpy as np


def split(rng: np.random.Generator, n: int, pieces: int) -> list[slice]:
    """A random split of n samples into pieces, some of them empty, in random order."""
    cuts = [0, *sorted(rng.integers(0, n + 1, pieces - 1).tolist()), n]
    parts = [slice(a, b) for a, b in itertools.pairwise(cuts)]
    return [parts[i] for i in rng.permutation(len(parts))]
