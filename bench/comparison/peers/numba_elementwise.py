# SPDX-License-Identifier: Apache-2.0
"""Losses of elements as numba loops over flat arrays.

Inner loops run over slices, from 0: an index that starts elsewhere is checked for being negative,
and the loop is not vectorised (10 times slower).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .numba_math import BLOCK, exp, log, parallel


@parallel
def mean_squared_error(true: Any, pred: Any) -> Any:
    n, total = pred.size, 0.0
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            d = p[i] - t[i]
            part += d * d
        total += part
    return total / n


@parallel
def mean_absolute_error(true: Any, pred: Any) -> Any:
    n, total = pred.size, 0.0
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            part += abs(p[i] - t[i])
        total += part
    return total / n


@parallel
def huber(true: Any, pred: Any) -> Any:
    n, total = pred.size, 0.0
    one, half = pred.dtype.type(1), pred.dtype.type(0.5)
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            d = abs(p[i] - t[i])
            inner = min(d, one)
            part += inner * (d - half * inner)
        total += part
    return total / n


@parallel
def mean_absolute_percentage_error(true: Any, pred: Any) -> Any:
    n, total, least = pred.size, 0.0, pred.dtype.type(1e-7)
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            part += abs(t[i] - p[i]) / max(abs(t[i]), least)
        total += part
    return 100 * total / n


@parallel
def mean_squared_logarithmic_error(true: Any, pred: Any) -> Any:
    n, total, one = pred.size, 0.0, pred.dtype.type(1)
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            d = log((one + p[i]) / (one + t[i]))
            part += d * d
        total += part
    return total / n


@parallel
def log_cosh(true: Any, pred: Any) -> Any:
    n, total = pred.size, 0.0
    one, two = pred.dtype.type(1), pred.dtype.type(2)
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            d = abs(p[i] - t[i])
            part += d + log(one + exp(-two * d))
        total += part
    return total / n - np.log(2.0)


@parallel
def poisson(true: Any, pred: Any) -> Any:
    n, total, epsilon = pred.size, 0.0, pred.dtype.type(1e-7)
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            part += p[i] - t[i] * log(p[i] + epsilon)
        total += part
    return total / n


@parallel
def hinge(true: Any, pred: Any) -> Any:
    n, total = pred.size, 0.0
    zero, one = pred.dtype.type(0), pred.dtype.type(1)
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            part += max(one - t[i] * p[i], zero)
        total += part
    return total / n


@parallel
def binary_crossentropy_from_logits(true: Any, pred: Any) -> Any:
    n, total = pred.size, 0.0
    zero, one = pred.dtype.type(0), pred.dtype.type(1)
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            part += max(p[i], zero) - p[i] * t[i] + log(one + exp(-abs(p[i])))
        total += part
    return total / n


@parallel
def binary_crossentropy(true: Any, pred: Any) -> Any:
    """Of labels 0 and 1, which take one logarithm."""
    n, total = pred.size, 0.0
    half, one = pred.dtype.type(0.5), pred.dtype.type(1)
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            part -= log(p[i] if t[i] > half else one - p[i])
        total += part
    return total / n


@parallel
def binary_focal_crossentropy_from_logits(true: Any, pred: Any) -> Any:
    n, total = pred.size, 0.0
    zero, one = pred.dtype.type(0), pred.dtype.type(1)
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            e = exp(-abs(p[i]))
            small = e / (one + e)
            sigmoid = small if p[i] < zero else one - small
            missed = t[i] + sigmoid - (t[i] + t[i]) * sigmoid
            part += missed * missed * (max(p[i], zero) - p[i] * t[i] + log(one + e))
        total += part
    return total / n


@parallel
def dice(true: Any, pred: Any) -> Any:
    n, overlap, size = pred.size, 0.0, 0.0
    for block in prange((n + BLOCK - 1) // BLOCK):
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        both, either = pred.dtype.type(0), pred.dtype.type(0)
        for i in range(p.size):
            both += t[i] * p[i]
            either += t[i] + p[i]
        overlap += both
        size += either
    return 1 - 2 * overlap / (size + 1e-7)
