# SPDX-License-Identifier: Apache-2.0
"""Settings of the whole suite: the Keras backend, hypothesis profiles, process-wide state."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

os.environ["KERAS_BACKEND"] = "numpy"
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # more threads than cores must not spin

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _settings_are_left_as_they_were() -> Iterator[None]:
    """A test that leaves a process-wide setting changed would change the meaning of later ones."""
    import simdloss

    def state() -> tuple[object, ...]:
        return (
            simdloss.active_isa(),
            simdloss.get_num_threads(),
            simdloss.floatx(),
            simdloss.epsilon(),
        )

    before = state()
    yield
    assert state() == before
