"""Inner products of last-layer gradients under a preconditioner: what the influence function's estimators share."""

from collections.abc import Iterator

import numpy as np

from glitchmark.errors import CellError
from glitchmark.influence.estimators import EVERY, Rows
from glitchmark.influence.factors import Factors, augmented, residuals

ELEMENTS = 1 << 24  # of a temporary array: 128 MB in double precision
LARGEST_EXPLICIT = 8192  # parameters up to which an explicit preconditioner is kept: 512 MB


class Preconditioned:
    """I(i, j) = <g_i, M g_j> at the last checkpoint, with g = residual outer [feature, 1], (C, d + 1).

    A subclass gives M by ``solve`` and calls ``solve_targets`` once it can. M is made from the observed labels and is
    held fixed where a sample is relabelled. bias: whether the layer's bias counts, which is the 1.
    iterative: whether M is applied by many steps; it is then computed once, from the unit vectors, where there are
    fewer parameters than gradients.
    """

    iterative = False

    def __init__(self, factors: Factors, bias: bool = True):
        self.factors, self.bias = factors.at(-1), bias
        f = self.factors
        self.n, self.m, self.n_classes = f.n_train, f.n_val, f.n_classes
        self.features = self._augmented(f.features_train[0])  # float32 (n, D), with D = d + 1
        self.dimension = self.features.shape[1]
        self.n_parameters = self.n_classes * self.dimension
        self.width = self.n_classes

    def solve(self, gradients: np.ndarray) -> np.ndarray:
        """M applied to each of k gradients: float64 (k, C, D) -> float64 (k, C, D)."""
        raise NotImplementedError

    def target_directions(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """What a target's gradient has in the place of the residual, (k, C); its loss's residual by default."""
        return residuals(logits, labels)

    def solve_targets(self) -> None:
        """Keep M g_j of all targets, float32 (D, C, m): the blocks then cost one product each."""
        f, p = self.factors, self.n_parameters
        worth_it = self.iterative and p <= min(self.n + self.m, LARGEST_EXPLICIT)
        self._explicit = self._solved_units() if worth_it else None
        features = self._augmented(f.features_val[0])
        directions = self.target_directions(f.logits_val[0], f.labels_val)
        self._targets = np.empty((self.dimension, self.n_classes, self.m), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for columns, solved in self._solved(directions, features):
                self._targets[:, :, columns] = solved.transpose(2, 1, 0)
        if not np.isfinite(self._targets).all():
            raise CellError(
                f"{self.plugin.name}: the preconditioned gradients exceed single precision, since the softmax is "
                "saturated nearly everywhere and the curvature vanishes; use an estimator with an absolute damping"
            )

    def rows(self, start: int, stop: int) -> Rows:
        """Rows start..stop; what the features contribute is shared by all relabellings."""
        logits, observed = self.factors.logits_train[0, start:stop], self.factors.labels_train[start:stop]
        flat = self.features[start:stop] @ self._targets.reshape(self.dimension, -1)
        by_class = flat.reshape(-1, self.n_classes, self.m)

        def relabelled(at: np.ndarray | slice, labels: np.ndarray, columns: slice = EVERY) -> np.ndarray:
            errors = residuals(logits[at], labels)
            return np.matmul(errors[:, None], by_class[at][:, :, columns])[:, 0]

        return Rows(relabelled(EVERY, observed), relabelled)

    def self_influence(self) -> np.ndarray:
        """<g_i, M g_i>, float64 (n,)."""
        logits, labels = self.factors.logits_train[0], self.factors.labels_train
        errors = residuals(logits, labels)
        directions = self.target_directions(logits, labels)
        result = np.empty(self.n)
        for rows, solved in self._solved(directions, self.features):
            result[rows] = np.einsum("kc,kcd,kd->k", errors[rows], solved, self.features[rows], optimize=True)
        return result

    def training_gradients(self) -> Iterator[np.ndarray]:
        """The gradients of the training samples in chunks, float64 (b, C, D)."""
        errors = residuals(self.factors.logits_train[0], self.factors.labels_train)
        for rows in chunks(self.n, self.n_parameters):
            yield outer(errors[rows], self.features[rows])

    def _solved(self, directions: np.ndarray, features: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """M (direction outer feature) of some samples at a time: (which, float64 (k, C, D))."""
        for rows in chunks(len(features), max(self.n_parameters, self.n)):
            gradients = outer(directions[rows], features[rows])
            if self._explicit is None:
                yield rows, self.solve(gradients)
            else:
                yield rows, (gradients.reshape(len(gradients), -1) @ self._explicit).reshape(gradients.shape)

    def _solved_units(self) -> np.ndarray:
        """M^T, float64 (p, p)."""
        p = self.n_parameters
        units = np.eye(p).reshape(p, self.n_classes, self.dimension)
        return np.concatenate([self.solve(units[rows]).reshape(-1, p) for rows in chunks(p, max(p, self.n))])

    def _augmented(self, features: np.ndarray) -> np.ndarray:
        """[feature, 1], or the feature alone without bias: float32 (k, D)."""
        return augmented(features) if self.bias else features


def outer(directions: np.ndarray, features: np.ndarray) -> np.ndarray:
    """direction outer feature of each sample, float64 (k, C, D), from (k, C) and (k, D)."""
    return directions[:, :, None].astype(np.float64) * features[:, None, :]


def chunks(count: int, size: int) -> Iterator[slice]:
    """Runs of ``count`` items with ``size`` elements each that stay below ELEMENTS, or hold one item."""
    step = max(1, ELEMENTS // size)
    return (slice(start, min(start + step, count)) for start in range(0, count, step))
