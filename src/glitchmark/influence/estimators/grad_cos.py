"""Gradient cosine similarity."""

import numpy as np

from glitchmark.influence.estimators import estimator
from glitchmark.influence.estimators._gradient_products import GradientProducts
from glitchmark.influence.factors import Factors
from glitchmark.parameters import one_of


@estimator(
    "grad_cos", reference="Charpiat et al., NeurIPS 2019; Nguyen-Duc et al., ACL 2023, table 1 (GC), limitation 2"
)
class GradCos(GradientProducts):
    """Grad-Cos: <g_i, g_j> / (|g_i| |g_j|) at the last checkpoint.

    Positive: the gradients agree. No damping; a zero gradient has no influence.
    normalise: "both", or "targets" for the partial form, <g_i, g_j> / |g_j|, which keeps how large g_i is.
    bias: whether the layer's bias counts.
    """

    def __init__(self, factors: Factors, *, normalise: str = "both", bias: bool = True):
        self.normalise = one_of(normalise, "normalise", ("both", "targets"))
        super().__init__(factors.at(-1), np.ones(1), bias)

    def training_residuals(self, rows: slice | np.ndarray, labels: np.ndarray, checkpoints: slice) -> np.ndarray:
        """Residuals over the norm of the gradient, where that is asked for."""
        errors = super().training_residuals(rows, labels, checkpoints)
        return errors if self.normalise == "targets" else self._unit(errors, self.factors.features_train[:, rows])

    def target_residuals(self) -> np.ndarray:
        """Residuals over the norm of the gradient."""
        return self._unit(super().target_residuals(), self.factors.features_val)

    def self_influence(self) -> np.ndarray:
        """1, or under the partial form |g_i|; 0 for a zero gradient. float64 (n,)."""
        squares = super().self_influence()
        return np.sqrt(squares) if self.normalise == "targets" else (squares > 0).astype(np.float64)

    def _unit(self, errors: np.ndarray, features: np.ndarray) -> np.ndarray:
        """errors (1, k, C) scaled so that the gradients have length 1; zero stays zero."""
        wide = errors.astype(np.float64)  # squares of tiny residuals would underflow
        lengths = np.linalg.norm(wide, axis=2)
        lengths *= np.sqrt(np.einsum("tkd,tkd->tk", features, features, dtype=np.float64) + self.bias)
        return np.divide(wide, lengths[..., None], out=np.zeros_like(wide), where=lengths[..., None] > 0).astype(
            np.float32
        )
