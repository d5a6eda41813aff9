"""Forgetting events."""

import numpy as np

from glitchmark.signals import Influence, signal
from glitchmark.signals._margins import margins


@signal("forgetting", targets="mislabeled", reads="training", reference="Toneva et al., ICLR 2019, definition 1")
def forgetting(influence: Influence) -> np.ndarray:
    """How often the observed label is predicted at a checkpoint and not at the next.

    A sample whose label is never predicted ranks above all: its score is the number of checkpoints, T. A tie between
    the largest logits predicts nothing.
    """
    learnt = margins(influence.factors.logits_train, influence.labels) > 0
    events = (learnt[:-1] & ~learnt[1:]).sum(axis=0)
    return np.where(learnt.any(axis=0), events, len(learnt))
