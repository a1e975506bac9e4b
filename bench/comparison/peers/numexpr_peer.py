# SPDX-License-Identifier: Apache-2.0
"""numexpr: formulas in blocks that stay in the cache, by threads, into an array that NumPy sums.

numexpr's own sum has one thread, and adds float32 in sequence: 1 % off for 8 million numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numexpr
import numpy as np

from ..subject import Job, Subject

# Their sums over all elements are divided by `n` below.
EXPRESSIONS = {
    "mean_squared_error": "((p - t) ** 2)",
    "mean_absolute_error": "(abs(p - t))",
    "huber": "(where(abs(p - t) <= one, half * (p - t) ** 2, abs(p - t) - half))",
    "mean_absolute_percentage_error": "(abs((t - p) / t))",
    "mean_squared_logarithmic_error": "((log1p(p) - log1p(t)) ** 2)",
    "poisson": "(p - t * log(p + epsilon))",
    "hinge": "(where(t * p < one, one - t * p, zero))",
    "binary_crossentropy_from_logits": ("(where(p > zero, p, zero) - p * t + log1p(exp(-abs(p))))"),
    "binary_crossentropy": "-(t * log(p) + (one - t) * log1p(-p))",
    "kl_divergence": "(t * log(t / p))",
    "categorical_crossentropy": "-(t * log(p))",
}
MEANS_OF_ROWS = ("kl_divergence", "categorical_crossentropy")


def subjects(job: Job) -> Iterator[Subject]:
    expression = EXPRESSIONS.get(job.workload.loss)
    if expression is None or job.workload.gradient or "16" in job.workload.dtype:
        return
    numexpr.set_num_threads(job.n_threads)
    number = job.y_pred.dtype.type  # a Python float would turn everything into float64
    names: dict[str, Any] = {
        "t": job.y_true.reshape(-1),
        "p": job.y_pred.reshape(-1),
        "zero": number(0),
        "half": number(0.5),
        "one": number(1),
        "epsilon": number(1e-7),
    }
    n = job.y_pred.size
    if job.workload.loss in MEANS_OF_ROWS:
        n //= job.workload.shape[-1]
    factor = 100 / n if "percentage" in job.workload.loss else 1 / n
    terms = np.empty_like(names["p"])
    numexpr.evaluate(expression, names, {}, out=terms)  # re_evaluate repeats it without parsing

    def call() -> Any:
        numexpr.re_evaluate(names)
        return factor * terms.sum()

    yield Subject("numexpr", call)
