# SPDX-License-Identifier: Apache-2.0
"""Paragraphs that many docstrings share, written once.

A docstring line that consists of a key in braces, `{axis}`, becomes the paragraph of that name. In
a loss class `{formula}` and `{references}` become those sections of its function's docstring, and
`{inputs}` what that says of y_true and y_pred.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

# Entries of Args, first those that begin it. Lines leave room for an indentation of eight.
_ARGS = {
    "real": """\
y_true: real numbers, shape `[..., n]`.
y_pred: real numbers, the shape of `y_true`; a last axis of length 1 may be missing in
    one of the two.""",
    "binary": """\
y_true: labels, 0 or 1 or between, shape `[..., n]`.
y_pred: probabilities in [0, 1], or logits; the shape of `y_true`.""",
    "signed": """\
y_true: labels, -1 or 1, or 0 or 1 (see `labels`), shape `[..., n]`.
y_pred: real numbers, positive for the label 1; the shape of `y_true`.""",
    "axis": """\
axis: the axis, or tuple of axes, that a row consists of. `()` gives the elementwise
    loss, None takes all axes for one row.""",
    "out": """\
out: a floating array of the result's shape to write the result to.""",
    "labels": """\
labels: what labels 0 and 1 stand for. "auto": for -1 and 1 if all of `y_true` is 0 or 1,
    skipped samples included, as in Keras; "binary": always for -1 and 1; "signed": for
    themselves.""",
    "from_logits": """\
from_logits: whether `y_pred` holds logits; if not, probabilities, which are clipped to
    `[epsilon, 1 - epsilon]`.""",
    "label_smoothing": """\
label_smoothing: how far labels are moved towards 1/2, in [0, 1].""",
    "focal": """\
apply_class_balancing: whether terms are weighted by alpha (label 1) and 1 - alpha
    (label 0).
alpha: the weight of the label 1, in [0, 1].
gamma: how strongly well-predicted elements are played down, >= 0.""",
    "reduction": """\
reduction: "sum_over_batch_size" or its other name "mean", "sum",
    "mean_with_sample_weight", or "none" or None for the weighted loss of each sample.""",
    "name": """\
name: the name of the instance; None makes one from the class name.""",
    "dtype": """\
dtype: of the result: "float16", "bfloat16", "float32", "float64", or an object that
    stands for one of them (numpy.dtype, a dtype policy). None takes `floatx()` as it is
    now.""",
    "options": """\
{reduction}
{name}
{dtype}""",
}

_RAISES = """\
Raises:
    ValueError: for shapes that do not fit and for parameters outside their domain.
    TypeError: for arguments that are not of the kind that is asked for."""

# Whole sections.
_SECTIONS = {
    "returns": f"""\
Returns:
    The loss of each row, in the shape of `y_pred` without `axis`: a floating ndarray (a
    NumPy scalar if no axis is left) of the dtype of `y_pred`, or `floatx()` if that is
    integer or bool.

{_RAISES}""",
    "instance": f"""\
Returns:
    An instance; call it with `(y_true, y_pred, sample_weight=None)`, see `Loss.__call__`.

    {{inputs}}

{_RAISES}""",
    # What most functions of real numbers, and most classes, have to say.
    "real_function": """\
Args:
    {real}
    {axis}
    {out}

{returns}""",
    "simple_class": """\
{formula}

Args:
    {options}
    {axis}

{instance}""",
}

_PARAGRAPHS = _ARGS | _SECTIONS


def _section(text: str, title: str) -> str:
    """A section of a docstring from its title to the next one, without its indentation."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip() == title)
    indent = len(lines[start]) - len(lines[start].lstrip())
    body = [lines[start][indent:]]
    for line in lines[start + 1 :]:
        if line.strip() and not line.startswith(" " * (indent + 1)):
            break
        body.append(line[indent:])
    return "\n".join(body).rstrip()


def _inputs(text: str) -> str:
    """What the arguments in a docstring begin with: the entries of y_true and y_pred."""
    lines = textwrap.dedent("\n".join(_section(text, "Args:").splitlines()[1:])).splitlines()
    entries = [i for i, line in enumerate(lines) if not line.startswith(" ")]
    return "\n".join(lines[: entries[2]])


def _expanded(text: str, paragraphs: Mapping[str, str]) -> str:
    lines = []
    for line in text.splitlines():
        key = line.strip()
        if key.startswith("{") and key.endswith("}"):
            indent = line[: line.index("{")]
            paragraph = _expanded(paragraphs[key[1:-1]], paragraphs)
            lines += [(indent + part).rstrip() for part in paragraph.splitlines()]
        else:
            lines.append(line)
    return "\n".join(lines)


def documented(function: F) -> F:
    """Decorator: writes the shared paragraphs into the docstring of a function or class."""
    if function.__doc__ is not None:  # it is None under python -OO
        function.__doc__ = _expanded(function.__doc__, _PARAGRAPHS)
    return function


def document_class(cls: type[Any], function: Callable[..., Any]) -> None:
    """Writes the shared paragraphs, and those of its function, into a loss class's docstring."""
    if cls.__doc__ is not None and function.__doc__ is not None:
        titles = {"formula": "Formula:", "references": "References:"}
        of_function = {key: _section(function.__doc__, title) for key, title in titles.items()}
        of_function["inputs"] = _inputs(function.__doc__)
        cls.__doc__ = _expanded(cls.__doc__, _PARAGRAPHS | of_function)
