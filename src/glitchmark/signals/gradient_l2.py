"""L2 norm of the gradient."""

import numpy as np

from glitchmark.influence.factors import residuals
from glitchmark.signals import Influence, signal


@signal("gradient_l2", targets="both", reads="training", reference="Chhabra et al., ICML 2025, section 3 (L2-norm)")
def gradient_l2(influence: Influence, *, bias: bool = True) -> np.ndarray:
    """|g|_2 of the last layer's gradient at the last checkpoint, which factorises: |residual|_2 |[feature, 1]|_2.

    bias: whether the layer's bias counts, which is the 1.
    """
    last = influence.factors.at(-1)
    errors = np.linalg.norm(residuals(last.logits_train[0], influence.labels).astype(np.float64), axis=1)
    return errors * np.sqrt(np.square(last.features_train[0], dtype=np.float64).sum(axis=1) + bias)
