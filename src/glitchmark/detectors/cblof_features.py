"""Cluster-based local outlier factor on the model's features."""

import numpy as np

from glitchmark.detectors import Data, detector
from glitchmark.detectors._pyod import cluster_based


@detector(
    "cblof_features",
    targets="anomalous",
    reads=("features",),
    requires=("scikit-learn",),
    reference="He et al., Pattern Recognition Letters 2003; PyOD",
)
def cblof_features(data: Data, *, n_clusters: int = 8) -> np.ndarray:
    """PyOD's CBLOF with its default settings, on the inputs of the model's last layer.

    The distance to the nearest centre of a large cluster among ``n_clusters`` of k-means. Distances are between
    features as they are: PyOD scales nothing.
    """
    return cluster_based(data.features, data.seed, n_clusters)
