# SPDX-License-Identifier: Apache-2.0
"""Losses of the angle between vectors, and of similarities between rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .arithmetic import EXACT, MP, Arithmetic, number, softplus
from .case import Bound, Setting
from .domain import REAL
from .rows import VECTOR_ROWS
from .rowwise import RowCase


def _log_of_sum(exponents: Sequence[Any]) -> Any:
    if any(MP.isnan(x) for x in exponents):
        return MP.nan
    if not exponents or max(exponents) == -MP.inf:
        return -MP.inf
    top = max(exponents)
    if top == MP.inf:
        return MP.inf
    return top + MP.log(sum(EXACT.exp(x - top) for x in exponents))


def circle(
    labels: Any,
    embeddings: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> list[Any]:
    """The loss of each query."""
    ref_labels = labels if ref_labels is None else ref_labels
    ref_embeddings = embeddings if ref_embeddings is None else ref_embeddings
    g, m = MP.mpf(gamma), MP.mpf(margin)
    references = [[number(x) for x in row] for row in ref_embeddings]
    losses = []
    for i, (label, embedding) in enumerate(zip(labels, embeddings, strict=True)):
        query = [number(x) for x in embedding]
        positive, negative = [], []
        poisoned = False
        for j, (ref_label, reference) in enumerate(zip(ref_labels, references, strict=True)):
            similarity = MP.fdot(query, reference)
            poisoned = poisoned or MP.isnan(similarity)
            d = max(1 - similarity, MP.mpf(0))
            if label != ref_label:
                room = max(1 + m - d, MP.mpf(0))
                negative.append(g * room * (1 - m - d) if room > 0 else MP.mpf(0))
            elif not (remove_diagonal and i == j):
                positive.append(-g * max(m + d, MP.mpf(0)) * (m - d))
        if poisoned:
            losses.append(MP.nan)
        elif not positive or not negative:
            losses.append(MP.mpf(0))
        else:
            losses.append(softplus(EXACT, _log_of_sum(positive) + _log_of_sum(negative)))
    return losses


def lengths(m: Arithmetic, t: Any, p: Any) -> Any:
    return m.sqrt(m.sum(t * t)) * m.sqrt(m.sum(p * p))


def cosine_similarity(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    both = lengths(m, t, p)
    return -m.sum(t * p) / m.where(both == 0, m.real(1), both)


def cosine_bound(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """The terms of the dot product of two unit vectors add up to 1 at most."""
    return m.where(lengths(m, t, p) == 0, m.real(0), m.real(4))


def cosine_slope_terms(m: Arithmetic, t: Any, p: Any, s: Setting) -> Any:
    """-t / (|t| |p|) + (t . p) p / (|t| |p|^3), with the terms of the dot product."""
    both, length = lengths(m, t, p), m.sqrt(m.sum(p * p))
    both = m.where(both == 0, m.real(1), both)
    length = m.where(length == 0, m.real(1), length)
    dot = m.sum(m.abs(t * p))
    return m.abs(t) / both + dot / both * m.abs(p) / (length * length)


def of_length_zero(m: Arithmetic, t: Any, p: Any, s: Setting, near: Any) -> Any:
    """There the loss jumps."""
    return (lengths(m, t, p) == 0) | (p != p)


CASES = (
    RowCase(
        "cosine_similarity",
        "cosine_similarity",
        "CosineSimilarity",
        value=cosine_similarity,
        bound=cosine_bound,
        gradient=Bound(cosine_slope_terms),
        gradient_kinks=of_length_zero,
        y_true=REAL,
        y_pred=REAL,
        rows=VECTOR_ROWS,
    ),
)
