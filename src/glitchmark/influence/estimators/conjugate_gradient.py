"""The influence function by conjugate gradients."""

import numpy as np
from scipy.special import softmax

from glitchmark.errors import CellError
from glitchmark.influence.estimators import estimator
from glitchmark.influence.estimators._curvature import hessian_product
from glitchmark.influence.estimators._preconditioned import Preconditioned
from glitchmark.influence.factors import Factors
from glitchmark.parameters import at_least_one, positive


@estimator("conjugate_gradient", reference="Martens, ICML 2010; Koh & Liang, ICML 2017, section 3")
class ConjugateGradient(Preconditioned):
    """Conjugate gradients: (1/n) <g_i, x_j>, where (H + damping I) x_j = g_j is solved without forming H.

    The same influence as influence_function's, for layers whose Hessian does not fit. Positive: training on i lowers
    the loss of j. damping: absolute. tolerance: |g_j - (H + damping I) x_j| over |g_j| at which x_j is good enough.
    max_iterations: products with H a gradient may take. bias: whether the layer's bias counts.
    """

    iterative = True

    def __init__(
        self,
        factors: Factors,
        *,
        damping: float = 0.01,
        tolerance: float = 1e-6,
        max_iterations: int = 1000,
        bias: bool = True,
    ):
        super().__init__(factors, bias)
        self.damping, self.tolerance = positive(damping, "damping"), positive(tolerance, "tolerance")
        self.max_iterations = at_least_one(max_iterations, "max_iterations")
        self.probabilities = softmax(self.factors.logits_train[0].astype(np.float64), axis=1)
        self.solve_targets()

    def solve(self, gradients: np.ndarray) -> np.ndarray:
        """(H + damping I)^-1 / n applied to gradients (k, C, D), all at once."""
        x, rest, direction = np.zeros_like(gradients), gradients.copy(), gradients.copy()
        squares = _inner(rest, rest)
        wanted = np.square(self.tolerance) * squares
        for _ in range(self.max_iterations):
            open_ = np.flatnonzero(squares > wanted)
            if not open_.size:
                return x / self.n
            step = direction[open_]
            product = hessian_product(self.features, self.probabilities, step) + self.damping * step
            length = (squares[open_] / _inner(step, product))[:, None, None]
            x[open_] += length * step
            rest[open_] -= length * product
            before, squares[open_] = squares[open_], _inner(rest[open_], rest[open_])
            direction[open_] = rest[open_] + (squares[open_] / before)[:, None, None] * step
        if not (squares > wanted).any():
            return x / self.n
        reached = np.sqrt((squares / np.where(wanted > 0, wanted, 1)).max()) * self.tolerance
        raise CellError(
            f"conjugate_gradient: a relative residual of {reached:.1e} is left after {self.max_iterations} iterations, "
            f"above tolerance: {self.tolerance:g}; raise max_iterations, tolerance or damping"
        )


def _inner(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """<a, b> of each of k gradients, (k,)."""
    return np.einsum("kcd,kcd->k", a, b)
