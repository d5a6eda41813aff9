"""What of a cell has an axis of its own: curves of series.parquet, from stored entries."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from glitchmark.evaluation.metrics import by_kind
from glitchmark.influence.dynamics import Dynamics
from glitchmark.influence.factors import cross_entropy
from glitchmark.signals._cancellation import cancellation_by_signal
from glitchmark.signals._series import SERIES as SIGNALS
from glitchmark.signals._series import series
from glitchmark.store import Entry


class Curve(NamedTuple):
    """x, value: as many numbers each. group: the kind of samples that values are the means over ("clean", "mislabeled",
    "anomalous"), or what else they are about; "" for all. method: "" for that of the measurement."""

    series: str
    x: Iterable[float]
    value: Iterable[float]
    group: str = ""
    method: str = ""


def training_curves(entry: Entry, kind: np.ndarray) -> Iterator[Curve]:
    """Training loss by epoch; by checkpoint, accuracy on the validation part and on the test part if there is one, and
    mean loss and accuracy of the observed labels of each kind of training samples."""
    curves = entry.info["curves"]
    epochs = curves["epochs"]
    yield Curve("training_loss", range(1, len(curves["loss"]) + 1), curves["loss"])
    yield from accuracy_curves(entry, kind)
    logits, labels = entry.arrays["logits_train"], entry.arrays["labels_train"]
    checkpoints, n, classes = logits.shape
    loss = cross_entropy(logits.reshape(-1, classes), np.tile(labels, checkpoints)).reshape(checkpoints, n)
    correct = logits.argmax(axis=2) == labels
    for name, values in {"training_loss_by_epoch": loss, "training_accuracy_by_epoch": correct}.items():
        for shown, members in by_kind(kind):
            yield Curve(name, epochs, values[:, members].mean(axis=1), shown)


def accuracy_curves(entry: Entry, kind: np.ndarray) -> Iterator[Curve]:
    """Accuracy by checkpoint on the parts that the model was measured on."""
    curves = entry.info["curves"]
    for name in ("validation_accuracy", "test_accuracy"):
        if name in curves:
            yield Curve(name, curves["epochs"], curves[name])


def influence_by_epoch(entry: Entry, kind: np.ndarray) -> Iterator[Curve]:
    """Mean SI, MI and AAI of a kind of samples at each checkpoint alone, and how much of each signal cancels over
    validation samples and checkpoints (x: 0)."""
    dynamics = Dynamics(**entry.arrays)
    by_epoch = {signal: series(dynamics, signal) for signal in SIGNALS}
    cancelled = cancellation_by_signal(dynamics)
    for shown, members in by_kind(kind):
        for signal, values in by_epoch.items():
            yield Curve(f"{signal}_by_epoch", entry.info["epochs"], values[:, members].mean(axis=1), shown)
        for signal, index in cancelled.items():
            yield Curve(f"{signal}_cancellation", [0], [index[members].mean()], shown)


def agreement(entry: Entry, kind: np.ndarray) -> Iterator[Curve]:
    """The correlation with the reference for each validation sample (x: its position)."""
    correlation = entry.arrays["correlation"]
    yield Curve("agreement", range(len(correlation)), correlation)


def pairs(entry: Entry, kind: np.ndarray) -> Iterator[Curve]:
    """Products of clean validation samples of the same class and of different ones: shares of the pairs by product (x:
    centre of the bin), share of positive products and mean absolute product (x: 0)."""
    edges = entry.arrays["edges"]
    for group in ("same", "cross"):
        yield Curve("pair_histogram", (edges[:-1] + edges[1:]) / 2, entry.arrays[group], group)
        for name in ("positive", "magnitude"):
            yield Curve(f"pair_{name}", [0], [entry.info[group][name]], group)


def toy(entry: Entry, kind: np.ndarray | None) -> Iterator[Curve]:
    """What a toy problem plots."""
    for method, group, name, x, value in entry.info["series"]:
        yield Curve(name, x, value, group, method)


class Series(NamedTuple):
    """curves: of an entry and the kind of each sample. names: the series that are missing where the entry failed."""

    curves: Callable[[Entry, np.ndarray], Iterator[Curve]]
    names: tuple[str, ...]


# by the stage that leaves the entry
SERIES = {
    "train": Series(
        training_curves,
        (
            "training_loss", "validation_accuracy", "test_accuracy", "training_loss_by_epoch",
            "training_accuracy_by_epoch",
        ),
    ),
    "retrain": Series(accuracy_curves, ("validation_accuracy", "test_accuracy")),
    "dynamics": Series(
        influence_by_epoch,
        (*(f"{s}_by_epoch" for s in SIGNALS), *(f"{s}_cancellation" for s in ("si", "mi", "aai", "gd_class"))),
    ),
    "agreement": Series(agreement, ("agreement",)),
    "pairs": Series(pairs, ("pair_histogram", "pair_positive", "pair_magnitude")),
    "toy": Series(toy, ()),
}  # fmt: skip
