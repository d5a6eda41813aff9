"""Softmax regression with a ridge, fitted to convergence with some samples left out."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import softmax

from glitchmark.errors import CellError
from glitchmark.influence.estimators._curvature import hessian

NEWTON_STEPS = 100
HALVINGS = 40


class SoftmaxRegression:
    """Minimises (1/n) sum over kept k of loss_k(W) + (ridge/2) |W|^2, which is strictly convex; W is (C, D).

    features: float64 (n, D), with the 1 of the bias. labels: int64 (n,). tolerance: norm of the gradient at which W is
    the minimum.
    """

    def __init__(self, features: np.ndarray, labels: np.ndarray, n_classes: int, ridge: float, tolerance: float):
        self.features, self.labels, self.n_classes = features, labels, n_classes
        self.ridge, self.tolerance = ridge, tolerance

    def gradient(self, weights: np.ndarray, left_out: np.ndarray) -> np.ndarray:
        """Gradients at k weights (k, C, D), each without one sample, int (k,); -1 leaves none out. (k, C, D)."""
        n = len(self.features)
        errors = softmax(self.features @ weights.transpose(1, 2, 0), axis=0)  # (C, n, k)
        errors[self.labels, np.arange(n)] -= 1
        fits = np.flatnonzero(left_out >= 0)
        errors[:, left_out[fits], fits] = 0
        return (errors.transpose(0, 2, 1) @ self.features).transpose(1, 0, 2) / n + self.ridge * weights

    def factor(self, weights: np.ndarray, left_out: int = -1) -> tuple:
        """Cholesky factor of the Hessian at W, for cho_solve."""
        kept = np.arange(len(self.features)) != left_out
        features = self.features[kept]
        h = hessian(features, softmax(features @ weights.T, axis=1)) * (kept.sum() / len(kept))
        h.flat[:: len(h) + 1] += self.ridge
        return cho_factor(h, overwrite_a=True)

    def fit(self, start: np.ndarray, left_out: int = -1) -> np.ndarray:
        """The minimum (C, D), by Newton steps from ``start``, halved until the gradient gets shorter."""
        weights, out = start, np.array([left_out])
        gradient = self.gradient(weights[None], out)[0]
        for _ in range(NEWTON_STEPS):
            norm = np.linalg.norm(gradient)
            if norm <= self.tolerance:
                return weights
            step = newton_step(self.factor(weights, left_out), gradient[None])[0]
            for halving in range(HALVINGS):
                length = 0.5**halving
                trial = weights - length * step
                gradient = self.gradient(trial[None], out)[0]
                if np.linalg.norm(gradient) <= (1 - length / 4) * norm:
                    break
            weights = trial
        raise CellError(
            f"loo: a fit stops at a gradient of {norm:.1e}, above tolerance: {self.tolerance:g}; "
            "raise tolerance or ridge"
        )


def newton_step(factor: tuple, gradients: np.ndarray) -> np.ndarray:
    """H^-1 g of each gradient, (k, C, D) -> (k, C, D)."""
    return cho_solve(factor, gradients.reshape(len(gradients), -1).T).T.reshape(gradients.shape)
