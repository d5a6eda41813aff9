"""Signals checkpoint by checkpoint."""

import numpy as np

from glitchmark.influence.dynamics import Dynamics
from glitchmark.parameters import one_of

SERIES = ("mi", "aai", "si")


def series(dynamics: Dynamics, of: str) -> np.ndarray:
    """Marginal ("mi"), average absolute ("aai") or self-influence ("si") at each checkpoint alone, float64 (T, n)."""
    if one_of(of, "of", SERIES) == "si":
        return dynamics.self_influence
    neg, pos = (part.sum(axis=2, dtype=np.float64) for part in (dynamics.neg, dynamics.pos))
    return pos + neg if of == "mi" else (pos - neg) / dynamics.n_validation
