"""Mahalanobis distance to the observed class against that to the nearest class."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.signals import Influence, Scores, signal
from glitchmark.signals._mahalanobis import squared_distances


@signal("mahalanobis", targets="mislabeled", reads="factors", reference="Lee et al., NeurIPS 2018, eq. 2, as contrast")
def mahalanobis(influence: Influence) -> Scores:
    """Squared Mahalanobis distance to the observed class minus that to the nearest class, which is the suggestion.

    It is twice the log likelihood ratio of the two under linear discriminant analysis on the clean features.
    Every observed label needs a clean sample.
    """
    distances = squared_distances(influence)
    observed = distances[np.arange(len(distances)), influence.labels]
    if not np.isfinite(observed).all():
        missing = ", ".join(map(str, np.unique(influence.labels[np.isinf(observed)])))
        raise CellError(f"no clean validation sample has the observed labels {missing}; use more validation samples")
    return Scores(observed - distances.min(axis=1), suggested=distances.argmin(axis=1))
