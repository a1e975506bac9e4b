# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of some kernels and compares them with the counts in instructions.json.

python bench/instructions.py [--write]        (needs Valgrind, with its headers, and CMake)

Times on a shared machine say little, but the number of instructions of a call is always the same.
So a kernel that grew by more than the tolerance fails, and one that shrank, until the new counts
are committed with --write. They are those of one compiler; with another one nothing is compared.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build" / "default"
EXPECTED = Path(__file__).with_suffix(".json")
TOLERANCE = 0.02


def build() -> Path:
    for command in (
        ["cmake", "--preset", "default", "-DSIMDLOSS_BUILD_INSTRUCTIONS=ON"],
        ["cmake", "--build", "--preset", "default", "--target", "instructions"],
    ):
        subprocess.run(command, check=True, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    return BUILD / "bench" / "instructions"


def compiler() -> str:
    """Name and version, such as "GNU 12.2.0"."""
    text = "".join(path.read_text() for path in BUILD.glob("CMakeFiles/*/CMakeCXXCompiler.cmake"))
    found = re.findall(r'set\(CMAKE_CXX_COMPILER_(?:ID|VERSION) "([^"]*)"\)', text)
    return " ".join(found)


def counted(program: Path) -> dict[str, int]:
    """Instructions of each case."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(
            ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no",
             f"--callgrind-out-file={directory}/out", program],
            check=True,
        )  # fmt: skip
        counts = {}
        for path in Path(directory).glob("out.*"):
            text = path.read_text()
            name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
            total = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
            if name and total:
                counts[name[1]] = int(total[1])
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(prog="instructions.py", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {EXPECTED.name}")
    write = parser.parse_args().write
    counts = counted(build())
    if not counts:
        sys.exit("no counts: did the program run under valgrind?")
    if write:
        data = {"compiler": compiler(), "instructions": dict(sorted(counts.items()))}
        EXPECTED.write_text(json.dumps(data, indent=2) + "\n")
    data = json.loads(EXPECTED.read_text())
    if data["compiler"] != compiler():
        print(f"counts are those of {data['compiler']}, not of {compiler()}: nothing to compare")
        return 0
    kept = set(counts) == set(data["instructions"])
    for name, expected in data["instructions"].items():
        change = counts.get(name, 0) / expected - 1
        kept = kept and abs(change) <= TOLERANCE
        mark = "" if abs(change) <= TOLERANCE else "  <-- commit it with --write, if it is meant"
        print(f"{counts.get(name, 0):9,} {change:+7.1%}  {name}{mark}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
