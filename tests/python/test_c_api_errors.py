# SPDX-License-Identifier: Apache-2.0
"""What the C API refuses, and that it does so without a crash and without half a result."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_double, c_int32, c_int64, c_size_t, c_void_p
from typing import Any

import numpy as np
import pytest

from support import c_api
from support.c_api import CONSTANTS, Failure, Loss, Sums, call, library, operands, request

pytestmark = pytest.mark.skipif(c_api.find_library() is None, reason=c_api.NO_LIBRARY)

T, P = np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32)
VALUE, TYPE, NOT_SUPPORTED = (CONSTANTS[name] for name in ("VALUE", "TYPE", "NOT_SUPPORTED"))


@contextmanager
def refused(status: int, argument: str, *parts: str) -> Iterator[None]:
    """Expects a Failure with that status and argument, whose message has these parts."""
    with pytest.raises(Failure) as failure:
        yield
    assert (failure.value.status, failure.value.argument) == (status, argument), failure.value
    for part in parts:
        assert part in failure.value.message


# --- Null pointers ------------------------------------------------------------------------------


class Valid:
    """Arguments with which the functions that take pointers succeed, and what they point to."""

    def __init__(self) -> None:
        self.loss, self.sums = Loss("mean_squared_error"), Sums()
        self.operands, self.request = operands(T, P), request()
        self.arrays = [np.zeros((), np.float32), P.copy(), P.copy(), np.ones(3)]
        self.made: dict[str, c_void_p] = {}

    def new(self, kind: str) -> Any:
        self.made[kind] = c_void_p()
        return byref(self.made[kind])

    def arguments(self, name: str) -> list[Any]:
        value, gradient, hessian, cotangent = (byref(c_api.view(a)) for a in self.arrays)
        on = [self.loss.handle, byref(self.operands), byref(self.request)]
        sums = self.sums.handle
        data = self.sums.to_bytes()
        buffer = ctypes.create_string_buffer(len(data))
        param = (c_api.Param * 1)(c_api.Param(b"label_smoothing", 0.5))
        makers: dict[str, Callable[[], list[Any]]] = {
            "catalog_entry": lambda: [0, byref(c_api.LossInfo())],
            "catalog_param": lambda: [4, 0, byref(c_api.ParamInfo())],
            "loss_create": lambda: [
                b"categorical_crossentropy",
                param,
                1,
                (c_double * 1)(1.0),
                1,
                self.new("loss"),
            ],
            "result_type": lambda: [*on, byref(c_api.ArrayType())],
            "gradient_type": lambda: [*on, byref(c_api.ArrayType())],
            "evaluate": lambda: [*on, value],
            "gradient": lambda: [*on, gradient],
            "value_and_gradient": lambda: [*on, value, gradient],
            "value_gradient_and_hessian": lambda: [*on, 0, value, gradient, hessian],
            "vjp": lambda: [*on[:2], cotangent, on[2], gradient],
            "sums_create": lambda: [self.new("sums")],
            "sums_add": lambda: [sums, *on],
            "sums_merge": lambda: [sums, sums],
            "sums_finalize": lambda: [sums, 0, byref(c_double())],
            "sums_get_info": lambda: [sums, byref(c_api.SumsInfo())],
            "sums_to_bytes": lambda: [sums, buffer, len(data), byref(c_size_t())],
            "sums_from_bytes": lambda: [data, len(data), self.new("sums")],
            "active_isa": lambda: [byref(c_char_p()), byref(c_char_p())],
            "force_isa": lambda: [None],
            "num_threads": lambda: [byref(c_int32()), byref(c_char_p())],
            "set_num_threads": lambda: [0],
        }
        return makers[name]()

    def free(self) -> None:
        for kind, handle in self.made.items():
            getattr(library(), f"simdloss_{kind}_destroy")(handle)
        self.made.clear()


MAY_BE_NULL = {
    **{
        (name, 2): "the default request"
        for name in ("result_type", "gradient_type", "evaluate", "gradient", "value_and_gradient")
    },
    ("value_gradient_and_hessian", 2): "the default request",
    ("vjp", 3): "the default request",
    ("sums_add", 3): "the default request",
    ("sums_to_bytes", 1): "only the size is asked for",
    ("active_isa", 1): "the reason is not asked for",
    ("num_threads", 1): "the reason is not asked for",
    ("force_isa", 0): "back to the default",
}


@pytest.mark.parametrize("name", [name.removeprefix("simdloss_") for name in c_api.STATUS])
def test_null_pointers(name: str) -> None:
    """Each pointer of each function is refused if it is null, or may be null."""
    types = c_api.STATUS["simdloss_" + name]
    valid = Valid()
    call(name, *valid.arguments(name))
    valid.free()
    for i, kind in enumerate(types):
        if kind in (c_int32, c_size_t):
            continue
        arguments = valid.arguments(name)
        arguments[i] = None
        if (name, i) in MAY_BE_NULL:
            call(name, *arguments)
        else:
            with pytest.raises(Failure, match="must not be a null pointer") as failure:
                call(name, *arguments)
            assert failure.value.status == VALUE
            assert failure.value.argument
        assert all(handle.value is None for handle in valid.made.values())
        valid.free()


def test_no_error_is_wanted() -> None:
    """A null error is not written to, whether a call succeeds or not."""
    for index, status in ((0, CONSTANTS["OK"]), (-1, VALUE)):
        found = library().simdloss_catalog_entry(index, byref(c_api.LossInfo()), None)
        assert found == status


# --- Arrays -------------------------------------------------------------------------------------


def changed(array: Any, **members: Any) -> c_api.ArrayView:
    view = c_api.view(array)
    for name, value in members.items():
        setattr(view, name, value)
    return view


# What is wrong, the status, and a part of the message.
BAD_VIEWS: list[tuple[dict[str, Any], int, str]] = [
    ({"dtype": -1}, TYPE, "dtype must be one of the constants"),
    ({"dtype": 13}, TYPE, "received 13"),
    ({"dtype": 256 + 11}, TYPE, "received 267"),
    ({"rank": -1}, VALUE, "received -1"),
    ({"rank": 65}, VALUE, "from 0 to 64"),
    ({"shape": None}, VALUE, "null pointer"),
    ({"shape": (c_int64 * 2)(3, -2)}, VALUE, "negative"),
    ({"data": None}, VALUE, "null pointer"),
]

bad_views = pytest.mark.parametrize(
    ("members", "status", "part"), BAD_VIEWS, ids=[f"{part}" for _, _, part in BAD_VIEWS]
)
INPUTS = ["y_true", "y_pred", "sample_weight", "mask"]


@pytest.mark.parametrize("argument", INPUTS)
@bad_views
def test_arrays_that_are_read(
    argument: str, members: dict[str, Any], status: int, part: str
) -> None:
    loss, given = Loss("mean_squared_error"), T if argument.startswith("y_") else np.ones((3, 1))
    o = operands(T, P)
    view = changed(given, **members)
    setattr(o, argument, view if argument.startswith("y_") else ctypes.pointer(view))
    for function in (loss.evaluate, loss.gradient):
        with refused(status, argument, argument, part):
            function(o, request())


@pytest.mark.parametrize("function", ["evaluate", "gradient"])
@bad_views
def test_arrays_that_are_written(
    function: str, members: dict[str, Any], status: int, part: str
) -> None:
    loss, o = Loss("mean_squared_error"), operands(T, P)
    out = np.full((3, 2), 7, np.float32)
    r = request(reduction=CONSTANTS["REDUCTION_NONE"], axes=())
    view = changed(out, **members)
    with refused(status, "out", "out", part):
        call(function, loss.handle, byref(o), byref(r), byref(view))
    assert (out == 7).all()
    for bad in (np.full((3, 2), 7), np.full((2, 3), 7, np.float32)):
        with pytest.raises(Failure, match="out must have"):
            call(function, loss.handle, byref(o), byref(r), byref(c_api.view(bad)))
        assert (bad == 7).all()


@bad_views
def test_values_and_gradients_are_called_so(
    members: dict[str, Any], status: int, part: str
) -> None:
    loss, o, r = Loss("mean_squared_error"), operands(T, P), request()
    good = {"value": np.full((), 7, np.float32), "gradient": np.full((3, 2), 7, np.float32)}
    for name in good if "shape" not in members else ["gradient"]:  # a value has no dimensions
        other_shape = np.full((5,), 7, np.float32)
        for bad in (changed(good[name], **members), c_api.view(other_shape)):
            views = [byref(bad if key == name else c_api.view(x)) for key, x in good.items()]
            with pytest.raises(Failure, match=name) as failure:
                call("value_and_gradient", loss.handle, byref(o), byref(r), *views)
            assert failure.value.argument == name
        assert all((x == 7).all() for x in good.values())


# --- Options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "bad"),
    [
        ("reduction", -1),
        ("reduction", 4),
        ("empty", 3),
        ("labels", 3),
        ("dtype", -2),
        ("dtype", 13),
        ("default_dtype", -1),
        ("threads", -1),
        ("threads", 1025),
        ("axes_kind", 3),
        ("epsilon", 0.5),
        ("epsilon", float("nan")),
        ("scale", float("inf")),
    ],
)
def test_options(member: str, bad: float) -> None:
    loss, o = Loss("mean_squared_error"), operands(T, P)
    text = str(bad) if np.isfinite(bad) else ""
    with refused(VALUE, member, member, "must be", f"received {text}"):
        loss.evaluate(o, request(**{member: bad}))
    with refused(VALUE, member):
        Sums().add(loss, o, request(**{member: bad}))


def test_dtypes_of_results() -> None:
    for member in ("dtype", "default_dtype"):
        with refused(TYPE, member, "floating dtype", "int32"):
            Loss("huber").evaluate(operands(T, P), request(**{member: CONSTANTS["INT32"]}))


def test_axes() -> None:
    loss, o = Loss("huber"), operands(T, P)
    with refused(VALUE, "axis", "out of range"):
        loss.evaluate(o, request(axes=[2]))
    with refused(VALUE, "axes", "at most 64 numbers; received 65"):
        loss.evaluate(o, request(axes=[0] * 65))
    r = request(axes=[0])
    r.axes = None
    with refused(VALUE, "axes", "null pointer"):
        loss.evaluate(o, r)


@pytest.mark.parametrize("size", [0, 4, "less", 4097, 2**32 - 1])
@pytest.mark.parametrize("argument", ["operands", "request"])
def test_sizes_of_structs(argument: str, size: Any) -> None:
    given: Any = {"operands": operands(T, P), "request": request()}
    struct = given[argument]
    struct.struct_size = ctypes.sizeof(struct) - 1 if size == "less" else size
    with refused(VALUE, argument, f"simdloss_{argument}_init()", f"received {struct.struct_size}"):
        Loss("huber").evaluate(given["operands"], given["request"])


@pytest.mark.parametrize("argument", ["operands", "request"])
def test_structs_of_later_versions(argument: str) -> None:
    """Members that are not known may be there, and have to be 0."""
    given: Any = {"operands": operands(T, P), "request": request()}
    kind: Any = type(given[argument])

    class Later(ctypes.Structure):
        _fields_ = (("known", kind), ("added", c_int64))

    later = Later()
    getattr(library(), f"simdloss_{argument}_init")(
        ctypes.cast(byref(later), ctypes.POINTER(kind)), ctypes.sizeof(later)
    )
    assert later.known.struct_size == ctypes.sizeof(later)
    assert later.added == 0
    if argument == "operands":
        later.known.y_true, later.known.y_pred = c_api.view(T), c_api.view(P)
    given[argument] = later.known
    loss = Loss("mean_squared_error")
    assert loss.evaluate(given["operands"], given["request"]) == 1
    later.added = 1 << 63
    with refused(NOT_SUPPORTED, argument, "does not have"):
        loss.evaluate(given["operands"], given["request"])


def test_reserved_members() -> None:
    o = operands(T, P)
    o.reserved = 1
    with refused(NOT_SUPPORTED, "operands", "reserved must be 0; received 1"):
        Loss("huber").evaluate(o, request())


# --- Losses, sums, messages ---------------------------------------------------------------------


def test_losses() -> None:
    with refused(VALUE, "name", "'hubert'"):
        Loss("hubert")
    with refused(VALUE, "gama", "parameters alpha, beta; received 'gama'"):
        Loss("tversky", {"gama": 1.0})
    with refused(VALUE, "delta", "no parameters"):
        Loss("poisson", {"delta": 1.0})
    with refused(VALUE, "from_logits", "Fix: losses of logits are named ..._from_logits."):
        Loss("categorical_crossentropy", {"from_logits": 1.0})
    with refused(VALUE, "class_weight", "no classes"):
        Loss("huber", weights=[1.0])
    with refused(VALUE, "class_weight", "3 classes", "received 2"):
        loss = Loss("categorical_crossentropy", weights=[1.0, 2.0])
        loss.evaluate(operands(np.ones((4, 3)), np.ones((4, 3))), request())
    with refused(NOT_SUPPORTED, "loss", "Hessian"):
        Loss("dice").derivatives(operands(T, P), request(), "DIAGONAL")


def test_class_ids_out_of_range() -> None:
    with refused(VALUE, "y_true", "from 0 to 1; received 5"):
        loss = Loss("sparse_categorical_crossentropy")
        loss.evaluate(operands(np.array([0, 5, 1]), P), request())


def test_a_cotangent_and_weights() -> None:
    loss, o = Loss("huber"), operands(T, P, sample_weight=np.ones(3))
    with refused(VALUE, "operands", "neither weights nor a mask"):
        loss.vjp(o, np.ones(3), request())
    for bad in (np.ones(4), np.ones((3, 2, 2))):
        with refused(VALUE, "cotangent", "cotangent"):
            loss.vjp(operands(T, P), bad, request())


def test_sums_are_unchanged_by_errors() -> None:
    loss, o, sums = Loss("sparse_categorical_crossentropy"), operands(np.arange(2), P[:2]), Sums()
    sums.add(loss, o, request())
    before = sums.to_bytes()
    others = [Sums() for _ in range(3)]
    others[0].add(Loss("huber"), operands(T, P), request())
    others[1].add(loss, o, request(reduction=CONSTANTS["REDUCTION_SUM"]))
    others[2].add(loss, o, request(epsilon=1e-3))
    for other in others:
        with refused(VALUE, "other", "same loss"):
            sums.merge(other)
    for bad, members, argument in (
        (operands(np.array([0, 1, 2]), P), {}, "y_true"),
        (o, {"reduction": 0}, "reduction"),
        (o, {"dtype": CONSTANTS["FLOAT64"]}, "loss"),
    ):
        with refused(VALUE, argument):
            sums.add(loss, bad, request(**members))
    assert sums.to_bytes() == before
    with refused(VALUE, "empty", "from 0 to 2; received 3"):
        call("sums_finalize", sums.handle, 3, byref(c_double()))


def test_bytes_of_sums() -> None:
    data = Sums().to_bytes()
    unreduced = data[:12] + b"\0" + data[13:]
    others = (b"", data[:-1], data + b"0", b"x" + data[1:], data[:8] + b"9" + data[9:])
    assert Sums(data).to_bytes() == data
    for bad in (*others, unreduced):
        with refused(VALUE, "bytes"):
            Sums(bad)
    size, buffer = c_size_t(), ctypes.create_string_buffer(len(data))
    with refused(VALUE, "capacity", f"{len(data)}; received {len(data) - 1}"):
        call("sums_to_bytes", Sums().handle, buffer, len(data) - 1, byref(size))
    assert size.value == len(data)
    assert not any(buffer.raw)


@pytest.mark.parametrize("character", ["a", "\u00e9", "\u20ac", "\U0001f600"])
def test_long_messages_are_cut_between_characters(character: str) -> None:
    width, most = len(character.encode()), c_api.Error.message.size - 1
    for shift in range(width):
        with pytest.raises(Failure) as failure:  # which decodes the message
            Loss("-" * shift + character * 5000)
        message = failure.value.message
        assert message.endswith(character + "...")
        assert most - width < len(message.encode()) <= most
        with pytest.raises(Failure) as failure:
            Loss("huber", {"-" * shift + character * 100: 1.0})
        assert failure.value.argument.endswith(character + "...")
        assert failure.value.message.endswith(character + "'.")


def test_names_that_are_no_utf8() -> None:
    error = c_api.Error()
    bad = b"\x80" * 5000
    status = library().simdloss_loss_create(bad, None, 0, None, 0, byref(c_void_p()), byref(error))
    assert status == VALUE
    assert error.message.endswith(b"\x80...")


def test_interruption() -> None:
    """Of a call that reads the same row 2^26 times."""
    looks: list[int | None] = []

    def stop(context: int | None) -> int:
        looks.append(context)
        return int(len(looks) == 2)

    shape = (2**26, 2)
    o = operands(np.broadcast_to(T[:1], shape), np.broadcast_to(P[:1], shape))
    r = request(interrupted=c_api.Interrupted(stop), interrupted_context=42, threads=1)
    with refused(CONSTANTS["INTERRUPTED"], "", "interrupted"):
        Loss("mean_squared_error").evaluate(o, r)
    assert looks == [42, 42]


def test_settings_of_the_process() -> None:
    """That they are obeyed is what tests/cpp/test_c_api.c looks at."""
    with refused(VALUE, "isa", "'mmx'"):
        call("force_isa", b"mmx")
    for bad in (-1, 1025):
        with refused(VALUE, "n", str(bad)):
            call("set_num_threads", bad)
