"""Variance of influence during training."""

import numpy as np

from glitchmark.signals import Influence, signal
from glitchmark.signals._series import series


@signal(
    "influence_variance",
    targets="mislabeled",
    reads="dynamics",
    reference="training dynamics of Myrtakis et al., arXiv 2506.11584; variance",
)
def influence_variance(influence: Influence, *, of: str = "mi") -> np.ndarray:
    """Variance over the checkpoints of a sample's MI, AAI or SI; with one checkpoint all scores are 0.

    A clean sample's influence is soon near zero and stays there, while a mislabeled one's goes on changing. Where
    training stops before clean samples are fitted, it is theirs that changes.
    of: "mi", "aai" or "si".
    """
    return series(influence.dynamics, of).var(axis=0)
