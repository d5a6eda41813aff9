"""Confident learning."""

import warnings

import numpy as np

from glitchmark.detectors import Data, Scores, detector
from glitchmark.errors import CellError
from glitchmark.parameters import one_of

METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
FILTERS = (
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
)


@detector("cleanlab", targets="mislabeled", reads=("out_of_sample",), reference="Northcutt et al., JAIR 2021; cleanlab")
def cleanlab(
    data: Data,
    *,
    method: str = "self_confidence",
    filter_by: str = "prune_by_noise_rate",
    ignore_labels: bool = False,
) -> Scores:
    """CleanLab's label-quality score of cross-validated probabilities, its label issues, the most probable class.

    method: the score, one of METHODS. filter_by: the rule by which find_label_issues flags samples, one of FILTERS.
    ignore_labels: score the predicted class in place of the given label, as the baseline of Chhabra et al., ICML 2025,
    does; it says how unsure the model is, knows no label, and flags nothing.
    """
    one_of(method, "method", METHODS)
    one_of(filter_by, "filter_by", FILTERS)
    p = data.out_of_sample
    if not np.isfinite(p).all():
        raise CellError(
            f"{np.count_nonzero(~np.isfinite(p).all(axis=1))} of {len(p)} samples have class probabilities that are NaN"
            " or infinite, which cleanlab would rank without a word; lower the model's learning_rate"
        )
    predicted = p.argmax(axis=1)
    if ignore_labels:
        return Scores(_suspicion(predicted, p, method), suggested=predicted)
    return Scores(_suspicion(data.labels, p, method), suggested=predicted, flagged=_issues(data.labels, p, filter_by))


def _suspicion(labels: np.ndarray, p: np.ndarray, method: str) -> np.ndarray:
    """Higher = more suspicious, float64 (n,); p: float64 (n, C)."""
    if method == "confidence_weighted_entropy":
        return _weighted_entropy(labels, p)
    from cleanlab.rank import get_label_quality_scores  # over a second to import

    return -get_label_quality_scores(labels, p, method=method)


def _weighted_entropy(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Normalised entropy over the label's probability, w, in double precision.

    cleanlab returns log(w + 1) / w, of which -w has the order. It clips w and the probability at 1e-6, so that samples
    whose label is all but certain (p > 1 - 1e-7) get the worst quality of all, and mislabeled ones a good one.
    """
    p = np.maximum(p, np.finfo(np.float64).tiny)
    return -(p * np.log(p)).sum(axis=1) / np.log(p.shape[1]) / p[np.arange(len(p)), labels]


def _issues(labels: np.ndarray, p: np.ndarray, filter_by: str) -> np.ndarray:
    """What cleanlab takes for label issues, bool (n,)."""
    from cleanlab.filter import find_label_issues  # over a second to import

    with warnings.catch_warnings():
        # of a class with one sample, of which cleanlab flags none by design
        warnings.filterwarnings("ignore", message="May not flag all label issues")
        return find_label_issues(labels, p, filter_by=filter_by, n_jobs=1)
