"""Euclidean distance to clean features."""

import numpy as np

from glitchmark.signals import Influence, signal
from glitchmark.signals._features import mean_similarity


@signal("feature_euc", targets="both", reads="factors", reference="Nguyen-Duc et al., ACL 2023, appendix E, 2.3 (EUC)")
def feature_euc(influence: Influence, *, class_based: bool = False, per_class: int | None = None) -> np.ndarray:
    """Mean Euclidean distance of a sample's features to those of the clean samples.

    Features say little about labels, so that mislabeled samples are found hardly better than by chance.
    class_based: the largest mean distance to one class instead. per_class: clean samples of each class; null for all.
    """
    from sklearn.metrics import euclidean_distances  # a second to import

    return -mean_similarity(influence, lambda x, clean: -euclidean_distances(x, clean), class_based, per_class)
