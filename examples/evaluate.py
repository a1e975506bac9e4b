# SPDX-License-Identifier: Apache-2.0
"""Evaluates predictions with every loss that applies to them, and prints a table.

Without arguments: scikit-learn's digits, breast-cancer and diabetes data, with a model fitted on
one half of the samples and evaluated on the other. With --y-true and --y-pred: arrays in .npy
files, which are mapped, not read into memory. y_true has the shape of y_pred, or holds class ids:
the shape of y_pred without its last axis, that of the classes, or with 1 there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
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
    "values": {"regression": {}, "similarity": {}},
    "probabilities": {"classification": {}, "categorical": {}, "segmentation": {"axis": None}},
    "logits": {"classification": {"from_logits": True}, "categorical": {"from_logits": True}}
    | {"hinge": {}},
}

# What these losses take, apart from their families.
OF_CLASS_IDS = (losses.SparseCategoricalCrossentropy, losses.CategoricalGeneralizedCrossEntropy)
OF_PAIRS_OF_SAMPLES = (losses.Circle,)
OF_VECTORS = (losses.CategoricalHinge, losses.CosineSimilarity)


@dataclass(frozen=True)
class Task:
    """Predictions of one kind: arrays of shape (samples, ..., outputs).

    The weight is one for each sample. Where outputs are classes, there may be class ids, of the
    shape without the outputs; y_true then is their one-hot form, and a mask says which count.
    """

    title: str
    kind: str
    y_true: Array
    y_pred: Array
    sample_weight: Array | None = None
    class_ids: Array | None = None
    mask: Array | None = None


def of_classes(
    title: str,
    kind: str,
    class_ids: Array,
    y_pred: Array,
    sample_weight: Array | None = None,
    ignore_class: int | None = None,
) -> Task:
    """The task of class ids. The one-hot labels take one byte for each element of y_pred."""
    mask = None
    if ignore_class is not None:
        mask = class_ids != ignore_class
        class_ids = np.where(mask, class_ids, 0)
    one_hot = simdloss.to_categorical(class_ids, y_pred.shape[-1], dtype="uint8")
    one_hot = one_hot.reshape(y_pred.shape)
    return Task(title, kind, one_hot, y_pred, sample_weight, class_ids, mask)


def applicable(task: Task) -> Iterator[tuple[type[losses.Loss], dict[str, Any], Array]]:
    """The loss classes for a task, with their arguments and the y_true that they take."""
    has_vectors = task.y_pred.shape[-1] > 1
    has_classes = task.class_ids is not None or (
        has_vectors and np.allclose(task.y_true.sum(axis=-1, dtype=np.float64), 1)
    )
    for cls in dict.fromkeys(c for c in vars(losses).values() if isinstance(c, type)):
        if not issubclass(cls, losses.Loss) or cls in (losses.Loss, *OF_PAIRS_OF_SAMPLES):
            continue
        family = cls.__module__.rsplit(".", 1)[-1]
        given = KINDS[task.kind].get(family)
        if given is None or not given.keys() <= cls().get_config().keys():
            continue
        arguments = dict(given)
        y_true = task.y_true
        if cls in OF_CLASS_IDS:
            if task.class_ids is None:
                continue
            y_true = task.class_ids
        elif (family == "categorical" and not has_classes) or (
            cls in OF_VECTORS and not has_vectors
        ):
            continue
        if family == "segmentation":  # a sample is a row
            if task.y_pred[0].size == 1 or (task.mask is not None and task.mask.ndim > 1):
                continue
            arguments["axis"] = tuple(range(1, task.y_pred.ndim))
        yield cls, arguments, y_true


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
    p, w, mask = task.y_pred, task.sample_weight, task.mask
    shape = " x ".join(map(str, p.shape))
    table = Table(title=f"{task.title}: {task.kind}, {shape} {p.dtype}", title_justify="left")
    table.add_column("loss", no_wrap=True)
    for heading in ("mean", "sum", "weighted mean", "smallest", "largest", "at sample", "M elem/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for cls, arguments, t in applicable(task):
        mean = cls(**arguments)
        total = cls(**arguments, reduction="sum")
        weighted = cls(**arguments, reduction="mean_with_sample_weight")
        samples = cls(**arguments, reduction="none")(t, p, mask=mask)
        if mask is not None:
            samples = np.ma.array(samples, mask=~mask.reshape(samples.shape))
        table.add_row(
            cls.__name__,
            f"{mean(t, p, mask=mask):.6g}",
            f"{total(t, p, mask=mask):.6g}",
            f"{weighted(t, p, w, mask=mask):.6g}",
            f"{samples.min():.3g}",
            f"{samples.max():.3g}",
            str(samples.argmax()),
            f"{p.size / seconds(partial(mean, t, p, mask=mask)) / 1e6:.0f}",
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
    yield of_classes("digits", "probabilities", y_test, probabilities)
    logits = classifier.decision_function(x_test).astype(np.float32)
    yield of_classes("digits", "logits", y_test, logits)

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
    if options.axis is not None:
        p = np.moveaxis(p, options.axis, -1)
        t = np.moveaxis(t, options.axis, -1) if t.ndim == p.ndim else t
    w = None
    if options.sample_weight is not None:
        w = load(options.sample_weight)
        if w.shape != (len(p), 1):
            raise ValueError(f"{options.sample_weight} must hold {len(p)} weights, one per sample")
        w = w[:, 0]
    if t.shape == p.shape:
        if options.ignore_class is not None:
            raise ValueError("--ignore-class goes with class ids; y_true has the shape of y_pred")
        return Task(options.y_pred.name, options.kind or "values", t, p, w)
    if t.shape not in (p.shape[:-1], (*p.shape[:-1], 1)):
        raise ValueError(
            f"shapes of y_true and y_pred differ: {t.shape} and {p.shape}; class ids have "
            f"the shape of y_pred without its last axis (or --axis)"
        )
    if options.kind == "values":
        raise ValueError("class ids go with --kind=probabilities or --kind=logits")
    ids = t.reshape(p.shape[:-1])
    kind = options.kind or "probabilities"
    return of_classes(options.y_pred.name, kind, ids, p, w, options.ignore_class)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--y-true", type=Path, help="targets, .npy")
    parser.add_argument("--y-pred", type=Path, help="predictions, .npy")
    parser.add_argument("--sample-weight", type=Path, help="a weight for each sample, .npy")
    parser.add_argument(
        "--kind",
        choices=list(KINDS),
        help="what y_pred holds (default: probabilities for class ids, else values)",
    )
    parser.add_argument("--axis", type=int, help="the axis of the classes (default: the last)")
    parser.add_argument("--ignore-class", type=int, help="the class id of what does not count")
    options = parser.parse_args()
    if (options.y_true is None) != (options.y_pred is None):
        parser.error("--y-true and --y-pred go together")
    of_files = (options.sample_weight, options.kind, options.axis, options.ignore_class)
    if options.y_true is None and any(option is not None for option in of_files):
        parser.error(
            "--sample-weight, --kind, --axis and --ignore-class go with --y-true and --y-pred"
        )

    console = Console(width=130, highlight=False)
    threads = 0
    try:
        for task in bundled() if options.y_true is None else [given(options)]:
            console.print(evaluate(task))
            threads = max(threads, simdloss.last_num_threads())
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    config = simdloss.config()
    console.print(
        f"simdloss {simdloss.__version__} ran on {config['isa']} ({config['isa_reason']}), on "
        f"{threads} of at most {config['num_threads']} threads"
    )


if __name__ == "__main__":
    main()
