# SPDX-License-Identifier: Apache-2.0
"""Runs Python programs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent


def run_python(code: str, env: dict[str, str] | None = None, timeout: float = 120) -> str:
    """What a program printed, warnings being errors; it must succeed. It runs in tests."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **(env or {})},
        cwd=TESTS,
        timeout=timeout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
