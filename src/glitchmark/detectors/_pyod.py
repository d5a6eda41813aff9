"""PyOD's detectors on an array; their scores are higher for what is more anomalous, as everywhere here."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.parameters import at_least_one


def isolation_forest(x: np.ndarray, seed: int, n_estimators: int) -> np.ndarray:
    """Scores float64 (n,) of PyOD's IForest with its default settings; x: (n, d), finite."""
    from pyod.models.iforest import IForest  # over a second to import

    n_estimators = at_least_one(n_estimators, "n_estimators")
    return IForest(n_estimators=n_estimators, random_state=seed).fit(checked_rows(x)).decision_scores_


def cluster_based(x: np.ndarray, seed: int, n_clusters: int) -> np.ndarray:
    """Scores float64 (n,) of PyOD's CBLOF with its default settings, k-means included; x: (n, d), finite.

    Raises CellError where there are fewer samples than clusters, or where any clusters but the last hold less than nine
    tenths of the samples, so that none is a small one.
    """
    from pyod.models.cblof import CBLOF  # over a second to import

    x = checked_rows(x)
    if len(x) < at_least_one(n_clusters, "n_clusters"):
        raise CellError(f"n_clusters: {n_clusters} is too many for {len(x)} training samples; lower it")
    detector = CBLOF(n_clusters=n_clusters, random_state=seed)
    try:
        return detector.fit(x).decision_scores_
    except ValueError as error:
        if "valid cluster separation" not in str(error):
            raise
        raise CellError(
            f"n_clusters: {n_clusters} leads to {detector.n_clusters_} clusters of similar size, which cannot be told "
            "into large and small ones; use 10 or more, of which the smallest always counts as small"
        ) from error


def checked_rows(x: np.ndarray) -> np.ndarray:
    """``x``, (n, d). Raises CellError where a value is NaN or infinite, which some detectors take for a number, and
    where all samples are equal, which some take for an error."""
    broken = ~np.isfinite(x).all(axis=1)
    if broken.any():
        raise CellError(
            f"{np.count_nonzero(broken)} of {len(x)} training samples hold NaN or infinite values, which this detector "
            "cannot read; fill or remove them"
        )
    if not np.ptp(x, axis=0).any():
        raise CellError(f"all {len(x)} training samples are equal, so that none is an anomaly; use other data")
    return x
