"""Area under the margin."""

import numpy as np

from glitchmark.signals import Influence, signal
from glitchmark.signals._margins import margins


@signal("aum", targets="mislabeled", reads="training", reference="Pleiss et al., NeurIPS 2020, eq. 2")
def aum(influence: Influence) -> np.ndarray:
    """Minus the mean over the checkpoints of the observed label's margin over the largest other logit."""
    return -margins(influence.factors.logits_train, influence.labels).mean(axis=0)
