"""Margin of the observed label, a baseline."""

import numpy as np

from glitchmark.signals import Influence, signal
from glitchmark.signals._margins import margins


@signal("margin", targets="mislabeled", reads="training", reference="baseline")
def margin(influence: Influence) -> np.ndarray:
    """Largest other logit minus the logit of the observed label, at the last checkpoint."""
    return -margins(influence.factors.logits_train[-1:], influence.labels)[0]
