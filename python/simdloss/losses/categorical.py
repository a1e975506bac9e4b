# SPDX-License-Identifier: Apache-2.0
"""Losses of one class among several."""

from __future__ import annotations

from typing import Any

from simdloss._core import evaluate
from simdloss._doc import documented
from simdloss._loss import ArrayLike, DTypeLike, Result
from simdloss._registry import entry_name
from simdloss.losses._classes import WeightedClasses, alpha_and_weights, class_extras, is_vector

__all__ = [
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "SparseCategoricalCrossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "sparse_categorical_crossentropy",
]


@documented
def categorical_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
    *,
    class_weight: ArrayLike | None = None,
    out: Any = None,
) -> Result:
    """Cross-entropy of labels over several classes.

    Formula:
        -sum of w y ln p over the classes, with y = `y_true` after smoothing,
        {class_terms}

    Args:
        {class_labels}
        {class_scores}
        {from_logits}
        {class_smoothing}
        {class_axis}
        {class_weight}
        {out}

    {returns}

    Warns:
        {one_class}

    Example:
        >>> import simdloss
        >>> y_true, y_pred = [[0, 1, 0], [0, 0, 1]], [[0.25, 0.5, 0.25], [0.1, 0.8, 0.1]]
        >>> simdloss.categorical_crossentropy(y_true, y_pred).round(4)
        array([0.6931, 2.3026], dtype=float32)
        >>> simdloss.categorical_crossentropy(y_true, y_pred, class_weight=[1, 1, 0.5]).round(4)
        array([0.6931, 1.1513], dtype=float32)
        >>> simdloss.categorical_crossentropy([[1.0, 0.0]], [[0.0, 100.0]], from_logits=True)
        array([100.], dtype=float32)

    References:
        keras.losses.categorical_crossentropy; Goodfellow, Bengio and Courville (2016), section
        6.2.2.3.
    """
    name = entry_name("categorical_crossentropy", from_logits)
    extras = None if class_weight is None else class_extras(class_weight)
    return evaluate(name, (label_smoothing,), axis, extras, y_true, y_pred, out)


@documented
def categorical_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    alpha: float | ArrayLike = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
    *,
    class_weight: ArrayLike | None = None,
    out: Any = None,
) -> Result:
    """Categorical cross-entropy that plays down what is predicted well already.

    Formula:
        -sum of alpha w y (1 - p)^gamma ln p over the classes, with y = `y_true` after smoothing,
        {class_terms}

    Args:
        {class_labels}
        {class_scores}
        {class_focal}
        {from_logits}
        {class_smoothing}
        {class_axis}
        {class_weight}
        {out}

    {returns}

    Warns:
        {one_class}

    Example:
        >>> import simdloss
        >>> y_true, y_pred = [[0, 1, 0], [0, 0, 1]], [[0.25, 0.5, 0.25], [0.1, 0.8, 0.1]]
        >>> simdloss.categorical_focal_crossentropy(y_true, y_pred).round(4)
        array([0.0433, 0.4663], dtype=float32)
        >>> simdloss.categorical_focal_crossentropy(y_true, y_pred, alpha=[1, 1, 0.5]).round(4)
        array([0.1733, 0.9325], dtype=float32)

    References:
        keras.losses.categorical_focal_crossentropy; Lin et al. (2017), arXiv:1708.02002.
    """
    name = entry_name("categorical_focal_crossentropy", from_logits)
    extras = None
    if class_weight is not None or is_vector(alpha):
        alpha, weights = alpha_and_weights(alpha, class_weight)
        extras = class_extras(weights)
    return evaluate(name, (alpha, gamma, label_smoothing), axis, extras, y_true, y_pred, out)


@documented
def sparse_categorical_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
    *,
    label_smoothing: float = 0.0,
    class_weight: ArrayLike | None = None,
    out: Any = None,
) -> Result:
    """Cross-entropy of class ids, as `categorical_crossentropy` of one-hot labels.

    Formula:
        -sum of w y ln p over the classes, with y = 1 at the id and else 0, after smoothing,
        {class_terms}

    Args:
        {class_ids}
        {class_scores}
        {from_logits}
        {ignore_class}
        {class_axis}
        {class_smoothing}
        {class_weight}
        {out}

    {returns_of_ids}

    Example:
        >>> import simdloss
        >>> y_pred = [[0.25, 0.5, 0.25], [0.1, 0.8, 0.1]]
        >>> simdloss.sparse_categorical_crossentropy([1, 2], y_pred).round(4)
        array([0.6931, 2.3026], dtype=float32)
        >>> simdloss.sparse_categorical_crossentropy([1, -1], y_pred, ignore_class=-1).round(4)
        array([0.6931, 0.    ], dtype=float32)

    References:
        keras.losses.sparse_categorical_crossentropy; Goodfellow, Bengio and Courville (2016),
        section 6.2.2.3.
    """
    name = entry_name("sparse_categorical_crossentropy", from_logits)
    extras = None
    if class_weight is not None or ignore_class is not None:
        extras = class_extras(class_weight, ignore_class)
    return evaluate(name, (label_smoothing,), axis, extras, y_true, y_pred, out)


@documented
def categorical_generalized_cross_entropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    q: float,
    *,
    axis: int = -1,
    class_weight: ArrayLike | None = None,
    out: Any = None,
) -> Result:
    """Generalized cross-entropy of class ids, which bears some wrong labels.

    Formula:
        w (1 - p^q) / q, with p = `y_pred` at the id, neither normalised nor clipped, and w the
        `class_weight` of the id, or 1.

    Args:
        {class_ids}
        y_pred: probabilities in [0, 1]; the classes are one axis, shape `[..., C]`.
        {generalized}
        {class_axis}
        {class_weight}
        {out}

    {returns_of_ids}

    Example:
        >>> import simdloss
        >>> y_pred = [[0.25, 0.5, 0.25], [0.1, 0.8, 0.1]]
        >>> simdloss.categorical_generalized_cross_entropy([0, 1], y_pred, q=0.5).round(4)
        array([1.    , 0.2111], dtype=float32)

    References:
        keras.losses.categorical_generalized_cross_entropy; Zhang and Sabuncu (2018),
        arXiv:1805.07836.
    """
    extras = None if class_weight is None else class_extras(class_weight)
    return evaluate(
        "categorical_generalized_cross_entropy", (q,), axis, extras, y_true, y_pred, out
    )


class CategoricalCrossentropy(WeightedClasses):
    """Cross-entropy of labels over several classes, reduced over the batch.

    {formula}

    Args:
        {from_logits}
        {class_smoothing}
        {class_axis}
        {options}
        {class_weight}

    {instance}

    Example:
        >>> import simdloss
        >>> loss = simdloss.CategoricalCrossentropy()
        >>> round(float(loss([[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.5], [0.1, 0.9]])), 4)
        1.4979

    {references}
    """

    fn = staticmethod(categorical_crossentropy)

    from_logits: bool
    label_smoothing: float

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: DTypeLike = None,
        *,
        class_weight: ArrayLike | None = None,
    ) -> None:
        super().__init__(
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
            class_weight=class_weight,
        )


class CategoricalFocalCrossentropy(WeightedClasses):
    """Focal categorical cross-entropy, reduced over the batch.

    {formula}

    Args:
        {class_focal}
        {from_logits}
        {class_smoothing}
        {class_axis}
        {options}
        {class_weight}

    {instance}

    Example:
        >>> import simdloss
        >>> loss = simdloss.CategoricalFocalCrossentropy(alpha=1.0, gamma=0.0)  # cross-entropy
        >>> round(float(loss([[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.5], [0.1, 0.9]])), 4)
        1.4979

    {references}
    """

    fn = staticmethod(categorical_focal_crossentropy)

    from_logits: bool
    label_smoothing: float
    alpha: float | tuple[float, ...]
    gamma: float

    def __init__(
        self,
        alpha: float | ArrayLike = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: DTypeLike = None,
        *,
        class_weight: ArrayLike | None = None,
    ) -> None:
        super().__init__(
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
            alpha=alpha,
            gamma=gamma,
            class_weight=class_weight,
        )

    def _core_arguments(self) -> dict[str, Any]:
        arguments = super()._core_arguments()
        alpha, weights = alpha_and_weights(self.alpha, arguments["class_weight"])
        return arguments | {"alpha": alpha, "class_weight": weights}


class SparseCategoricalCrossentropy(WeightedClasses):
    """Cross-entropy of class ids, reduced over the batch.

    {formula}

    Args:
        {from_logits}
        {ignore_class}
        {reduction}
        {class_axis}
        {name}
        {dtype}
        {class_smoothing}
        {class_weight}

    {instance_of_ids}

    Example:
        >>> import simdloss
        >>> loss = simdloss.SparseCategoricalCrossentropy(ignore_class=-1)
        >>> round(float(loss([1, 0, -1], [[0.5, 0.5], [0.1, 0.9], [0.5, 0.5]])), 4)
        1.4979

    {references}
    """

    fn = staticmethod(sparse_categorical_crossentropy)

    from_logits: bool
    ignore_class: int | None
    label_smoothing: float

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: DTypeLike = None,
        *,
        label_smoothing: float = 0.0,
        class_weight: ArrayLike | None = None,
    ) -> None:
        super().__init__(
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
            label_smoothing=label_smoothing,
            class_weight=class_weight,
        )


class CategoricalGeneralizedCrossEntropy(WeightedClasses):
    """Generalized cross-entropy of class ids, reduced over the batch.

    {formula}

    Args:
        {generalized}
        {options}
        {class_axis}
        {class_weight}

    {instance_of_ids}

    Example:
        >>> import simdloss
        >>> loss = simdloss.CategoricalGeneralizedCrossEntropy(q=0.5)
        >>> round(float(loss([0, 1], [[0.25, 0.5, 0.25], [0.1, 0.8, 0.1]])), 4)
        0.6056

    {references}
    """

    fn = staticmethod(categorical_generalized_cross_entropy)

    q: float

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: DTypeLike = None,
        *,
        axis: int = -1,
        class_weight: ArrayLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype, q=q, axis=axis, class_weight=class_weight)

    def _evaluator(self, reduction: str | None) -> Any:
        evaluator = super()._evaluator(reduction)  # has checked that q is a number
        if self.q >= 1:
            raise ValueError(f"q must be in the interval (0, 1); received {self.q!r}")
        return evaluator
