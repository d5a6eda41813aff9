"""Handwritten digits from scikit-learn (UCI)."""

import numpy as np

from glitchmark.datasets import Pool, dataset


@dataset(
    "digits",
    modality="image",
    n_samples=1797,
    n_classes=10,
    source="scikit-learn, load_digits (UCI Optical Recognition of Handwritten Digits)",
    licence="CC BY 4.0",
    anomaly_source="letters",
)
def digits() -> Pool:
    """1797 handwritten digits, 8x8 grey."""
    from sklearn.datasets import load_digits  # one second to import

    bunch = load_digits()
    # 17 grey levels, 0..16, spread over 0..255
    return Pool(np.rint(bunch.images * (255 / 16)).astype(np.uint8), bunch.target.astype(np.int64), tuple("0123456789"))
