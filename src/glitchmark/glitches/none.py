"""No glitch: the control, and a user's own data whose glitches are not known."""

import numpy as np

from glitchmark.glitches import TrainingData, glitch


@glitch("none", kind="", reference="control")
def none(data: TrainingData, rng: np.random.Generator) -> TrainingData:
    """The data as they are."""
    return data
