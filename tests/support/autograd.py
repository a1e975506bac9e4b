# SPDX-License-Identifier: Apache-2.0
"""Derivatives of Keras's losses by torch.autograd and jax.grad, in processes of their own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .backends import TORCH_CTC, Answer, ask

BACKENDS = ("torch", "jax")


class GradientCall(NamedTuple):
    """The gradient by y_pred of sum(cotangent * fn(...)), fn a function of keras.losses; or of what
    an instance of a class gives, summed if its reduction is None."""

    name: str
    y_true: Any
    y_pred: Any
    options: Mapping[str, Any]
    cotangent: Any = None
    sample_weight: Any = None
    mask: Any = None


def gradients(backend: str, calls: Sequence[GradientCall], float64: bool = True) -> list[Answer]:
    """The answers; JAX has float64 only if asked for."""
    return ask(backend, calls, float64, "support.autograd.answer")


def answer(call: GradientCall) -> Answer:
    from .keras_calls import keep_float64, keras

    keep_float64()
    differentiate = {"torch": _by_torch, "jax": _by_jax}[keras.backend.backend()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Answer(differentiate(call))
    except Exception as error:
        return Answer(None, f"{type(error).__name__}: {error}")


def _loss(call: GradientCall, convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The number to differentiate, as a function of y_pred."""
    from .keras_calls import keras, set_keras_mask

    t = convert(call.y_true)
    if call.name == TORCH_CTC:
        return lambda p: (convert(call.cotangent) * _torch_ctc(t, p)).sum()
    function = getattr(keras.losses, call.name)
    if not call.name[0].isupper():
        return lambda p: (convert(call.cotangent) * function(t, p, **call.options)).sum()
    loss = function(**call.options)
    weights = None if call.sample_weight is None else convert(call.sample_weight)

    def reduced(p: Any) -> Any:
        if call.mask is not None:
            set_keras_mask(p, convert(call.mask))
        return loss(t, p, sample_weight=weights).sum()

    return reduced


def _by_torch(call: GradientCall) -> Any:
    import torch

    p = torch.tensor(call.y_pred, requires_grad=True)
    _loss(call, torch.tensor)(p).backward()
    return np.zeros(p.shape) if p.grad is None else p.grad.numpy()


def _by_jax(call: GradientCall) -> Any:
    import jax

    return np.asarray(jax.grad(_loss(call, jax.numpy.asarray))(jax.numpy.asarray(call.y_pred)))


def _torch_ctc(labels: Any, logits: Any) -> Any:
    """PyTorch's loss of whole rows of logits, whose labels are those before the first 0."""
    import torch

    log_probs = logits.log_softmax(-1).transpose(0, 1)
    n_steps = torch.full((len(labels),), logits.shape[1])
    return torch.nn.functional.ctc_loss(
        log_probs, labels, n_steps, (labels != 0).sum(dim=1), reduction="none"
    )
