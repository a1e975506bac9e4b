# SPDX-License-Identifier: Apache-2.0
"""What only a process of its own can show: imports, memory, forks, signals, the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

import simdloss
from support.processes import run_python as run


def test_import_imports_numpy_and_nothing_else() -> None:
    code = """
import sys, numpy
before = {m.partition(".")[0] for m in sys.modules}
import simdloss
new = {m.partition(".")[0] for m in sys.modules} - before - {"simdloss"}
print(*sorted(m for m in new if m not in sys.stdlib_module_names))
"""
    assert run(code) == ""


def test_import_needs_none_of_the_optional_packages() -> None:
    absent = [
        "ml_dtypes",
        "pandas",
        "scipy",
        "torch",
        "jax",
        "keras",
        "sklearn",
        "tensorflow",
        "typing_extensions",
    ]
    code = f"""
import sys
sys.modules.update(dict.fromkeys({absent}))
import simdloss
assert simdloss.MeanSquaredError()([[1.0], [2.0]], [[2.0], [2.0]]) == 0.5
"""
    run(code)


def test_nothing_is_printed() -> None:
    code = """
import simdloss
simdloss.huber([1.0], [2.0])
try: simdloss.huber([1.0], [2.0], delta=-1)
except ValueError: pass
"""
    assert run(code) == ""


PEAK = """
import gc, numpy as np, simdloss
from simdloss import losses

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024

def reset():
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")

loss, few = losses.MeanSquaredError(), None
{setup}
loss(*(few or (t[:, :1000], p[:, :1000])))  # threads and tables
gc.collect()
reset()
before = peak()
loss(t, p)
print(peak() - before)
"""

SETUPS = {
    "float32": "t = np.ones((200_000, 128), np.float32); p = np.zeros_like(t)",
    "float16": "t = np.ones((400_000, 128), np.float16); p = np.zeros_like(t)",
    "strided": "t = np.ones((200_000, 256), np.float32)[:, ::2]; p = t[::-1]",
    "transposed": "t = np.ones((128, 200_000), np.float32).T; p = t[::-1]",
    "mixed": "t = np.ones((200_000, 128), np.uint8); p = np.ones((200_000, 128), np.float32)",
    "one row": "t = np.ones((1, 25_000_000), np.float32); p = np.zeros_like(t)",
    "column": "t = np.ones((20_000_000, 1), np.float32); p = np.zeros_like(t)",
}
CLASSES = """
t = np.arange(512); p = np.zeros((512, 50_257), np.{dtype}); few = t[:2], p[:2]
loss = losses.SparseCategoricalCrossentropy(from_logits=True)
"""
for dtype in ("float16", "float32", "float64"):
    SETUPS[f"{dtype} logits"] = CLASSES.format(dtype=dtype)
SETUPS["one row of logits"] = """
p = np.zeros((1, 25_000_000), np.float32); few = np.array([1]), p[:, :1000]
t = np.array([7]); loss = losses.SparseCategoricalCrossentropy(from_logits=True)
"""
SETUPS["dense logits"] = """
t = np.zeros((512, 50_257), np.float32); p = np.zeros_like(t); few = t[:2], p[:2]
loss = losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS)
def test_memory_growth_of_a_scalar_loss(setup: str) -> None:
    """Arrays of about 100 MB each; the peak may grow by less than 1 MB."""
    assert int(run(PEAK.format(setup=setup), {"SIMDLOSS_NUM_THREADS": "2"})) < 2**20


def test_interrupt() -> None:
    """Ctrl-C ends a long call within a second or so, and the library still works."""
    code = """
import os, signal, threading, time, numpy as np, simdloss
t = np.broadcast_to(np.float32(0.5), (2**33, 16))  # minutes of work, no memory
loss = simdloss.BinaryCrossentropy(from_logits=True)
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs may ignore it
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
start = time.monotonic()
try:
    loss(t, t)
except KeyboardInterrupt:
    assert time.monotonic() - start < 5, time.monotonic() - start
else:
    raise AssertionError("not interrupted")
assert simdloss.huber([0.0], [1.0]) == 0.5
"""
    run(code, timeout=60)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_fork_after_use(threads: str) -> None:
    """A child of a process that has used threads computes, serially, and does not hang."""
    code = """
import os, warnings, numpy as np, simdloss
warnings.simplefilter("ignore")
t = np.ones((20_000, 100), np.float32)
loss = simdloss.MeanSquaredError()
expected = loss(t, 3 * t)
child = os.fork()
if child == 0:
    os._exit(0 if loss(t, 3 * t) == expected and simdloss.last_num_threads() == 1 else 1)
_, status = os.waitpid(child, 0)
assert status == 0, status
assert loss(t, 3 * t) == expected
"""
    run(code, {"SIMDLOSS_NUM_THREADS": threads}, timeout=60)


def test_multiprocessing_by_fork_after_use() -> None:
    code = """
import multiprocessing, warnings, numpy as np, simdloss
warnings.simplefilter("ignore")
t = np.ones((20_000, 100), np.float32)
loss = simdloss.MeanSquaredError()
def part(i): return loss.partial(t[i::4], 3 * t[i::4])
whole = loss.partial(t, 3 * t)
with multiprocessing.get_context("fork").Pool(2) as pool:
    parts = pool.map(part, range(4))
merged = simdloss.PartialSums()
for q in parts: merged.merge(q)
assert merged.to_bytes() == whole.to_bytes()
"""
    run(code, timeout=60)


@pytest.mark.parametrize("isa", simdloss.available_isas())
def test_isa_of_the_environment(isa: str) -> None:
    assert run("import simdloss; print(simdloss.active_isa())", {"SIMDLOSS_ISA": isa}) == isa


@pytest.mark.parametrize("n", [1, 2, 7])
def test_threads_of_the_environment(n: int) -> None:
    code = """
import numpy as np, simdloss
t = np.ones((20_000, 100), np.float32)
simdloss.mean_squared_error(t, t)
print(simdloss.get_num_threads(), simdloss.last_num_threads())
"""
    assert run(code, {"SIMDLOSS_NUM_THREADS": str(n)}) == f"{n} {n}"


@pytest.mark.parametrize(
    ("name", "value"),
    [("SIMDLOSS_ISA", "sse9"), ("SIMDLOSS_NUM_THREADS", "many"), ("SIMDLOSS_NUM_THREADS", "-1")],
)
def test_unusable_environment_is_reported(name: str, value: str) -> None:
    """By an error of the call, not by silence and not by a crash."""
    code = f"""
import simdloss
try:
    simdloss.huber([1.0], [2.0])
except ValueError as error:
    assert "{name}" in str(error), error
else:
    raise AssertionError("accepted")
"""
    run(code, {name: value})


def test_state_of_the_floating_point_unit_is_left_alone() -> None:
    """Subnormal results of NumPy before and after; rounding too."""
    code = """
import numpy as np, simdloss
def state():
    tiny = np.float32(1e-38) * np.float32(0.01)
    return tiny.tobytes(), (np.float64(1) / np.float64(3)).tobytes()
before = state()
t = np.ones((3000, 100), np.float32)
for isa in simdloss.available_isas():
    with simdloss.using_isa(isa):
        simdloss.LogCosh()(t, 2 * t)
assert state() == before
with np.errstate(all="raise"):
    simdloss.mean_absolute_percentage_error(t * 0, t * 3e38)
    np.ones(3) + 1
"""
    run(code)
