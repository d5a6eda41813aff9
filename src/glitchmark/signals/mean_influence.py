"""Mean influence on the clean samples."""

import numpy as np

from glitchmark.signals import Influence, signal


@signal("mean_influence", targets="mislabeled", reference="Nguyen-Duc et al., ACL 2023, Algorithm 1")
def mean_influence(influence: Influence, *, per_class: int | None = None) -> np.ndarray:
    """Minus the mean of a sample's influence over all clean samples; it ranks as neg_mi where all of them count.

    per_class: how many clean samples of each class count; null for all.
    """
    influence = influence.with_clean_per_class(per_class)
    return -influence.class_sums().total.sum(axis=1) / influence.n_validation
