"""Class-dependent noise: every class is taken for one other class."""

import numpy as np

from glitchmark.glitches import MISLABELED, TrainingData, glitch
from glitchmark.stratified import stratified_counts


@glitch("class_dependent", kind=MISLABELED, reference="Myrtakis et al., KDD 2025, section 3.1 and Fig. 7")
def class_dependent(
    data: TrainingData, rng: np.random.Generator, *, ratio: float, derangement: bool = False
) -> TrainingData:
    """In every class a share of the samples gets the label of one other class.

    The share of all samples is exact and each class has its part of it, rounded (largest remainder): a class so rare
    that this is less than half a sample may be spared.
    Each class draws its other class at random, as in the paper's published code, so that two classes may share one;
    derangement: no two do.
    """
    targets = _derangement(data.n_classes, rng) if derangement else _other_classes(data.n_classes, rng)
    true = data.true_label[: data.n_original]
    counts = stratified_counts(np.bincount(true, minlength=data.n_classes), data.count(ratio))
    hit = [data.draw(k, rng, data.true_label == c) for c, k in enumerate(counts)]
    samples = np.concatenate(hit)
    return data.relabel(samples, targets[data.true_label[samples]], "class_dependent")


def _other_classes(n_classes: int, rng: np.random.Generator) -> np.ndarray:
    return (np.arange(n_classes) + rng.integers(1, n_classes, n_classes)) % n_classes


def _derangement(n_classes: int, rng: np.random.Generator) -> np.ndarray:
    """A uniformly random permutation that moves every class; one in e permutations is such."""
    while True:
        targets = rng.permutation(n_classes)
        if (targets != np.arange(n_classes)).all():
            return targets
