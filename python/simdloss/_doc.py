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
    "class_labels": """\
y_true: the probability of each class, one-hot labels as a rule, shape `[..., C]`.""",
    "class_ids": """\
y_true: class ids, whole numbers from 0 to C - 1 of any dtype; the shape of `y_pred`
    without the axis of the classes, or with 1 there.""",
    "class_terms": """\
p = `y_pred` divided by its sum and clipped to [epsilon, 1 - epsilon], or the softmax of
logits without clipping, and w = `class_weight`, or 1.""",
    "class_scores": """\
y_pred: probabilities in [0, 1], which are divided by their sum, or logits; the classes
    are one axis, shape `[..., C]`.""",
    "memberships": """\
y_true: labels, 0 or 1 or between, of any shape.
y_pred: probabilities in [0, 1], the shape of `y_true`.""",
    "axis": """\
axis: the axis, or tuple of axes, that a row consists of. `()` gives the elementwise
    loss, None takes all axes for one row.""",
    "class_axis": """\
axis: the axis of the classes, one int.""",
    "one_class": """\
SyntaxWarning: for a single class, as Keras does.""",
    "out": """\
out: a floating array of the result's shape to write the result to. What it holds after an
    error is not specified.""",
    "labels": """\
labels: what labels 0 and 1 stand for. "auto": for -1 and 1 if all of `y_true` is 0 or 1,
    skipped samples included, as in Keras; "binary": always for -1 and 1; "signed": for
    themselves.""",
    "from_logits": """\
from_logits: whether `y_pred` holds logits; if not, probabilities, which are clipped to
    `[epsilon, 1 - epsilon]`. Values are not checked: scores that can be negative are
    logits, `from_logits=True`.""",
    "label_smoothing": """\
label_smoothing: how far labels are moved towards 1/2, in [0, 1].""",
    "class_smoothing": """\
label_smoothing: s in [0, 1]: what part of each label is spread evenly over the classes.""",
    "class_weight": """\
class_weight: a vector with a number >= 0 for each class, by which its terms are
    multiplied. Means are divided by the same number as without it.""",
    "ignore_class": """\
ignore_class: an int, of a class or not: rows with this id are skipped. Their loss is 0,
    whatever they hold, and in a loss class means leave them out. With one weight for all,
    "mean_with_sample_weight" is the mean over the other rows, as under a mask; without
    ignore_class and mask it is the sum over all rows, as in Keras.""",
    "class_focal": """\
alpha: the weight of all classes, >= 0, or a vector with that of each.
gamma: how strongly well-predicted classes are played down, >= 0.""",
    "generalized": """\
q: from 1, which gives the absolute error 1 - p, towards 0, which gives the crossentropy
    -ln p; > 0, in the class in (0, 1).""",
    "circle": """\
gamma: the scale of similarities, > 0. Any number is accepted: 0 makes the loss one of
    counts alone, a negative one rewards what it ought to punish.
margin: the radius of the decision boundary, in [0, 1]: embeddings of a class shall have
    a similarity above 1 - margin, those of two classes one below margin. Any number is
    accepted; outside of [0, 1] one of these means nothing for unit vectors.""",
    "sample_lengths": """\
All time steps count. Samples of different lengths are evaluated one by one, each cut to its
length: `ctc(y_true[i : i + 1], y_pred[i : i + 1, : length[i]])`. A mask has one entry for
each sample, `[batch]`, and none for time steps.""",
    "tversky": """\
alpha: the weight of false positives, >= 0.
beta: the weight of false negatives, >= 0.""",
    "focal": """\
apply_class_balancing: whether terms are weighted by alpha (label 1) and 1 - alpha
    (label 0).
alpha: the weight of the label 1, in [0, 1].
gamma: how strongly well-predicted elements are played down, >= 0.""",
    "call_inputs": """\
y_true: what is true, as in a call.
y_pred: what was predicted, as in a call.
sample_weight: as in a call.
mask: as in a call.""",
    "scale": """\
scale: a finite number that takes the place of 1 / n, and of what else the reduction
    multiplies weighted losses by, in derivatives alone. So pieces of a batch give the
    gradient of the whole.""",
    "empty": """\
empty: what the mean over nothing is: "zero", "nan" or "raise". Its derivatives have no
    elements, or are 0.""",
    "scale_of_a_row": """\
s = w m under the reductions "sum" and None (the derivative of the sum of all losses);
w / n under "sum_over_batch_size" and "mean", or w / (n mean(m)) where the mask is not 0;
and w m / sum(w m) under "mean_with_sample_weight". w are the weights, m is the mask and n
the number of rows.""",
    "gradient": """\
That is an ndarray (a NumPy scalar if `y_pred` is one number) of the shape and dtype of
`y_pred`, in its memory order; of the dtype of the result if it holds integers or bools.""",
    "call_raises": """\
ValueError, TypeError: as a call does.
ImportError: for `y_pred` of bfloat16 without the package ml_dtypes.""",
    "raises_of_scale": """\
ValueError, TypeError: for a `scale` that is no finite number.""",
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

_RETURNS = """\
Returns:
    The loss of each row, in the shape of `y_pred` without `axis`: a floating ndarray (a
    NumPy scalar if no axis is left) of the dtype of `y_pred`, or `floatx()` if that is
    integer or bool."""

_INSTANCE = """\
Returns:
    An instance; call it with `(y_true, y_pred, sample_weight=None)`, see `Loss.__call__`.

    {inputs}"""

_RAISES = """\
Raises:
    ValueError: for shapes that do not fit and for parameters outside their domain.
    TypeError: for arguments that are not of the kind that is asked for."""

_RAISES_OF_IDS = f"""{_RAISES}
    ValueError: for ids that are no classes. The error names the first one, its position,
        the number of classes, and how many such ids there are. The ids of rows that are
        skipped (weight 0, outside the mask) are not looked at."""

_DERIVATIVE_RULES = """\
Rows that are skipped (weight 0, outside the mask, ignored class) have derivatives of exactly 0,
whatever they hold. At kinks derivatives are those of Keras on PyTorch: half of both sides where
a maximum of two is a tie, equal shares among equal largest elements, 0 for |x| at 0; a clipped
probability has the derivative of the bound at the bound, and 0 beyond it. The rules for each
loss are in docs/gradients.md."""

_RAISES_OF_PAIRS = f"""{_RAISES}
    ValueError: for ids that are no whole numbers. The error names the first one, its
        position, and how many such ids there are."""

# Whole sections.
_SECTIONS = {
    "derivative_rules": _DERIVATIVE_RULES,
    "raises_of_ids": _RAISES_OF_IDS,
    "raises_of_pairs": _RAISES_OF_PAIRS,
    "instance_of_pairs": f"{_INSTANCE}\n\n{_RAISES_OF_PAIRS}",
    "returns": f"{_RETURNS}\n\n{_RAISES}",
    "returns_of_ids": f"{_RETURNS}\n\n{_RAISES_OF_IDS}",
    "instance": f"{_INSTANCE}\n\n{_RAISES}",
    "instance_of_ids": f"{_INSTANCE}\n\n{_RAISES_OF_IDS}",
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
