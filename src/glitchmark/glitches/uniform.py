"""Uniform class noise."""

import numpy as np

from glitchmark.glitches import MISLABELED, TrainingData, glitch


@glitch("uniform", kind=MISLABELED, reference="Myrtakis et al., KDD 2025, section 3.1")
def uniform(data: TrainingData, rng: np.random.Generator, *, ratio: float) -> TrainingData:
    """A share of all samples gets a different class, each other class with equal probability."""
    samples = data.draw(data.count(ratio), rng)
    shift = rng.integers(1, data.n_classes, len(samples))  # never zero, so never the true class
    return data.relabel(samples, (data.true_label[samples] + shift) % data.n_classes, "uniform")
