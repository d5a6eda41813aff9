"""Baseline detectors: one module each, from data or predictions to one suspicion score per training sample."""

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np

from glitchmark.errors import CellError
from glitchmark.registry import plugin
from glitchmark.scores import Scores, check_targets

__all__ = ["Data", "Scores", "detector"]

READS = ("inputs", "features", "out_of_sample")


class Data:
    """What a detector reads of a cell; only what its decorator's ``reads`` names can be read.

    labels: int64 (n,), observed. n_classes: C. seed: an integer for whatever the detector draws.
    readers: how to fetch what was declared, by its name in READS.
    """

    def __init__(self, labels: np.ndarray, n_classes: int, seed: int, readers: Mapping[str, Callable]):
        self.labels, self.n_classes, self.seed, self._readers = labels, n_classes, seed, readers

    @cached_property
    def inputs(self) -> np.ndarray:
        """Raw inputs, one row a sample: float32 (n, d)."""
        x = self._read("inputs")
        return x.reshape(len(x), -1).astype(np.float32)

    @cached_property
    def features(self) -> np.ndarray:
        """Inputs of the model's last layer at the last checkpoint, float32 (n, d)."""
        return self._read("features")

    @cached_property
    def out_of_sample(self) -> np.ndarray:
        """Class probabilities from models that were trained without the sample, float64 (n, C)."""
        return self._read("out_of_sample")

    def _read(self, name: str) -> np.ndarray:
        if name not in self._readers:
            raise CellError(f"the detector reads '{name}' without declaring it; add it to its reads=(...)")
        return self._readers[name]()


def detector(
    name: str, *, targets: str, reads: tuple[str, ...], requires: tuple[str, ...] = (), reference: str
) -> Callable[[Callable], Callable]:
    """Mark a function ``(data, **parameters) -> scores`` as a detector; it returns what a signal returns.

    reads: which of READS it needs; what it does not read does not make it run again. requires: distributions whose
    version its scores depend on, besides those that its module imports.
    """
    check_targets(targets)
    unknown = set(reads) - set(READS)
    if unknown:
        raise ValueError(f"detector '{name}' reads {sorted(unknown)}; allowed: {READS}")
    return plugin("detector", name, targets=targets, reads=tuple(reads), requires=tuple(requires), reference=reference)
