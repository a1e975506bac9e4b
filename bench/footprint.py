# SPDX-License-Identifier: Apache-2.0
"""What the package costs besides time: peak memory of a call, import time, size of the wheel.

python bench/footprint.py           (Linux; the package must be installed)
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]

# Runs in a process of its own: prints by how many KiB the peak of the resident memory rises above
# its level before the call, which is the first one and so sets up everything, threads included.
# Writing 5 to clear_refs resets the peak.
MEMORY = """
from pathlib import Path
import numpy as np
import simdloss

def status(key):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1])

def filled(shape, dtype, value):
    values = np.empty(shape, dtype)
    values[...] = value
    return values

{setup}
with simdloss.using_num_threads({threads}):
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    value = loss(t, p)
    print(status("VmHWM") - before)
assert np.isclose(value, {expected}, rtol=1e-4), value
"""
MEGA = 1_000_000


def memory_of_mse(rows: int, dtype: str, columns: int = 100, view: str = "") -> str:
    return MEMORY.format(
        setup=f"t, p = (filled(({rows}, {columns}), {dtype!r}, x){view} for x in (0, 1))\n"
        f"loss = simdloss.MeanSquaredError(dtype={dtype!r})",
        threads=2,
        expected=1,
    )


def memory_of_sparse(dtype: str, threads: int) -> str:
    """Equal logits, so the loss is the logarithm of the number of classes."""
    return MEMORY.format(
        setup=f"t, p = np.arange(512), filled((512, 50257), {dtype!r}, 0)\n"
        "loss = simdloss.SparseCategoricalCrossentropy(from_logits=True)",
        threads=threads,
        expected="np.log(50257)",
    )


def memory_of_circle(threads: int) -> str:
    """Equal vectors, of 100 classes: every pair has the similarity 1."""
    return MEMORY.format(
        setup="t, p = np.arange(20000) % 100, filled((20000, 128), 'float32', 128**-0.5)\n"
        "loss = simdloss.Circle()",
        threads=threads,
        expected="80 * (1.4 * 0.6 - 0.4**2) + np.log(199) + np.log(19800)",
    )


CASES = {
    "scalar MSE, 2 x 400 MB float32": memory_of_mse(MEGA, "float32"),
    "scalar MSE, 2 x 400 MB float16": memory_of_mse(2 * MEGA, "float16"),
    "scalar MSE, 2 x 400 MB float32, every other column": memory_of_mse(
        MEGA, "float32", 200, "[:, ::2]"
    ),
    **{
        f"sparse categorical crossentropy from logits, 512 x 50257 {dtype}, threads: {threads}": (
            memory_of_sparse(dtype, threads)
        )
        for dtype in ("float32", "float16")
        for threads in (1, 2)
    },
    **{
        f"circle, 20000 vectors of 128 float32, threads: {threads}": memory_of_circle(threads)
        for threads in (1, 2)
    },
}

IMPORT = """
import time
import numpy
start = time.perf_counter()
import simdloss
print(time.perf_counter() - start)
"""


def run(code: str) -> float:
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    for name, code in CASES.items():
        print(f"peak memory growth of {name}: {run(code):.0f} KiB", flush=True)
    times = [run(IMPORT) for _ in range(21)]
    print(f"import simdloss after NumPy: {median(times) * 1e3:.1f} ms (median of {len(times)})")
    with tempfile.TemporaryDirectory() as directory:
        command = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "-w",
            directory,
            str(ROOT),
        ]
        subprocess.run(command, check=True)
        for wheel in Path(directory).iterdir():
            print(f"{wheel.name}: {wheel.stat().st_size / MEGA:.2f} MB")


if __name__ == "__main__":
    main()
