"""Most harmful class sum."""

import numpy as np

from glitchmark.signals import Influence, signal


@signal(
    "gd_class",
    targets="mislabeled",
    reference="Nguyen-Duc et al., ACL 2023; Myrtakis et al., KDD 2025, section 7",
    uses=("magnitude", "conditional"),
)
def gd_class(influence: Influence) -> np.ndarray:
    """Minus the smallest sum of a sample's influence over the validation samples of one class.

    A class without validation samples has the sum 0; gd_class_mean leaves such classes out.
    """
    return -influence.class_sums().total.min(axis=1)
