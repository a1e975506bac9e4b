# SPDX-License-Identifier: Apache-2.0
"""The rows of the benchmark, as data.

A loss has the name of its Keras function, with `_from_logits` where predictions are logits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class Workload:
    """One loss of one pair of arrays: the mean over the batch, or that and its gradient."""

    loss: str
    shape: tuple[int, ...]  # of y_pred
    dtype: str = "float32"
    axis: int = -1  # of the classes
    gradient: bool = False
    quick: bool = False  # whether it is a row of --quick
    one_hot: bool = False  # labels over classes; otherwise they are soft

    @property
    def what(self) -> str:
        return "gradient" if self.gradient else "forward"

    @property
    def size(self) -> str:
        axis = f" axis {self.axis}" if self.axis >= 0 else ""
        return "x".join(map(str, self.shape)) + axis + (" one-hot" if self.one_hot else "")

    @property
    def name(self) -> str:
        return f"{self.what} {self.loss} {self.size} {self.dtype}"

    @property
    def is_sparse(self) -> bool:
        return self.loss.startswith("sparse")

    @property
    def n_elements(self) -> int:
        return prod(self.shape)


SMALL, MEGA, WIDE = (32, 10), (1_000_000, 10), (65536, 128)
CLASSES, VOCABULARY = (8192, 1000), (512, 50257)
COLUMN, IMAGES, PLANES = (1_000_000, 1), (16, 512, 512, 1), (16, 10, 256, 256)

ELEMENTWISE = (
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "log_cosh",
    "poisson",
    "hinge",
    "binary_crossentropy_from_logits",
    "binary_crossentropy",
    "binary_focal_crossentropy_from_logits",
)
ROWWISE = (
    "kl_divergence",
    "categorical_crossentropy_from_logits",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy_from_logits",
    "categorical_focal_crossentropy_from_logits",
    "cosine_similarity",
)
# Losses whose values and gradients are measured.
DIFFERENTIATED = (
    "mean_squared_error",
    "huber",
    "binary_crossentropy_from_logits",
    "categorical_crossentropy_from_logits",
    "sparse_categorical_crossentropy_from_logits",
    "kl_divergence",
    "cosine_similarity",
)
IN_MANY_DTYPES = (
    "mean_squared_error",
    "binary_crossentropy_from_logits",
    "sparse_categorical_crossentropy_from_logits",
)
QUICK = {
    ("mean_squared_error", WIDE),
    ("mean_squared_error", SMALL),
    ("huber", WIDE),
    ("binary_crossentropy_from_logits", WIDE),
    ("binary_crossentropy", WIDE),
    ("binary_focal_crossentropy_from_logits", WIDE),
    ("poisson", WIDE),
    ("kl_divergence", WIDE),
    ("categorical_crossentropy_from_logits", MEGA),
    ("sparse_categorical_crossentropy_from_logits", SMALL),
    ("sparse_categorical_crossentropy_from_logits", MEGA),
    ("sparse_categorical_crossentropy_from_logits", VOCABULARY),
    ("cosine_similarity", WIDE),
}
QUICK_GRADIENT = {
    ("mean_squared_error", WIDE),
    ("binary_crossentropy_from_logits", WIDE),
    ("sparse_categorical_crossentropy_from_logits", MEGA),
    ("sparse_categorical_crossentropy_from_logits", CLASSES),
    ("kl_divergence", WIDE),
}


def _forward() -> Iterator[Workload]:
    for loss in ELEMENTWISE:
        for shape in (SMALL, WIDE):
            yield Workload(loss, shape, quick=(loss, shape) in QUICK)
    yield Workload("mean_squared_error", MEGA)
    yield Workload("binary_crossentropy_from_logits", COLUMN, quick=True)
    yield Workload("binary_crossentropy_from_logits", IMAGES)
    yield Workload("dice", IMAGES, quick=True)
    for loss in ROWWISE:
        shapes = [SMALL, MEGA, WIDE, CLASSES]
        if "sparse" in loss or loss == "categorical_crossentropy_from_logits":
            shapes += [VOCABULARY]
        for shape in shapes:
            yield Workload(loss, shape, quick=(loss, shape) in QUICK)
    for loss in ROWWISE[1], ROWWISE[2], ROWWISE[4]:
        yield Workload(loss, CLASSES, one_hot=True)
    for loss in IN_MANY_DTYPES:
        for dtype in ("float16", "bfloat16", "float64"):
            yield Workload(loss, WIDE, dtype)
    for loss in ROWWISE[1], ROWWISE[3]:
        yield Workload(loss, PLANES, axis=1, quick="sparse" in loss)
    yield Workload("ctc", (32, 200, 100), quick=True)


def _gradient() -> Iterator[Workload]:
    for loss in DIFFERENTIATED:
        for shape in (SMALL, MEGA, WIDE, CLASSES, VOCABULARY):
            yield Workload(loss, shape, gradient=True, quick=(loss, shape) in QUICK_GRADIENT)


WORKLOADS = (*_forward(), *_gradient())
