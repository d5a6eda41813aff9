"""Inverse positive influence."""

import numpy as np

from glitchmark.signals import Influence, signal


@signal("inverse_pos", targets="anomalous", reference="Myrtakis et al., KDD 2025, Algorithm 2 without its last factor")
def inverse_pos(influence: Influence) -> np.ndarray:
    """1 / the sum of a sample's positive influence: PCID without the change under the counterfactual label.

    No positive influence at all ranks highest; its score is the largest that float64 can invert to.
    """
    positive = influence.class_sums().pos.sum(axis=1, dtype=np.float64)
    return 1 / np.maximum(positive, np.finfo(np.float64).tiny)
