"""Deep isolation forest on the model's features."""

import numpy as np

from glitchmark.detectors import Data, detector
from glitchmark.detectors._pyod_deep import isolation_forests_on_random_networks


@detector(
    "dif_features",
    targets="anomalous",
    reads=("features",),
    requires=("scikit-learn", "torch"),
    reference="Xu et al., TKDE 2023; PyOD",
)
def dif_features(data: Data, *, n_ensemble: int = 50) -> np.ndarray:
    """PyOD's deep isolation forest with its default settings, on the inputs of the model's last layer.

    Isolation forests on the outputs of ``n_ensemble`` random networks.
    """
    return isolation_forests_on_random_networks(data.features, data.seed, n_ensemble)
