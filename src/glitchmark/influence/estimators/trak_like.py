"""TRAK with one checkpoint of the last layer."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import softmax

from glitchmark.errors import CellError
from glitchmark.influence.estimators import estimator
from glitchmark.influence.estimators._preconditioned import Preconditioned, chunks, outer
from glitchmark.influence.factors import Factors
from glitchmark.parameters import at_least_one, positive, seed_number


@estimator("trak_like", reference="Park et al., ICML 2023, section 3, with one model and its last layer alone")
class TrakLike(Preconditioned):
    """TRAK: phi_j^T (Phi^T Phi / n + damping I)^-1 phi_i (1 - p_i), at the last checkpoint.

    phi = P^T grad f, with f = log(p_y / (1 - p_y)) the margin of the label y, and P random, (C (d + 1), dimensions).
    Positive: training on i raises the margin of j. (1 - p_i) grad f_i is minus the gradient of i's loss, so that other
    labels of i change that alone; Phi keeps the observed ones. TRAK averages over many models; this is one.
    dimensions: of the projection, with normal entries of variance 1/dimensions; none if there are no more parameters.
    damping: absolute. seed: of P. max_memory_gb: how large P or Phi^T Phi may be. bias: as elsewhere.
    """

    def __init__(
        self,
        factors: Factors,
        *,
        dimensions: int = 512,
        damping: float = 0.01,
        seed: int = 0,
        max_memory_gb: float = 4.0,
        bias: bool = True,
    ):
        at_least_one(dimensions, "dimensions")
        positive(damping, "damping")
        super().__init__(factors, bias)
        projected = min(dimensions, self.n_parameters)
        size = 8 * projected * max(projected, self.n_parameters if projected == dimensions else 0) / 1e9
        if size > positive(max_memory_gb, "max_memory_gb"):
            raise CellError(
                f"trak_like needs {size:.1f} GB to project {self.n_classes} classes x {self.dimension} weights to "
                f"{projected} dimensions, more than max_memory_gb: {max_memory_gb}; lower dimensions"
            )
        self.projection = None
        if projected < self.n_parameters:
            rng = np.random.default_rng(seed_number(seed))
            self.projection = rng.standard_normal((self.n_parameters, projected)) / np.sqrt(projected)
        gram = np.zeros((projected, projected))
        directions = self.target_directions(self.factors.logits_train[0], self.factors.labels_train)
        for rows in chunks(self.n, self.n_parameters):
            phi = self._project(outer(directions[rows], self.features[rows]))
            gram += phi.T @ phi
        self.factor = cho_factor(gram / self.n + damping * np.eye(projected))
        self.solve_targets()

    def target_directions(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Minus the margin's gradient with respect to the logits: the softmax over the other classes, and -1 at the
        label. float64 (k, C)."""
        others = logits.astype(np.float64)
        np.put_along_axis(others, labels[:, None], -np.inf, axis=1)
        directions = softmax(others, axis=1)
        np.put_along_axis(directions, labels[:, None], -1, axis=1)
        return directions

    def solve(self, gradients: np.ndarray) -> np.ndarray:
        """P (Phi^T Phi / n + damping I)^-1 P^T applied to gradients (k, C, D)."""
        solved = cho_solve(self.factor, self._project(gradients).T).T
        return (solved if self.projection is None else solved @ self.projection.T).reshape(gradients.shape)

    def _project(self, gradients: np.ndarray) -> np.ndarray:
        """P^T g of each gradient: (k, C, D) -> (k, dimensions)."""
        flat = gradients.reshape(len(gradients), -1)
        return flat if self.projection is None else flat @ self.projection
