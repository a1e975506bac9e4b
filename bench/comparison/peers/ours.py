# SPDX-License-Identifier: Apache-2.0
"""simdloss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import simdloss
from simdloss import losses

from ..subject import OURS, Job, Subject

CLASSES: dict[str, Any] = {
    "mean_squared_error": losses.MeanSquaredError,
    "mean_absolute_error": losses.MeanAbsoluteError,
    "huber": losses.Huber,
    "mean_absolute_percentage_error": losses.MeanAbsolutePercentageError,
    "mean_squared_logarithmic_error": losses.MeanSquaredLogarithmicError,
    "log_cosh": losses.LogCosh,
    "poisson": losses.Poisson,
    "hinge": losses.Hinge,
    "binary_crossentropy": losses.BinaryCrossentropy,
    "binary_focal_crossentropy": losses.BinaryFocalCrossentropy,
    "kl_divergence": losses.KLDivergence,
    "categorical_crossentropy": losses.CategoricalCrossentropy,
    "sparse_categorical_crossentropy": losses.SparseCategoricalCrossentropy,
    "categorical_focal_crossentropy": losses.CategoricalFocalCrossentropy,
    "cosine_similarity": losses.CosineSimilarity,
    "dice": losses.Dice,
    "ctc": losses.CTC,
}


def keras_options(job: Job) -> tuple[str, dict[str, Any]]:
    """The name of the function and the options of the class, the same here as in Keras."""
    name = job.workload.loss.removesuffix("_from_logits")
    options: dict[str, Any] = {}
    if name != job.workload.loss:
        options["from_logits"] = True
    if job.workload.axis >= 0:
        options["axis"] = job.workload.axis
    if job.workload.dtype == "float64":
        options["dtype"] = "float64"
    return name, options


def subjects(job: Job) -> Iterator[Subject]:
    # The process is bound to n CPUs. A number set by hand would hold for small calls, too.
    assert simdloss.get_num_threads() == job.n_threads
    name, options = keras_options(job)
    loss = CLASSES[name](**options)
    t, p = job.y_true, job.y_pred
    if not job.workload.gradient:
        yield Subject(OURS, lambda: loss(t, p))
    elif hasattr(loss, "value_and_grad"):
        out = np.empty_like(p)
        yield Subject(OURS, lambda: loss.value_and_grad(t, p), tuple)
        yield Subject(f"{OURS} out=", lambda: loss.value_and_grad(t, p, out=out), tuple)
