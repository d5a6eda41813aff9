"""L1 norm of the gradient."""

import numpy as np

from glitchmark.influence.factors import residuals
from glitchmark.signals import Influence, signal


@signal("gradient_l1", targets="both", reads="training", reference="Chhabra et al., ICML 2025, section 3 (L1-norm)")
def gradient_l1(influence: Influence, *, bias: bool = True) -> np.ndarray:
    """|g|_1 of the last layer's gradient at the last checkpoint, which factorises: |residual|_1 |[feature, 1]|_1.

    bias: whether the layer's bias counts, which is the 1.
    """
    last = influence.factors.at(-1)
    errors = np.abs(residuals(last.logits_train[0], influence.labels)).sum(axis=1, dtype=np.float64)
    return errors * (np.abs(last.features_train[0]).sum(axis=1, dtype=np.float64) + bias)
