"""Dot product with clean features."""

import numpy as np

from glitchmark.signals import Influence, signal
from glitchmark.signals._features import mean_similarity


@signal("feature_dot", targets="both", reads="factors", reference="Nguyen-Duc et al., ACL 2023, appendix E, 2.3 (DOT)")
def feature_dot(influence: Influence, *, class_based: bool = False, per_class: int | None = None) -> np.ndarray:
    """Minus the mean dot product of a sample's features with those of the clean samples.

    Features say little about labels, so that mislabeled samples are found hardly better than by chance.
    class_based: the smallest class mean instead. per_class: clean samples of each class; null for all.
    """
    return -mean_similarity(influence, lambda x, clean: x @ clean.T, class_based, per_class)
