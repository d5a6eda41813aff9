"""What of a cell has an axis of its own: rows of series.parquet, from stored entries.

Each function yields rows with "series", "x" and "value", and "class": the kind of training samples that a value is the
mean over ("clean", "mislabeled", "anomalous"), "" where it is about none.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from glitchmark.evaluation.metrics import by_kind
from glitchmark.influence.dynamics import Dynamics
from glitchmark.influence.factors import cross_entropy
from glitchmark.signals._cancellation import cancellation_by_signal
from glitchmark.signals._series import SERIES as SIGNALS
from glitchmark.signals._series import series
from glitchmark.store import Entry


def training_curves(entry: Entry, kind: np.ndarray) -> Iterator[dict[str, Any]]:
    """Training loss by epoch, validation accuracy by checkpoint; by checkpoint, mean loss and accuracy of the observed
    labels of each kind of training samples."""
    curves = entry.info["curves"]
    for epoch, loss in enumerate(curves["loss"], start=1):
        yield _row("training_loss", epoch, loss)
    for epoch, accuracy in zip(curves["epochs"], curves["validation_accuracy"], strict=True):
        yield _row("validation_accuracy", epoch, accuracy)
    logits, labels = entry.arrays["logits_train"], entry.arrays["labels_train"]
    checkpoints, n, classes = logits.shape
    loss = cross_entropy(logits.reshape(-1, classes), np.tile(labels, checkpoints)).reshape(checkpoints, n)
    correct = logits.argmax(axis=2) == labels
    for name, values in {"training_loss_by_epoch": loss, "training_accuracy_by_epoch": correct}.items():
        for shown, members in by_kind(kind):
            for epoch, value in zip(curves["epochs"], values[:, members].mean(axis=1), strict=True):
                yield _row(name, epoch, value, shown)


def influence_by_epoch(entry: Entry, kind: np.ndarray) -> Iterator[dict[str, Any]]:
    """Mean SI, MI and AAI of a kind of samples at each checkpoint alone, and how much of each signal cancels over
    validation samples and checkpoints (x: 0)."""
    dynamics = Dynamics(**entry.arrays)
    by_epoch = {signal: series(dynamics, signal) for signal in SIGNALS}
    cancelled = cancellation_by_signal(dynamics)
    for shown, members in by_kind(kind):
        for signal, values in by_epoch.items():
            for epoch, value in zip(entry.info["epochs"], values[:, members].mean(axis=1), strict=True):
                yield _row(f"{signal}_by_epoch", epoch, value, shown)
        for signal, index in cancelled.items():
            yield _row(f"{signal}_cancellation", 0, index[members].mean(), shown)


def agreement(entry: Entry, kind: np.ndarray) -> Iterator[dict[str, Any]]:
    """The correlation with the reference for each validation sample (x: its position)."""
    for j, value in enumerate(entry.arrays["correlation"]):
        yield _row("agreement", j, value)


def _row(name: str, x: float, value: float, group: str = "") -> dict[str, Any]:
    return {"class": group, "series": name, "x": float(x), "value": float(value)}


class Series(NamedTuple):
    """rows: of an entry and the kind of each sample. names: the series that are missing where the entry failed."""

    rows: Callable[[Entry, np.ndarray], Iterator[dict[str, Any]]]
    names: tuple[str, ...]


# by the stage that leaves the entry
SERIES = {
    "train": Series(
        training_curves,
        ("training_loss", "validation_accuracy", "training_loss_by_epoch", "training_accuracy_by_epoch"),
    ),
    "dynamics": Series(
        influence_by_epoch,
        (*(f"{s}_by_epoch" for s in SIGNALS), *(f"{s}_cancellation" for s in ("si", "mi", "aai", "gd_class"))),
    ),
    "agreement": Series(agreement, ("agreement",)),
}
