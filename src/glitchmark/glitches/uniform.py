"""Uniform class noise."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.glitches import MISLABELED, TrainingData, glitch


@glitch("uniform", kind=MISLABELED, reference="Myrtakis et al., KDD 2025, section 3.1")
def uniform(data: TrainingData, rng: np.random.Generator, *, ratio: float) -> TrainingData:
    """A share of all samples gets a different class, each other class with equal probability."""
    k = data.count(ratio)
    if k > len(data.untouched):
        raise CellError(f"ratio {ratio:g} asks for {k} samples, but only {len(data.untouched)} are untouched so far")
    rows = rng.choice(data.untouched, k, replace=False)
    shift = rng.integers(1, data.n_classes, k)  # never zero, so never the true class
    return data.relabel(rows, (data.true_label[rows] + shift) % data.n_classes, "uniform")
