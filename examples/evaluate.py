# SPDX-License-Identifier: Apache-2.0
"""Evaluates predictions with every loss that applies to them, and prints a table.

Without arguments: scikit-learn's digits, breast-cancer and diabetes data, with a model fitted on
one half of the samples and evaluated on the other. With --y-true and --y-pred: arrays in .npy
files, which are mapped, not read into memory.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

import simdloss
from simdloss import losses

Array = npt.NDArray[Any]

# What y_pred holds -> the families of losses that apply, and the arguments that they need.
KINDS: dict[str, dict[str, dict[str, Any]]] = {
    "values": {"regression": {}},
    "probabilities": {"classification": {}},
    "logits": {"classification": {"from_logits": True}, "hinge": {}},
}


@dataclass(frozen=True)
class Task:
    """Predictions of one kind: arrays of shape (samples, outputs), and a weight for each sample."""

    title: str
    kind: str
    y_true: Array
    y_pred: Array
    sample_weight: Array | None = None


def applicable(kind: str) -> Iterator[tuple[type[losses.Loss], dict[str, Any]]]:
    """The loss classes for y_pred of that kind, with their arguments."""
    for cls in dict.fromkeys(c for c in vars(losses).values() if isinstance(c, type)):
        if issubclass(cls, losses.Loss) and cls is not losses.Loss:
            arguments = KINDS[kind].get(cls.__module__.rsplit(".", 1)[-1])
            if arguments is not None and arguments.keys() <= cls().get_config().keys():
                yield cls, arguments


def seconds(call: Callable[[], object]) -> float:
    """The median time of a call, over a twentieth of a second and three calls at least."""
    times: list[float] = []
    while len(times) < 3 or sum(times) < 0.05:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times)


def evaluate(task: Task) -> Table:
    """One row for each loss: its reductions, the extreme samples, and how fast it runs."""
    t, p, w = task.y_true, task.y_pred, task.sample_weight
    shape = " x ".join(map(str, p.shape))
    table = Table(title=f"{task.title}: {task.kind}, {shape} {p.dtype}", title_justify="left")
    table.add_column("loss", no_wrap=True)
    for heading in ("mean", "sum", "weighted mean", "smallest", "largest", "at sample", "M elem/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for cls, arguments in applicable(task.kind):
        mean = cls(**arguments)
        total = cls(**arguments, reduction="sum")
        weighted = cls(**arguments, reduction="mean_with_sample_weight")
        samples = cls(**arguments, reduction="none")(t, p)
        table.add_row(
            cls.__name__,
            f"{mean(t, p):.6g}",
            f"{total(t, p):.6g}",
            f"{weighted(t, p, w):.6g}",
            f"{samples.min():.3g}",
            f"{samples.max():.3g}",
            str(samples.argmax()),
            f"{p.size / seconds(lambda loss=mean: loss(t, p)) / 1e6:.0f}",  # type: ignore[misc]
        )
    return table


def bundled() -> Iterator[Task]:
    """Tasks on the data that come with scikit-learn."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils.class_weight import compute_sample_weight

    def split(data: tuple[Array, Array]) -> list[Array]:
        return list(train_test_split(*data, test_size=0.5, random_state=0))

    x, x_test, y, y_test = split(load_digits(return_X_y=True))
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
    probabilities = classifier.predict_proba(x_test).astype(np.float32)
    one_hot = np.eye(10, dtype=np.float32)[y_test]
    yield Task("digits", "probabilities", one_hot, probabilities)

    x, x_test, y, y_test = split(load_breast_cancer(return_X_y=True))
    classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    labels = y_test[:, None]
    balanced = compute_sample_weight("balanced", y_test)
    yield Task(
        "breast cancer", "probabilities", labels, classifier.predict_proba(x_test)[:, 1:], balanced
    )
    logits = classifier.decision_function(x_test)[:, None]
    yield Task("breast cancer", "logits", labels, logits, balanced)

    x, x_test, y, y_test = split(load_diabetes(return_X_y=True))
    forest = RandomForestRegressor(random_state=0).fit(x, y)
    yield Task("diabetes", "values", y_test[:, None], forest.predict(x_test)[:, None])


def given(options: argparse.Namespace) -> Task:
    """The task of the files on the command line. Vectors become columns: one output a sample.

    ValueError for what cannot be evaluated.
    """

    def load(path: Path) -> Array:
        try:
            array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f"{path} cannot be read as an .npy file: {error}") from error
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{path} is not an .npy file of one array")
        return array[:, None] if array.ndim == 1 else array

    t, p = load(options.y_true), load(options.y_pred)
    if p.size == 0 or p.ndim == 0:
        raise ValueError(f"{options.y_pred} holds no samples: its shape is {p.shape}")
    if t.shape != p.shape:
        raise ValueError(f"shapes of y_true and y_pred differ: {t.shape} and {p.shape}")
    w = None
    if options.sample_weight is not None:
        w = load(options.sample_weight)
        if w.shape != (len(p), 1):
            raise ValueError(f"{options.sample_weight} must hold {len(p)} weights, one per sample")
        w = w[:, 0]
    return Task(options.y_pred.name, options.kind or "values", t, p, w)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--y-true", type=Path, help="targets, .npy")
    parser.add_argument("--y-pred", type=Path, help="predictions, .npy")
    parser.add_argument("--sample-weight", type=Path, help="a weight for each sample, .npy")
    parser.add_argument("--kind", choices=list(KINDS), help="what y_pred holds (default: values)")
    options = parser.parse_args()
    if (options.y_true is None) != (options.y_pred is None):
        parser.error("--y-true and --y-pred go together")
    if options.y_true is None and (options.sample_weight is not None or options.kind is not None):
        parser.error("--sample-weight and --kind go with --y-true and --y-pred")
    try:
        tasks = bundled() if options.y_true is None else [given(options)]
    except ValueError as error:
        parser.error(str(error))

    console = Console(width=120, highlight=False)
    threads = 0
    for task in tasks:
        console.print(evaluate(task))
        threads = max(threads, simdloss.last_num_threads())
    config = simdloss.config()
    console.print(
        f"simdloss {simdloss.__version__} ran on {config['isa']} ({config['isa_reason']}), on "
        f"{threads} of at most {config['num_threads']} threads"
    )


if __name__ == "__main__":
    main()
