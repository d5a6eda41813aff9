"""Nearest neighbours among the training samples."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.parameters import at_least_one
from glitchmark.signals import Influence


def nearest(influence: Influence, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances, float (n, k), and indices, int64 (n, k), of the k other training samples nearest to each by the
    features at the last checkpoint; its duplicates count as others."""
    from sklearn.neighbors import NearestNeighbors  # a second to import

    features = influence.factors.features_train[-1]
    if at_least_one(neighbours, "neighbours") >= len(features):
        raise CellError(f"neighbours: {neighbours} is too many for {len(features)} training samples; lower it")
    # without samples of its own, kneighbors asks for the neighbours of those that were fitted, less themselves
    return NearestNeighbors(n_neighbors=neighbours).fit(features).kneighbors()
