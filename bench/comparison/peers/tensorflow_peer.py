# SPDX-License-Identifier: Apache-2.0
"""TensorFlow, compiled by XLA."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from ..subject import Job, Subject

EPSILON = 1e-7
Function = Callable[[Any, Any, int], Any]


def _log_cosh(t: Any, p: Any, axis: int) -> Any:
    d = tf.abs(p - t)
    return tf.reduce_mean(d + tf.math.log1p(tf.exp(-2 * d))) - math.log(2)


def _focal(t: Any, p: Any, axis: int) -> Any:
    crossentropy = tf.nn.sigmoid_cross_entropy_with_logits(t, p)
    return tf.reduce_mean((1 - tf.exp(-crossentropy)) ** 2 * crossentropy)


def _huber(t: Any, p: Any, axis: int) -> Any:
    d = tf.abs(p - t)
    return tf.reduce_mean(tf.where(d <= 1, 0.5 * d * d, d - 0.5))


def _sparse(t: Any, p: Any, axis: int) -> Any:
    if axis < 0:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(t, p))
    one_hot = tf.one_hot(t, p.shape[axis], axis=axis, dtype=p.dtype)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(one_hot, p, axis))


def _categorical_focal(t: Any, p: Any, axis: int) -> Any:
    log_p = tf.nn.log_softmax(p, axis)
    return -0.25 * tf.reduce_mean(tf.reduce_sum(t * (1 - tf.exp(log_p)) ** 2 * log_p, axis))


def _cosine(t: Any, p: Any, axis: int) -> Any:
    squares = tf.reduce_sum(t * t, axis) * tf.reduce_sum(p * p, axis)
    return -tf.reduce_mean(tf.reduce_sum(t * p, axis) * tf.math.rsqrt(squares))


FUNCTIONS: dict[str, Function] = {
    "mean_squared_error": lambda t, p, axis: tf.reduce_mean(tf.math.squared_difference(p, t)),
    "mean_absolute_error": lambda t, p, axis: tf.reduce_mean(tf.abs(p - t)),
    "huber": _huber,
    "mean_absolute_percentage_error": lambda t, p, axis: (
        100 * tf.reduce_mean(tf.abs((t - p) / tf.maximum(tf.abs(t), EPSILON)))
    ),
    "mean_squared_logarithmic_error": lambda t, p, axis: tf.reduce_mean(
        tf.math.squared_difference(tf.math.log1p(p), tf.math.log1p(t))
    ),
    "log_cosh": _log_cosh,
    "poisson": lambda t, p, axis: tf.reduce_mean(p - t * tf.math.log(p + EPSILON)),
    "hinge": lambda t, p, axis: tf.reduce_mean(tf.nn.relu(1 - t * p)),
    "binary_crossentropy_from_logits": lambda t, p, axis: tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(t, p)
    ),
    "binary_crossentropy": lambda t, p, axis: (
        -tf.reduce_mean(t * tf.math.log(p) + (1 - t) * tf.math.log1p(-p))
    ),
    "binary_focal_crossentropy_from_logits": _focal,
    "kl_divergence": lambda t, p, axis: tf.reduce_mean(tf.reduce_sum(t * tf.math.log(t / p), axis)),
    "categorical_crossentropy_from_logits": lambda t, p, axis: tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits(t, p, axis)
    ),
    "categorical_crossentropy": lambda t, p, axis: (
        -tf.reduce_mean(tf.reduce_sum(t * tf.math.log(p), axis))
    ),
    "sparse_categorical_crossentropy_from_logits": _sparse,
    "categorical_focal_crossentropy_from_logits": _categorical_focal,
    "cosine_similarity": _cosine,
    "dice": lambda t, p, axis: (
        1 - 2 * tf.reduce_sum(t * p) / (tf.reduce_sum(t) + tf.reduce_sum(p) + EPSILON)
    ),
}
_threads_set = False


def subjects(job: Job) -> Iterator[Subject]:
    global _threads_set
    if not _threads_set:  # before TensorFlow's first operation, and once
        tf.config.threading.set_intra_op_parallelism_threads(job.n_threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        _threads_set = True
    function, axis = FUNCTIONS.get(job.workload.loss), job.workload.axis
    if function is None:
        return
    t, p = tf.constant(job.y_true), tf.constant(job.y_pred)

    def value(t: Any, p: Any) -> Any:
        return function(t, p, axis)

    def value_and_gradient(t: Any, p: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(p)
            loss = function(t, p, axis)
        return loss, tape.gradient(loss, p)

    if not job.workload.gradient:
        compiled = tf.function(value, jit_compile=True)
        yield Subject("TensorFlow XLA", lambda: compiled(t, p).numpy())
    else:
        both = tf.function(value_and_gradient, jit_compile=True)

        def call() -> Any:
            result = both(t, p)
            result[0].numpy()  # waits; of the gradient it would be a copy
            return result

        yield Subject("TensorFlow XLA", call, lambda result: (float(result[0]), result[1].numpy()))
