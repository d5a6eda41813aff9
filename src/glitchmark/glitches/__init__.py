"""What is broken on purpose: one module a glitch, each taking training data and returning broken training data."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from glitchmark.errors import CellError
from glitchmark.registry import plugin

MISLABELED, ANOMALOUS = "mislabeled", "anomalous"
NO_CLASS = -1  # the true label of a sample that belongs to no class


@dataclass(frozen=True)
class TrainingData:
    """Training data before or after a glitch; samples are references to rows of pools, never copies.

    source: str (n,), the pool's id. row: int64 (n,), the row in that pool.
    true_label, observed_label: int64 (n,); an anomaly's true label is NO_CLASS.
    glitch: str (n,), the glitch that hit the sample, "" for an untouched one; no sample is hit twice.
    kind: str (n,), "mislabeled", "anomalous" or "".
    n_original: number of samples before any glitch; every ratio refers to it.
    n_classes: C.
    """

    source: np.ndarray
    row: np.ndarray
    true_label: np.ndarray
    observed_label: np.ndarray
    glitch: np.ndarray
    kind: np.ndarray
    n_original: int
    n_classes: int

    @classmethod
    def clean(cls, source: str, row: np.ndarray, label: np.ndarray, n_classes: int) -> "TrainingData":
        """Data that no glitch has touched."""
        n = len(row)
        blank = np.full(n, "", dtype="U32")
        return cls(np.full(n, source), row, label, label.copy(), blank, blank.copy(), n, n_classes)

    @property
    def untouched(self) -> np.ndarray:
        """Rows that no glitch has hit, int64."""
        return np.flatnonzero(self.glitch == "")

    def count(self, ratio: float) -> int:
        """The number of samples that a ratio means; raises CellError where it rounds to zero."""
        k = round(ratio * self.n_original)
        if k == 0:
            raise CellError(
                f"ratio {ratio:g} of {self.n_original} training samples rounds to zero samples; "
                f"use at least {1 / self.n_original:.2g} or more data"
            )
        return k

    def relabel(self, rows: np.ndarray, labels: np.ndarray, glitch: str) -> "TrainingData":
        """The data with other observed labels in ``rows``."""
        observed, name, kind = self.observed_label.copy(), self.glitch.copy(), self.kind.copy()
        name = name.astype(np.result_type(name, np.asarray(glitch)))
        observed[rows], name[rows], kind[rows] = labels, glitch, MISLABELED
        return replace(self, observed_label=observed, glitch=name, kind=kind)

    def add(self, source: str, rows: np.ndarray, label: int, glitch: str) -> "TrainingData":
        """The data with samples of another pool appended, all observed as class ``label``."""
        k = len(rows)
        return replace(
            self,
            source=np.concatenate([self.source, np.full(k, source)]),
            row=np.concatenate([self.row, rows]),
            true_label=np.concatenate([self.true_label, np.full(k, NO_CLASS)]),
            observed_label=np.concatenate([self.observed_label, np.full(k, label)]),
            glitch=np.concatenate([self.glitch, np.full(k, glitch)]),
            kind=np.concatenate([self.kind, np.full(k, ANOMALOUS)]),
        )


@dataclass(frozen=True)
class AnomalySource:
    """Where far anomalies come from: the pool's id and its labels, int64 (N,)."""

    name: str
    labels: np.ndarray


def glitch(
    name: str,
    *,
    kind: str,
    modalities: tuple[str, ...] = ("image", "table"),
    needs_anomaly_source: bool = False,
    reference: str,
) -> Callable[[Callable], Callable]:
    """Mark a function ``(data, rng, [anomalies,] **parameters) -> TrainingData`` as a glitch.

    kind: "mislabeled", "anomalous", or "" for one that breaks nothing.
    modalities: what it can be applied to. needs_anomaly_source: pass it an :class:`AnomalySource` as well.
    """
    return plugin(
        "glitch",
        name,
        kind=kind,
        modalities=modalities,
        needs_anomaly_source=needs_anomaly_source,
        reference=reference,
    )
