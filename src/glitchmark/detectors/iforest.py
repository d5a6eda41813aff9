"""Isolation forest on raw inputs."""

import numpy as np

from glitchmark.detectors import Data, detector


@detector(
    "iforest",
    targets="anomalous",
    reads=("inputs",),
    requires=("scikit-learn",),
    reference="Liu et al., ICDM 2008; PyOD",
)
def iforest(data: Data, *, n_estimators: int = 100) -> np.ndarray:
    """PyOD's isolation forest with its default settings, on pixels or columns."""
    from pyod.models.iforest import IForest  # over a second to import

    return IForest(n_estimators=n_estimators, random_state=data.seed).fit(data.inputs).decision_scores_
