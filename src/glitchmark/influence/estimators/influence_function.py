"""The influence function with an exact Hessian of the last layer."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.special import softmax

from glitchmark.errors import CellError
from glitchmark.influence.estimators import estimator
from glitchmark.influence.estimators._curvature import hessian
from glitchmark.influence.estimators._preconditioned import Preconditioned
from glitchmark.influence.factors import Factors
from glitchmark.parameters import one_of, positive


@estimator("influence_function", reference="Koh & Liang, ICML 2017, eq. 2; Nguyen-Duc et al., ACL 2023, eq. 2")
class InfluenceFunction(Preconditioned):
    """Influence function: (1/n) <g_i, (H + damping I)^-1 g_j> at the last checkpoint.

    H is the mean Hessian of the training loss with respect to the last layer. Positive: without sample i, the loss of
    sample j would rise by about this much, if the last layer minimised the mean loss plus (damping/2) |W|^2.
    curvature: "hessian", the exact one, which for a linear layer is the generalised Gauss-Newton matrix; or
    "empirical_fisher", the mean of g g^T, which depends on the observed labels.
    damping: absolute, and needed: H is singular, since adding one vector to all classes' weights changes no softmax.
    max_memory_gb: how large H, of (C (d + 1))^2 doubles, may be. bias: whether the layer's bias counts.
    """

    def __init__(
        self,
        factors: Factors,
        *,
        curvature: str = "hessian",
        damping: float = 0.01,
        max_memory_gb: float = 4.0,
        bias: bool = True,
    ):
        one_of(curvature, "curvature", ("hessian", "empirical_fisher"))
        positive(damping, "damping")
        super().__init__(factors, bias)
        size = 8 * self.n_parameters**2 / 1e9
        if size > positive(max_memory_gb, "max_memory_gb"):
            raise CellError(
                f"influence_function needs a Hessian of {size:.1f} GB for {self.n_classes} classes x {self.dimension} "
                f"weights, more than max_memory_gb: {max_memory_gb}; raise max_memory_gb, or use ekfac, datainf or "
                "conjugate_gradient"
            )
        if curvature == "hessian":
            h = hessian(self.features, softmax(self.factors.logits_train[0].astype(np.float64), axis=1))
        else:
            h = self._empirical_fisher()
        h.flat[:: self.n_parameters + 1] += damping
        try:
            self.factor = cho_factor(h.T, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError as error:
            raise CellError(
                f"influence_function: the Hessian plus damping: {damping} is not positive definite in double "
                "precision; raise damping"
            ) from error
        self.solve_targets()

    def solve(self, gradients: np.ndarray) -> np.ndarray:
        """(H + damping I)^-1 / n applied to gradients (k, C, D)."""
        flat = gradients.reshape(len(gradients), -1)
        return cho_solve(self.factor, flat.T, check_finite=False).T.reshape(gradients.shape) / self.n

    def _empirical_fisher(self) -> np.ndarray:
        """(1/n) sum_i g_i g_i^T, float64 (p, p)."""
        total = np.zeros((self.n_parameters, self.n_parameters))
        for gradients in self.training_gradients():
            flat = gradients.reshape(len(gradients), -1)
            total += flat.T @ flat
        total /= self.n
        return total
