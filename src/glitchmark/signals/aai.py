"""Average absolute influence."""

import numpy as np

from glitchmark.signals import Influence, signal


@signal(
    "aai",
    targets="anomalous",
    reference="Hara et al., NeurIPS 2019; Myrtakis et al., KDD 2025, section 7",
    uses=("magnitude",),
    undefined=("repair",),
)
def aai(influence: Influence) -> np.ndarray:
    """Mean of a sample's absolute influence over the validation set."""
    sums = influence.class_sums()
    return (sums.pos - sums.neg).sum(axis=1) / influence.n_validation
