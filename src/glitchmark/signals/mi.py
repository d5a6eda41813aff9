"""Marginal influence."""

import numpy as np

from glitchmark.signals import Influence, signal


@signal(
    "mi",
    targets="mislabeled",
    reference="Myrtakis et al., KDD 2025, section 7, as its code ranks it",
    uses=("magnitude",),
)
def mi(influence: Influence) -> np.ndarray:
    """Sum of a sample's influence over the validation set; large is suspicious, as published."""
    return influence.class_sums().total.sum(axis=1)
