# SPDX-License-Identifier: Apache-2.0
"""Losses of rows as numba loops, and those over the classes of planes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .numba_math import exp, log, parallel


@parallel
def kl_divergence(t: Any, p: Any) -> Any:
    n, k = p.shape
    total = 0.0
    for row in prange(n):
        part = p.dtype.type(0)
        for j in range(k):
            part += t[row, j] * log(t[row, j] / p[row, j])
        total += part
    return total / n


@parallel
def categorical_crossentropy(t: Any, p: Any) -> Any:
    n, k = p.shape
    total = 0.0
    for row in prange(n):
        part = p.dtype.type(0)
        for j in range(k):
            part -= t[row, j] * log(p[row, j])
        total += part
    return total / n


@parallel
def categorical_crossentropy_from_logits(t: Any, p: Any) -> Any:
    n, k = p.shape
    total = 0.0
    for row in prange(n):
        top = p[row, 0]
        for j in range(k):
            top = max(top, p[row, j])
        norm, weight, chosen = p.dtype.type(0), p.dtype.type(0), p.dtype.type(0)
        for j in range(k):
            z = p[row, j] - top
            norm += exp(z)
            weight += t[row, j]
            chosen += t[row, j] * z
        total += weight * np.log(norm) - chosen
    return total / n


@parallel
def sparse_categorical_crossentropy_from_logits(t: Any, p: Any) -> Any:
    n, k = p.shape
    total = 0.0
    for row in prange(n):
        top = p[row, 0]
        for j in range(k):
            top = max(top, p[row, j])
        norm = p.dtype.type(0)
        for j in range(k):
            norm += exp(p[row, j] - top)
        total += np.log(norm) + top - p[row, t[row]]
    return total / n


@parallel
def categorical_focal_crossentropy_from_logits(t: Any, p: Any) -> Any:
    n, k = p.shape
    total, one = 0.0, p.dtype.type(1)
    for row in prange(n):
        top = p[row, 0]
        for j in range(k):
            top = max(top, p[row, j])
        norm = p.dtype.type(0)
        for j in range(k):
            norm += exp(p[row, j] - top)
        shift = p.dtype.type(np.log(norm)) + top
        part = p.dtype.type(0)
        for j in range(k):
            z = p[row, j] - shift
            missed = one - exp(z)
            part -= t[row, j] * missed * missed * z
        total += part
    return 0.25 * total / n


@parallel
def cosine_similarity(t: Any, p: Any) -> Any:
    n, k = p.shape
    total = 0.0
    for row in prange(n):
        a, b, c = p.dtype.type(0), p.dtype.type(0), p.dtype.type(0)
        for j in range(k):
            a += t[row, j] * p[row, j]
            b += t[row, j] * t[row, j]
            c += p[row, j] * p[row, j]
        total -= a / np.sqrt(b * c)
    return total / n


LANES = 512  # positions whose classes, far apart in memory, are gone through together


@parallel
def sparse_categorical_crossentropy_of_planes(true: Any, pred: Any) -> Any:
    """From logits [n, classes, positions]."""
    n, k, m = pred.shape
    per_image = (m + LANES - 1) // LANES
    total = 0.0
    for block in prange(n * per_image):
        image, start = block // per_image, block % per_image * LANES
        ids, logits = true[image, start:][:LANES], pred[image, :, start:][:, :LANES]
        top, norm = logits[0].copy(), np.zeros(ids.size, pred.dtype)
        for j in range(1, k):
            p = logits[j]
            for i in range(ids.size):
                top[i] = max(top[i], p[i])
        for j in range(k):
            p = logits[j]
            for i in range(ids.size):
                norm[i] += exp(p[i] - top[i])
        part = pred.dtype.type(0)
        for i in range(ids.size):
            part += log(norm[i]) + top[i]
        for i in range(ids.size):
            part -= logits[ids[i], i]
        total += part
    return total / (n * m)


@parallel
def categorical_crossentropy_of_planes(true: Any, pred: Any) -> Any:
    """From logits [n, classes, positions]."""
    n, k, m = pred.shape
    per_image = (m + LANES - 1) // LANES
    total = 0.0
    for block in prange(n * per_image):
        image, start = block // per_image, block % per_image * LANES
        labels, logits = true[image, :, start:][:, :LANES], pred[image, :, start:][:, :LANES]
        top = logits[0].copy()
        norm, weight, chosen = np.zeros_like(top), np.zeros_like(top), np.zeros_like(top)
        for j in range(1, k):
            p = logits[j]
            for i in range(top.size):
                top[i] = max(top[i], p[i])
        for j in range(k):
            t, p = labels[j], logits[j]
            for i in range(top.size):
                z = p[i] - top[i]
                norm[i] += exp(z)
                weight[i] += t[i]
                chosen[i] += t[i] * z
        part = pred.dtype.type(0)
        for i in range(top.size):
            part += weight[i] * log(norm[i]) - chosen[i]
        total += part
    return total / (n * m)
