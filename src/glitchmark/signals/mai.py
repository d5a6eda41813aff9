"""Marginal absolute influence."""

import numpy as np

from glitchmark.signals import Influence, signal


@signal("mai", targets="anomalous", reference="Hara et al., NeurIPS 2019; average absolute influence as a sum")
def mai(influence: Influence) -> np.ndarray:
    """Sum of a sample's absolute influence over the validation set: m times aai."""
    sums = influence.class_sums()
    return (sums.pos - sums.neg).sum(axis=1)
