"""Feature-dependent noise: samples near the border between classes are mislabeled more often."""

import numpy as np

from glitchmark.datasets._tables import encode
from glitchmark.errors import CellError
from glitchmark.glitches import MISLABELED, TrainingData, glitch
from glitchmark.parameters import positive

COMPONENTS = 50  # principal components that the reference model reads, at most
FOLDS = 5
WIDE = 4096  # columns, above which the covariance matrix costs more than a randomised decomposition


@glitch(
    "feature_dependent",
    kind=MISLABELED,
    check=lambda *, temperature, **_: positive(temperature, "temperature"),
    reference="future work in Myrtakis et al., KDD 2025; after Chen et al., AAAI 2021 (instance-dependent noise)",
)
def feature_dependent(
    data: TrainingData, rng: np.random.Generator, *, ratio: float, temperature: float = 0.2
) -> TrainingData:
    """A share of all samples, rather those with a small margin, gets the class that a reference model finds next best.

    The reference model is a logistic regression on principal components, its probabilities out of sample (stratified
    folds). margin: probability of the true class minus the largest other one, in [-1, 1]. Samples are drawn without
    replacement, with weights exp(-margin / temperature).
    """
    positive(temperature, "temperature")
    k, free = data.count(ratio), data.untouched
    data.check_enough(k, free)
    probabilities = _out_of_sample(data, free, rng)
    own = np.arange(len(free)), data.true_label[free]
    truth = probabilities[own].copy()
    probabilities[own] = -np.inf
    margin = truth - probabilities.max(axis=1)
    # Gumbel's trick: the k largest of log weight + noise are a draw without replacement
    keys = -margin / temperature + rng.gumbel(size=len(free))
    chosen = np.argsort(-keys, kind="stable")[:k]
    return data.relabel(free[chosen], probabilities[chosen].argmax(axis=1), "feature_dependent")


def _out_of_sample(data: TrainingData, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Probabilities (len(samples), C) of models that were fitted without the sample."""
    from sklearn.decomposition import PCA  # one second to import
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    x, y = data.inputs(samples), data.true_label[samples]
    x = encode(x, categories=data.categories)[0] if x.ndim == 2 else x.reshape(len(x), -1).astype(np.float32) / 255
    classes, counts = np.unique(y, return_counts=True)
    if counts.min() < 2:
        raise CellError(
            f"class {classes[counts.argmin()]} has a single untouched training sample, and the reference model is "
            "fitted without the samples that it judges; use a larger 'subset'"
        )
    state = int(rng.integers(2**31))
    folds = list(StratifiedKFold(min(FOLDS, counts.min()), shuffle=True, random_state=state).split(x, y))
    components = min(COMPONENTS, x.shape[1], *(len(fitted) for fitted, _ in folds))
    solver = "covariance_eigh" if x.shape[1] <= WIDE else "randomized"
    model = make_pipeline(
        PCA(components, svd_solver=solver, random_state=state),
        LogisticRegression(max_iter=1000),
    )
    probabilities = np.zeros((len(x), data.n_classes))
    probabilities[:, classes] = cross_val_predict(model, x, y, cv=folds, method="predict_proba")
    return probabilities
