"""Plain loss, a baseline."""

import numpy as np

from glitchmark.influence.factors import cross_entropy
from glitchmark.signals import Influence, signal


@signal("loss", targets="mislabeled", reads="training", reference="baseline")
def loss(influence: Influence) -> np.ndarray:
    """Cross-entropy of the observed label at the last checkpoint."""
    return cross_entropy(influence.factors.logits_train[-1], influence.labels)
