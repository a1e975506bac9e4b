# SPDX-License-Identifier: Apache-2.0
"""PyTorch: eager in inference mode, compiled, and both with autograd."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch._dynamo
from torch.nn import functional

from ..data import Array
from ..subject import Job, Subject

EPSILON = 1e-7
Function = Callable[[Any, Any], Any]


def _log_cosh(t: Any, p: Any) -> Any:
    d = p - t
    return (d + functional.softplus(-2 * d)).mean() - math.log(2)


def _focal(t: Any, p: Any) -> Any:
    crossentropy = functional.binary_cross_entropy_with_logits(p, t, reduction="none")
    return ((1 - torch.exp(-crossentropy)).square() * crossentropy).mean()


def _categorical_focal(t: Any, p: Any) -> Any:
    log_p = torch.log_softmax(p, -1)
    return -0.25 * (t * (1 - log_p.exp()).square() * log_p).sum(-1).mean()


def _sparse(t: Any, p: Any) -> Any:
    if p.dtype == torch.float16:  # whose mean, in float16, is NaN for more than 65504 rows
        return functional.cross_entropy(p, t, reduction="none").mean(dtype=torch.float32)
    return functional.cross_entropy(p, t)


def _dice(t: Any, p: Any) -> Any:
    return 1 - 2 * torch.dot(t.view(-1), p.view(-1)) / (t.sum() + p.sum() + EPSILON)


def _ctc(t: Any, p: Any) -> Any:
    batch, time, _ = p.shape
    log_p = torch.log_softmax(p, -1).transpose(0, 1)
    lengths = torch.full((batch,), time), torch.full((batch,), t.shape[1])
    return functional.ctc_loss(log_p, t, *lengths, reduction="none").mean()


FUNCTIONS: dict[str, Function] = {
    "mean_squared_error": lambda t, p: functional.mse_loss(p, t),
    "mean_absolute_error": lambda t, p: functional.l1_loss(p, t),
    "huber": lambda t, p: functional.huber_loss(p, t),
    "mean_absolute_percentage_error": lambda t, p: (
        100 * ((t - p) / t.abs().clamp_min(EPSILON)).abs().mean()
    ),
    "mean_squared_logarithmic_error": lambda t, p: functional.mse_loss(p.log1p(), t.log1p()),
    "log_cosh": _log_cosh,
    "poisson": lambda t, p: functional.poisson_nll_loss(p, t, log_input=False, eps=EPSILON),
    "hinge": lambda t, p: (1 - t * p).relu().mean(),
    "binary_crossentropy_from_logits": lambda t, p: functional.binary_cross_entropy_with_logits(
        p, t
    ),
    "binary_crossentropy": lambda t, p: functional.binary_cross_entropy(p, t),
    "binary_focal_crossentropy_from_logits": _focal,
    "kl_divergence": lambda t, p: functional.kl_div(p.log(), t, reduction="batchmean"),
    "categorical_crossentropy_from_logits": lambda t, p: functional.cross_entropy(p, t),
    "categorical_crossentropy": lambda t, p: -(t * p.log()).sum(-1).mean(),
    "sparse_categorical_crossentropy_from_logits": _sparse,
    "categorical_focal_crossentropy_from_logits": _categorical_focal,
    "cosine_similarity": lambda t, p: -functional.cosine_similarity(t, p, dim=-1).mean(),
    "dice": _dice,
    "ctc": _ctc,
}


def to_tensor(array: Array) -> Any:
    """The array's own memory as a tensor; ids as int64, which the losses ask for."""
    if array.dtype.kind == "i":
        return torch.from_numpy(array.astype(np.int64))
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def subjects(job: Job) -> Iterator[Subject]:
    torch.set_num_threads(job.n_threads)
    torch._dynamo.reset()  # a function is compiled for a few shapes only
    function = FUNCTIONS[job.workload.loss]
    t, p = to_tensor(job.y_true), to_tensor(job.y_pred)
    compiled: Any = torch.compile(function, dynamic=False)
    if not job.workload.gradient:
        yield Subject("torch", lambda: function(t, p), context=torch.inference_mode)
        if job.workload.loss != "ctc":  # an operator that is not compiled
            yield Subject("torch.compile", lambda: compiled(t, p), context=torch.inference_mode)
        return

    leaf = p.detach().requires_grad_()

    def backward(forward: Function) -> Any:
        leaf.grad = None
        value = forward(t, leaf)
        value.backward()
        return value, leaf.grad

    def gradient() -> Any:
        value = function(t, leaf)
        return value, torch.autograd.grad(value, leaf)[0]

    def outcome(result: Any) -> Any:
        return float(result[0]), result[1].numpy()

    yield Subject("torch backward", lambda: backward(function), outcome)
    yield Subject("torch autograd.grad", gradient, outcome)
    yield Subject("torch.compile backward", lambda: backward(compiled), outcome)
    both: Any = torch.compile(torch.func.grad_and_value(function, argnums=1), dynamic=False)
    yield Subject(
        "torch.compile func.grad_and_value",
        lambda: both(t, p),
        lambda result: (float(result[1]), result[0].numpy()),
        torch.no_grad,
    )
