# SPDX-License-Identifier: Apache-2.0
"""Inputs that users reported as bugs of Keras, TensorFlow, PyTorch and others; one test each.

k# is keras-team/keras, tf# tensorflow/tensorflow, pt# pytorch/pytorch; others have their full name.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import simdloss
from simdloss import losses

nan, inf = math.nan, math.inf


def f32(x: Any) -> Any:
    return np.array(x, np.float32)


# --- nothing is left ------------------------------------------------------------------------------


def test_every_label_is_ignored() -> None:
    """pt#70348, pt#75181, tf-keras#734: NaN."""
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-100)
    assert loss(np.full((2, 3), -100), f32(np.ones((2, 3, 4)))) == 0


def test_every_sample_is_masked() -> None:
    """k#3270, k#21908: NaN, and later about 1e7 times the loss."""
    loss = losses.CategoricalCrossentropy()
    assert loss(np.eye(3), f32(np.eye(3)), mask=np.zeros(3, bool)) == 0


def test_every_weight_is_zero() -> None:
    """k#7517, pt#116349: NaN."""
    loss = losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight")
    assert loss([0, 1], f32([[0.5, 0.5], [0.2, 0.8]]), [0.0, 0.0]) == 0


def test_an_empty_batch() -> None:
    """k#11643: NaN."""
    for name in ("CategoricalCrossentropy", "CosineSimilarity", "CategoricalHinge"):
        loss = getattr(losses, name)(reduction="sum")
        assert loss(np.zeros((0, 2, 3)), np.zeros((0, 2, 3))) == 0
    sparse = losses.SparseCategoricalCrossentropy()
    assert sparse(np.zeros((0, 2), int), np.zeros((0, 2, 3))) == 0
    assert losses.Dice()(np.zeros((0, 3)), np.zeros((0, 3))) == 1


# --- zero times something -------------------------------------------------------------------------


def test_a_masked_nan_stays_out() -> None:
    """k#6825, k#18818: multiplication by zero is not masking."""
    p = f32([[0.5, 0.5], [nan, nan]])
    loss = losses.SparseCategoricalCrossentropy(reduction="sum")
    expected = pytest.approx(math.log(2))
    assert loss([0, 1], p, [1, 0]) == expected
    assert loss([0, 1], p, mask=[True, False]) == expected
    ignoring = losses.SparseCategoricalCrossentropy(ignore_class=1)
    assert ignoring([0, 1], p) == expected


def test_a_logit_of_minus_infinity_with_label_zero() -> None:
    """optax#896 and Keras on NumPy, JAX and torch: NaN, the usual way to rule out a class."""
    z = f32([[1.0, 1.0, -inf]])
    expected = [pytest.approx(math.log(2))]
    assert losses.categorical_crossentropy([[1, 0, 0]], z, from_logits=True).tolist() == expected
    assert losses.sparse_categorical_crossentropy([0], z, from_logits=True).tolist() == expected


def test_a_probability_of_zero_with_label_zero() -> None:
    """k#592: 0 ln 0 must be 0."""
    with simdloss.using_epsilon(0):
        assert losses.categorical_crossentropy([[0, 1]], f32([[0, 1]])).tolist() == [0]
        assert losses.sparse_categorical_crossentropy([1], f32([[0, 1]])).tolist() == [0]


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [3, -1, -100])
@pytest.mark.parametrize("from_logits", [False, True])
def test_labels_that_are_no_class(label: int, from_logits: bool) -> None:
    """tf#8484, tf#56979, k#23669, optax#1185: 0, NaN, garbage or a crash, as the device decides."""
    p = f32(np.full((2, 3), 1 / 3))
    with pytest.raises(ValueError, match=rf"{label}.*3 classes"):
        losses.sparse_categorical_crossentropy([1, label], p, from_logits=from_logits)
    with pytest.raises(ValueError, match=rf"{label}.*3 classes"):
        losses.categorical_generalized_cross_entropy([1, label], p, 0.5)


@pytest.mark.parametrize(("dtype", "label"), [("float16", 2049), ("bfloat16", 257)])
def test_labels_beyond_the_integers_of_a_narrow_dtype(dtype: str, label: int) -> None:
    """k#15012, tf#50964, tf#51053: rounded to the neighbouring class."""
    z = f32(np.zeros((1, 3000)))
    z[0, label] = 16
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, dtype=dtype)
    assert loss(np.array([label]), z) < 1e-2
    assert loss(np.array([label - 1]), z) > 15


def test_labels_beyond_int32() -> None:
    """Keras on NumPy wraps: class 0."""
    with pytest.raises(ValueError, match="4294967296"):
        losses.sparse_categorical_crossentropy(np.array([2**32]), f32([[0.5, 0.5]]))


def test_labels_of_type_uint8() -> None:
    """Ids above 127 are not negative."""
    z = f32(np.zeros((1, 256)))
    z[0, 200] = 30
    assert (
        losses.sparse_categorical_crossentropy(np.array([200], np.uint8), z, from_logits=True)[0]
        < 1e-6
    )


def test_fractional_labels() -> None:
    """Keras truncates: 1.9 is class 1, -0.9 class 0."""
    for label in (1.9, -0.9):
        with pytest.raises(ValueError, match=str(label)):
            losses.sparse_categorical_crossentropy(np.array([label]), f32([[0.5, 0.5]]))


def test_an_ignored_class_that_is_no_class() -> None:
    """keras-core#562, k#19838, chainer#5127: 255 marks pixels without a label."""
    t = np.array([[0, 255], [255, 1]])
    p = f32(np.full((2, 2, 2), 0.5))
    loss = losses.SparseCategoricalCrossentropy(ignore_class=255)
    assert loss(t, p) == pytest.approx(math.log(2))


def test_ignored_labels_with_smoothing_and_weights() -> None:
    """pt#72056, pt#73205: ignored rows have no smoothed label either."""
    z = f32(np.random.default_rng(0).standard_normal((4, 5)))
    t, w = np.array([1, -1, 3, -1]), np.array([1.0, 5.0, 2.0, 7.0])
    for reduction in ("sum", "mean", "mean_with_sample_weight"):
        loss = losses.SparseCategoricalCrossentropy(
            True, ignore_class=-1, reduction=reduction, label_smoothing=0.1
        )
        assert loss(t, z, w) == loss(t[::2], z[::2], w[::2])


def test_class_weights_with_label_smoothing() -> None:
    """pt#104776: each class's term has its weight, the smoothed ones too."""
    z, w = np.array([[0.3, -1.0, 2.0]]), np.array([1.0, 2.0, 4.0])
    y = np.array([0.1 / 3, 0.9 + 0.1 / 3, 0.1 / 3])
    log_q = z[0] - np.log(np.exp(z[0]).sum())
    found = losses.sparse_categorical_crossentropy(
        [1], z, from_logits=True, label_smoothing=0.1, class_weight=w
    )
    assert found[0] == pytest.approx(-(w * y * log_q).sum(), rel=1e-14)


def test_class_weights_of_targets_of_three_and_more_dimensions() -> None:
    """k#3653, k#14085, tf-keras#564: not supported, build a weight map yourself."""
    rng = np.random.default_rng(1)
    t, p = rng.integers(0, 3, (2, 4, 4)), f32(rng.random((2, 4, 4, 3)))
    w = np.array([1.0, 10.0, 0.0])
    loss = losses.SparseCategoricalCrossentropy(class_weight=w)
    by_map = losses.SparseCategoricalCrossentropy()(t, p, w[t])
    assert loss(t, p) == pytest.approx(float(by_map), rel=1e-6)


def test_label_smoothing_of_ids() -> None:
    """k#23487, tf#46849: only for one-hot labels."""
    z = f32(np.random.default_rng(2).standard_normal((6, 4)))
    ids = np.array([0, 3, 1, 2, 2, 0])
    found = losses.sparse_categorical_crossentropy(ids, z, True, label_smoothing=0.2)
    expected = losses.categorical_crossentropy(np.eye(4)[ids], z, True, 0.2)
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-6)


# --- shapes and axes ------------------------------------------------------------------------------


def test_column_and_vector_labels() -> None:
    """k#14627, tf#37770, pt#16045, pt#19699: (n,) against (n, 1) became (n, n)."""
    column, vector = f32([[0.0], [1.0], [0.0]]), f32([0.2, 0.7, 0.1])
    for name in ("hinge", "poisson", "cosine_similarity", "categorical_hinge"):
        found = getattr(losses, name)(column, vector)
        assert found.tolist() == getattr(losses, name)(column, vector[:, None]).tolist()
        assert found.shape == (3,)


def test_vector_labels_of_several_outputs() -> None:
    """k#16836, pt#4938: (n,) against (n, n) broadcast silently."""
    for name in ("categorical_crossentropy", "dice", "categorical_focal_crossentropy"):
        with pytest.raises(ValueError, match="same shape"):
            getattr(losses, name)(f32([1, 0]), f32([[1, 0], [0, 1]]))


def test_column_ids_of_generalized_crossentropy() -> None:
    """Keras: an (n, n) result, every id against every row."""
    p = f32([[0.8, 0.2], [0.1, 0.9]])
    column = losses.categorical_generalized_cross_entropy(np.array([[1], [0]]), p, 0.5)
    vector = losses.categorical_generalized_cross_entropy(np.array([1, 0]), p, 0.5)
    assert column.tolist() == vector.tolist()


def test_label_smoothing_along_another_axis() -> None:
    """k#23437, tf#32231: divided by the size of the last axis."""
    t, z = np.zeros((2, 5, 3)), f32(np.random.default_rng(3).standard_normal((2, 5, 3)))
    t[:, 2] = 1
    for name in ("categorical_crossentropy", "categorical_focal_crossentropy"):
        function = getattr(losses, name)
        options = {"from_logits": True, "label_smoothing": 0.3}
        moved = function(np.moveaxis(t, 1, -1), np.moveaxis(z, 1, -1), **options)
        assert function(t, z, axis=1, **options).tolist() == moved.tolist()


def test_ids_with_classes_first() -> None:
    """Keras on NumPy, JAX and TensorFlow: an error, or the wrong axis."""
    z, ids = f32(np.random.default_rng(4).standard_normal((2, 3, 4))), np.array([[2, 1, 0, 0]] * 2)
    found = losses.sparse_categorical_crossentropy(ids, z, True, axis=1)
    moved = losses.sparse_categorical_crossentropy(ids, np.moveaxis(z, 1, -1), True)
    assert found.tolist() == moved.tolist()


def test_dice_over_a_tuple_of_axes() -> None:
    """k#19637, k#20487: only the whole batch at once."""
    rng = np.random.default_rng(5)
    t, p = f32(rng.integers(0, 2, (2, 4, 4, 3))), f32(rng.random((2, 4, 4, 3)))
    found = losses.dice(t, p, axis=(1, 2))
    assert found.shape == (2, 3)
    one = losses.dice(t[1, :, :, 2], p[1, :, :, 2])
    assert found[1, 2] == pytest.approx(float(one), rel=1e-6)


def test_cosine_similarity_along_the_first_axis() -> None:
    """Keras 3.15 on NumPy: divided by the lengths along the last."""
    t, p = f32([[1, 0], [1, 3]]), f32([[0.3, 0.4], [1, 2]])
    expected = [pytest.approx(-0.8804711), pytest.approx(-0.9805807)]
    assert losses.cosine_similarity(t, p, axis=0).tolist() == expected


def test_losses_of_elements() -> None:
    """tf#27190, k#17207: reduction="none" still averages the last axis."""
    loss = losses.MeanSquaredError(axis=(), reduction="none")
    assert loss([[1.0, 2.0]], [[2.0, 4.0]]).tolist() == [[1, 4]]


# --- reductions -----------------------------------------------------------------------------------


def test_the_last_batch_is_short() -> None:
    """tf#38596, tf#27993, k#8866: averages of averages."""
    rng = np.random.default_rng(6)
    t, p = rng.integers(0, 5, 103), f32(rng.random((103, 5)))
    loss = losses.SparseCategoricalCrossentropy()
    parts = [loss.partial(t[i : i + 10], p[i : i + 10]) for i in range(0, 103, 10)]
    assert sum(parts, simdloss.PartialSums()).result() == loss(t, p)


def test_ignored_labels_in_the_last_batch() -> None:
    """tf#38596, k#13591: a batch of padding counted as much as a full one."""
    rng = np.random.default_rng(7)
    t, p = rng.integers(0, 5, 100), f32(rng.random((100, 5)))
    t[50:95] = -1
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    parts = loss.partial(t[:50], p[:50]) + loss.partial(t[50:], p[50:])
    assert parts.result() == loss(t, p) == loss(t[t >= 0], p[t >= 0])


def test_a_mean_of_many_equal_losses() -> None:
    """tf#3775, tf#48129: the mean of ones is 1.00006."""
    p = np.broadcast_to(f32([[0.3, 0.7]]), (1_000_003, 2))
    one = losses.sparse_categorical_crossentropy([1], p[:1])[0]
    assert losses.SparseCategoricalCrossentropy()(np.ones(len(p), np.int8), p) == one


def test_what_divides_a_weighted_mean() -> None:
    """k#19740, tf#25178, scikit-learn#17419."""
    t, p, w = [0, 1], f32([[0.5, 0.5], [0.75, 0.25]]), [1.0, 3.0]
    total = math.log(2) + 3 * math.log(4)
    for reduction, divisor in [("sum", 1), ("mean", 2), ("mean_with_sample_weight", 4)]:
        loss = losses.SparseCategoricalCrossentropy(reduction=reduction)
        assert loss(t, p, w) == pytest.approx(total / divisor, rel=1e-6)


def test_hinge_labels_of_a_chunk() -> None:
    """Keras converts {0, 1} by looking at the batch that it is given."""
    t, p = f32([[0, 1], [1, 0], [-1, 1]]), f32([[0.5, 0.5]] * 3)
    loss = losses.Hinge()
    parts = loss.partial(t[:2], p[:2]) + loss.partial(t[2:], p[2:])
    assert parts.result() == loss(t, p)


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("logit", [40.0, 100.0, 1000.0])
def test_logits_are_not_capped(logit: float) -> None:
    """k#9247, tf#118313: 15.94 or 16.12, as the path decides."""
    assert losses.binary_crossentropy([[0.0]], [[logit]], True)[0] == logit
    z = f32([[logit, 0.0]])
    assert losses.categorical_crossentropy([[0, 1]], z, True)[0] == logit
    focal = losses.categorical_focal_crossentropy([[0, 1]], z, from_logits=True, alpha=1.0)
    assert focal[0] == logit


def test_epsilon_is_applied_once() -> None:
    """tf#41595, k#15249: 15.42 instead of 16.12."""
    assert losses.binary_crossentropy([[1.0]], [[0.0]])[0] == pytest.approx(16.118095)
    assert losses.categorical_crossentropy([[1, 0]], f32([[0, 1]]))[0] == pytest.approx(16.118095)


def test_epsilon_in_float16() -> None:
    """tf#38457, k#9582: 1 - 1e-7 is 1 there, and ln 0 follows."""
    p = np.array([[1, 0]], np.float16)
    assert np.isfinite(losses.binary_crossentropy(p, p)).all()
    assert losses.categorical_crossentropy(p, p)[0] < 1e-6
    assert losses.categorical_crossentropy(1 - p, p)[0] == np.float16(16.118095)


def test_a_float16_softmax_of_many_classes() -> None:
    """lm-evaluation-harness#2921: the sum of 70000 exps is infinite in float16."""
    z = np.zeros((1, 70_000), np.float16)
    found = losses.sparse_categorical_crossentropy([69_999], z, from_logits=True)
    assert found.dtype == np.float16
    assert found[0] == np.float16(math.log(70_000))


def test_float16_logits_at_both_ends() -> None:
    """60000 - (-60000) is infinite in float16."""
    z = np.array([[60_000, -60_000]], np.float16)
    loss = losses.CategoricalCrossentropy(from_logits=True)
    assert loss([[0, 1]], z) == 120_000
    assert loss([[1, 0]], z) == 0


def test_float16_cosine() -> None:
    """The squares of 300 overflow, those of 1e-4 vanish."""
    for x in (300, 1e-4):
        p = np.array([[x, x]], np.float16)
        assert losses.cosine_similarity(p, p).tolist() == [-1]


def test_float16_dice() -> None:
    """The sums of 300 x 300 pixels are infinite in float16."""
    p = np.ones((300, 300), np.float16)
    assert losses.dice(p, p) == 0
    assert losses.tversky(p, p) == 0


def test_easy_logits_have_a_positive_loss() -> None:
    """Keras: -0.0."""
    found = losses.categorical_crossentropy([[1, 0]], f32([[20, 0]]), from_logits=True)
    assert found[0] == pytest.approx(2.0611536e-9)


def test_probabilities_that_do_not_add_up_to_one() -> None:
    """scikit-learn#24515; Keras on TensorFlow clips first: 0.693."""
    p = f32([[2.0, 3.0]])
    sparse = losses.sparse_categorical_crossentropy([0], p)
    assert sparse[0] == pytest.approx(-math.log(0.4))
    assert losses.categorical_crossentropy([[1, 0]], p)[0] == pytest.approx(-math.log(0.4))


def test_generalized_crossentropy_of_small_q() -> None:
    """(1 - p^q) / q cancels: 0.7153."""
    found = losses.categorical_generalized_cross_entropy(np.array([0]), f32([[0.5, 0.5]]), 1e-6)
    assert found[0] == pytest.approx(math.log(2), rel=1e-6)
    found = losses.categorical_generalized_cross_entropy(np.array([0]), [[0.5, 0.5]], 1e-320)
    assert found[0] == pytest.approx(math.log(2), rel=1e-7)
    exact = losses.categorical_generalized_cross_entropy([0], np.array([[0.5, 0.5]]), 1e-320)
    assert exact[0] == math.log(2)


def test_log_cosh_of_large_differences() -> None:
    """k#8524: infinite or NaN."""
    assert losses.log_cosh([[0.0]], [[-1e5]])[0] == pytest.approx(1e5 - math.log(2))


def test_tversky_weighs_false_positives_by_alpha() -> None:
    """k#23333: alpha and beta were swapped."""
    t, p = f32([1, 1, 0, 0]), f32([1, 0, 1, 1])
    assert losses.tversky(t, p, alpha=0.2, beta=0.8) == pytest.approx(0.5454545)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Huber", {"delta": 3.0}),
        ("CosineSimilarity", {"axis": 1}),
        ("SparseCategoricalCrossentropy", {"axis": 1, "ignore_class": 0}),
    ],
)
def test_options_survive_a_round_trip(name: str, options: Any) -> None:
    """k#23286: delta and axis were lost."""
    loss = getattr(losses, name)(**options)
    config = type(loss).from_config(loss.get_config()).get_config()
    assert options.items() <= config.items()
