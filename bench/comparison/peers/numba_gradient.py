# SPDX-License-Identifier: Apache-2.0
"""Losses and their gradients as numba loops, both in one pass over rows that stay in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .numba_math import BLOCK, exp, log, parallel


@parallel
def mean_squared_error(true: Any, pred: Any, gradient: Any) -> Any:
    n, total = pred.size, 0.0
    scale = pred.dtype.type(2 / n)
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        g = gradient[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            d = p[i] - t[i]
            part += d * d
            g[i] = scale * d
        total += part
    return total / n


@parallel
def huber(true: Any, pred: Any, gradient: Any) -> Any:
    n, total = pred.size, 0.0
    one, half, scale = pred.dtype.type(1), pred.dtype.type(0.5), pred.dtype.type(1 / n)
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        g = gradient[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            d = p[i] - t[i]
            inner = min(max(d, -one), one)
            part += inner * (d - half * inner)
            g[i] = scale * inner
        total += part
    return total / n


@parallel
def binary_crossentropy_from_logits(true: Any, pred: Any, gradient: Any) -> Any:
    n, total = pred.size, 0.0
    zero, one, scale = pred.dtype.type(0), pred.dtype.type(1), pred.dtype.type(1 / n)
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = pred.dtype.type(0)
        t, p = true[block * BLOCK :][:BLOCK], pred[block * BLOCK :][:BLOCK]
        g = gradient[block * BLOCK :][:BLOCK]
        for i in range(p.size):
            e = exp(-abs(p[i]))
            part += max(p[i], zero) - p[i] * t[i] + log(one + e)
            sigmoid = (one if p[i] > zero else e) / (one + e)
            g[i] = scale * (sigmoid - t[i])
        total += part
    return total / n


@parallel
def categorical_crossentropy_from_logits(t: Any, p: Any, gradient: Any) -> Any:
    n, k = p.shape
    total, scale = 0.0, p.dtype.type(1 / n)
    for row in prange(n):
        top = p[row, 0]
        for j in range(k):
            top = max(top, p[row, j])
        norm, weight, chosen = p.dtype.type(0), p.dtype.type(0), p.dtype.type(0)
        for j in range(k):
            z = p[row, j] - top
            e = exp(z)
            gradient[row, j] = e
            norm += e
            weight += t[row, j]
            chosen += t[row, j] * z
        total += weight * np.log(norm) - chosen
        factor = scale * weight / norm
        for j in range(k):
            gradient[row, j] = factor * gradient[row, j] - scale * t[row, j]
    return total / n


@parallel
def sparse_categorical_crossentropy_from_logits(t: Any, p: Any, gradient: Any) -> Any:
    n, k = p.shape
    total, scale = 0.0, p.dtype.type(1 / n)
    for row in prange(n):
        top = p[row, 0]
        for j in range(k):
            top = max(top, p[row, j])
        norm = p.dtype.type(0)
        for j in range(k):
            e = exp(p[row, j] - top)
            gradient[row, j] = e
            norm += e
        total += np.log(norm) + top - p[row, t[row]]
        factor = scale / norm
        for j in range(k):
            gradient[row, j] *= factor
        gradient[row, t[row]] -= scale
    return total / n


@parallel
def kl_divergence(t: Any, p: Any, gradient: Any) -> Any:
    n, k = p.shape
    total, scale = 0.0, p.dtype.type(-1 / n)
    for row in prange(n):
        part = p.dtype.type(0)
        for j in range(k):
            quotient = t[row, j] / p[row, j]
            part += t[row, j] * log(quotient)
            gradient[row, j] = scale * quotient
        total += part
    return total / n


@parallel
def cosine_similarity(t: Any, p: Any, gradient: Any) -> Any:
    n, k = p.shape
    total, scale = 0.0, p.dtype.type(1 / n)
    for row in prange(n):
        a, b, c = p.dtype.type(0), p.dtype.type(0), p.dtype.type(0)
        for j in range(k):
            a += t[row, j] * p[row, j]
            b += t[row, j] * t[row, j]
            c += p[row, j] * p[row, j]
        inverse = p.dtype.type(1) / np.sqrt(b * c)
        total -= a * inverse
        of_t, of_p = scale * inverse, scale * a * inverse / c
        for j in range(k):
            gradient[row, j] = of_p * p[row, j] - of_t * t[row, j]
    return total / n
