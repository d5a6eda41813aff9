"""Isolation forest on the model's features."""

import numpy as np

from glitchmark.detectors import Data, detector
from glitchmark.detectors._pyod import isolation_forest


@detector(
    "iforest_features",
    targets="anomalous",
    reads=("features",),
    requires=("scikit-learn",),
    reference="Liu et al., ICDM 2008; PyOD",
)
def iforest_features(data: Data, *, n_estimators: int = 100) -> np.ndarray:
    """PyOD's isolation forest with its default settings, on the inputs of the model's last layer."""
    return isolation_forest(data.features, data.seed, n_estimators)
