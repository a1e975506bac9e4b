# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.report NAME [--write]`, NAME one of accuracy, bits, differences, frameworks,
golden, gradients, keras, names.

Prints a report, or with --write puts it into docs/ (golden: into tests/golden/). The exit status is
1 if the report shows a broken promise.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))  # as pytest does: spec and support are top-level packages
os.environ["KERAS_BACKEND"] = "numpy"  # of this process; others are asked for
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # more threads than cores must not spin


def main() -> int:
    from . import accuracy, against_keras, bits, differences, frameworks, golden, gradients, names

    reports = {
        "accuracy": (accuracy.report, "accuracy.md"),
        "bits": (bits.report, "bit-equality.md"),
        "differences": (differences.report, "differences.md"),
        "frameworks": (frameworks.report, "frameworks.md"),
        "gradients": (gradients.report, "gradients-check.md"),
        "keras": (against_keras.report, "keras.md"),
        "names": (names.report, "names.md"),
    }
    parser = argparse.ArgumentParser(prog="python -m tests.report", description=__doc__)
    parser.add_argument("name", choices=[*reports, "golden"])
    parser.add_argument("--write", action="store_true", help="write the file instead of printing")
    parser.add_argument("--quick", action="store_true", help="fewer inputs: to try the command")
    arguments = parser.parse_args()
    if arguments.name == "golden":
        return golden.run(arguments.write)
    report, file = reports[arguments.name]
    text, kept = report(arguments.quick)
    if arguments.write:
        from .page import replace_section

        path = TESTS.parent / "docs" / file
        replace_section(path, arguments.name, text)
        print(f"written: {path.relative_to(TESTS.parent)}")
    else:
        print(text)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
