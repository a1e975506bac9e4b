# SPDX-License-Identifier: Apache-2.0
"""The names of losses in former versions of Keras, from the data that simdloss.compat goes by."""

from __future__ import annotations

from simdloss import compat

from .page import table

INTRODUCTION = """\
# Names through history

What names of losses meant in former versions of Keras, in tf.keras and in the R package keras, and
what they mean here. Each name of the first table is a function of `simdloss.compat` and a string
that `simdloss.losses.get` takes. Names that are not on this page mean what they always did. Made by
`python -m tests.report names`.
"""


def report(quick: bool) -> tuple[str, bool]:
    """The page; it breaks no promise."""
    names = [
        [
            f"`{name}`",
            old.where,
            f"`{old.loss}(..., {old.options})`" if old.options else f"`{old.loss}`",
            old.note or "the same",
        ]
        for name, old in compat.FUNCTIONS.items()
    ]
    changed = [[f"`{c.name}`", c.where, c.meaning, c.now] for c in compat.CHANGED]
    parts = [
        INTRODUCTION,
        "## Former names",
        table(["name", "where", "today", "what differs"], names),
        "## Names that stayed and changed their meaning",
        table(["name", "where", "what it meant", "how to get that today"], changed),
    ]
    return "\n\n".join(parts), True
