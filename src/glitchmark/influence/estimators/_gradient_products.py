"""Inner products of last-layer gradients, summed over checkpoints: what TracIn, Grad-Dot and Grad-Cos share."""

import numpy as np

from glitchmark.influence.estimators import EVERY, Product, Rows
from glitchmark.influence.factors import Factors, residuals
from glitchmark.influence.kernels import add_product

CHUNK = 4096  # training samples whose self-influence is computed at once


class GradientProducts:
    """I(i, j) = sum over checkpoints t of w_t <g_i, g_j>, with g = residual outer [feature, 1].

    The gradients factorise: <g_i, g_j> = <residual_i, residual_j> (<feature_i, feature_j> + 1).
    weights: w_t, (T,). bias: whether the layer's bias counts, which is the 1.
    """

    def __init__(self, factors: Factors, weights: np.ndarray, bias: bool = True):
        self.factors, self.bias = factors, np.float32(bias)
        self.weights, self.m = np.asarray(weights, np.float64), factors.n_val
        targets = self.weights[:, None, None].astype(np.float32) * self.target_residuals()
        # (T, C, m) and (d, m): transposed once, which the products of the blocks are faster with
        self.targets = np.ascontiguousarray(targets.transpose(0, 2, 1))
        self.target_features = [np.ascontiguousarray(f.T) for f in factors.features_val]

    def training_residuals(self, rows: slice | np.ndarray, labels: np.ndarray, checkpoints: slice) -> np.ndarray:
        """Residuals of training samples under any labels, float32 (T', k, C); a subclass may scale them."""
        return residuals(self.factors.logits_train[checkpoints, rows], labels)

    def target_residuals(self) -> np.ndarray:
        """Residuals of the target samples, float32 (T, m, C); a subclass may scale them."""
        return residuals(self.factors.logits_val, self.factors.labels_val)

    def rows(self, start: int, stop: int) -> Rows:
        """Rows start..stop; one product of features a block where the trunk is frozen, else one a checkpoint."""
        block, labels = slice(start, stop), self.factors.labels_train[start:stop]
        train = self.training_residuals(block, labels, slice(None))
        if self.factors.frozen:
            # sum_t w_t D_t D'_t^T as one product with inner dimension T C
            kernel = self._kernel(0, block)
            influence = Product(kernel, self.bias, _side_by_side(train), self.targets.reshape(-1, self.m))
        else:
            total = np.zeros((stop - start, self.m), np.float32)
            for t in range(len(train)):
                kernel = self._kernel(t, block)
                add_product(kernel, self.bias, train[t] @ self.targets[t], total)
            influence = total

        def relabelled(at: np.ndarray | slice, labels: np.ndarray, columns: slice = EVERY) -> Product:
            errors = self.training_residuals(np.arange(start, stop)[at], labels, slice(-1, None))[0]
            return Product(kernel[at, columns], self.bias, errors, self.targets[-1][:, columns])

        return Rows(influence, relabelled)

    def self_influence(self) -> np.ndarray:
        """sum_t w_t |residual|^2 (|feature|^2 + 1), float64 (n,)."""
        f = self.factors
        parts = []
        for start in range(0, f.n_train, CHUNK):
            rows = slice(start, start + CHUNK)
            features = f.features_train[:, rows]
            errors = self.training_residuals(rows, f.labels_train[rows], slice(None)).astype(np.float64)
            lengths = np.einsum("tnd,tnd->tn", features, features).astype(np.float64) + self.bias
            parts.append(self.weights @ (np.square(errors) @ np.ones(errors.shape[2]) * lengths))
        return np.concatenate(parts)

    def _kernel(self, t: int, rows: slice) -> np.ndarray:
        """<u, u'> at checkpoint t, float32 (b, m)."""
        return self.factors.features_train[t, rows] @ self.target_features[t]


def _side_by_side(residuals: np.ndarray) -> np.ndarray:
    """(T, k, C) -> (k, T C)."""
    return np.ascontiguousarray(residuals.transpose(1, 0, 2)).reshape(residuals.shape[1], -1)
