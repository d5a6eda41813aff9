"""The influence function by stochastic recursion."""

import numpy as np
from scipy.special import softmax

from glitchmark.errors import CellError
from glitchmark.influence.estimators import estimator
from glitchmark.influence.estimators._curvature import hessian_product
from glitchmark.influence.estimators._preconditioned import Preconditioned
from glitchmark.influence.factors import Factors
from glitchmark.parameters import at_least_one, positive, seed_number


@estimator("lissa", reference="Agarwal et al., JMLR 2017; Koh & Liang, ICML 2017, section 3")
class Lissa(Preconditioned):
    """LiSSA: <g_i, h_j> / (n scale), where h_j <- g_j + (1 - damping) h_j - H_batch h_j / scale, depth times.

    With whole batches it converges to the influence function with (H + damping scale I)^-1: the ridge is damping
    times scale. What is left after depth steps falls as (1 - damping)^depth. Positive: training on sample i lowers the
    loss of sample j.
    damping: between 0 and 1. scale: at least the largest eigenvalue of any H_batch; if left out, half the largest
    squared norm of [feature, 1], which always suffices, since diag(p) - p p^T has none above 1/2.
    batch_size: samples of a batch, drawn with replacement from the seed; all samples in turn if there are no more.
    repeats: runs that are averaged. The same batches serve all gradients. bias: whether the layer's bias counts.
    """

    iterative = True

    def __init__(
        self,
        factors: Factors,
        *,
        damping: float = 0.01,
        scale: float | None = None,
        depth: int = 1000,
        batch_size: int = 32,
        repeats: int = 1,
        seed: int = 0,
        bias: bool = True,
    ):
        super().__init__(factors, bias)
        if positive(damping, "damping") >= 1:
            raise CellError(f"damping: {damping!r} must be smaller than 1; the ridge of lissa is damping times scale")
        self.damping, self.seed = damping, seed_number(seed)
        self.depth, self.repeats = at_least_one(depth, "depth"), at_least_one(repeats, "repeats")
        self.batch_size = at_least_one(batch_size, "batch_size")
        largest = np.square(self.features, dtype=np.float64).sum(axis=1).max() / 2
        # without bias all features may be zero; then so are the gradients, and any scale will do
        self.scale = (largest or 1.0) if scale is None else positive(scale, "scale")
        self.probabilities = softmax(self.factors.logits_train[0].astype(np.float64), axis=1)
        self.solve_targets()

    def solve(self, gradients: np.ndarray) -> np.ndarray:
        """The mean over repeats of h / (scale n), for gradients (k, C, D)."""
        rng = np.random.default_rng(self.seed)
        limit = _squares(gradients) / self.damping**2 * (1 + 1e-9)
        total = np.zeros_like(gradients)
        for _ in range(self.repeats):
            h = gradients
            for _ in range(self.depth):
                batch = self._batch(rng)
                step = hessian_product(self.features[batch], self.probabilities[batch], h)
                step /= -self.scale
                step += gradients
                step += (1 - self.damping) * h
                h = step
                # steps that contract keep |h| below the sum of the geometric series, |g| / damping
                if not (_squares(h) <= limit).all():
                    raise CellError(
                        f"lissa: the recursion diverges at scale: {self.scale:g}; raise scale or batch_size"
                    )
            total += h
        return total / (self.repeats * self.scale * self.n)

    def _batch(self, rng: np.random.Generator) -> np.ndarray | slice:
        return rng.integers(self.n, size=self.batch_size) if self.batch_size < self.n else slice(None)


def _squares(gradients: np.ndarray) -> np.ndarray:
    """|g|^2 of each of k gradients, (k,)."""
    return np.einsum("kcd,kcd->k", gradients, gradients)
