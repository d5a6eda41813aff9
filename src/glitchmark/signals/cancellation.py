"""Influence cancellation."""

import numpy as np

from glitchmark.parameters import one_of
from glitchmark.signals import Influence, signal
from glitchmark.signals._cancellation import cancellation_index, sign_split_index, worst_class
from glitchmark.signals._series import SERIES, series


@signal(
    "cancellation",
    targets="both",
    reads="dynamics",
    reference="cancellation effects of Myrtakis et al., arXiv 2506.11584; 1 - |sum| / sum of absolute values",
)
def cancellation(influence: Influence, *, of: str = "mi", over: str = "validation") -> np.ndarray:
    """Share of what a signal adds up that cancels, 0 to 1; a sample without influence has 0.

    It tells how far the signal can be trusted; it separates glitches from clean samples only weakly.
    of, over "validation": "mi", over all validation samples, or "gd_class", over those of the class that it picks.
    of, over "checkpoints": "mi", "aai", "si", or "gd_class", whose class is the one with the smallest sum over all
    checkpoints.
    """
    if one_of(over, "over", ("validation", "checkpoints")) == "validation":
        sums = influence.class_sums()
        return sign_split_index(sums.neg, sums.pos, one_of(of, "of (over validation)", ("mi", "gd_class")))
    if one_of(of, "of (over checkpoints)", (*SERIES, "gd_class")) != "gd_class":
        return cancellation_index(series(influence.dynamics, of), axis=0)
    totals = influence.dynamics.neg + influence.dynamics.pos
    worst = worst_class(totals.sum(axis=0))
    return cancellation_index(totals[:, np.arange(len(worst)), worst], axis=0)
