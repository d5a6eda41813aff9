"""Mahalanobis distance to the nearest class."""

import numpy as np

from glitchmark.signals import Influence, signal
from glitchmark.signals._mahalanobis import squared_distances


@signal("mahalanobis_min", targets="anomalous", reads="factors", reference="Lee et al., NeurIPS 2018, eq. 2")
def mahalanobis_min(influence: Influence) -> np.ndarray:
    """Squared Mahalanobis distance of a sample's features to the nearest class of the clean samples."""
    return squared_distances(influence).min(axis=1)
