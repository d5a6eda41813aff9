"""One-class SVM on gradients."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.influence.factors import augmented, residuals
from glitchmark.signals import Influence, signal

CHUNK = 1024  # training samples whose kernel is in memory at once


@signal("gradient_ocsvm", targets="both", reads="factors", reference="Chhabra et al., ICML 2025, appendix C.9")
def gradient_ocsvm(influence: Influence, *, nu: float = 0.5) -> np.ndarray:
    """Minus the decision function of a one-class SVM (RBF kernel) that has clean gradients as inliers.

    Gradients of the last layer at the last checkpoint; their distances follow from their inner products, which
    factorise, so that none is written out. The only standardisation is gamma = 1 / (total variance of the clean
    gradients), which is scikit-learn's "scale" for centred data.
    nu: upper bound of the share of clean samples outside; scikit-learn's default.
    """
    from sklearn.svm import OneClassSVM  # a second to import

    if isinstance(nu, bool) or not isinstance(nu, int | float) or not 0 < nu <= 1:
        raise CellError(f"nu: {nu!r} must be greater than 0 and at most 1")
    f = influence.factors.with_validation(influence.validation).at(-1)
    clean = _factorised(f.features_val[0], f.logits_val[0], f.labels_val)
    inner = _inner(clean, clean)
    variance = inner.diagonal().mean() - inner.mean()
    if not variance > 1e-12 * inner.diagonal().mean():
        raise CellError(f"the gradients of the {f.n_val} clean samples are all equal; use more validation samples")
    svm = OneClassSVM(kernel="precomputed", nu=nu).fit(_rbf(inner, inner.diagonal(), inner.diagonal(), variance))
    scores = []
    for start in range(0, f.n_train, CHUNK):
        rows = slice(start, start + CHUNK)
        part = _factorised(f.features_train[0, rows], f.logits_train[0, rows], f.labels_train[rows])
        lengths = np.square(part[0]).sum(axis=1) * np.square(part[1]).sum(axis=1)
        scores.append(-svm.decision_function(_rbf(_inner(part, clean), lengths, inner.diagonal(), variance)))
    return np.concatenate(scores)


def _factorised(features: np.ndarray, logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[feature, 1] and residual, float64 (k, d + 1) and (k, C): their outer product is the gradient."""
    return augmented(features.astype(np.float64)), residuals(logits, labels).astype(np.float64)


def _inner(left: tuple[np.ndarray, np.ndarray], right: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Inner products of gradients, float64 (k, m)."""
    return (left[0] @ right[0].T) * (left[1] @ right[1].T)


def _rbf(inner: np.ndarray, left: np.ndarray, right: np.ndarray, variance: float) -> np.ndarray:
    """exp(-|g - g'|^2 / variance), float64 (k, m), from inner products and the squared lengths (k,), (m,)."""
    return np.exp(-np.maximum(left[:, None] + right - 2 * inner, 0) / variance)
