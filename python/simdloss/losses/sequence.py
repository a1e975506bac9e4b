# SPDX-License-Identifier: Apache-2.0
"""Losses of sequences."""

from __future__ import annotations

from typing import Any

from simdloss._core import evaluate
from simdloss._doc import documented
from simdloss._loss import ArrayLike, CatalogLoss, DTypeLike, Result

__all__ = ["CTC", "ctc"]


@documented
def ctc(y_true: ArrayLike, y_pred: ArrayLike, *, out: Any = None) -> Result:
    """Connectionist temporal classification: how unlikely logits make a sequence of labels.

    Formula:
        -ln(sum over alignments of the product over time of p[time, class]), with p the softmax of
        `y_pred` over the classes. An alignment gives each time step a class, such that the labels
        remain when repetitions are merged and blanks, class 0, are then removed; between two equal
        labels there has to be a blank.

        inf if there is no alignment: with fewer time steps than labels and repetitions.

    {sample_lengths}

    Args:
        y_true: labels, whole numbers from 1 to classes - 1 of any dtype, filled up with 0, shape
            `[batch, length]`. A row has as many labels as numbers that are not 0, and they are its
            first ones, as in Keras: in `[1, 0, 2]` they are 1 and 0, in place of 1 and 2.
        y_pred: logits, shape `[batch, time, classes]`.
        {out}

    Returns:
        The loss of each sample, shape `[batch]`: a floating ndarray of the dtype of `y_pred`, or
        `floatx()` if that is integer or bool. There is no axis to choose.

    {raises_of_ids}

    Example:
        >>> import numpy as np, simdloss
        >>> logits = np.log([[[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]]).astype("float32")
        >>> simdloss.ctc([[1]], logits).round(4)
        array([0.8267], dtype=float32)
        >>> simdloss.ctc([[1, 1]], logits)
        array([inf], dtype=float32)

    References:
        keras.losses.ctc; Graves et al. (2006), doi:10.1145/1143844.1143891.
    """
    return evaluate("ctc", (), -1, None, y_true, y_pred, out)


class CTC(CatalogLoss):
    """Connectionist temporal classification, reduced over the batch.

    {formula}

    {sample_lengths}

    Args:
        {options}

    {instance_of_ids}

    Example:
        >>> import numpy as np, simdloss
        >>> logits = np.log([[[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]])
        >>> round(float(simdloss.CTC()([[1]], logits)), 4)
        0.8267

    {references}
    """

    fn = staticmethod(ctc)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "ctc",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
