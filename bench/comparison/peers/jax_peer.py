# SPDX-License-Identifier: Apache-2.0
"""JAX and Optax, jitted. Their thread pool has a thread for each CPU that the process may use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jax.nn import log_softmax
from jax.scipy.special import logsumexp

from ..subject import Job, Subject

try:
    from optax import losses as optax_losses
except ImportError:
    optax_losses = None

config: Any = jax.config
config.update("jax_enable_x64", True)  # for float64; float32 arrays stay what they are

EPSILON = 1e-7
Function = Callable[[Any, Any, int], Any]


def _huber(t: Any, p: Any, axis: int) -> Any:
    d = jnp.abs(p - t)
    return jnp.mean(jnp.where(d <= 1, 0.5 * d * d, d - 0.5))


def _log_cosh(t: Any, p: Any, axis: int) -> Any:
    d = jnp.abs(p - t)
    return jnp.mean(d + jnp.log1p(jnp.exp(-2 * d))) - math.log(2)


def _binary(t: Any, z: Any) -> Any:
    return jnp.maximum(z, 0) - z * t + jnp.log1p(jnp.exp(-jnp.abs(z)))


def _focal(t: Any, p: Any, axis: int) -> Any:
    crossentropy = _binary(t, p)
    return jnp.mean((1 - jnp.exp(-crossentropy)) ** 2 * crossentropy)


def _sparse(t: Any, p: Any, axis: int) -> Any:
    chosen = jnp.take_along_axis(p, jnp.expand_dims(t, axis), axis).squeeze(axis)
    return jnp.mean(logsumexp(p, axis) - chosen)


def _categorical_focal(t: Any, p: Any, axis: int) -> Any:
    log_p = log_softmax(p, axis)
    return -0.25 * jnp.mean(jnp.sum(t * (1 - jnp.exp(log_p)) ** 2 * log_p, axis))


def _cosine(t: Any, p: Any, axis: int) -> Any:
    squares = jnp.sum(t * t, axis) * jnp.sum(p * p, axis)
    return -jnp.mean(jnp.sum(t * p, axis) * jax.lax.rsqrt(squares))


FUNCTIONS: dict[str, Function] = {
    "mean_squared_error": lambda t, p, axis: jnp.mean((p - t) ** 2),
    "mean_absolute_error": lambda t, p, axis: jnp.mean(jnp.abs(p - t)),
    "huber": _huber,
    "mean_absolute_percentage_error": lambda t, p, axis: (
        100 * jnp.mean(jnp.abs((t - p) / jnp.maximum(jnp.abs(t), EPSILON)))
    ),
    "mean_squared_logarithmic_error": lambda t, p, axis: jnp.mean(
        (jnp.log1p(p) - jnp.log1p(t)) ** 2
    ),
    "log_cosh": _log_cosh,
    "poisson": lambda t, p, axis: jnp.mean(p - t * jnp.log(p + EPSILON)),
    "hinge": lambda t, p, axis: jnp.mean(jnp.maximum(1 - t * p, 0)),
    "binary_crossentropy_from_logits": lambda t, p, axis: jnp.mean(_binary(t, p)),
    "binary_crossentropy": lambda t, p, axis: -jnp.mean(t * jnp.log(p) + (1 - t) * jnp.log1p(-p)),
    "binary_focal_crossentropy_from_logits": _focal,
    "kl_divergence": lambda t, p, axis: jnp.mean(jnp.sum(t * jnp.log(t / p), axis)),
    "categorical_crossentropy_from_logits": lambda t, p, axis: (
        -jnp.mean(jnp.sum(t * log_softmax(p, axis), axis))
    ),
    "categorical_crossentropy": lambda t, p, axis: -jnp.mean(jnp.sum(t * jnp.log(p), axis)),
    "sparse_categorical_crossentropy_from_logits": _sparse,
    "categorical_focal_crossentropy_from_logits": _categorical_focal,
    "cosine_similarity": _cosine,
    "dice": lambda t, p, axis: 1 - 2 * jnp.sum(t * p) / (jnp.sum(t) + jnp.sum(p) + EPSILON),
}


def _optax_functions() -> dict[str, Function]:
    o = optax_losses
    if o is None:
        return {}

    def ctc(t: Any, p: Any, axis: int) -> Any:
        paddings = jnp.zeros(p.shape[:2]), jnp.zeros(t.shape)
        return jnp.mean(o.ctc_loss(p, paddings[0], t, paddings[1]))

    return {
        "mean_squared_error": lambda t, p, axis: jnp.mean(o.squared_error(p, t)),
        "huber": lambda t, p, axis: jnp.mean(o.huber_loss(p, t)),
        "log_cosh": lambda t, p, axis: jnp.mean(o.log_cosh(p, t)),
        "hinge": lambda t, p, axis: jnp.mean(o.hinge_loss(p, t)),
        "binary_crossentropy_from_logits": lambda t, p, axis: jnp.mean(
            o.sigmoid_binary_cross_entropy(p, t)
        ),
        "binary_focal_crossentropy_from_logits": lambda t, p, axis: jnp.mean(
            o.sigmoid_focal_loss(p, t)
        ),
        "kl_divergence": lambda t, p, axis: jnp.mean(o.kl_divergence(jnp.log(p), t, axis)),
        "categorical_crossentropy_from_logits": lambda t, p, axis: jnp.mean(
            o.softmax_cross_entropy(p, t, axis)
        ),
        "sparse_categorical_crossentropy_from_logits": lambda t, p, axis: jnp.mean(
            o.softmax_cross_entropy_with_integer_labels(p, t, axis)
        ),
        "cosine_similarity": lambda t, p, axis: -jnp.mean(o.cosine_similarity(p, t, axis=axis)),
        "ctc": ctc,
    }


def subjects(job: Job) -> Iterator[Subject]:
    t, p = jax.device_put((job.y_true, job.y_pred))
    for name, functions in ("jax.jit", FUNCTIONS), ("optax", _optax_functions()):
        function = functions.get(job.workload.loss)
        if function is not None:
            yield _subject(name, function, t, p, job)


def _subject(name: str, function: Function, t: Any, p: Any, job: Job) -> Subject:
    axis = job.workload.axis

    def loss(t: Any, p: Any) -> Any:
        return function(t, p, axis)

    if not job.workload.gradient:
        compiled = jax.jit(loss)
        return Subject(name, lambda: compiled(t, p).block_until_ready())
    both = jax.jit(jax.value_and_grad(loss, argnums=1))
    wait: Any = jax.block_until_ready
    return Subject(
        name,
        lambda: wait(both(t, p)),
        lambda result: (float(result[0]), np.asarray(result[1])),
    )
