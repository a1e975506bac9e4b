# SPDX-License-Identifier: Apache-2.0
"""Who may import whom in the Python package, and what `import simdloss` brings along."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "python/simdloss"

# Each module may import those of its own line and of the lines above.
LAYERS = [
    {"_core"},
    {
        "_array",
        "_registry",
        "_differentiable",
        "_doc",
        "_package",
        "_settings",
        "_structure",
        "_types",
    },
    {"_loss"},
    {"losses", "compat"},  # losses look for a former name in compat
    {"streaming", "runtime", "utils"},
    {""},  # simdloss itself
    {"adapters", "cli", "__main__"},
]
LEVEL = {name: i for i, names in enumerate(LAYERS) for name in names}


def module_of(path: Path) -> str:
    """The name below simdloss of the part that a file belongs to: losses for losses/hinge.py."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0].replace("__init__", "")


def imported(path: Path) -> set[str]:
    """The parts of the package that a file imports."""
    found = set()
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            if node.level == depth:  # from . or .. , whichever means the package itself
                names = [node.module] if node.module else [alias.name for alias in node.names]
            elif node.level == 0 and (node.module or "").split(".")[0] == "simdloss":
                below = (node.module or "").split(".")[1:]
                names = [".".join(below)] if below else [alias.name for alias in node.names]
            else:
                continue
            found |= {name.split(".")[0] for name in names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == "simdloss":
                    found.add(parts[1] if len(parts) > 1 else "")
    return found


def test_layers() -> None:
    paths = sorted(PACKAGE.rglob("*.py"))
    assert paths
    for path in paths:
        here = module_of(path)
        for name in imported(path):
            assert LEVEL[name] <= LEVEL[here], f"{path.name} imports {name}"


def test_importing_brings_numpy_and_nothing_else() -> None:
    code = (
        "import sys, numpy; before = set(sys.modules); import simdloss; "
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "simdloss" in output
    foreign = set(output) - set(sys.stdlib_module_names) - {"simdloss", "numpy"}
    assert not foreign


def test_importing_does_not_bring_what_is_seldom_used() -> None:
    code = (
        "import sys, simdloss; simdloss.losses.get('Huber'); "
        "assert not {'simdloss.compat', 'difflib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
