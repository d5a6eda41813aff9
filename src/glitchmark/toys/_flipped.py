"""Two classes of points with flipped labels, and the methods that look for these: Chhabra et al., ICML 2025, section 4.

What trains a model is a function (x, labels) -> model, and a model a function x (k, 2) -> the inputs and the outputs of
its last layer: features (k, d) and logits (k, 2), float32.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from glitchmark import seeds
from glitchmark.influence.factors import Factors, augmented, residuals
from glitchmark.ranking import ranking, tie_break
from glitchmark.toys import Toy

Model = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
Train = Callable[[np.ndarray, np.ndarray], Model]

QUALITY = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")  # CleanLab's


class Points(NamedTuple):
    """x, x_test: float64 (n, 2), (t, 2). labels, true_labels: int64 (n,), given and true. labels_test: int64 (t,)."""

    x: np.ndarray
    labels: np.ndarray
    true_labels: np.ndarray
    x_test: np.ndarray
    labels_test: np.ndarray

    @property
    def flipped(self) -> np.ndarray:
        """Which training samples have a wrong label, bool (n,)."""
        return self.labels != self.true_labels


def points(
    draw: Callable[[int, int], tuple[np.ndarray, np.ndarray]], sizes: tuple[int, int], per_class: int, seed: int
) -> Points:
    """Training and test samples, ``sizes``, of which draw(size, seed) gives x and labels; of each class, ``per_class``
    of the training labels are flipped."""
    (x, true), (x_test, labels_test) = (
        draw(size, seeds.integer(seed, "toy", part)) for size, part in zip(sizes, ("training", "test"), strict=True)
    )
    rng, labels = seeds.generator(seed, "toy", "flipped labels"), true.copy()
    for c in (0, 1):
        labels[rng.choice(np.flatnonzero(true == c), per_class, replace=False)] = 1 - c
    return Points(x, labels, true, x_test, labels_test)


def comparison(data: Points, train: Train, seed: int, scores_predictions: bool) -> Toy:
    """The methods of the paper's table 1 on one problem, each flagging as many samples as were flipped.

    detection_accuracy: share of the training samples that are told rightly as flipped or not. trimmed_accuracy: on the
    test samples, of the model trained again without those that are flagged. test_accuracy: of the first model.
    influence_auroc: how well exact influence tells flipped samples. influence: negative for harmful samples.
    gradient_1, gradient_2: the first two principal components of the last layer's gradients, of one class's weights.
    """
    from sklearn.metrics import roc_auc_score  # a second to import

    model, flipped = train(data.x, data.labels), data.flipped
    features, logits = model(data.x)
    # one checkpoint, against the training samples: the paper hides the test samples from all methods
    one = features[None], logits[None], data.labels
    factors = Factors(one[0], one[0], one[1], one[1], one[2], one[2], np.ones(1), len(features))
    scores = dict(_influence(factors)) | dict(_outliers(factors, seed))
    scores |= dict(_label_quality(logits, logits.argmax(axis=1) if scores_predictions else data.labels))
    metrics = [("", "", "test_accuracy", _accuracy(model, data))]
    ties, trimmed = tie_break(np.arange(len(flipped)).astype(str)), {}
    for method, score in scores.items():
        flagged = ranking(score, ties) <= np.count_nonzero(flipped)
        name = flagged.tobytes()  # methods may flag the same samples
        if name not in trimmed:
            trimmed[name] = _accuracy(train(data.x[~flagged], data.labels[~flagged]), data)
        metrics.append((method, "", "detection_accuracy", float((flagged == flipped).mean())))
        metrics.append((method, "", "trimmed_accuracy", trimmed[name]))
    auroc = float(roc_auc_score(flipped, scores["influence_function"]))
    metrics.append(("influence_function", "", "influence_auroc", auroc))
    return Toy(metrics, _series(data, factors, -scores["influence_function"]), float(flipped.mean()))


def _influence(factors: Factors) -> Iterator[tuple[str, np.ndarray]]:
    """Minus the influence on all training samples, and the influence on itself, of each."""
    from glitchmark.influence.estimators.datainf import DataInf  # their kernels take a while to import
    from glitchmark.influence.estimators.grad_dot import GradDot
    from glitchmark.influence.estimators.influence_function import InfluenceFunction
    from glitchmark.influence.estimators.lissa import Lissa
    from glitchmark.influence.view import Influence
    from glitchmark.signals.neg_mi import neg_mi
    from glitchmark.signals.si import si

    # the recursion takes whole batches, as its self-influence on single samples may diverge
    lissa = Lissa(factors, batch_size=factors.n_train)
    built = {
        "influence_function": InfluenceFunction(factors),
        "grad_dot": GradDot(factors),
        "lissa": lissa,
        "datainf": DataInf(factors),
    }
    for name, estimator in built.items():
        influence = Influence.from_factors(factors, lambda _, of=estimator: of)
        yield name, neg_mi(influence)
        if name in ("lissa", "datainf"):
            yield f"self_{name}", si(influence)


def _outliers(factors: Factors, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """How far each gradient lies from the others."""
    from glitchmark.influence.view import Influence
    from glitchmark.signals.gradient_iforest import gradient_iforest
    from glitchmark.signals.gradient_l1 import gradient_l1
    from glitchmark.signals.gradient_l2 import gradient_l2

    for signal in (gradient_iforest, gradient_l1, gradient_l2):
        yield signal.__name__, signal(Influence.from_factors(factors, seed=seeds.integer(seed, "toy", "signals")))


def _label_quality(logits: np.ndarray, labels: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """CleanLab's scores of the labels, under the model's own probabilities of its training samples."""
    from cleanlab.rank import get_label_quality_scores  # over a second to import
    from scipy.special import softmax

    probabilities = softmax(logits.astype(np.float64), axis=1)
    for method in QUALITY:
        yield method, -get_label_quality_scores(labels, probabilities, method=method)


def _accuracy(model: Model, data: Points) -> float:
    """On the test samples."""
    return float((model(data.x_test)[1].argmax(axis=1) == data.labels_test).mean())


def _series(data: Points, factors: Factors, influence: np.ndarray) -> list[tuple]:
    """By sample: place and label of the training samples (clean and mislabeled) and of the test samples (no class)."""
    from sklearn.decomposition import PCA  # a second to import

    errors = residuals(factors.logits_train[0], factors.labels_train)
    gradients = errors[:, 1:] * augmented(factors.features_train[0])  # that of class 0's weights is its negative
    components = PCA(2, svd_solver="full").fit_transform(gradients)
    of_training = {
        "train_x": data.x[:, 0],
        "train_y": data.x[:, 1],
        "train_label": data.labels,
        "influence": influence,
        "gradient_1": components[:, 0],
        "gradient_2": components[:, 1],
    }
    series = []
    for name, values in of_training.items():
        for kind, members in (("clean", ~data.flipped), ("mislabeled", data.flipped)):
            method = "influence_function" if name == "influence" else ""
            series.append((method, kind, name, np.flatnonzero(members), values[members]))
    of_test = {"test_x": data.x_test[:, 0], "test_y": data.x_test[:, 1], "test_label": data.labels_test}
    return series + [("", "", name, np.arange(len(values)), values) for name, values in of_test.items()]
