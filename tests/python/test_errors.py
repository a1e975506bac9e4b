# SPDX-License-Identifier: Apache-2.0
"""Wrong calls: the error's type, the argument it names, and what it says."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import simdloss
from support.variants import Variant, every_loss, mse

BAD_PARAMETERS = [
    pytest.param(variant, q.name, value, id=f"{variant}-{q.name}={value}")
    for variant in every_loss.args[1]
    for q in variant.case.parameters
    for value in q.outside()
]


@pytest.mark.parametrize(("variant", "name", "value"), BAD_PARAMETERS)
def test_parameters_outside_their_domain(variant: Variant, name: str, value: float) -> None:
    arguments = {**variant.case.fixed, name: value}
    with pytest.raises(ValueError, match=name) as caught:
        getattr(simdloss, variant.case.function)([[1.0]], [[0.5]], **arguments)
    assert str(value).removesuffix(".0") in str(caught.value)
    with pytest.raises(ValueError, match=name):
        getattr(simdloss, variant.case.class_name)(**arguments)


@pytest.mark.parametrize("value", ["1.0", None, [1.0, 2.0], 1j], ids=repr)
def test_parameters_of_another_type(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="delta"):
        simdloss.huber([[1.0]], [[0.5]], delta=value)
    with pytest.raises((TypeError, ValueError), match="delta"):
        simdloss.Huber(delta=value)


def test_parameters_beyond_float64() -> None:
    for call in (simdloss.Huber, lambda delta: simdloss.huber([[1.0]], [[0.5]], delta)):
        with pytest.raises(ValueError, match="delta must be a number within the range"):
            call(10**400)


@pytest.mark.parametrize("value", ["sum", "False", None, 1, 0.0, []], ids=repr)
@pytest.mark.parametrize("name", ["from_logits", "apply_class_balancing"])
def test_flags_are_bools(name: str, value: Any) -> None:
    message = re.escape(f"{name} must be a bool; received {value!r} of type")
    calls: list[Any] = [
        lambda **flag: simdloss.binary_focal_crossentropy([[1.0]], [[0.5]], **flag),
        simdloss.BinaryFocalCrossentropy,
    ]
    for call in calls:
        with pytest.raises(TypeError, match=message):
            call(**{name: value})
        for flag in (True, np.False_):
            call(**{name: flag})


def test_a_reduction_in_the_place_of_a_flag() -> None:
    with pytest.raises(TypeError, match=r"from_logits must be a bool.* by keyword"):
        simdloss.BinaryCrossentropy("sum")  # type: ignore[arg-type]


def test_a_number_as_a_flag() -> None:
    """It was meant for the flag, so there is nothing to say of other options."""
    with pytest.raises(TypeError, match=r"from_logits must be a bool; received 1 of type int$"):
        simdloss.binary_crossentropy([[1.0]], [[0.5]], from_logits=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"remove_diagonal must be a bool; received 1 of type int$"):
        simdloss.circle([1], [[1.0]], remove_diagonal=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("reduction", ["median", "Mean", "", 1, True, b"sum"], ids=repr)
@every_loss
def test_unknown_reductions(variant: Variant, reduction: Any) -> None:
    with pytest.raises(ValueError, match="Invalid value for argument") as caught:
        variant.loss(reduction=reduction)
    assert "reduction" in str(caught.value)
    assert str(reduction) in str(caught.value)


def test_unhashable_reduction() -> None:
    with pytest.raises((TypeError, ValueError), match="reduction"):
        mse.loss(reduction=[])


def test_reduction_is_checked_again_when_called() -> None:
    loss = mse.loss()
    loss.reduction = "median"
    with pytest.raises(ValueError, match="Invalid value for argument"):
        loss([[1.0]], [[2.0]])


@pytest.mark.parametrize("dtype", ["float8", "int8x", object(), 3.5, "complexity"])
def test_unknown_dtypes(dtype: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="dtype"):
        mse.loss(dtype=dtype)


@every_loss
def test_unexpected_arguments(variant: Variant) -> None:
    with pytest.raises(TypeError, match="unexpected"):
        variant.function([[1.0]], [[0.5]], spam=1)
    with pytest.raises(TypeError, match="unexpected"):
        variant.loss(spam=1)
    with pytest.raises(TypeError, match="unexpected"):
        variant.loss()([[1.0]], [[0.5]], spam=1)  # type: ignore[call-arg]


GOOD = np.ones((2, 2), np.float32)
BAD_ARRAYS = {
    "complex": np.ones((2, 2), np.complex64),
    "complex list": [[1j, 1], [1, 1]],
    "object": np.array([[1, 2], [3, None]], dtype=object),
    "string": np.array([["1", "2"], ["3", "4"]]),
    "bytes": np.array([[b"1", b"2"], [b"3", b"4"]]),
    "datetime": np.zeros((2, 2), "datetime64[s]"),
    "timedelta": np.zeros((2, 2), "timedelta64[s]"),
    "void": np.zeros((2, 2), "V2"),
    "records": np.zeros((2, 2), np.dtype([("a", np.float32)])),
    "longdouble": np.ones((2, 2), np.longdouble),
    "none": None,
    "text": "1, 2",
    "list of text": [["1", "2"], ["3", "4"]],
    "dict": {"a": 1},
    "set": {1, 2},
    "ragged": [[1.0, 2.0], [3.0]],
    "generator": (x for x in [1.0, 2.0]),
}
bad_arrays = pytest.mark.parametrize("array", BAD_ARRAYS.values(), ids=BAD_ARRAYS)


@bad_arrays
@pytest.mark.parametrize("argument", ["y_true", "y_pred", "sample_weight", "mask"])
def test_arrays_that_are_no_numbers(argument: str, array: Any) -> None:
    if array is None and argument in ("sample_weight", "mask"):
        return  # that is how they are left out
    call = {"y_true": GOOD, "y_pred": GOOD, argument: array}
    with pytest.raises((TypeError, ValueError), match=argument):
        mse.loss()(**call)
    if argument.startswith("y"):
        with pytest.raises((TypeError, ValueError), match=argument):
            mse.function(**call)


@pytest.mark.parametrize(
    "array",
    [BAD_ARRAYS[k] for k in ("complex", "object", "string", "datetime", "longdouble")],
    ids=lambda a: str(a.dtype),
)
def test_dtypes_that_are_no_numbers_are_type_errors(array: Any) -> None:
    with pytest.raises(TypeError, match="y_pred") as caught:
        mse.function(GOOD, array)
    name = array.dtype.name
    assert name in str(caught.value) or str(array.dtype) in str(caught.value)


def test_missing_arguments() -> None:
    with pytest.raises(TypeError, match="y_pred"):
        simdloss.huber([[1.0]])  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="y_pred"):
        simdloss.Huber()([[1.0]])  # type: ignore[call-arg]


def test_functions_take_no_weights() -> None:
    with pytest.raises(TypeError, match="sample_weight"):
        mse.function([[1.0]], [[2.0]], sample_weight=[1.0])


def test_mask_out_and_empty_are_keyword_only() -> None:
    with pytest.raises(TypeError):
        mse.loss()([[1.0]], [[2.0]], [1.0], [True])  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        simdloss.huber([[1.0]], [[2.0]], 1.0, None)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "shape", [(2,), (5,), (3, 2), (3, 1, 2), (3, 4, 5, 6), (1, 3, 4), (0,)], ids=str
)
@pytest.mark.parametrize("argument", ["sample_weight", "mask"])
def test_weights_that_do_not_broadcast(argument: str, shape: tuple[int, ...]) -> None:
    t, p = mse.draw((3, 4, 7))
    call: dict[str, Any] = {"y_true": t, "y_pred": p, argument: np.ones(shape)}
    with pytest.raises(ValueError, match=argument) as caught:
        mse.loss()(**call)
    assert str(shape) in str(caught.value)
    assert str((3, 4)) in str(caught.value)


@pytest.mark.parametrize("labels", ["ternary", None, 1, b"auto"], ids=repr)
def test_unknown_labels_option(labels: Any) -> None:
    with pytest.raises(ValueError, match="labels must be 'auto', 'binary' or 'signed'; received"):
        simdloss.hinge([[1.0]], [[0.5]], labels=labels)
    with pytest.raises(ValueError, match="labels must be 'auto', 'binary' or 'signed'; received"):
        simdloss.Hinge(labels=labels)


def test_advice_for_shapes_that_do_not_fit_circle() -> None:
    t, e = np.zeros(4, int), np.ones((4, 3))
    with pytest.raises(
        ValueError, match=r"y_true must have the shape \(n,\), \(n, 1\) or \(1, n\)"
    ):
        simdloss.circle(np.zeros((2, 2), int), e)
    with pytest.raises(ValueError, match=r"ref_embeddings must have the shape \(n, dimensions\)"):
        simdloss.circle(t, e, ref_embeddings=np.ones(4))
    with pytest.raises(ValueError, match=r"Fix: pass one label for each row of y_pred\."):
        simdloss.circle(t[:3], e)
    with pytest.raises(
        ValueError, match="Fix: pass one label for each row of ref_embeddings; where"
    ):
        simdloss.circle(t, e, ref_labels=t[:2])
    with pytest.raises(ValueError, match="Fix: give both the same number of columns"):
        simdloss.circle(t, e, ref_embeddings=e[:, :2])


def test_base_class_has_no_call() -> None:
    with pytest.raises(NotImplementedError):
        simdloss.Loss()([[1.0]], [[2.0]])


@pytest.mark.parametrize("shape", [(6,), (6, 1)], ids=str)
def test_class_ids_for_labels_over_classes(shape: tuple[int, ...]) -> None:
    ids, p = np.zeros(shape, int), np.full((6, 4), 0.25)
    calls: list[Any] = [
        simdloss.categorical_crossentropy,
        simdloss.CategoricalCrossentropy(from_logits=True),
    ]
    for call in calls:
        with pytest.raises(
            ValueError, match=r"\(6, 4\)\. Fix: if y_true holds class ids"
        ) as caught:
            call(ids, p)
        assert "sparse_categorical_crossentropy" in str(caught.value)
        assert "to_categorical(y_true, 4)" in str(caught.value)
        assert "y_pred with" not in str(caught.value)
    one_hot = simdloss.to_categorical(ids, 4)
    sparse = simdloss.sparse_categorical_crossentropy(ids, p)
    assert np.allclose(simdloss.categorical_crossentropy(one_hot, p), sparse)


DATA = {
    "arrays": (np.zeros(3000), np.ones(3000)),
    "matrices": (np.zeros((3000, 2)), np.ones((3000, 2))),
    "lists": ([0.0] * 3000, [1.0] * 3000),
    "nested lists": ([[0.0, 1.0]] * 3000, [[1.0, 0.0]] * 3000),
}


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
@every_loss
def test_data_for_a_class(variant: Variant, data: tuple[Any, Any]) -> None:
    """As in `MeanSquaredError(y_true, y_pred)`."""
    name = variant.case.class_name
    message = rf"^{name}\(\) takes options; call the instance: {name}\(\)\(y_true, y_pred\)\."
    with pytest.raises(TypeError, match=message) as caught:
        getattr(simdloss, name)(*data)
    assert len(str(caught.value)) < 400


def test_data_for_a_class_of_the_user() -> None:
    class Mine(simdloss.Loss):
        pass

    with pytest.raises(TypeError, match=r"Mine\(\)\(y_true, y_pred\)"):
        Mine(*DATA["arrays"])  # type: ignore[arg-type]


def test_errors_show_no_whole_arrays() -> None:
    array = np.arange(3000.0)
    calls: list[Any] = [
        lambda value: simdloss.huber([[1.0]], [[0.5]], value),
        lambda value: simdloss.binary_crossentropy([[1.0]], [[0.5]], value),
        lambda value: simdloss.hinge([[1.0]], [[0.5]], labels=value),
        lambda value: simdloss.Huber()([[1.0]], [[0.5]], empty=value),
        simdloss.set_epsilon,
        simdloss.set_floatx,
        simdloss.losses.get,
        simdloss.losses.serialize,
        simdloss.losses.LossFunctionWrapper,
        lambda value: simdloss.losses.get({"config": value}),
        lambda value: simdloss.Huber(dtype=value),
    ]
    for call in calls:
        for value in (array, array.tolist()):
            with pytest.raises((TypeError, ValueError)) as caught:
                call(value)
            assert len(str(caught.value)) < 500


MESSAGES: dict[str, tuple[Any, str]] = {
    "ctc of another rank": (
        lambda: simdloss.ctc([[1, 2]], np.zeros((3, 4))),
        r"received y_pred\.shape=\(3, 4\) and y_true\.shape=\(1, 2\)",
    ),
    "ctc labels of another rank": (
        lambda: simdloss.ctc([1, 2], np.zeros((1, 3, 4))),
        r"received y_true\.shape=\(2,\) and y_pred\.shape=\(1, 3, 4\)",
    ),
    "ctc padded with -1": (
        lambda: simdloss.ctc([[1, -1]], np.zeros((1, 3, 4))),
        r"received -1 at position \(0, 1\).*Fix: pad rows with 0, the blank\.",
    ),
    "circle of one-hot labels": (
        lambda: simdloss.circle(np.eye(4), np.eye(4)),
        r"Fix: if it holds one-hot labels, pass class ids: y_true\.argmax\(axis=1\)",
    ),
    "padding without ignore_class": (
        lambda: simdloss.sparse_categorical_crossentropy([0, -1], np.eye(2)),
        r"it is the only bad label\. Fix: .*ignore_class",
    ),
    "states of other losses": (
        lambda: mse.loss().partial(GOOD, GOOD) + simdloss.Huber().partial(GOOD, GOOD),
        "from equal loss objects, under the same epsilon$",
    ),
    "no partial sums": (
        lambda: mse.loss(reduction="none").partial(GOOD, GOOD),
        "reduction is None, which is 'none' too.*'sum', 'sum_over_batch_size', 'mean' or",
    ),
    "alpha for another number of classes": (
        lambda: simdloss.categorical_focal_crossentropy(np.eye(3), np.eye(3), alpha=[1, 2]),
        "^a vector for alpha, or class_weight, must have one number for each of the 3 classes",
    ),
    "class_weight for another number of classes": (
        lambda: simdloss.categorical_crossentropy(np.eye(3), np.eye(3), class_weight=[1, 2]),
        "^class_weight must have one number for each of the 3 classes",
    ),
    "no threads": (lambda: simdloss.set_num_threads(0), "from 1 to 1024, or None"),
    "too many threads": (lambda: simdloss.set_num_threads(1025), "from 1 to 1024, or None"),
}


@pytest.mark.parametrize(("call", "message"), MESSAGES.values(), ids=MESSAGES)
def test_messages(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_too_many_threads_in_a_context() -> None:
    with pytest.raises(ValueError, match="from 1 to 1024"), simdloss.using_num_threads(1025):
        pass


def test_names_of_classes() -> None:
    """The advice of the error makes ids of them."""
    p = np.full((3, 2), 0.5, np.float32)
    names = ["dog", "cat", "dog"]
    arrays: list[Any] = [names, np.array(names), np.array(names, object), np.array(names, bytes)]
    for y_true in arrays:
        advice = r"np\.unique\(y_true, return_inverse=True\)\[1\]"
        with pytest.raises(TypeError, match=advice):
            simdloss.sparse_categorical_crossentropy(y_true, p)
        ids = np.unique(y_true, return_inverse=True)[1]
        assert ids.tolist() == [1, 0, 1]
        with pytest.raises(TypeError, match=r"astype\('float64'\)$"):
            simdloss.sparse_categorical_crossentropy(ids, y_true)


def test_categories_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(["dog", "cat", "dog"])
    p = np.full((3, 2), 0.5, np.float32)
    with pytest.raises(TypeError, match=r"values that are not numbers.*np\.unique\(y_true"):
        simdloss.sparse_categorical_crossentropy(series, p)
    categories = series.astype("category")
    with pytest.raises(TypeError, match=r"category; convert categories to class ids.*\.cat\.codes"):
        simdloss.sparse_categorical_crossentropy(categories, p)
    simdloss.sparse_categorical_crossentropy(categories.cat.codes, p)


def test_shapes_are_compared_before_what_follows_from_them() -> None:
    """The error is about the arrays, not about an `out` or weights that fit one of them."""
    t, p = np.zeros((5, 3), np.float32), np.zeros((4, 3), np.float32)
    out, weights = np.zeros(5, np.float32), np.ones(5)
    samples = simdloss.MeanSquaredError(reduction=None)
    weighted = simdloss.MeanSquaredError(reduction="mean_with_sample_weight")
    ids = np.zeros(5, int)
    calls = (
        lambda: simdloss.mean_squared_error(t, p, out=out),
        lambda: samples(t, p, out=out),
        lambda: samples(t, p, out=out.astype(int)),
        lambda: samples.value_and_grad(t, p, out=t.copy()),
        lambda: weighted.partial(t, p, weights),
        lambda: simdloss.sparse_categorical_crossentropy(ids, p, out=out),
        lambda: simdloss.categorical_crossentropy(t[:, :1], p[:, :1]),  # nor of one class
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"^y_true .*\(5,.*\(4,"):
            call()
