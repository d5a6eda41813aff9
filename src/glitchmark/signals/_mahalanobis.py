"""Class-conditional Mahalanobis distances."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.signals import Influence


def squared_distances(influence: Influence) -> np.ndarray:
    """Squared Mahalanobis distance of each training sample to each class, float64 (n, C); infinite to classes without
    clean samples.

    Means and the covariance that all classes share are those of the clean validation features at the last checkpoint.
    The covariance is shrunk (Ledoit and Wolf 2004), since there may be fewer samples than features.
    """
    from scipy.linalg import solve_triangular
    from scipy.spatial.distance import cdist
    from sklearn.covariance import LedoitWolf  # a second to import

    f = influence.factors
    clean = f.features_val[-1][influence.validation].astype(np.float64)
    present, group = np.unique(f.labels_val[influence.validation], return_inverse=True)
    means = np.stack([clean[group == g].mean(axis=0) for g in range(len(present))])
    covariance = LedoitWolf(store_precision=False, assume_centered=True).fit(clean - means[group]).covariance_
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise CellError(
            f"the features of the {len(clean)} clean samples of {len(present)} classes vary too little within their "
            "classes for a covariance; use more validation samples"
        ) from error
    train, means = (solve_triangular(root, x.T, lower=True).T for x in (f.features_train[-1].astype(np.float64), means))
    distances = np.full((f.n_train, f.n_classes), np.inf)
    distances[:, present] = cdist(train, means, "sqeuclidean")
    return distances
