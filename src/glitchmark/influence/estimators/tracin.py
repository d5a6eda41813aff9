"""TracIn over checkpoints."""

import numpy as np

from glitchmark.influence.estimators import Rows, estimator
from glitchmark.influence.factors import Factors, residuals


@estimator("tracin", reference="Pruthi et al., NeurIPS 2020, eq. 3 (TracInCP)")
class TracIn:
    """I(i, j) = sum over checkpoints t of lr_t <g_i, g_j>, with last-layer gradients g = residual outer [feature, 1].

    bias: whether the layer's bias counts, i.e. the 1 in [feature, 1] (Captum: TracInCP with, TracInCPFast without).
    Dividing by a constant batch size, as in eq. 1 of Myrtakis et al., would change no ranking.
    """

    def __init__(self, factors: Factors, *, bias: bool = True):
        self.factors, self.bias = factors, bias
        self.residuals_train = residuals(factors.logits_train, factors.labels_train)
        rates = factors.learning_rates[:, None, None].astype(np.float32)
        self.scaled_val = rates * residuals(factors.logits_val, factors.labels_val)

    def rows(self, start: int, stop: int) -> Rows:
        """Rows start..stop; one product of features a block where the trunk is frozen, else one a checkpoint."""
        val = self.scaled_val
        train = self.residuals_train[:, start:stop]
        if self.factors.frozen:
            # sum_t lr_t D_t Dv_t^T as one product with inner dimension T C
            kernel = self._kernel(0, start, stop)
            t, b, c = train.shape
            weights = train.transpose(1, 0, 2).reshape(b, t * c) @ val.transpose(1, 0, 2).reshape(-1, t * c).T
            influence = np.multiply(kernel, weights, out=weights)
        else:
            influence = np.zeros((stop - start, val.shape[1]), np.float32)
            for t in range(len(train)):
                kernel = self._kernel(t, start, stop)
                weights = train[t] @ val[t].T
                influence += np.multiply(kernel, weights, out=weights)

        def relabelled(labels: np.ndarray) -> np.ndarray:
            return kernel * (residuals(self.factors.logits_train[-1, start:stop], labels) @ val[-1].T)

        return Rows(influence, relabelled)

    def self_influence(self) -> np.ndarray:
        """sum_t lr_t |residual|^2 (|feature|^2 + 1), float64 (n,)."""
        squares = np.square(self.factors.features_train, dtype=np.float64).sum(axis=2) + self.bias
        errors = np.square(self.residuals_train, dtype=np.float64).sum(axis=2)
        return (self.factors.learning_rates[:, None] * squares * errors).sum(axis=0)

    def _kernel(self, t: int, start: int, stop: int) -> np.ndarray:
        """<[u, 1], [u', 1]> at checkpoint t, float32 (b, m)."""
        product = self.factors.features_train[t, start:stop] @ self.factors.features_val[t].T
        if self.bias:
            product += 1
        return product
