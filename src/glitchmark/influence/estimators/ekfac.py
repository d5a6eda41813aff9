"""Eigenvalue-corrected Kronecker factors."""

import numpy as np
from scipy.special import softmax

from glitchmark.errors import CellError
from glitchmark.influence.estimators import estimator
from glitchmark.influence.estimators._preconditioned import Preconditioned
from glitchmark.influence.factors import Factors
from glitchmark.parameters import positive


@estimator("ekfac", reference="George et al., NeurIPS 2018; Grosse et al., arXiv 2308.03296, 2023")
class Ekfac(Preconditioned):
    """EK-FAC: the influence function, (1/n) <g_i, (H + damping I)^-1 g_j>, with H diagonal in a Kronecker basis.

    The basis: eigenvectors of A, the mean of [u, 1][u, 1]^T, and of S, the mean of diag(p) - p p^T, which is the
    covariance of the residuals under the model's own labels. The eigenvalues: the exact H's second moments along it,
    L_ab = mean over k of (Q_S^T (diag(p_k) - p_k p_k^T) Q_S)_aa (Q_A^T [u_k, 1])_b^2. Exact where all p_k are equal.
    Positive: training on i lowers the loss of j. damping_scale: damping over the mean of L. bias: as elsewhere.
    """

    def __init__(self, factors: Factors, *, damping_scale: float = 0.1, bias: bool = True):
        positive(damping_scale, "damping_scale")
        super().__init__(factors, bias)
        u = self.features.astype(np.float64)
        p = softmax(self.factors.logits_train[0].astype(np.float64), axis=1)
        _, self.feature_basis = np.linalg.eigh(u.T @ u / self.n)
        _, self.class_basis = np.linalg.eigh(np.diag(p.mean(axis=0)) - p.T @ p / self.n)
        # the variance, under p_k, of each eigenvector's entries; rounding may leave it just below zero
        variances = np.maximum(p @ np.square(self.class_basis) - np.square(p @ self.class_basis), 0)
        eigenvalues = variances.T @ np.square(u @ self.feature_basis) / self.n
        damping = damping_scale * eigenvalues.mean()
        if not damping > 0:
            raise CellError("ekfac: the Hessian is zero, since every softmax is saturated; the model has overfitted")
        self.damped = eigenvalues + damping
        self.solve_targets()

    def solve(self, gradients: np.ndarray) -> np.ndarray:
        """(H + damping I)^-1 / n applied to gradients (k, C, D)."""
        rotated = self.class_basis.T @ gradients @ self.feature_basis
        return self.class_basis @ (rotated / (self.damped * self.n)) @ self.feature_basis.T
