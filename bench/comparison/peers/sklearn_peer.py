# SPDX-License-Identifier: Apache-2.0
"""scikit-learn: its metrics, and the Cython losses of its linear models and boosted trees.

The latter, in a private module, are fused loops with OpenMP that also give gradients: of each
sample, into arrays that the caller keeps. Their mean and its 1 / n are taken by NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sklearn
from sklearn import metrics

from ..data import Array
from ..subject import Job, Subject

try:
    from sklearn._loss import loss as cython_losses
except ImportError:
    cython_losses = None

sklearn.set_config(assume_finite=True)


def _log_loss(t: Array, p: Array) -> Any:
    return metrics.log_loss(t.ravel(), p.ravel(), labels=[0, 1])


METRICS: dict[str, Callable[[Array, Array], Any]] = {
    "mean_squared_error": metrics.mean_squared_error,
    "mean_absolute_error": metrics.mean_absolute_error,
    "mean_absolute_percentage_error": lambda t, p: (
        100 * metrics.mean_absolute_percentage_error(t, p)
    ),
    "mean_squared_logarithmic_error": metrics.mean_squared_log_error,
    "hinge": lambda t, p: metrics.hinge_loss(t.ravel(), p.ravel()),
    "binary_crossentropy": _log_loss,
    "cosine_similarity": lambda t, p: metrics.pairwise.paired_cosine_distances(t, p).mean() - 1,
}


def subjects(job: Job) -> Iterator[Subject]:
    t, p = job.y_true, job.y_pred
    metric = METRICS.get(job.workload.loss)
    if metric is not None and not job.workload.gradient:
        yield Subject("scikit-learn", lambda: metric(t, p))
    if cython_losses is not None and job.workload.axis < 0 and "16" not in job.workload.dtype:
        yield from _cython(job)


def _cython(job: Job) -> Iterator[Subject]:
    t, p = job.y_true, job.y_pred
    kernel: Any
    factor = 1.0
    if job.workload.is_sparse:
        kernel = cython_losses.HalfMultinomialLoss(n_classes=p.shape[-1])
        t = t.astype(p.dtype)
    else:
        t, p = t.ravel(), p.ravel()
        if job.workload.loss == "mean_squared_error":
            kernel, factor = cython_losses.HalfSquaredError(), 2.0
        elif job.workload.loss == "binary_crossentropy_from_logits":
            kernel = cython_losses.HalfBinomialLoss()
        else:
            return
    losses, gradient = np.empty(len(t), p.dtype), np.empty_like(p)
    n_threads = job.n_threads

    def value() -> Any:
        kernel.loss(t, p, loss_out=losses, n_threads=n_threads)
        return factor * losses.mean(dtype=np.float64)

    def both() -> Any:
        kernel.loss_gradient(t, p, loss_out=losses, gradient_out=gradient, n_threads=n_threads)
        np.multiply(gradient, factor / len(t), out=gradient)
        return factor * losses.mean(dtype=np.float64), gradient

    def outcome(result: Any) -> Any:
        return float(result[0]), result[1].reshape(job.workload.shape)

    if job.workload.gradient:
        yield Subject("scikit-learn Cython", both, outcome)
    else:
        yield Subject("scikit-learn Cython", value)
