"""A generated table of Jannis' kind."""

import numpy as np

from glitchmark import seeds
from glitchmark.datasets import Description, Pool, dataset
from glitchmark.parameters import at_least_one, seed_number

SHARES = (0.46, 0.40, 0.12, 0.02)  # of the classes, as in Jannis (OpenML 41168)
N_FEATURES = 54


@dataset(
    "clusters",
    modality="table",
    n_samples=8000,
    n_classes=4,
    shape=(N_FEATURES,),
    source="generated on the spot with scikit-learn, make_classification",
    licence="generated",
    inspect=lambda *, n_samples=8000, **_: Description("table", n_samples, 4, shape=(N_FEATURES,)),
)
def clusters(*, n_samples: int = 8000, seed: int = 0) -> Pool:
    """8000 rows of 54 numbers, four classes of .46, .40, .12 and .02, each of several Gaussian clusters.

    12 features tell the clusters apart, 12 are mixtures of those, 30 are noise. A row's class is that of the cluster
    that it was drawn from: no label is wrong. Raises CellError where ``n_samples`` is below 1 or ``seed`` below 0.
    """
    from sklearn.datasets import make_classification

    x, y = make_classification(
        n_samples=at_least_one(n_samples, "n_samples"),
        n_features=N_FEATURES,
        n_informative=12,
        n_redundant=12,
        n_classes=len(SHARES),
        n_clusters_per_class=4,
        weights=list(SHARES),
        class_sep=1.5,
        flip_y=0,
        random_state=seeds.integer(seed_number(seed), "clusters"),
    )
    return Pool(x.astype(np.float32), y.astype(np.int64), ("a", "b", "c", "d"))
