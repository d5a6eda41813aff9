"""Class-dependent noise in a single class."""

import numpy as np

from glitchmark.glitches import MISLABELED, TrainingData, glitch


@glitch("singular", kind=MISLABELED, reference="Myrtakis et al., KDD 2025, section 5 and Figs. 1b, 1d")
def singular(data: TrainingData, rng: np.random.Generator, *, ratio: float) -> TrainingData:
    """In one random class a share of the samples gets the label of one other class.

    ratio: of the samples of that class, so that with ten balanced classes a tenth of it is the share of all samples.
    Raises CellError where it rounds to zero samples.
    """
    c, shift = rng.integers(data.n_classes), rng.integers(1, data.n_classes)
    members = data.true_label == c
    samples = data.draw(data.count(ratio, int(members[: data.n_original].sum())), rng, members)
    return data.relabel(samples, (c + shift) % data.n_classes, "singular")
