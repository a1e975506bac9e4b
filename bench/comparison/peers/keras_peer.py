# SPDX-License-Identifier: Apache-2.0
"""Keras on NumPy. A process has one backend; on the others Keras calls what is measured as torch,
JAX and TensorFlow, with its own overhead on top."""

from __future__ import annotations

import os
from collections.abc import Iterator

os.environ["KERAS_BACKEND"] = "numpy"

import keras

from ..subject import Job, Subject
from .ours import CLASSES, keras_options


def subjects(job: Job) -> Iterator[Subject]:
    if job.workload.gradient:  # the backend has none
        return
    name, options = keras_options(job)
    loss = getattr(keras.losses, CLASSES[name].__name__)(**options)
    t, p = job.y_true, job.y_pred
    yield Subject("Keras NumPy", lambda: loss(t, p))
