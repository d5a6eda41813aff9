"""Asymmetric noise from a transition matrix."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.glitches import MISLABELED, TrainingData, glitch
from glitchmark.stratified import stratified_counts


@glitch("asymmetric", kind=MISLABELED, reference="Patrini et al., CVPR 2017; Myrtakis et al., KDD 2025, section 3.1")
def asymmetric(data: TrainingData, rng: np.random.Generator, *, matrix: tuple, ratio: float = 0.0) -> TrainingData:
    """Samples get other classes as a transition matrix says.

    matrix: C rows of C numbers, P(observed j | true i); the class sizes times it say how many samples go from i to j
    (largest remainder). ratio: the share of all samples that change, in the matrix' proportions; if it is left out,
    the matrix says that as well, and its rows must sum to 1.
    Raises CellError for a matrix that is not such, and where a class has fewer samples than it asks for.
    """
    weights = _off_diagonal(matrix, data.n_classes)
    sizes = np.bincount(data.true_label[: data.n_original], minlength=data.n_classes)
    flows = sizes[:, None] * weights
    if not ratio and not np.allclose(np.sum(matrix, axis=1), 1):
        raise CellError("matrix: each row must sum to 1 where no 'ratio' is given")
    total = data.count(ratio or float(flows.sum() / data.n_original))
    for true, k in enumerate(_shares(flows.sum(axis=1), total)):
        row = _shares(flows[true], k)
        samples = data.draw(k, rng, data.true_label == true)
        data = data.relabel(samples, np.repeat(np.arange(data.n_classes), row), "asymmetric")
    return data


def _shares(flows: np.ndarray, total: int) -> np.ndarray:
    return stratified_counts(flows, total, most=np.where(flows > 0, total, 0))


def _off_diagonal(matrix: tuple, n_classes: int) -> np.ndarray:
    try:
        weights = np.array(matrix, float)
    except (ValueError, TypeError):
        weights = np.empty(0)
    if weights.shape != (n_classes, n_classes) or not np.isfinite(weights).all() or (weights < 0).any():
        raise CellError(f"matrix: it must hold {n_classes} rows of {n_classes} numbers of at least 0, one a class")
    np.fill_diagonal(weights, 0)
    if not weights.any():
        raise CellError("matrix: every number off the diagonal is 0, so no label could change")
    return weights
