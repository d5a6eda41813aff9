"""DataInf."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.influence.estimators import estimator
from glitchmark.influence.estimators._preconditioned import Preconditioned
from glitchmark.influence.factors import Factors
from glitchmark.parameters import positive


@estimator("datainf", reference="Kwon et al., ICLR 2024")
class DataInf(Preconditioned):
    """DataInf: <g_i, M g_j>, with M = (1/n) sum_k (lambda I + g_k g_k^T)^-1, over the training samples k.

    M is the mean of inverses in the place of the inverse of the mean. By Sherman and Morrison it is
    (1/lambda) (I - (1/n) sum_k g_k g_k^T / (lambda + |g_k|^2)). Positive: training on i lowers the loss of j, which is
    minus the paper's sign; as in the paper, no 1/n stands before it. M depends on the observed labels.
    damping_scale: lambda over the mean of the squared entries of the training gradients. bias: as elsewhere.
    """

    def __init__(self, factors: Factors, *, damping_scale: float = 0.1, bias: bool = True):
        positive(damping_scale, "damping_scale")
        super().__init__(factors, bias)
        squares = np.concatenate([np.square(g).sum(axis=(1, 2)) for g in self.training_gradients()])
        self.ridge = damping_scale * squares.mean() / self.n_parameters
        if not self.ridge > 0:
            raise CellError("datainf: all training gradients are zero, so that their mean square sets no damping")
        self.weights = 1 / (self.ridge + squares)
        self.solve_targets()

    def solve(self, gradients: np.ndarray) -> np.ndarray:
        """M applied to gradients (k, C, D)."""
        flat = gradients.reshape(len(gradients), -1)
        mean, start = np.zeros_like(flat), 0
        for chunk in self.training_gradients():
            training = chunk.reshape(len(chunk), -1)
            weights = self.weights[start : start + len(chunk)] / self.n
            mean += (flat @ training.T * weights) @ training
            start += len(chunk)
        return ((flat - mean) / self.ridge).reshape(gradients.shape)
