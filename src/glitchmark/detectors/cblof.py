"""Cluster-based local outlier factor on raw inputs."""

import numpy as np

from glitchmark.detectors import Data, detector
from glitchmark.detectors._pyod import cluster_based


@detector(
    "cblof",
    targets="anomalous",
    reads=("inputs",),
    requires=("scikit-learn",),
    reference="He et al., Pattern Recognition Letters 2003; PyOD",
)
def cblof(data: Data, *, n_clusters: int = 8) -> np.ndarray:
    """PyOD's CBLOF with its default settings, on pixels or columns.

    The distance to the nearest centre of a large cluster among ``n_clusters`` of k-means. Distances are between inputs
    as they are: PyOD scales nothing.
    """
    return cluster_based(data.inputs, data.seed, n_clusters)
