"""Wine cultivars from scikit-learn (UCI)."""

import numpy as np

from glitchmark.datasets import Pool, dataset


@dataset(
    "wine",
    modality="table",
    n_samples=178,
    n_classes=3,
    source="scikit-learn, load_wine (UCI Wine)",
    licence="CC BY 4.0",
)
def wine() -> Pool:
    """178 wines, 13 numeric columns, three cultivars."""
    from sklearn.datasets import load_wine  # one second to import

    bunch = load_wine()
    return Pool(bunch.data.astype(np.float32), bunch.target.astype(np.int64), tuple(map(str, bunch.target_names)))
