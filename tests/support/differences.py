# SPDX-License-Identifier: Apache-2.0
"""Every place where simdloss deliberately differs from Keras 3.15.1 on its NumPy backend.

A row is an expression that both libraries evaluate, what each gives, and why. The tests check both
sides; `python -m tests.report differences` prints them as a page.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import simdloss

from .keras_calls import keras, set_keras_mask


@dataclass(frozen=True)
class Difference:
    """An expression over the names of `losses`, and its value in either library."""

    topic: str
    reason: str
    expression: str
    keras: str
    ours: str

    def evaluate_keras(self) -> str:
        return _shown(self.expression, _KerasNames())

    def evaluate_ours(self) -> str:
        return _shown(self.expression, _Names(simdloss.losses))


def _shown(expression: str, names: Any) -> str:
    """The value with five digits, or the name of the exception."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            value = eval(expression, {}, names)
    except Exception as error:
        return _public_name(error)
    if isinstance(value, (str, dict)):
        return str(value)
    digits = np.vectorize(lambda x: f"{x:.5g}", otypes=[object])(np.asarray(value, float))
    return str(digits.tolist()).replace("'", "")


def _public_name(error: Exception) -> str:
    known = (ValueError, TypeError, IndexError)
    return next((k.__name__ for k in known if isinstance(error, k)), type(error).__name__)


class _Names:
    """The names that expressions may use."""

    def __init__(self, losses: Any) -> None:
        self.losses = losses

    def __getitem__(self, name: str) -> Any:
        own = {
            "f16": _array(np.float16),
            "f32": _array(np.float32),
            "f64": _array(np.float64),
            "u8": _array(np.uint8),
            "ints": _array(np.int32),
            "bools": _array(bool),
            "full": lambda n, x, a: a(np.full((n, 1), x)),
            "one": lambda i, x, a: a([np.where(np.arange(3000) == i, x, 0)]),
            "ones": np.ones,
            "inf": np.inf,
            "nan": np.nan,
            "dtype": lambda x: str(np.asarray(x).dtype),
        }
        if name in own:
            return own[name]
        try:
            return getattr(self.losses, name)
        except AttributeError:
            raise KeyError(name) from None


class _KerasNames(_Names):
    """Keras's losses with `mask=` in calls, which Keras reads from an attribute of y_pred."""

    def __init__(self) -> None:
        super().__init__(keras.losses)

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        return _with_mask(found) if isinstance(found, type) else found


def _with_mask(cls: Any) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Any:
        loss = cls(*args, **kwargs)

        def call(t: Any, p: Any, w: Any = None, mask: Any = None) -> Any:
            p = np.array(p)
            if mask is not None:
                set_keras_mask(p, np.asarray(mask))
            return loss(t, p, sample_weight=w)

        call.get_config = loss.get_config  # type: ignore[attr-defined]
        return call

    return make


def _array(dtype: Any) -> Callable[[Any], Any]:
    return lambda x: np.array(x, dtype)


def _rows() -> Iterator[Difference]:
    def topic(name: str, reason: str, *rows: tuple[str, str, str]) -> Iterator[Difference]:
        for expression, theirs, ours in rows:
            yield Difference(name, reason, expression, theirs, ours)

    yield from topic(
        "Logits",
        "No clipping: the loss of a logit is its exact value.",
        ("binary_crossentropy(f32([0]), f32([100]), from_logits=True)", "15.942", "100"),
        ("binary_crossentropy(f32([1]), f32([-100]), from_logits=True)", "16.118", "100"),
        ("binary_crossentropy(f32([1]), f32([20]), from_logits=True)", "1.1921e-07", "2.0612e-09"),
        ("binary_focal_crossentropy(f32([1]), f32([-100]), from_logits=True)", "16.118", "100"),
        (
            "binary_focal_crossentropy(f32([1]), f32([10]), from_logits=True)",
            "9.3695e-14",
            "9.3566e-14",
        ),
    )
    yield from topic(
        "Logits of classes",
        "No clipping either; what is ruled out by -inf, and has no label, takes no part.",
        (
            "categorical_crossentropy(f32([[1, 0]]), f32([[20, 0]]), from_logits=True)",
            "[-0]",
            "[2.0612e-09]",
        ),
        (
            "categorical_focal_crossentropy(f32([[1, 0]]), f32([[-200, 0]]), from_logits=True)",
            "[4.0295]",
            "[50]",
        ),
        (
            "categorical_crossentropy(f32([[1, 0, 0]]), f32([[0, 0, -inf]]), from_logits=True)",
            "[nan]",
            "[0.69315]",
        ),
        (
            "sparse_categorical_crossentropy(ints([0]), f32([[0, 0, -inf]]), from_logits=True)",
            "[nan]",
            "[0.69315]",
        ),
        (
            "categorical_crossentropy(f32([[1, 0]]), f32([[inf, 0]]), from_logits=True)",
            "[nan]",
            "[0]",
        ),
        (
            "categorical_crossentropy(f32([[0, 1]]), f32([[-3e38, 3e38]]), from_logits=True)",
            "[nan]",
            "[0]",
        ),
    )
    yield from topic(
        "Class ids",
        "They are checked, stay integers, and may have any axis.",
        (
            "sparse_categorical_crossentropy(ints([2]), f32([[0.5, 0.5]]))",
            "IndexError",
            "ValueError",
        ),
        ("sparse_categorical_crossentropy(ints([-1]), f32([[0.5, 0.5]]))", "[-0]", "ValueError"),
        (
            "sparse_categorical_crossentropy(f32([1.9]), f32([[0.5, 0.5]]))",
            "[0.69315]",
            "ValueError",
        ),
        ("sparse_categorical_crossentropy(f32([nan]), f32([[0.5, 0.5]]))", "[-0]", "ValueError"),
        (
            "SparseCategoricalCrossentropy(dtype='float16', from_logits=True)"
            "(ints([2049]), one(2049, 10, f32))",
            "10.125",
            "0.12769",
        ),
        (
            "sparse_categorical_crossentropy(ints([[0, 1]]), f32([[[1, 2], [3, 2], [1, 1]]]),"
            " axis=1)",
            "ValueError",
            "[[1.6094, 0.91629]]",
        ),
        (
            "categorical_generalized_cross_entropy(ints([[1], [0]]), f32([[0.8, 0.2], [0.1, 0.9]]),"
            " q=0.5)",
            "[[1.1056, 0.10263], [0.21115, 1.3675]]",
            "[1.1056, 1.3675]",
        ),
        (
            "categorical_generalized_cross_entropy(ints([-1]), f32([[0.5, 0.5]]), q=0.5)",
            "[2]",
            "ValueError",
        ),
        (
            "dtype(sparse_categorical_crossentropy(ints([0]), f16([[0.5, 0.5]])))",
            "float32",
            "float16",
        ),
        (
            "SparseCategoricalCrossentropy(ignore_class=-1)(ints([-1, 1]),"
            " f32([[0.5, 0.5], [0.7, 0.3]]), 3.0)",
            "ValueError",
            "3.6119",
        ),
    )
    yield from topic(
        "Axes of classes",
        "Label smoothing and alpha go along the axis of the classes.",
        (
            "categorical_crossentropy(f32([[1], [0]]), f32([[0.5], [0.5]]), label_smoothing=0.5,"
            " axis=0)",
            "[1.0397]",
            "[0.69315]",
        ),
        (
            "cosine_similarity(f32([[1, 0], [1, 3]]), f32([[0.3, 0.4], [1, 2]]), axis=0)",
            "[-0.36662, -0.98058]",
            "[-0.88047, -0.98058]",
        ),
    )
    yield from topic(
        "Similarity and overlap",
        "Vectors of any length have an angle; sums are not rounded to the type of the data.",
        ("cosine_similarity(f32([[1e20, 1e20]]), f32([[1e20, 1e20]]))", "[-0]", "[-1]"),
        ("cosine_similarity(f32([[1e-30, 0]]), f32([[1e-30, 0]]))", "[-0]", "[-1]"),
        ("cosine_similarity(f16([[300, 300]]), f16([[300, 300]]))", "[-0]", "[-1]"),
        ("cosine_similarity(f32([1, 0]), f32([1, 0]))", "[-1]", "-1"),
        ("dice(full(90000, 1, f16), full(90000, 1, f16))", "nan", "0"),
        ("dice(f32([1e20, 1e20]), f32([1e20, 1e20]))", "-inf", "-1e+20"),
        ("dice(ones((2, 1)), ones((2, 3)))", "-0.5", "ValueError"),
        (
            "tversky(f32([1, 1, 0, 0]), f32([1, 0, 1, 1]), alpha=0.2, beta=0.8)",
            "0.64286",
            "0.54545",
        ),
    )
    yield from topic(
        "Overflow on the way",
        "A finite loss is returned, whatever its parts are.",
        ("mean_absolute_error(f32([0, 0]), f32([3e38, 3e38]))", "inf", "3e+38"),
        ("mean_absolute_error(f32([3e38, 0]), f32([-3e38, 0]))", "inf", "3e+38"),
        ("mean_squared_error(f32([0, 0]), f32([1.5e19, 1.5e19]))", "inf", "2.25e+38"),
        ("mean_squared_error(f16([0, 0]), f16([300, 0]))", "inf", "44992"),
        ("mean_absolute_percentage_error(f32([3e38]), f32([-3e38]))", "inf", "200"),
        ("huber(f32([0]), f32([1e30]), delta=1e25)", "nan", "inf"),
        ("log_cosh(f32([2e38]), f32([0]))", "inf", "2e+38"),
        ("kl_divergence(f16([1]), f16([0]))", "inf", "16.125"),
        ("categorical_crossentropy(f32([[1, 0]]), f32([[3e38, 3e38]]))", "[16.118]", "[0.69315]"),
    )
    yield from topic(
        "Cancellation",
        "Forms that keep every digit are used.",
        ("mean_squared_logarithmic_error(f32([3e-6]), f32([1e-6]))", "4.1069e-12", "4e-12"),
        ("log_cosh(f32([1e-4]), f32([0]))", "-5.9605e-08", "5e-09"),
        ("log_cosh(f32([0]), f32([1e-4]))", "0", "5e-09"),
        ("binary_focal_crossentropy(f32([0]), f32([1e-9]))", "0", "1e-25"),
        (
            "categorical_generalized_cross_entropy(ints([0]), f32([[0.5, 0.5]]), q=1e-6)",
            "[0.71526]",
            "[0.69315]",
        ),
    )
    yield from topic(
        "Narrow types",
        "float16 and bfloat16 are computed in float32 and rounded once.",
        ("binary_crossentropy(f16([1]), f16([1]))", "nan", "1.1921e-07"),
        ("binary_crossentropy(f16([0]), f16([1]))", "inf", "15.945"),
        ("dtype(mean_squared_logarithmic_error(f16([1]), f16([1])))", "float32", "float16"),
        (
            "MeanSquaredError(dtype='float16')(full(3000, 0, f16), full(3000, 5.5, f16))",
            "inf",
            "30.25",
        ),
        (
            "MeanSquaredError(dtype='float16')(full(70000, 0, f16), full(70000, 0.01, f16))",
            "0",
            "0.00010002",
        ),
    )
    yield from topic(
        "float64",
        "float64 is computed and returned as float64.",
        ("dtype(mean_squared_error(f64([1]), f64([1])))", "float32", "float64"),
        ("mean_squared_error(f64([1]), f64([1 + 1e-12]))", "0", "1.0002e-24"),
        ("MeanSquaredError(dtype='float64')(f64([[1]]), f64([[1 + 1e-12]]))", "0", "1.0002e-24"),
        ("dtype(MeanSquaredError(dtype='float64')(f64([[1]]), f64([[2]])))", "float32", "float64"),
    )
    yield from topic(
        "Integers",
        "Predictions of integer type are numbers; nothing wraps or is truncated.",
        ("mean_absolute_error(u8([1, 2]), u8([0, 5]))", "127", "2"),
        ("mean_squared_error([0.9, 1.9], ints([1, 2]))", "1", "0.01"),
        ("huber([0.0], ints([1]), delta=0.5)", "0", "0.375"),
        ("mean_absolute_percentage_error(ints([0]), ints([1]))", "inf", "1e+09"),
        ("mean_absolute_error(bools([True]), bools([False]))", "TypeError", "1"),
    )
    yield from topic(
        "Shapes",
        "Ranks are adjusted in every function; nothing else is broadcast.",
        ("hinge(f32([1, -1]), f32([[2], [3]]))", "[1.5, 2]", "[0, 4]"),
        ("mean_squared_error(f32([[1], [2]]), f32([[1, 2], [3, 4]]))", "[0.5, 2.5]", "ValueError"),
        ("mean_squared_error(f32([1, 2]), f32([[1, 2], [3, 4]]))", "[0, 4]", "ValueError"),
    )
    yield from topic(
        "Weights",
        "Weights of shape (n,) weight the n samples; weights never enlarge a loss.",
        (
            "MeanSquaredError()(f32([[[0], [0], [0]], [[0], [0], [0]]]),"
            " f32([[[1], [1], [1]], [[2], [2], [2]]]), [1.0, 0.5])",
            "ValueError",
            "1.5",
        ),
        ("MeanSquaredError()(f32([1, 2, 3]), f32([2, 3, 5]), [1.0, 2.0, 3.0])", "4", "ValueError"),
        (
            "MeanSquaredError(reduction='sum')(f32([[0], [0]]), f32([[1], [2]]), ones((3, 2)))",
            "15",
            "ValueError",
        ),
    )
    yield from topic(
        "Skipped samples",
        "A weight of 0 or a false mask skips a sample, whatever is in it.",
        ("MeanSquaredError()(f32([[0], [0]]), f32([[1], [nan]]), [1.0, 0.0])", "nan", "0.5"),
        ("MeanSquaredError()(f32([[0], [0]]), f32([[1], [inf]]), mask=[True, False])", "nan", "1"),
        (
            "MeanSquaredError()(f32([[0], [0]]), f32([[1], [2]]), 3.0, mask=[True, False])",
            "ValueError",
            "3",
        ),
    )
    yield from topic(
        "Zero times infinity",
        "It is 0 where the zero is a label.",
        ("hinge(f32([[0, 0.5]]), f32([[inf, 0]]))", "[nan]", "[1]"),
        ("poisson(f32([0]), f32([inf]))", "nan", "inf"),
        ("categorical_hinge(f32([[1, 0]]), f32([[inf, 2]]))", "[nan]", "[0]"),
        ("categorical_hinge(f32([[1, 0]]), f32([[1, -inf]]))", "[nan]", "[0]"),
    )
    yield from topic(
        "Parameters",
        "Values without a meaning are refused; so are arrays for numbers, but for alpha by class.",
        ("huber(f32([0]), f32([1]), delta=0.0)", "0", "ValueError"),
        ("huber(f32([0]), f32([1]), delta=-1.0)", "-1.5", "ValueError"),
        ("huber(f32([0]), f32([1]), delta=f32([0.5]))", "0.375", "TypeError"),
        (
            "binary_crossentropy(f32([0]), f32([0.5]), label_smoothing=-1.0)",
            "0.69315",
            "ValueError",
        ),
    )
    yield from topic(
        "Configs",
        "Every argument is in it.",
        (
            "Huber(delta=2.0).get_config()",
            "{'name': 'huber_loss', 'reduction': 'sum_over_batch_size'}",
            "{'name': 'huber_loss', 'reduction': 'sum_over_batch_size', 'delta': 2.0}",
        ),
    )
    yield from topic(
        "Names",
        "Aliases and names of former versions are known everywhere; what is unknown is an error.",
        ("deserialize('mse').__name__", "ValueError", "mean_squared_error"),
        ("get('logcosh').__name__", "ValueError", "log_cosh"),
        ("deserialize('mean_sqared_error')", "mean_sqared_error", "ValueError"),
        ("MeanSquaredError(reduction='auto').reduction", "ValueError", "sum_over_batch_size"),
    )


DIFFERENCES = tuple(_rows())
