"""The mean Hessian of the cross-entropy with respect to the weights of a linear layer, whole or as an operator.

H = (1/n) sum_i (diag(p_i) - p_i p_i^T) kron u_i u_i^T. The logits are linear in the weights, so that this is the exact
Hessian and at once the generalised Gauss-Newton matrix and the Fisher information; it depends on no label.
features u: (n, D). probabilities p: float64 (n, C). Weights are (C, D), flattened in this order.
"""

import numpy as np

from glitchmark.influence.estimators._preconditioned import chunks


def hessian(features: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """H, float64 (C D, C D), block by block."""
    (n, d), classes = features.shape, probabilities.shape[1]
    features = features.astype(np.float64)
    h = np.empty((classes, d, classes, d))
    for a in range(classes):
        for b in range(a + 1):
            # 1 - p as the sum of the others, which keeps H positive semi-definite where the softmax is saturated
            other = np.delete(probabilities, a, axis=1).sum(axis=1) if a == b else -probabilities[:, b]
            h[a, :, b] = (features.T * (probabilities[:, a] * other / n)) @ features
            h[b, :, a] = h[a, :, b].T
    return h.reshape(classes * d, classes * d)


def hessian_product(features: np.ndarray, probabilities: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """H v for each of k directions v, float64 (k, C, D) -> (k, C, D), without H: O(n C D) each."""
    n, (k, classes, _) = len(features), directions.shape
    result = np.zeros((classes, k, features.shape[1]))
    by_class = directions.transpose(1, 2, 0)
    for rows in chunks(n, k * classes):
        u, p = features[rows].astype(np.float64), probabilities[rows].T[:, :, None]
        changes = u @ by_class  # of the logits, (C, b, k)
        changes -= (p * changes).sum(axis=0)
        changes *= p
        result += changes.transpose(0, 2, 1) @ u
    result /= n
    return np.ascontiguousarray(result.transpose(1, 0, 2))
