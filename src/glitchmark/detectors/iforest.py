"""Isolation forest on raw inputs."""

import numpy as np

from glitchmark.detectors import Data, detector
from glitchmark.detectors._pyod import isolation_forest


@detector(
    "iforest",
    targets="anomalous",
    reads=("inputs",),
    requires=("scikit-learn",),
    reference="Liu et al., ICDM 2008; PyOD",
)
def iforest(data: Data, *, n_estimators: int = 100) -> np.ndarray:
    """PyOD's isolation forest with its default settings, on pixels or columns."""
    return isolation_forest(data.inputs, data.seed, n_estimators)
