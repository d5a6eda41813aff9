"""Mean loss during training, a baseline."""

import numpy as np

from glitchmark.influence.factors import cross_entropy
from glitchmark.signals import Influence, signal


@signal("mean_loss", targets="mislabeled", reads="training", reference="baseline")
def mean_loss(influence: Influence) -> np.ndarray:
    """Mean over the checkpoints of the observed label's cross-entropy."""
    return np.mean([cross_entropy(logits, influence.labels) for logits in influence.factors.logits_train], axis=0)
