"""Trend of influence during training."""

import numpy as np

from glitchmark.signals import Influence, signal
from glitchmark.signals._series import series


@signal(
    "influence_trend",
    targets="both",
    reads="dynamics",
    reference="training dynamics of Myrtakis et al., arXiv 2506.11584; least-squares slope",
)
def influence_trend(influence: Influence, *, of: str = "mi") -> np.ndarray:
    """Least-squares slope, a checkpoint, of a sample's MI, AAI or SI; rising is suspicious.

    All three are positive for a clean sample at first and fall towards zero as it is learnt. A mislabeled sample is
    not learnt, so that its SI and AAI stay, and its MI comes from below zero. Where training goes on until validation
    samples and wrong labels are fitted, its SI and AAI fall as well, from a larger value: then the direction turns.
    With one checkpoint all scores are 0.
    of: "mi", "aai" or "si".
    """
    values = series(influence.dynamics, of)
    steps = np.arange(len(values)) - (len(values) - 1) / 2
    return steps @ values / (steps @ steps if len(values) > 1 else 1)
