"""Exact leave-one-out retraining of the last layer."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.influence.estimators import Rows, estimator
from glitchmark.influence.estimators._preconditioned import chunks
from glitchmark.influence.estimators._softmax_regression import SoftmaxRegression, newton_step
from glitchmark.influence.factors import Factors, augmented, cross_entropy
from glitchmark.parameters import at_least_one, positive

STEPS = 30  # with the factor of the full problem, before a fit gets its own


@estimator("loo", reference="Myrtakis et al., KDD 2025, section 2 (LOOR); Koh & Liang, ICML 2017")
class LeaveOneOut:
    """Leave-one-out: loss_j(W without sample i) - loss_j(W), by fitting the last layer n + 1 times to convergence.

    The trained features are kept and the last layer alone is fitted to them, as a softmax regression, which is convex:
    that is what makes this exact and affordable. W minimises (1/n) sum_k loss_k + (ridge/2) |W|^2, bias included;
    without i, its term is missing and all else stays. Positive: without i, the loss of j is higher. What a relabelled
    sample would do is not computed. The logits of the factors do not matter.
    ridge: as the damping of influence_function, which estimates this. tolerance: norm of the gradient that ends a fit.
    max_parameters, max_samples: larger problems are refused.
    """

    def __init__(
        self,
        factors: Factors,
        *,
        ridge: float = 0.01,
        tolerance: float = 1e-8,
        max_parameters: int = 2000,
        max_samples: int = 5000,
    ):
        last = factors.at(-1)
        self.features, self.targets = (
            augmented(f[0].astype(np.float64)) for f in (last.features_train, last.features_val)
        )
        n, size = len(self.features), last.n_classes * self.features.shape[1]
        if n > at_least_one(max_samples, "max_samples") or size > at_least_one(max_parameters, "max_parameters"):
            raise CellError(
                f"loo would fit a layer of {size} parameters to {n} samples {n} times, more than max_parameters: "
                f"{max_parameters} or max_samples: {max_samples}; raise these, or use influence_function or ekfac"
            )
        self.labels, self.target_labels = last.labels_train, last.labels_val
        self.problem = SoftmaxRegression(
            self.features, self.labels, last.n_classes, positive(ridge, "ridge"), positive(tolerance, "tolerance")
        )
        self.influence, self._self_influence = np.empty((n, last.n_val), np.float32), np.empty(n)
        self._retrain()

    def rows(self, start: int, stop: int) -> Rows:
        """Rows start..stop, computed before."""
        return Rows(self.influence[start:stop], None)

    def self_influence(self) -> np.ndarray:
        """loss_i(W without i) - loss_i(W), float64 (n,)."""
        return self._self_influence

    def _retrain(self) -> None:
        n = len(self.features)
        whole = self.problem.fit(np.zeros((self.problem.n_classes, self.features.shape[1])))
        factor = self.problem.factor(whole)
        target_loss = cross_entropy(self.targets @ whole.T, self.target_labels)
        own_loss = cross_entropy(self.features @ whole.T, self.labels)
        for out in chunks(n, max(n, len(self.targets)) * len(whole)):
            samples = np.arange(out.start, out.stop)
            fits = self._without(samples, whole, factor)
            for i, weights in zip(samples, fits, strict=True):
                self.influence[i] = cross_entropy(self.targets @ weights.T, self.target_labels) - target_loss
                own = cross_entropy(self.features[[i]] @ weights.T, self.labels[[i]])
                self._self_influence[i] = own[0] - own_loss[i]

    def _without(self, samples: np.ndarray, whole: np.ndarray, factor: tuple) -> np.ndarray:
        """The weights without each of k samples, (k, C, D)."""
        weights = np.repeat(whole[None], len(samples), axis=0)
        left = np.arange(len(samples))
        for _ in range(STEPS):
            gradients = self.problem.gradient(weights[left], samples[left])
            going = np.linalg.norm(gradients, axis=(1, 2)) > self.problem.tolerance
            left = left[going]
            if not left.size:
                return weights
            weights[left] -= newton_step(factor, gradients[going])
        # a sample with much leverage: the full problem's Hessian is too far from that without it
        for k in left:
            weights[k] = self.problem.fit(whole, samples[k])
        return weights
