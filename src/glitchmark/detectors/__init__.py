"""Baseline detectors: one module each, from data or predictions to one suspicion score per training sample."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from glitchmark.errors import CellError
from glitchmark.registry import plugin
from glitchmark.scores import Scores, check_targets

__all__ = ["CellModel", "Data", "Scores", "detector"]

# What a detector may declare that it reads; what reads inputs or features alone gets no labels, all others do
READS = ("inputs", "features", "out_of_sample", "model", "annotator", "labels")
UNLABELED = ({"inputs"}, {"features"})


class CellModel(Protocol):
    """The cell's model with its initial weights, and the samples that it can be trained on.

    Rows 0..n_train-1 are the training samples, those from n_train on the validation samples, whose labels are
    labels_val, int64 (m,), and true.
    """

    n_train: int
    labels_val: np.ndarray

    def fit(self, rows: np.ndarray, labels: np.ndarray, epochs: int) -> None:
        """Train on from where it is, on ``rows`` and ``labels``, int64 (k,), at the settings' constant learning rate.

        Raises CellError where training diverges.
        """

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """Logits in eval mode, float64 (k, C)."""


class Data:
    """What a detector reads of a cell; only what its decorator's ``reads`` names can be read.

    n_classes: C. seed: an integer for whatever the detector draws. readers: how to fetch what was declared, by its name
    in READS.
    """

    def __init__(self, n_classes: int, seed: int, readers: Mapping[str, Callable]):
        self.n_classes, self.seed, self._readers = n_classes, seed, readers

    @cached_property
    def labels(self) -> np.ndarray:
        """Observed labels, int64 (n,)."""
        return self._read("labels")()

    @cached_property
    def inputs(self) -> np.ndarray:
        """Raw inputs, one row a sample: float32 (n, d)."""
        x = self._read("inputs")()
        return x.reshape(len(x), -1).astype(np.float32)

    @cached_property
    def features(self) -> np.ndarray:
        """Inputs of the model's last layer at the last checkpoint, float32 (n, d)."""
        return self._read("features")()

    @cached_property
    def out_of_sample(self) -> np.ndarray:
        """Class probabilities from models that were trained without the sample, float64 (n, C)."""
        return self._read("out_of_sample")()

    @cached_property
    def model(self) -> CellModel:
        """The cell's untrained model, which the detector trains itself."""
        return self._read("model")()

    def annotate(self, samples: np.ndarray) -> np.ndarray:
        """The true labels, int64 (k,), that an annotator gives to training samples; -1: of no class."""
        return self._read("annotator")(samples)

    def _read(self, name: str) -> Callable[..., Any]:
        if name not in self._readers:
            raise CellError(f"the detector reads '{name}' without declaring it; add it to its reads=(...)")
        return self._readers[name]


def detector(
    name: str, *, targets: str, reads: tuple[str, ...], requires: tuple[str, ...] = (), reference: str
) -> Callable[[Callable], Callable]:
    """Mark a function ``(data, **parameters) -> scores`` as a detector; it returns what a signal returns.

    reads: which of READS it needs; what it does not read does not make it run again. "labels" is added, unless it reads
    the inputs or the features alone. requires: distributions whose version its scores depend on, besides those that its
    module imports.
    """
    check_targets(targets)
    unknown = set(reads) - set(READS)
    if unknown:
        raise ValueError(f"detector '{name}' reads {sorted(unknown)}; allowed: {READS}")
    trains, beside = "model" in reads, set(reads) - {"model", "annotator", "labels"}
    if ("annotator" in reads and not trains) or (trains and beside):
        raise ValueError(f"detector '{name}' reads {reads}; 'model' goes with 'annotator' and 'labels' alone")
    if set(reads) not in UNLABELED:
        reads = tuple(dict.fromkeys((*reads, "labels")))
    return plugin("detector", name, targets=targets, reads=tuple(reads), requires=tuple(requires), reference=reference)
