# SPDX-License-Identifier: Apache-2.0
"""Names of losses in former versions of Keras, in tf.keras and in the R package keras.

Each name is a function of this module, `from simdloss.compat import logcosh`, and a string that
`simdloss.losses.get` takes. This module is imported when it is first used.

Every function of today also has its name in R, which begins with `loss_`.

What a name means today is in `FUNCTIONS`; which names stayed and changed their meaning is in
`CHANGED`; `docs/names.md` shows both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simdloss import losses
from simdloss._array import operands
from simdloss._loss import ArrayLike, Result
from simdloss._structure import adjust_ranks


class OldName(NamedTuple):
    """A name that Keras does not have any more."""

    where: str  # the versions that have it
    loss: str  # the function that it stands for
    options: str = ""  # options with which that function computes the same
    note: str = ""


class Changed(NamedTuple):
    """A name that Keras still has, with another meaning."""

    name: str
    where: str  # the versions with the old meaning
    meaning: str  # what it was
    now: str  # how to compute that


_KERAS_R = "keras 2 for R"
_KERAS_R_NOW = "keras for R"
_KERAS_R_OLD = "keras 2 for R, on Keras before 2.3"
_UNSIGNED = "labels 0 and 1 are not converted to -1 and 1; the R function of today does: "
_ADDED_EPSILON = "epsilon was added to the clipped probabilities, which changes values near epsilon"
_SWAPPED = "alpha weighed false negatives, beta false positives"
_SUM = "minus the sum, as in Keras from 2.0.9 on; before, see `cosine_proximity_mean`"
_CLIP_FIRST = (
    "probabilities were clipped and then divided by the sum of their row, today the other way "
    "round; the same for rows that add up to 1"
)

_FORMER = {
    "logcosh": OldName("Keras 2, tf.keras", "log_cosh"),
    "kullback_leibler_divergence": OldName("Keras 1 and 2, tf.keras", "kl_divergence"),
    "huber_loss": OldName(
        "Keras 2.3, tf.keras",
        "huber",
        note="the first versions did not average the last axis: pass `axis=()`",
    ),
    "cosine_proximity": OldName("Keras 2.0.9 to 2.3", "cosine_similarity", note=_SUM),
    "cosine": OldName("Keras 2.0.9 to 2.3", "cosine_similarity", note=_SUM),
    "cosine_proximity_mean": OldName(
        "`cosine_proximity` and `cosine` of Keras 0.3 to 2.0.8",
        "cosine_similarity",
        note="divided by the length of the last axis; this name is ours",
    ),
    "loss_squared_hinge": OldName(
        _KERAS_R_OLD, "squared_hinge", "labels='signed'", _UNSIGNED + "`squared_hinge`"
    ),
    "loss_hinge": OldName(_KERAS_R_OLD, "hinge", "labels='signed'", _UNSIGNED + "`hinge`"),
    "loss_logcosh": OldName(_KERAS_R, "log_cosh"),
    "loss_sparse_categorical_crossentropy": OldName(
        _KERAS_R, "sparse_categorical_crossentropy", note=_CLIP_FIRST
    ),
    "loss_binary_crossentropy": OldName(
        _KERAS_R, "binary_crossentropy", note=f"in tf.keras {_ADDED_EPSILON}"
    ),
    "loss_tversky": OldName("keras for R, on Keras 3.0 to 3.15", "tversky", note=_SWAPPED),
    "loss_kullback_leibler_divergence": OldName(_KERAS_R, "kl_divergence"),
    "loss_cosine_proximity": OldName(_KERAS_R, "cosine_similarity", note=_SUM),
}
# R has today's functions under a name of its own.
_OF_R = {f"loss_{name}": OldName(_KERAS_R_NOW, name) for name in losses.REGISTRY}
FUNCTIONS = _FORMER | {name: old for name, old in _OF_R.items() if name not in _FORMER}

CHANGED = (
    Changed(
        "hinge, squared_hinge",
        "Keras before 2.3",
        "labels 0 and 1 stood for themselves",
        "`hinge(..., labels='signed')`",
    ),
    Changed(
        "binary_crossentropy",
        "tf.keras",
        _ADDED_EPSILON,
        "not offered",
    ),
    Changed(
        "sparse_categorical_crossentropy",
        "Keras 2, tf.keras",
        _CLIP_FIRST,
        "not offered",
    ),
    Changed(
        "tversky",
        "Keras 3.0 to 3.15",
        _SWAPPED,
        "`tversky(..., alpha=beta, beta=alpha)`",
    ),
    Changed(
        "reduction='auto'",
        "Keras 2.3, tf.keras",
        "the default, the mean over the batch",
        "accepted by every class, as an attribute too; the instance says 'sum_over_batch_size'",
    ),
)

__all__ = ["CHANGED", "FUNCTIONS", "Changed", "OldName", "Reduction", *FUNCTIONS]


def __getattr__(name: str) -> Any:
    """A former name of a function that is defined as it was."""
    if name not in FUNCTIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(losses, FUNCTIONS[name].loss)


def __dir__() -> list[str]:
    return sorted({*globals(), *FUNCTIONS})


def cosine_proximity_mean(y_true: ArrayLike, y_pred: ArrayLike) -> Result:
    """`cosine_proximity` of Keras 0.3 to 2.0.8: a mean in the place of the sum.

    Formula:
        minus the mean of the products of both vectors, each divided by its length, over the last
        axis: `cosine_similarity` divided by the number of elements.

    Args:
        y_true: real numbers, shape `[..., n]`.
        y_pred: real numbers, the shape of `y_true`.

    Returns:
        The loss of each row, as from `simdloss.cosine_similarity`.

    Raises:
        ValueError: for shapes that do not fit.
        TypeError: for arguments that are not arrays of real numbers.

    Example:
        >>> from simdloss import compat
        >>> compat.cosine_proximity_mean([[0.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [4.0, 3.0]])
        array([-0.5 , -0.48], dtype=float32)

    References:
        keras.objectives.cosine_proximity of Keras 1.
    """
    y_true, y_pred, _, _ = operands(y_true, y_pred, None, None)
    y_true, y_pred = adjust_ranks(y_true, y_pred)
    similarity = __getattr__("cosine_proximity")
    n = y_pred.shape[-1] if y_pred.ndim else 1
    return similarity(y_true, y_pred) / n


def loss_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Result:
    """`hinge` of Keras before 2.3: labels 0 and 1 stand for themselves, not for -1 and 1.

    R's loss_hinge on later versions of Keras converts them: `simdloss.hinge`.

    Formula:
        mean of max(1 - t p, 0) over the last axis, with t = `y_true` and p = `y_pred`.

    Args:
        y_true: labels, -1 or 1; 0 and 1 are taken as they are, shape `[..., n]`.
        y_pred: real numbers, positive for the label 1; the shape of `y_true`.

    Returns:
        The loss of each row, as from `simdloss.hinge`.

    Raises:
        ValueError: for shapes that do not fit.
        TypeError: for arguments that are not arrays of real numbers.

    Example:
        >>> from simdloss import compat, hinge
        >>> y_true, y_pred = [[0.0, 1.0], [0.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]]
        >>> compat.loss_hinge(y_true, y_pred)
        array([0.75, 1.  ], dtype=float32)
        >>> hinge(y_true, y_pred)
        array([1. , 1.5], dtype=float32)

    References:
        loss_hinge of keras 2 for R.
    """
    return losses.hinge(y_true, y_pred, labels="signed")


def loss_squared_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Result:
    """`squared_hinge` of Keras before 2.3: labels 0 and 1 stand for themselves.

    R's loss_squared_hinge on later versions of Keras converts them: `simdloss.squared_hinge`.

    Formula:
        mean of max(1 - t p, 0)^2 over the last axis, with t = `y_true` and p = `y_pred`.

    Args:
        y_true: labels, -1 or 1; 0 and 1 are taken as they are, shape `[..., n]`.
        y_pred: real numbers, positive for the label 1; the shape of `y_true`.

    Returns:
        The loss of each row, as from `simdloss.squared_hinge`.

    Raises:
        ValueError: for shapes that do not fit.
        TypeError: for arguments that are not arrays of real numbers.

    Example:
        >>> from simdloss import compat
        >>> compat.loss_squared_hinge([[0.0, 1.0]], [[0.5, 0.5]])
        array([0.625], dtype=float32)

    References:
        loss_squared_hinge of keras 2 for R.
    """
    return losses.squared_hinge(y_true, y_pred, labels="signed")


class Reduction:
    """The names of reductions in tf.keras; every loss accepts them.

    Example:
        >>> from simdloss import MeanSquaredError
        >>> from simdloss.compat import Reduction
        >>> MeanSquaredError(reduction=Reduction.AUTO).reduction
        'sum_over_batch_size'

    References:
        tf.keras.losses.Reduction.
    """

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """All of them."""
        return cls.AUTO, cls.NONE, cls.SUM, cls.SUM_OVER_BATCH_SIZE

    @classmethod
    def validate(cls, key: object) -> None:
        """ValueError unless `key` is one of them."""
        if key not in cls.all():
            raise ValueError(f"Invalid Reduction Key: {key!r}. Expected keys are {cls.all()}")
