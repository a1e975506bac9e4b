# SPDX-License-Identifier: Apache-2.0
"""In one process with others that use OpenMP, in children and workers of such a process.

Each situation is a program of its own with a timeout. `check(n)` there compares the bits of a loss
and of its gradient with those of one thread, and asserts that n threads ran."""

from __future__ import annotations

import pytest

from support.openmp_runs import has_two_cpus, need, run

pytestmark = pytest.mark.skipif(not has_two_cpus(), reason="needs two CPUs")

# What is imported, the function of support.openmp_peers, and the environment.
PEERS: dict[str, tuple[str, str, dict[str, str]]] = {
    "nothing": ("", "use_nothing", {}),
    "torch": ("torch", "use_torch", {}),
    "sklearn": ("sklearn", "use_sklearn", {}),
    "numba-omp": ("numba", "use_numba", {"NUMBA_THREADING_LAYER": "omp"}),
    "numba-workqueue": ("numba", "use_numba", {"NUMBA_THREADING_LAYER": "workqueue"}),
}
in_both_orders = pytest.mark.parametrize("imported", ["before", "after"])


# --- Others in the same process -------------------------------------------------------------------


@in_both_orders
@pytest.mark.parametrize("peer", [name for name in PEERS if name != "nothing"])
def test_in_turns(peer: str, imported: str) -> None:
    package, use, env = PEERS[peer]
    need(package)
    first, then = f"import {package}; from support.openmp_peers import {use}; {use}()", "check(2)"
    if imported == "after":
        first = ""
    run(f"{then}\nfor _ in range(5): {use}(); check(2)", env, first)


@in_both_orders
def test_in_turns_with_all(imported: str) -> None:
    need("torch", "sklearn", "numba")
    code = """
for _ in range(3):
    for use in (use_torch, use_sklearn, use_numba):
        check(2)
        use()
        check(2)
runtimes = simdloss.config()["openmp_runtimes"]
assert own_runtime() in runtimes
assert len(runtimes) > 1
"""
    first = "import torch, sklearn.cluster, numba" if imported == "before" else ""
    run(code, {"NUMBA_THREADING_LAYER": "omp"}, first)


def test_the_number_of_torch_is_that_of_a_shared_runtime() -> None:
    need("torch")
    code = """
check(2)
torch.set_num_threads(1)
check(1 if own_runtime() in before else 2)
torch.set_num_threads(2)
check(2)
"""
    first = "import torch; from support.openmp_peers import *; before = loaded_files()"
    run(code, first=first)


LIMITS = """
import {package}
from concurrent.futures import ThreadPoolExecutor
from threadpoolctl import threadpool_info, threadpool_limits
check(2)
seen = [i["filepath"] for i in threadpool_info() if i["user_api"] == "openmp"]
assert own_runtime() in map(os.path.realpath, seen)
with threadpool_limits(1):
    check_number(1, "openmp")
    with simdloss.using_num_threads(2): check(2)  # as asked for
    with ThreadPoolExecutor(1) as pool: pool.submit(check, 2).result()  # limits are of a thread
check(2)
with threadpool_limits(1, user_api="openmp"):
    check(1)
    with threadpool_limits(2, user_api="openmp"): check(2)
    check(1)
check(2)
with threadpool_limits(1, user_api="blas"): check(2)
check(2)
"""


@in_both_orders
@pytest.mark.parametrize("package", ["threadpoolctl", "torch", "sklearn"])
def test_threadpool_limits(package: str, imported: str) -> None:
    need("threadpoolctl", package)
    first = f"import {package}" if imported == "before" else ""
    run(LIMITS.format(package=package), first=first)


def test_python_threads() -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool: assert len(list(pool.map(check, [2] * 40))) == 40
check(2)
"""
    run(code)


@pytest.mark.parametrize("peer", ["numba-omp", "numba-workqueue"])
def test_called_by_the_threads_of_a_loop(peer: str) -> None:
    """Those of one's own runtime are in a parallel region already: one thread each."""
    package, _, env = PEERS[peer]
    need(package)
    code = """
from support.numba_loops import call_in_loop
check(2)
numbers = call_in_loop(lambda i: compute()[0] == REFERENCE and max(compute()[1]), 8)
layer = numba.threading_layer()
shared = layer == "omp" and os.path.basename(own_runtime()).startswith("libgomp.so")
assert set(numbers) == {1 if shared else 2}, (numbers, layer)
check(2)
"""
    run(code, env, first="import numba")


# --- Workers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("inner", [None, 1])
def test_loky(inner: int | None) -> None:
    need("joblib")
    code = f"""
from joblib import Parallel, delayed, parallel_config
check(2)
with parallel_config("loky", n_jobs=2, inner_max_num_threads={inner}):
    pids = Parallel()(delayed(check)({inner or 2}, i) for i in range(8))
assert os.getpid() not in pids
check(2)
"""
    run(code)


def test_joblib_with_threads() -> None:
    need("joblib")
    code = """
from joblib import Parallel, delayed
check(2)
assert set(Parallel(2, backend="threading")(delayed(check)(2) for _ in range(20))) == {os.getpid()}
check(2)
"""
    run(code)


WORKERS = """
import functools, multiprocessing
{use}()
check(2)
context = multiprocessing.get_context("{method}")
process = context.Process(target=check, args=({threads},))
process.start()
process.join()
assert process.exitcode == 0
with context.Pool(2) as pool: pids = pool.map(functools.partial(check, {threads}), range(8))
assert os.getpid() not in pids
{use}()
check(2)
"""


@pytest.mark.parametrize(
    ("method", "peer"),
    [
        *(("fork", peer) for peer in ("nothing", "torch", "sklearn", "numba-omp")),
        *(("spawn", peer) for peer in ("nothing", "torch")),
        ("forkserver", "nothing"),
    ],
)
def test_multiprocessing(method: str, peer: str) -> None:
    """Children of a process that has threads are serial; new programs are not."""
    package, use, env = PEERS[peer]
    need(package)
    threads = 1 if method == "fork" else 2
    run(WORKERS.format(use=use, method=method, threads=threads), env)


@pytest.mark.parametrize("peer", ["nothing", "torch", "sklearn", "numba-omp"])
def test_imported_first_in_a_forked_child(peer: str) -> None:
    """It is serial if it finds in the process the runtime that it would use."""
    package, use, env = PEERS[peer]
    need(package)
    first = f"""
import faulthandler, os
from support.openmp_peers import *
{use}()
before = loaded_files()
pid = os.fork()
if pid != 0: os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
faulthandler.dump_traceback_later(100, exit=True)  # so that no test leaves one behind
"""
    code = """
lost = own_runtime() in before
check(1 if lost else 2)
simdloss.set_num_threads(2)
check(1 if lost else 2)
"""
    run(code, env, first)


def test_forks_by_threads_and_by_children() -> None:
    code = """
import threading
def fork():
    check(2)
    child = os.fork()
    if child == 0:
        check(1)
        grandchild = os.fork()
        check(1)
        if grandchild: wait_for(grandchild)
        os._exit(0)
    wait_for(child)
    check(2)
fork()
thread = threading.Thread(target=fork)
thread.start()
thread.join()
check(2)
"""
    run(code)


def test_a_program_started_by_a_forked_child() -> None:
    code = """
import subprocess, sys
program = [sys.executable, "-c", "from support.openmp import *; check(2)"]
check(2)
child = os.fork()
if child == 0:
    check(1)
    os.execv(sys.executable, program)
wait_for(child)
subprocess.run(program, check=True)
check(2)
"""
    run(code)


def test_workers_of_a_data_loader() -> None:
    need("torch")
    code = """
import torch.utils.data
class Data(torch.utils.data.Dataset):
    def __len__(self): return 8
    def __getitem__(self, i): return check(1)
for _ in range(2):
    use_torch()
    check(2)
    for batch in torch.utils.data.DataLoader(
        Data(), 2, num_workers=2, multiprocessing_context="fork"
    ):
        assert os.getpid() not in batch.tolist()
use_torch()
check(2)
"""
    run(code)


@pytest.mark.parametrize("ends", ["", "import sys; sys.exit(0)"], ids=["return", "sys.exit"])
def test_daemon_threads_at_the_end(ends: str) -> None:
    """They are left in the middle of a call, and nothing is aborted."""
    code = f"""
import threading, time
y = np.broadcast_to(np.float32(0.5), (2**33, 16))  # minutes of work
for _ in range(3): threading.Thread(target=LOSS, args=(y, y), daemon=True).start()
def call_often():
    while True: LOSS(Y_TRUE, Y_PRED)
threading.Thread(target=call_often, daemon=True).start()
time.sleep(0.3)
{ends}
"""
    run(code)
