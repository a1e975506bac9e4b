# SPDX-License-Identifier: Apache-2.0
"""Keras's losses on any of its backends, each of which needs a process of its own."""

from __future__ import annotations

import importlib.metadata
import os
import pickle
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

TESTS = Path(__file__).parent.parent
BACKENDS = ("numpy", "jax", "torch")
TORCH_CTC = "torch.nn.functional.ctc_loss"


class Call(NamedTuple):
    """A function or, with weights and a mask, an instance of a class of keras.losses."""

    name: str
    y_true: Any
    y_pred: Any
    options: Mapping[str, Any]
    sample_weight: Any = None
    mask: Any = None


class Answer(NamedTuple):
    """What came of a call: an array, or the name of an exception."""

    value: Any
    error: str = ""


def version(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"


def ask(
    backend: str,
    calls: Sequence[tuple[Any, ...]],
    float64: bool = False,
    answer: str = "support.backends.answer",
) -> list[Answer]:
    """The answers of Keras on a backend; JAX has float64 only if asked for."""
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "calls"), Path(directory, "answers")
        source.write_bytes(pickle.dumps(calls))
        arguments = str(source), str(target), answer
        code = f"from support.backends import serve; serve{arguments!r}"
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env={**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": str(int(float64))},
            cwd=TESTS,
            check=True,
        )
        answers: list[Answer] = pickle.loads(target.read_bytes())
    return answers


def serve(source: str, target: str, answer: str) -> None:
    """What `ask` runs in the other process."""
    calls = pickle.loads(Path(source).read_bytes())
    function = pkgutil.resolve_name(answer)
    Path(target).write_bytes(pickle.dumps([function(call) for call in calls]))


def answer(call: Call) -> Answer:
    from .keras_calls import call_keras_class, call_keras_function, keras

    name, t, p, options, *weighting = call
    try:
        if name == TORCH_CTC:
            return Answer(_torch_ctc(t, p))
        if name[0].isupper():
            return Answer(call_keras_class(name, t, p, *weighting, **options))
        if keras.backend.backend() == "torch":  # where functions want tensors, not all to convert
            t, p = map(keras.ops.convert_to_tensor, (t, p))
        return Answer(call_keras_function(name, t, p, **options))
    except Exception as error:
        return Answer(None, f"{type(error).__name__}: {error}")


def _torch_ctc(labels: Any, logits: Any) -> Any:
    """PyTorch's loss of whole rows of logits, whose labels are those before the first 0."""
    import torch

    log_probs = torch.tensor(logits).log_softmax(-1).transpose(0, 1)
    n_labels = torch.tensor((labels != 0).sum(axis=1))
    n_steps = torch.full((len(labels),), logits.shape[1])
    loss = torch.nn.functional.ctc_loss(
        log_probs, torch.tensor(labels), n_steps, n_labels, reduction="none"
    )
    return np.asarray(loss)
