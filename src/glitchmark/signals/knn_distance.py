"""Distance to the nearest neighbours."""

import numpy as np

from glitchmark.signals import Influence, signal
from glitchmark.signals._neighbours import nearest


@signal("knn_distance", targets="anomalous", reads="training", reference="Angiulli & Pizzuti, PKDD 2002; as a mean")
def knn_distance(influence: Influence, *, neighbours: int = 10) -> np.ndarray:
    """Mean Euclidean distance of a sample's features to those of its nearest other training samples."""
    distances, _ = nearest(influence, neighbours)
    return distances.mean(axis=1)
