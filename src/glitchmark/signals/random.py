"""Chance, a baseline."""

import numpy as np

from glitchmark import seeds
from glitchmark.signals import Influence, signal


@signal("random", targets="both", reads="training", reference="baseline")
def random(influence: Influence) -> np.ndarray:
    """Uniform in [0, 1), from the cell's seed."""
    return seeds.generator(influence.seed, "random signal").random(len(influence.labels))
