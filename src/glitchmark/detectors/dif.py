"""Deep isolation forest on raw inputs."""

import numpy as np

from glitchmark.detectors import Data, detector
from glitchmark.detectors._pyod_deep import isolation_forests_on_random_networks


@detector(
    "dif",
    targets="anomalous",
    reads=("inputs",),
    requires=("scikit-learn", "torch"),
    reference="Xu et al., TKDE 2023; PyOD",
)
def dif(data: Data, *, n_ensemble: int = 50) -> np.ndarray:
    """PyOD's deep isolation forest with its default settings, on pixels or columns.

    Isolation forests on the outputs of ``n_ensemble`` random networks.
    """
    return isolation_forests_on_random_networks(data.inputs, data.seed, n_ensemble)
