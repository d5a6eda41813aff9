"""Deep one-class classification on the model's features."""

import numpy as np

from glitchmark.detectors import Data, detector
from glitchmark.detectors._pyod_deep import one_class_network


@detector(
    "deep_svdd_features",
    targets="anomalous",
    reads=("features",),
    requires=("scikit-learn", "torch"),
    reference="Ruff et al., ICML 2018; PyOD",
)
def deep_svdd_features(data: Data, *, epochs: int = 100) -> np.ndarray:
    """PyOD's DeepSVDD with its default settings, on the inputs of the model's last layer.

    The squared distance of a small network's output from a centre, after training for ``epochs`` to bring all samples
    near it. Scores of two seeds may differ much.
    """
    return one_class_network(data.features, data.seed, epochs)
