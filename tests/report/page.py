# SPDX-License-Identifier: Apache-2.0
"""Markdown: tables, the origin of figures, and generated sections of pages."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

import simdloss


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def origin(command: str) -> str:
    """Machine, date and command."""
    return (
        f"Made by `{command}` on {datetime.date.today()}: simdloss {simdloss.__version__}, "
        f"instruction sets {', '.join(simdloss.available_isas())} on {_processor()}, "
        f"Python {platform.python_version()}, NumPy {np.__version__}."
    )


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- begin generated: {name} -->", f"<!-- end generated: {name} -->"


def marked(name: str, text: str) -> str:
    """A section as it stands in a page."""
    begin, end = _marks(name)
    return f"{begin}\n{text.strip()}\n{end}"


def replace_section(path: Path, name: str, text: str) -> None:
    """Puts text between the marks of a section; makes page and marks if there are none."""
    begin, end = _marks(name)
    section = marked(name, text)
    page = path.read_text(encoding="utf-8") if path.exists() else f"{begin}\n{end}\n"
    if begin not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n"
    before, after = page.split(begin)[0], page.split(end)[-1]
    page = before + section + after
    path.write_text(page, encoding="utf-8")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
