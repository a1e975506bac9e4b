# SPDX-License-Identifier: Apache-2.0
"""The C API, loaded with ctypes, gives the numbers of the Python package."""

from __future__ import annotations

from ctypes import byref
from typing import Any

import numpy as np
import pytest

import simdloss
from simdloss import _core
from spec import CASES
from support import c_api
from support.bits import assert_same_bits
from support.c_api import (
    CONSTANTS,
    Failure,
    Loss,
    Sums,
    call,
    library,
    operands,
    request,
)
from support.dtypes import DTYPES, FLOATS
from support.special_losses import embeddings_of, sequences_of
from support.variants import (
    BY_NAME,
    VARIANTS,
    Variant,
    every_variant,
    losses_with_class_weight,
)

pytestmark = pytest.mark.skipif(c_api.find_library() is None, reason=c_api.NO_LIBRARY)

REDUCTIONS = ["none", "sum", "mean", "mean_with_sample_weight"]
ENTRIES = {entry["name"]: entry for entry in _core.catalog()}
DTYPE_NUMBERS = {name: i for i, name in enumerate(DTYPES)}

SPECIAL: dict[str, tuple[Any, Any]] = {
    "circle": (
        np.random.default_rng(1).integers(0, 3, 12),
        embeddings_of(12, 4, np.random.default_rng(2)),
    ),
    "ctc": sequences_of((5, 7, 4), 3, np.random.default_rng(3)),
}


def options_of(loss: Any, reduction: str, **members: Any) -> c_api.Request:
    """The request of calls of a loss of the package."""
    axis = getattr(loss, "axis", -1)
    axes = axis if axis is None else np.atleast_1d(axis).tolist()
    number = REDUCTIONS.index(reduction)
    return request(reduction=number, dtype=DTYPE_NUMBERS[loss.dtype], axes=axes, **members)


def c_loss(variant: Variant, **kwargs: Any) -> Loss:
    return Loss(variant.case.name, variant.case.complete(variant.options), **kwargs)


def compare(mine: Loss, theirs: Any, reduction: str, t: Any, p: Any, w: Any, m: Any) -> None:
    """Every call that both have, on one batch."""
    o, r = operands(t, p, sample_weight=w, mask=m), options_of(theirs, reduction)
    value, gradient = theirs.value_and_grad(t, p, w, mask=m)
    assert_same_bits(mine.evaluate(o, r), theirs(t, p, w, mask=m))
    assert_same_bits(mine.gradient(o, r), gradient)
    for a, b in zip(mine.derivatives(o, r), (value, gradient), strict=True):
        assert_same_bits(a, b)
    scaled = theirs.value_and_grad(t, p, w, mask=m, scale=0.3)[1]
    assert_same_bits(mine.gradient(o, options_of(theirs, reduction, scale=0.3)), scaled)


def compare_sums(mine: Loss, theirs: Any, reduction: str, t: Any, p: Any, w: Any) -> None:
    """The state of a batch, and of two parts of it."""
    r = options_of(theirs, reduction)
    expected = theirs.partial(t, p, w)
    whole, merged, n = Sums(), Sums(), len(p) // 3
    whole.add(mine, operands(t, p, sample_weight=w), r)
    for part in (slice(n, None), slice(0, n)):
        sums = Sums()
        weights = None if w is None else w[part]
        sums.add(mine, operands(t[part], p[part], sample_weight=weights), r)
        merged.merge(sums)
    assert whole.to_bytes() == merged.to_bytes() == expected.to_bytes()
    again = Sums(expected.to_bytes())
    assert again.to_bytes() == expected.to_bytes()
    assert_same_bits(np.array(again.finalize(), expected.result().dtype), expected.result())
    info = again.info()
    assert (info.count, info.valid_count) == (expected.count, expected.valid_count)
    assert (info.reduction, info.dtype) == (r.reduction, r.dtype)
    assert info.weight_sum == expected.weight_sum


@pytest.mark.parametrize("dtype", FLOATS)
@every_variant
def test_numbers_are_those_of_the_package(variant: Variant, dtype: str) -> None:
    t, p = variant.draw((23, 5), dtype)
    rng = variant.rng("c", dtype)
    weights, mask = rng.standard_normal(23), rng.random(23) < 0.7
    mine = c_loss(variant)
    for reduction in REDUCTIONS:
        theirs = variant.loss(dtype=dtype, reduction=reduction)
        for w, m in [(None, None), (weights, None), (weights, mask)]:
            compare(mine, theirs, reduction, t, p, w, m)
            if variant.case.hessian is not None:
                o, r = operands(t, p, sample_weight=w, mask=m), options_of(theirs, reduction)
                for kind in ("diagonal", "upper_bound"):
                    found = mine.derivatives(o, r, kind.upper())
                    expected = theirs.value_grad_hess(t, p, w, mask=m, hessian=kind)
                    for a, b in zip(found, expected, strict=True):
                        assert_same_bits(a, b, kind)
            if reduction != "none" and m is None:
                compare_sums(mine, theirs, reduction, t, p, w)


@every_variant
def test_products_with_the_jacobian(variant: Variant) -> None:
    t, p = variant.draw((23, 5))
    cotangent = variant.rng("cotangent").standard_normal(23)
    arguments = variant.case.arguments(variant.options)
    expected = simdloss.vjp(variant.case.function, t, p, cotangent, **arguments)
    r = options_of(variant.loss(), "mean")
    assert_same_bits(c_loss(variant).vjp(operands(t, p), cotangent, r), expected)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", SPECIAL)
def test_losses_that_are_not_of_rows(name: str, reduction: str) -> None:
    t, p = SPECIAL[name]
    weights = np.random.default_rng(4).random(len(p))
    theirs = {"circle": simdloss.Circle, "ctc": simdloss.CTC}[name](reduction=reduction)
    for w in (None, weights):
        compare(Loss(name), theirs, reduction, t, p, w, None)
        if reduction == "none":
            continue
        if name == "ctc":
            compare_sums(Loss(name), theirs, reduction, t, p, w)
        else:
            sums = Sums()
            sums.add(Loss(name), operands(t, p, sample_weight=w), options_of(theirs, reduction))
            assert np.float32(sums.finalize()) == theirs(t, p, w)


def test_references_of_pairs() -> None:
    (t, p), (labels, rows) = SPECIAL["circle"], (np.arange(5) % 3, SPECIAL["circle"][1][:5] / 2)
    expected = simdloss.circle(t, p, labels, rows)
    o = operands(t, p, ref_labels=labels, ref_embeddings=rows)
    found = Loss("circle").evaluate(o, request(reduction=CONSTANTS["REDUCTION_NONE"]))
    assert_same_bits(found, expected)
    assert not np.array_equal(expected, simdloss.circle(t, p))


def test_every_loss_was_compared() -> None:
    names = {variant.case.name for variant in VARIANTS} | set(SPECIAL)
    assert names == set(ENTRIES)
    assert {case.name for case in CASES} < names
    assert library().simdloss_catalog_size() == len(names)


@losses_with_class_weight
def test_weights_of_classes(variant: Variant) -> None:
    t, p = variant.draw((23, 5))
    weights = [0.5, 1.0, 0.0, 2.0, 3.0]
    theirs = variant.loss(class_weight=weights)
    compare(c_loss(variant, weights=weights), theirs, "mean", t, p, None, None)
    compare_sums(c_loss(variant, weights=weights), theirs, "mean", t, p, None)


@pytest.mark.parametrize("logits", ["", "_from_logits"])
def test_ignored_classes(logits: str) -> None:
    variant = BY_NAME["sparse_categorical_crossentropy" + logits]
    t, p = variant.draw((23, 5))
    theirs = variant.loss(ignore_class=int(t[0]))
    r = options_of(theirs, "mean", ignore_class=int(t[0]))
    assert_same_bits(c_loss(variant).evaluate(operands(t, p), r), theirs(t, p))
    assert float(theirs(t, p)) != float(variant.loss()(t, p))


@pytest.mark.parametrize(("labels", "number"), [("auto", 0), ("binary", 1), ("signed", 2)])
def test_labels(labels: str, number: int) -> None:
    t, p = np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[0.5, -2.0], [0.25, 3.0]])
    theirs = simdloss.Hinge(labels=labels, dtype="float64")
    r = options_of(theirs, "mean", labels=number)
    assert_same_bits(Loss("hinge").evaluate(operands(t, p), r), theirs(t, p))


@pytest.mark.parametrize("axis", [None, 0, -2, (), (0, 1), (2, 0)])
def test_axes(axis: Any) -> None:
    variant = BY_NAME["huber"]
    t, p = variant.draw((4, 3, 5))
    theirs = variant.loss(axis=axis, reduction=None)
    found = c_loss(variant).evaluate(operands(t, p), options_of(theirs, "none"))
    assert_same_bits(found, theirs(t, p))


def test_defaults_are_those_of_the_package() -> None:
    """A null request, and the one that is initialised, are a call without arguments."""
    for dtype in ("float32", "int32", "bool"):
        t, p = np.ones((3, 2), dtype), np.array([[1, 0], [0, 1], [1, 1]], dtype)
        expected = simdloss.MeanAbsoluteError()(t, p)
        loss, o = Loss("mean_absolute_error"), operands(t, p)
        assert_same_bits(loss.evaluate(o, request()), expected)
        out = np.zeros((), np.float32)
        call("evaluate", loss.handle, byref(o), None, byref(c_api.view(out)))
        assert_same_bits(out, expected)


def test_any_layout() -> None:
    t, p = BY_NAME["huber"].draw((12, 10), "float64")
    loss, r = Loss("huber"), request(reduction=CONSTANTS["REDUCTION_NONE"])
    expected = loss.evaluate(operands(t, p), r)
    o = operands(np.asfortranarray(t), p[::-1, ::-1].copy()[::-1, ::-1])
    assert_same_bits(loss.evaluate(o, r), expected)
    o = operands(t, p)
    o.y_true, o.y_pred = c_api.view(t, c_order=True), c_api.view(p, c_order=True)
    out = np.zeros(24)[::-2]
    call("evaluate", loss.handle, byref(o), byref(r), byref(c_api.view(out)))
    assert_same_bits(out, expected)


def test_the_catalogue() -> None:
    flags = ("has_classes", "needs_elements", "has_hessian", "converts_binary_labels")
    for i, entry in enumerate(ENTRIES.values()):
        info = c_api.LossInfo()
        call("catalog_entry", i, byref(info))
        assert info.name.decode() == entry["name"]
        assert info.target == CONSTANTS["TARGET_" + entry["target"].upper()]
        assert info.row_finish == CONSTANTS["ROW_" + entry["row_finish"].upper()]
        assert info.axis_kind == CONSTANTS["AXIS_" + entry["axis_kind"].upper()]
        bits = {flag for flag in flags if info.flags & CONSTANTS[flag.upper()]}
        assert bits == {flag for flag in flags if entry[flag]}  # type: ignore[literal-required]
        assert info.n_params == len(entry["params"])
        for k, expected in enumerate(entry["params"]):
            param = c_api.ParamInfo()
            call("catalog_param", i, k, byref(param))
            assert {
                "name": param.name.decode(),
                "default": param.default_value,
                "low": param.low,
                "high": param.high,
                "low_open": bool(param.flags & CONSTANTS["LOW_OPEN"]),
                "is_bool": bool(param.flags & CONSTANTS["IS_BOOL"]),
            } == expected
            bad = expected["low"] - 1 if np.isfinite(expected["low"]) else np.nan
            with pytest.raises(Failure) as failure:
                Loss(entry["name"], {expected["name"]: bad})
            assert failure.value.argument == expected["name"]


def test_the_declarations_of_the_tests_are_those_of_the_header() -> None:
    assert {*c_api.STATUS, *c_api.OTHERS} == c_api.DECLARED
    for number, name in enumerate(DTYPES):
        assert CONSTANTS[name.upper()] == number
        assert library().simdloss_dtype_name(number).decode() == name
        assert library().simdloss_dtype_size(number) == DTYPES[name].itemsize


def test_versions() -> None:
    build = c_api.Build()
    library().simdloss_build_info(byref(build))
    assert build.version.decode() == simdloss.__version__
    assert library().simdloss_api_version() == 1
    assert "SIMDLOSS_API_MAJOR 0\n#define SIMDLOSS_API_MINOR 1\n" in c_api.HEADER
