"""Isolation forest on gradients."""

import numpy as np

from glitchmark.influence.factors import Factors, augmented, residuals
from glitchmark.parameters import at_least_one
from glitchmark.signals import Influence, signal

CHUNK = 512  # samples whose whole gradients are in memory at once


@signal("gradient_iforest", targets="both", reads="training", reference="Chhabra et al., ICML 2025, Algorithm 1")
def gradient_iforest(influence: Influence, *, estimators: int = 100, max_dimensions: int = 2048) -> np.ndarray:
    """scikit-learn's isolation forest on the last layer's gradients at the last checkpoint, flattened.

    estimators: trees. max_dimensions: gradients of more elements, C (d + 1), go through a sparse random projection to
    so many (appendix B.2.6, where scikit-learn chooses the number: over 7000 for a few thousand samples).
    """
    from sklearn.ensemble import IsolationForest  # a second to import

    last = influence.factors.at(-1)
    gradients = _projected(last, at_least_one(max_dimensions, "max_dimensions"), influence.seed)
    forest = IsolationForest(n_estimators=at_least_one(estimators, "estimators"), random_state=influence.seed)
    return -forest.fit(gradients).score_samples(gradients)


def _projected(last: Factors, dimensions: int, seed: int) -> np.ndarray:
    """Flattened gradients, float32 (n, C (d + 1)), or (n, dimensions) where they are larger than that."""
    from scipy.sparse import csr_array
    from sklearn.random_projection import SparseRandomProjection  # a second to import

    n, size = last.n_train, last.n_classes * (last.features_train.shape[2] + 1)
    if size <= dimensions:
        return _gradients(last, slice(None))
    projection = SparseRandomProjection(dimensions, random_state=seed).fit(csr_array((n, size), dtype=np.float32))
    chunks = [slice(start, start + CHUNK) for start in range(0, n, CHUNK)]
    return np.concatenate([projection.transform(_gradients(last, rows)) for rows in chunks])


def _gradients(last: Factors, rows: slice) -> np.ndarray:
    """residual outer [feature, 1] of some training samples, float32 (k, C (d + 1))."""
    errors = residuals(last.logits_train[0, rows], last.labels_train[rows])
    features = augmented(last.features_train[0, rows])
    return (errors[:, :, None] * features[:, None, :]).reshape(len(errors), -1)
