"""Breast cancer diagnosis from scikit-learn (UCI)."""

import numpy as np

from glitchmark.datasets import Pool, dataset


@dataset(
    "breast_cancer",
    modality="table",
    n_samples=569,
    n_classes=2,
    source="scikit-learn, load_breast_cancer (UCI Breast Cancer Wisconsin, Diagnostic)",
    licence="CC BY 4.0",
)
def breast_cancer() -> Pool:
    """569 tumours, 30 numeric columns, malignant or benign."""
    from sklearn.datasets import load_breast_cancer  # one second to import

    bunch = load_breast_cancer()
    return Pool(bunch.data.astype(np.float32), bunch.target.astype(np.int64), tuple(map(str, bunch.target_names)))
