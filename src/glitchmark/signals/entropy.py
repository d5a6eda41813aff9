"""Entropy of the prediction, a baseline."""

import numpy as np
from scipy.special import softmax

from glitchmark.influence.factors import cross_entropy
from glitchmark.signals import Influence, signal


@signal("entropy", targets="mislabeled", reads="training", reference="baseline")
def entropy(influence: Influence) -> np.ndarray:
    """Entropy of the predicted probabilities at the last checkpoint, in nats.

    It does not read the observed label: mislabeled samples stand out only once training starts to memorise them.
    It is the loss under the most probable label plus the expected distance of the logits to the largest: the terms are
    not negative, so that it is exact for saturated softmaxes.
    """
    logits = influence.factors.logits_train[-1].astype(np.float64)
    behind = logits.max(axis=1, keepdims=True) - logits
    return cross_entropy(logits, logits.argmax(axis=1)) + (softmax(logits, axis=1) * behind).sum(axis=1)
