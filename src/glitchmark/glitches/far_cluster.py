"""A far cluster in a table."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.glitches import ANOMALOUS, TrainingData, glitch
from glitchmark.parameters import positive


def check(*, distance: float, spread: float, **_) -> None:
    """Raise CellError for a distance or spread that cannot be."""
    if positive(distance, "distance") <= 1:
        raise CellError(f"distance: {distance!r} must be more than 1, or the cluster lies among the training samples")
    positive(spread, "spread")


@glitch(
    "far_cluster",
    kind=ANOMALOUS,
    modalities=("table",),
    check=check,
    reference="glitchmark's own: Myrtakis et al., KDD 2025, section 6.2, have far clustered anomalies in images only",
)
def far_cluster(
    data: TrainingData, rng: np.random.Generator, *, ratio: float, distance: float = 2.0, spread: float = 0.25
) -> TrainingData:
    """Rows of one far cluster outside the training distribution are added, all with one random label.

    A norm is that of a row's numeric columns, standardised by the training data's mean and standard deviation, missing
    values left out. The cluster's centre lies in a random direction at ``distance`` (more than 1) times the largest
    norm of a training sample. Its rows scatter by ``spread`` standard deviations a column, but never back towards the
    mean, so each is farther from it than all training samples. Columns that do not vary keep their value (0 where
    it is always missing); a categorical column has one random category throughout; nothing is missing.

    Raises CellError where no numeric column varies, or for another ``distance`` or ``spread``.
    """
    check(distance=distance, spread=spread)
    k = data.count(ratio)
    x = data.inputs(np.arange(data.n_original)).astype(np.float64)
    categories = np.array(data.categories or (0,) * x.shape[1])
    lowest, highest = np.fmin.reduce(x, axis=0), np.fmax.reduce(x, axis=0)  # NaN only where all are
    varies = (categories == 0) & (highest > lowest)
    if not varies.any():
        raise CellError("a far cluster needs a numeric column with at least two different values; the table has none")

    mean, std = np.nanmean(x[:, varies], axis=0), np.nanstd(x[:, varies], axis=0)
    radius = np.linalg.norm(np.nan_to_num((x[:, varies] - mean) / std), axis=1).max()
    direction = rng.normal(size=len(mean))
    direction /= np.linalg.norm(direction)
    scatter = rng.normal(0, spread, (k, len(mean)))
    along = scatter @ direction
    scatter += np.outer(np.abs(along) - along, direction)

    cluster = np.tile(np.nan_to_num(lowest), (k, 1))
    cluster[:, varies] = mean + std * (distance * radius * direction + scatter)
    cluster[:, categories > 0] = rng.integers(categories[categories > 0])
    rows = np.count_nonzero(data.source == "far_cluster") + np.arange(k)
    return data.add("far_cluster", rows, cluster.astype(np.float32), int(rng.integers(data.n_classes)), "far_cluster")
