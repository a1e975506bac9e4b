# SPDX-License-Identifier: Apache-2.0
"""What is accepted as an array, and what is refused with advice."""

from __future__ import annotations

import itertools
from typing import Any

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import simdloss
from support.bits import assert_same_bits
from support.dtypes import BFLOAT16, FLOATS, every_float, floatx
from support.processes import run_python
from support.variants import Variant, every_loss, mae, mse

T, P = mse.draw((4, 3))
EXPECTED = mse.function(T, P)


class WithArray:
    """The NumPy protocol and nothing else."""

    def __init__(self, a: Any) -> None:
        self.a = a

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.a, dtype=dtype, copy=copy)


class WithDlpack:
    """The DLPack protocol and nothing else."""

    def __init__(self, a: Any) -> None:
        self.a = a

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.a.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        device: tuple[int, int] = self.a.__dlpack_device__()
        return device


class OnCuda(WithDlpack):
    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)


WRAPPERS: dict[str, Any] = {
    "__array__": WithArray,
    "__dlpack__": WithDlpack,
    "matrix": lambda a: a.view(type("Sub", (np.ndarray,), {})),
    "memoryview": memoryview,
    "DataFrame": pd.DataFrame,
    "list of arrays": list,
    "tuple of arrays": tuple,
    "masked without a mask": np.ma.masked_array,
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_accepted(wrap: Any) -> None:
    assert_same_bits(mse.function(wrap(T), wrap(P)), EXPECTED)
    assert_same_bits(mse.function(T, wrap(P)), EXPECTED)
    assert_same_bits(mse.loss(reduction=None)(wrap(T), P), EXPECTED)
    assert mse.loss()(T, P, wrap(np.ones((4, 1)))) == mse.loss()(T, P)


@every_loss
def test_lists_tuples_and_scalars(variant: Variant) -> None:
    labels = np.array([1, 0] if variant.case.target == "class_id" else [[1, 0], [0, 1]], np.float32)
    t, p = labels.tolist(), [[0.75, 0.5], [0.25, 0.5]]
    expected = variant.function(labels, np.array(p, np.float32))
    assert_same_bits(variant.function(t, p), expected)
    assert_same_bits(variant.function(tuple(t), tuple(map(tuple, p))), expected)
    assert_same_bits(variant.function(list(labels), p), expected)
    assert_same_bits(variant.loss(reduction=None)(t, p), expected)
    assert_same_bits(variant.function((labels == 1).tolist(), p), expected)
    integers = labels.astype(np.int32)
    expected = variant.function(integers, np.array(p, np.float32))  # may compute in float64
    assert_same_bits(variant.function(integers.tolist(), p), expected)


def test_python_numbers_take_floatx() -> None:
    assert mse.function([0.1], [0.3]).dtype == np.float32
    assert mse.function([1], [3]).dtype == np.float32
    assert mse.function([np.float64(0.1)], [np.float64(0.3)]).dtype in (np.float32, np.float64)


@pytest.mark.parametrize("default", FLOATS)
@every_float
def test_classes_read_python_numbers_by_their_own_dtype(dtype: str, default: str) -> None:
    """`floatx()` does not matter; float16 and bfloat16 are dtypes of results alone."""
    number = np.float64 if dtype == "float64" else np.float32
    with floatx(default):
        loss = mae.loss(dtype=dtype, reduction=None)
        for t, p in ([0.1, 0.3], [70000.0, 69999.0], [0.1, 5]):
            expected = np.asarray([abs(number(t) - number(p))]).astype(FLOATS[dtype])
            assert_same_bits(loss([[t]], [[p]]), expected)
        if dtype == "float64":
            assert loss([[1e300]], [[0.0]]) == 1e300


@every_float
def test_classes_and_weights_take_integers_of_any_size(dtype: str) -> None:
    loss = mae.loss(dtype=dtype, reduction=None)
    n = 2**40 + 1
    assert_same_bits(loss([[n]], [[n - 3]]), np.asarray([3], FLOATS[dtype]))
    assert_same_bits(loss([[10**30]], [[10**30]]), np.asarray([0], FLOATS[dtype]))
    total = mae.loss(dtype=dtype, reduction="mean_with_sample_weight")
    assert total([[0.0], [0.0]], [[1.0], [2.0]], [2**40, 2**40]) == 1.5
    assert mae.loss(reduction="sum")([[0.0]], [[1.0]], mask=[2**40]) == 2.0**40
    with pytest.raises(ValueError, match="y_true holds integers"):
        loss([[10**400]], [[0]])
    with pytest.raises(ValueError, match=r"y_pred holds integers.*int64.*float64"):
        mae.function([[0]], [[n]])


MIXED = [
    ([np.float32(0.1), np.float64(0.1)], "float64"),
    ([np.float16(1), np.float32(1), 1], "float32"),
    ([0.1, np.float64(0.1)], "float64"),
    ([0.1, np.float16(1)], "float32"),
    ([1, np.int64(1)], "float32"),
    ([True, np.float16(1), 2], "float16"),
    ([np.array(1, np.float16), np.array(0.1), 0.5], "float64"),
]


@pytest.mark.parametrize(("items", "dtype"), MIXED, ids=lambda x: str(x)[:40])
def test_the_dtype_of_a_list_does_not_depend_on_its_order(items: list[Any], dtype: str) -> None:
    for order in itertools.permutations(items):
        for p in (list(order), [list(order)], [[item] for item in order]):
            assert mae.function(np.zeros(np.shape(p), np.float16), p).dtype == dtype


def test_lists_pass_the_checks_of_what_they_hold() -> None:
    masked = np.ma.masked_array([1.0, 2.0], mask=[False, True])
    holds: list[Any] = [[masked], [[1.0, np.ma.masked]], (np.array([1.0, 2.0]), masked)]
    for p in holds:
        for call in (mse.function, mse.loss()):
            with pytest.raises(ValueError, match="y_pred is a masked array"):
                call(np.ones((len(p), 2)), p)
    nullable = pd.Series([1, None], dtype="Int64")
    with pytest.raises(TypeError, match="y_true has missing values"):
        mse.function([nullable], [[1.0, 2.0]])
    with pytest.raises(TypeError, match="toarray"):
        mse.function([scipy.sparse.csr_array([[1.0, 2.0]])], [[1.0, 2.0]])


def test_series_of_every_numeric_dtype() -> None:
    for dtype in ("float32", "float64", "int64", "uint8", "bool"):
        t, p = pd.Series([1, 0, 1], dtype=dtype), pd.Series([0, 0, 1], dtype=dtype)
        assert_same_bits(mse.function(t, p), mse.function(t.to_numpy(), p.to_numpy()))


def test_pandas_objects_go_by_position() -> None:
    t, p = pd.Series([1.0, 2.0], index=[5, 9]), np.array([1.0, 4.0])
    assert mse.function(t, p) == 2.0
    assert mse.function(t, pd.Series([1.0, 4.0], index=[5, 9])) == 2.0
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}, index=[7, 3])
    assert mse.function(frame, frame.to_numpy() + 1).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("other", ["y_pred", "sample_weight", "mask"])
def test_unequal_pandas_indexes(other: str) -> None:
    t = pd.Series([1.0, 2.0], index=[0, 1])
    call: dict[str, Any] = {"y_true": t, "y_pred": np.array([1.0, 4.0])}
    call[other] = pd.Series([1.0, 1.0], index=[1, 0])
    with pytest.raises(ValueError, match="index"):
        simdloss.MeanSquaredError(axis=())(**call)


@pytest.mark.parametrize("dtype", ["Float64", "Int64", "boolean"])
def test_nullable_columns(dtype: str) -> None:
    whole = pd.Series([1, 0, 1], dtype=dtype)
    assert mse.function(whole, [1.0, 0.0, 0.0]) == pytest.approx(1 / 3)
    missing = pd.Series([1, None, 1], dtype=dtype)
    for t, p in [(missing, [1.0, 0.0, 0.0]), ([1.0, 0.0, 0.0], missing)]:
        with pytest.raises(TypeError, match=r"(?s)(missing|NA).*(fillna|dropna|to_numpy)"):
            mse.function(t, p)


def test_float_columns_with_nan_are_numbers() -> None:
    assert np.isnan(mse.function(pd.Series([1.0, np.nan]), [1.0, 1.0]))


def test_masked_arrays() -> None:
    masked = np.ma.masked_array(T, mask=T.mean() < T)
    for call in ({"y_true": masked, "y_pred": P}, {"y_true": T, "y_pred": masked}):
        with pytest.raises(ValueError, match=r"axis=\(\) and mask=.*functions take no mask"):
            mse.function(**call)
    weights = np.ma.masked_array([1.0, 2, 3, 4], mask=[False, False, False, True])
    with pytest.raises(ValueError, match=r"sample_weight is a masked array.*filled\(0\)"):
        mse.loss()(T, P, weights)
    with pytest.raises(ValueError, match=r"mask is a masked array.*filled\(False\)"):
        mse.loss()(T, P, mask=weights)
    unmasked = np.ma.masked_array(T, mask=np.zeros(T.shape, bool))
    assert_same_bits(mse.function(unmasked, P), EXPECTED)


def test_the_advice_for_masked_arrays_and_missing_values_works() -> None:
    loss = mse.loss(axis=())
    masked = np.ma.masked_array([[1.0, np.nan], [3.0, 4.0]], mask=[[False, True], [False, False]])
    y_pred = np.zeros((2, 2))
    with_mask = loss(masked.filled(0), y_pred, mask=~np.ma.getmaskarray(masked))
    assert with_mask == np.float32(26 / 3)
    y_true = pd.DataFrame({"a": [1.0, 3.0], "b": [None, 4.0]}, dtype="Float64")
    filled = y_true.to_numpy(dtype="float64", na_value=0)
    assert loss(filled, y_pred, mask=~y_true.isna().to_numpy()) == with_mask


def test_frames_of_several_dtypes() -> None:
    frame = pd.DataFrame({"a": [1.5, 2.0], "b": [True, False], "c": [3, 4]})
    expected = np.array([[1.5, 1, 3], [2, 0, 4]])
    assert_same_bits(mse.function(frame, expected * 2), mse.function(expected, expected * 2))
    frame["d"] = ["x", "y"]
    with pytest.raises(TypeError, match=r"y_pred has columns that are not numbers: 'd' \("):
        mse.function(np.zeros((2, 4)), frame)
    with pytest.raises(TypeError, match="y_pred has values that are not numbers"):
        mse.function(np.zeros(2), frame["d"])


def test_traced_jax_values() -> None:
    import jax

    y = np.ones((2, 2), np.float32)
    for transform in (jax.jit, jax.grad):
        with pytest.raises(TypeError, match="y_pred is a traced JAX value: simdloss cannot run"):
            transform(lambda p: mse.loss()(y, p))(y)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
@pytest.mark.parametrize("family", ["matrix", "array"])
def test_sparse(kind: str, family: str) -> None:
    sparse = getattr(scipy.sparse, f"{kind}_{family}")(T)
    for t, p in [(sparse, P), (T, sparse)]:
        with pytest.raises(TypeError, match=r"toarray\(\)"):
            mse.function(t, p)


def test_devices() -> None:
    with pytest.raises(TypeError, match=r"(?i)cuda|cpu"):
        mse.function(T, OnCuda(P))


def test_np_matrix() -> None:
    with pytest.warns(PendingDeprecationWarning):
        p = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    assert_same_bits(mse.function(p, p + 1), np.array([1.0, 1.0]))


def test_subclasses_come_back_as_plain_arrays() -> None:
    sub: Any = P.view(type("Sub", (np.ndarray,), {}))
    assert type(mse.function(sub, sub)) is np.ndarray


def test_jax_arrays() -> None:
    import jax.numpy as jnp

    t, p = jnp.asarray(T), jnp.asarray(P)
    assert_same_bits(mse.function(t, p), EXPECTED)
    narrow = p.astype(jnp.bfloat16)
    expected = mse.function(T, np.asarray(narrow))
    assert expected.dtype == BFLOAT16
    assert_same_bits(mse.function(T, narrow), expected)


def test_torch_tensors() -> None:
    torch = pytest.importorskip("torch", reason="torch is not a test requirement")
    t, p = torch.from_numpy(T.copy()), torch.from_numpy(P.copy())
    assert_same_bits(mse.function(t, p), EXPECTED)
    assert_same_bits(mse.function(t.T, p.T), mse.function(T.T, P.T))
    narrow = p.to(torch.bfloat16)
    expected = mse.function(T, P.astype(ml_dtypes.bfloat16))
    assert_same_bits(mse.function(t, narrow), expected)
    assert_same_bits(
        mse.function(T[:, ::2], narrow[:, ::2]), mse.function(T[:, ::2], P.astype(BFLOAT16)[:, ::2])
    )
    with pytest.raises(TypeError, match="detach"):
        mse.function(t, p.requires_grad_())
    with pytest.raises(TypeError, match=r"(?i)cpu"):
        mse.function(t, torch.empty((4, 3), device="meta"))


def test_bfloat16_is_read_without_ml_dtypes() -> None:
    """Through DLPack; then the result of a function is float32."""
    code = """
import sys
sys.modules["ml_dtypes"] = None  # importing it fails
import numpy as np, simdloss

class Capsule:
    # bfloat16 as DLPack sees it, made from an array of 16 bit integers.
    def __init__(self, a): self.a = a
    def __dlpack_device__(self): return (1, 0)
    def __dlpack__(self, **kwargs):
        import ctypes
        kwargs = {k: v for k, v in kwargs.items() if k != "max_version"}
        capsule = self.a.__dlpack__(**kwargs)
        get = ctypes.pythonapi.PyCapsule_GetPointer
        get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        address = get(capsule, b"dltensor")
        # DLTensor: data, device (type, id), ndim, dtype (code, bits, lanes), ...
        code = ctypes.c_uint8.from_address(address + 8 + 8 + 4)
        assert code.value == 1  # unsigned
        code.value = 4  # bfloat16
        return capsule

p = np.array([[0x3F80, 0x4000]], np.uint16)  # 1, 2
result = simdloss.mean_squared_error(np.zeros((1, 2), np.float32), Capsule(p))
assert result.dtype == np.float32 and result[0] == 2.5, result
try:
    simdloss.MeanSquaredError(dtype="bfloat16")(np.zeros((1, 2)), Capsule(p))
except ImportError as error:
    assert "ml_dtypes" in str(error)
else:
    raise AssertionError("no ImportError")
"""
    run_python(code)
