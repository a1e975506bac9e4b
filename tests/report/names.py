# SPDX-License-Identifier: Apache-2.0
"""The names of keras.losses, today and in former versions, and what simdloss has of them."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from simdloss import compat, losses
from support.keras_calls import keras
from support.public_names import IDS, LABELS, PUBLIC_NAMES, SHARES, PublicName

from .page import table

INTRODUCTION = f"""\
# Names

The public names of `keras.losses`, and the strings that `keras.losses.get` takes. A name exists if
`simdloss.losses` has it; its signature is equal if all parameters of Keras come first, with the
names, order, kinds and defaults that they have there, and ours follow, keyword-only; it works if a
small call gives the value, shape and dtype of Keras {keras.__version__} on its NumPy backend. Made
by `python -m tests.report names`.
"""

MASTER = f"""\
Keras's master branch has the public names and signatures of {keras.__version__} (read at commit
3422977a5e38, version 3.16.0), but for what was merged since:
"""

ADDITIONS = """\
### Parameters that are ours

All of them are keyword-only. Instances are called with the keywords `mask`, `out` and `empty` too.
"""

FORMER = """\
## Former names

What names of losses meant in former versions of Keras, in tf.keras and in the R package keras, and
what they mean here. Each name of the table is a function of `simdloss.compat` and a string that
`simdloss.losses.get` takes. Names that are not in this table or the next mean what they always did.
"""


class NewParameter(NamedTuple):
    """What the sparse losses have in Keras's master branch."""

    name: str
    parameter: str
    default: Any
    source: str

    @property
    def exists(self) -> bool:
        found = inspect.signature(getattr(losses, self.name)).parameters.get(self.parameter)
        return found is not None and bool(found.default == self.default)

    @property
    def works(self) -> bool:
        """Whether it does what it does for the same labels, one-hot, in the installed version."""
        dense = self.name.replace("sparse_", "").replace("Sparse", "")
        ours, theirs = getattr(losses, self.name), getattr(keras.losses, dense)
        smoothing = {self.parameter: 0.25}
        if inspect.isclass(getattr(losses, self.name)):
            x, y = ours(**smoothing)(IDS, SHARES), theirs(**smoothing)(LABELS, SHARES)
        else:
            x, y = ours(IDS, SHARES, **smoothing), theirs(LABELS, SHARES, **smoothing)
        return np.allclose(x, y, rtol=1e-5, atol=0)


SMOOTHING = ("label_smoothing", 0.0, "pull request 23488, August 2026")
NEW_PARAMETERS = (
    NewParameter("sparse_categorical_crossentropy", *SMOOTHING),
    NewParameter("SparseCategoricalCrossentropy", *SMOOTHING),
)
KINDS = {
    "functions": ("function",),
    "classes": ("class",),
    "`get`, `serialize`, `deserialize`": ("lookup",),
    "all public names": ("function", "class", "lookup"),
    "strings that `get` takes": ("identifier",),
}


def report(quick: bool) -> tuple[str, bool]:
    """The page, and whether every name of Keras exists, is declared alike and works."""
    kept = all(
        public.exists and public.works and (public.kind == "identifier" or public.is_declared_alike)
        for public in PUBLIC_NAMES
    ) and all(new.exists and new.works for new in NEW_PARAMETERS)
    head = ["", "names", "exist", "equal signatures", "work"]
    counts = [
        [title, *_counts([public for public in PUBLIC_NAMES if public.kind in kinds])]
        for title, kinds in KINDS.items()
    ]
    news = [
        [f"`{new.name}`", f"`{new.parameter}={new.default}`", new.source, _shown(new)]
        for new in NEW_PARAMETERS
    ]
    parts = [
        INTRODUCTION,
        f"## Names of keras.losses {keras.__version__}",
        table(head, counts),
        "### In master",
        MASTER,
        table(["name", "new after `axis`", "source", "here"], news),
        table(head, [["all public names", *_master_counts()]]),
        ADDITIONS,
        table(["parameters", "of"], _additions()),
        FORMER,
        table(["name", "where", "today", "what differs"], _former()),
        "## Names that stayed and changed their meaning",
        table(
            ["name", "where", "what it meant", "how to get that today"],
            ([f"`{c.name}`", c.where, c.meaning, c.now] for c in compat.CHANGED),
        ),
    ]
    return "\n\n".join(parts), kept


def _counts(names: Sequence[PublicName]) -> list[object]:
    alike = [public.is_declared_alike for public in names if public.kind != "identifier"]
    return [
        len(names),
        sum(public.exists for public in names),
        sum(alike) if alike else "",
        sum(public.works for public in names),
    ]


def _master_counts() -> list[object]:
    """Those of the installed version, but for signatures that have changed."""
    n, exist, _, work = _counts([public for public in PUBLIC_NAMES if public.kind != "identifier"])
    changed = {new.name for new in NEW_PARAMETERS}
    alike = sum(
        public.is_declared_alike
        for public in PUBLIC_NAMES
        if public.kind != "identifier" and public.name not in changed
    )
    return [n, exist, f"{alike}; {len(changed)} but for the new parameter's kind", work]


def _shown(new: NewParameter) -> str:
    return "keyword-only, works" if new.exists and new.works else "MISSING"


def _additions() -> list[list[str]]:
    """The names that have the same further parameters, functions before classes."""
    names = defaultdict(list)
    for public in PUBLIC_NAMES:
        if public.kind != "identifier" and public.additions:
            names[public.additions].append(public.name)
    return [
        [", ".join(f"`{a}`" for a in additions), ", ".join(f"`{name}`" for name in sorted(found))]
        for additions, found in sorted(names.items())
    ]


def _former() -> list[list[str]]:
    return [
        [
            f"`{name}`",
            old.where,
            f"`{old.loss}(..., {old.options})`" if old.options else f"`{old.loss}`",
            old.note or "the same",
        ]
        for name, old in compat.FUNCTIONS.items()
    ]
