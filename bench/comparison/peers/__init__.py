# SPDX-License-Identifier: Apache-2.0
"""The peers, one module each: `subjects(job)` yields the ways it has to compute a workload.

Each is used as an expert would: arrays are converted and placed once, functions compiled in the
warm-up, threads set, results awaited. A peer that is not installed is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from ..subject import Job, Subject

MODULES = (
    "ours",
    "torch_peer",
    "jax_peer",
    "tensorflow_peer",
    "keras_peer",
    "numba_peer",
    "sklearn_peer",
    "simd_peer",
    "numexpr_peer",
    "onnx_peer",
)
PACKAGES = (
    "simdloss",
    "numpy",
    "torch",
    "jax",
    "jaxlib",
    "optax",
    "tensorflow-cpu",
    "keras",
    "numba",
    "scikit-learn",
    "simsimd",
    "numkong",
    "numexpr",
    "onnxruntime",
)


def all_subjects(job: Job, skipped: tuple[str, ...] = ()) -> Iterator[Subject]:
    """The subjects of all installed peers, but those whose name has a part of `skipped`."""
    for module in MODULES:
        try:
            peer = import_module(f"{__name__}.{module}")
        except ImportError:
            continue
        for subject in peer.subjects(job):
            if not any(part in subject.name for part in skipped):
                yield subject
