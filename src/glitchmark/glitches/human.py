"""Labels that people gave, as published with the data."""

import numpy as np

from glitchmark.glitches import MISLABELED, TrainingData, glitch


@glitch("human", kind=MISLABELED, annotated=True, reference="Wei et al., ICLR 2022 (CIFAR-10N, CIFAR-100N)")
def human(data: TrainingData, rng: np.random.Generator) -> TrainingData:
    """Nothing is injected: the observed labels are those that people gave, and where they are wrong is known."""
    n = data.n_original
    wrong = np.flatnonzero((data.annotated != data.true_label[:n]) & (data.glitch[:n] == ""))
    return data.relabel(wrong, data.annotated[wrong], "human")
