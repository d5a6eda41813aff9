"""Disagreement with the neighbours' labels."""

import numpy as np

from glitchmark.signals import Influence, Scores, signal
from glitchmark.signals._neighbours import nearest


@signal("knn_disagreement", targets="mislabeled", reads="training", reference="Wilson, IEEE SMC 1972; as a score")
def knn_disagreement(influence: Influence, *, neighbours: int = 10) -> Scores:
    """Share of a sample's nearest other training samples, by their features, that have another label.

    Their most frequent label is the suggestion; ties go to the lowest.
    """
    _, others = nearest(influence, neighbours)
    n, classes = len(others), influence.n_classes
    cells = np.arange(n)[:, None] * classes + influence.labels[others]
    votes = np.bincount(cells.ravel(), minlength=n * classes).reshape(n, classes)
    return Scores(1 - votes[np.arange(n), influence.labels] / neighbours, suggested=votes.argmax(axis=1))
