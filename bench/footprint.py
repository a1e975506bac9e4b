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
# its level before the call. Writing 5 to clear_refs resets the peak.
MEMORY = """
import sys
from pathlib import Path
import numpy as np
import simdloss

def status(key):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1])

def array(low):
    values = np.empty({allocated}, {dtype!r})
    values[...] = low
    return values{view}

t, p = array(0), array(1)
loss = simdloss.MeanSquaredError(dtype={dtype!r})
loss(t[:64], p[:64])                    # whatever the first call sets up
with simdloss.using_num_threads(2):
    loss(t[:4096], p[:4096])            # starts the threads
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
assert loss(t, p) == 1
print(status("VmHWM") - before)
"""
MEGA = 1_000_000
CASES = {
    "2 x 400 MB float32": {"allocated": (MEGA, 100), "dtype": "float32", "view": ""},
    "2 x 400 MB float16": {"allocated": (2 * MEGA, 100), "dtype": "float16", "view": ""},
    "2 x 400 MB float32, every other column": {
        "allocated": (MEGA, 200),
        "dtype": "float32",
        "view": "[:, ::2]",
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
    for name, values in CASES.items():
        print(f"peak memory growth of a scalar MSE, {name}: {run(MEMORY.format(**values)):.0f} KiB")
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
