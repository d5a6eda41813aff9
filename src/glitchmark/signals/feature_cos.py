"""Cosine similarity with clean features."""

import numpy as np

from glitchmark.signals import Influence, signal
from glitchmark.signals._features import mean_similarity


@signal("feature_cos", targets="both", reads="factors", reference="Nguyen-Duc et al., ACL 2023, appendix E, 2.3 (COS)")
def feature_cos(influence: Influence, *, class_based: bool = False, per_class: int | None = None) -> np.ndarray:
    """Minus the mean cosine similarity of a sample's features with those of the clean samples; 0 for zero features.

    Features say little about labels, so that mislabeled samples are found hardly better than by chance.
    class_based: the smallest class mean instead. per_class: clean samples of each class; null for all.
    """
    return -mean_similarity(influence, lambda x, clean: _unit(x) @ _unit(clean).T, class_based, per_class)


def _unit(x: np.ndarray) -> np.ndarray:
    """Rows (k, d) scaled to length 1; zero stays zero."""
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.divide(x, lengths, out=np.zeros_like(x), where=lengths > 0)
