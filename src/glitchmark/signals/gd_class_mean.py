"""Most harmful class mean."""

import numpy as np

from glitchmark.signals import Influence, signal


@signal("gd_class_mean", targets="mislabeled", reference="Nguyen-Duc et al., ACL 2023, Algorithm 2")
def gd_class_mean(influence: Influence, *, per_class: int | None = None) -> np.ndarray:
    """Minus the smallest mean of a sample's influence over the validation samples of one class.

    The paper's class-based form of any estimator. Classes without validation samples do not count.
    per_class: how many clean samples of each class count (50 in the paper); null for all.
    """
    influence = influence.with_clean_per_class(per_class)
    counts = np.bincount(influence.factors.labels_val[influence.validation], minlength=influence.n_classes)
    present = counts > 0
    return -(influence.class_sums().total[:, present] / counts[present]).min(axis=1)
