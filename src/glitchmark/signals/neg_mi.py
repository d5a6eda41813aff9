"""Marginal influence in the harmful direction."""

import numpy as np

from glitchmark.signals import Influence, signal


@signal(
    "neg_mi",
    targets="mislabeled",
    reference="marginal influence with its sign turned: harmful samples rank first",
    uses=("magnitude",),
)
def neg_mi(influence: Influence) -> np.ndarray:
    """Minus the sum of a sample's influence over the validation set."""
    return -influence.class_sums().total.sum(axis=1)
