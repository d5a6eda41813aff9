"""Positive counterfactual influence difference."""

import numpy as np

from glitchmark.signals import Influence, signal


@signal("pcid", targets="anomalous", reference="Myrtakis et al., KDD 2025, Algorithm 2")
def pcid(influence: Influence) -> np.ndarray:
    """Inverse of positive influence times its largest change, in any class, under the counterfactual label (pcf).

    No influence at all ranks highest; its score is the largest that float64 can invert to.
    """
    u = influence.class_sums().pos.astype(np.float64)
    u_relabelled = influence.class_sums(influence.pcf).pos
    product = u.sum(axis=1) * np.abs(u - u_relabelled).max(axis=1)
    return 1 / np.maximum(product, np.finfo(np.float64).tiny)
