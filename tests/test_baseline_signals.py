"""Signals outside the paper's own against slow references and closed forms."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import entropy as shannon
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest
from sklearn.svm import OneClassSVM

from conftest import random_factors
from glitchmark.influence.dynamics import Dynamics
from glitchmark.influence.estimators.grad_cos import GradCos
from glitchmark.influence.estimators.tracin import TracIn
from glitchmark.influence.factors import Factors
from glitchmark.influence.view import Influence
from glitchmark.signals._cancellation import cancellation_by_signal, cancellation_index
from test_influence import gradients, slow_matrix
from test_signals import SEEDS, changed, score

forms = pytest.mark.parametrize(("seed", "frozen"), [(seed, seed % 2 == 0) for seed in SEEDS])


def close(actual, expected, tolerance=1e-4):
    """Equal to a tolerance relative to the largest value."""
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


def series(f: Factors) -> np.ndarray:
    """The influence matrix at each checkpoint alone, (T, n, m)."""
    return np.stack([slow_matrix(f.at(t)) for t in range(f.n_checkpoints)])


def last_gradients(f: Factors, part: str) -> np.ndarray:
    """Gradients of the training or validation samples at the last checkpoint, (k, C (d + 1))."""
    features, logits, labels = (getattr(f, f"{name}_{part}") for name in ("features", "logits", "labels"))
    return gradients(features[-1], logits[-1], labels)


@forms
def test_sums_and_means_of_influence(seed, frozen):
    f = random_factors(seed, frozen=frozen)
    influence, im = Influence.from_factors(f, TracIn), slow_matrix(f)
    close(score("mai", influence).score, [sum(abs(v) for v in row) for row in im])
    means = [[np.mean(row[f.labels_val == c]) for c in range(4)] for row in im]
    close(score("gd_class_mean", influence).score, [-min(row) for row in means])
    close(score("mean_influence", influence).score, [-np.mean(row) for row in im])
    close(score("inverse_pos", influence).score, [1 / sum(v for v in row if v > 0) for row in im])


@pytest.mark.parametrize("estimator", [TracIn, GradCos])
def test_clean_samples_of_each_class_can_be_limited(estimator):
    f = random_factors(0)
    influence = Influence.from_factors(f, estimator, seed=5)
    drawn = influence.with_clean_per_class(2)
    assert (np.bincount(f.labels_val[drawn.validation]) == np.minimum(np.bincount(f.labels_val), 2)).all()
    for name in ("gd_class_mean", "mean_influence", "feature_euc"):
        limited = score(name, influence, per_class=2).score
        np.testing.assert_array_equal(limited, score(name, drawn).score)
        assert (limited != score(name, influence).score).any()
        np.testing.assert_array_equal(score(name, influence, per_class=100).score, score(name, influence).score)


def test_classes_without_validation_samples_do_not_count():
    f = random_factors(1)
    present = f.labels_val != 2
    influence, im = Influence.from_factors(f, TracIn, present), slow_matrix(f)
    means = np.stack([im[:, f.labels_val == c].mean(axis=1) for c in (0, 1, 3)], axis=1)
    close(score("gd_class_mean", influence).score, -means.min(axis=1))


@forms
def test_trend_and_variance_over_checkpoints(seed, frozen):
    f = random_factors(seed, frozen=frozen, checkpoints=5)
    influence, im = Influence.from_factors(f, TracIn), series(f)
    own = np.stack([TracIn(f.at(t)).self_influence() for t in range(5)])
    for of, values in {"mi": im.sum(axis=2), "aai": np.abs(im).mean(axis=2), "si": own}.items():
        slopes = [np.polyfit(range(5), column, 1)[0] for column in values.T]
        close(score("influence_trend", influence, of=of).score, slopes)
        close(score("influence_variance", influence, of=of).score, [np.var(column) for column in values.T])


def test_one_checkpoint_has_no_dynamics():
    influence = Influence.from_factors(random_factors(0, checkpoints=1), TracIn)
    for name in ("influence_trend", "influence_variance"):
        assert (score(name, influence).score == 0).all()


def test_cancellation_index_by_hand():
    parts = np.array([[1.0, 1, 1, 0], [2, -1, -3, 0]])
    np.testing.assert_allclose(cancellation_index(parts, axis=0), [0, 1, 0.5, 0])
    np.testing.assert_allclose(cancellation_index(parts.T, axis=1), [0, 1, 0.5, 0])


def slow_index(values) -> float:
    """The index of a list of numbers."""
    return 1 - abs(sum(values)) / sum(abs(v) for v in values)


@forms
def test_cancellation_of_every_sum(seed, frozen):
    f = random_factors(seed, frozen=frozen)
    influence, im, by_checkpoint = Influence.from_factors(f, TracIn), slow_matrix(f), series(f)
    totals = np.stack([im[:, f.labels_val == c].sum(axis=1) for c in range(4)], axis=1)
    members = [f.labels_val == c for c in totals.argmin(axis=1)]
    n = range(f.n_train)
    close(score("cancellation", influence).score, [slow_index(im[i]) for i in n])
    close(score("cancellation", influence, of="gd_class").score, [slow_index(im[i][members[i]]) for i in n])
    over = {"over": "checkpoints"}
    close(score("cancellation", influence, of="mi", **over).score, [slow_index(by_checkpoint[:, i].sum(1)) for i in n])
    close(
        score("cancellation", influence, of="gd_class", **over).score,
        [slow_index(by_checkpoint[:, i, members[i]].sum(axis=1)) for i in n],
    )
    for of in ("aai", "si"):
        assert (score("cancellation", influence, of=of, **over).score == 0).all()
    found = cancellation_by_signal(influence.dynamics)
    assert list(found) == ["si", "mi", "aai", "gd_class"]
    close(found["mi"], [slow_index(by_checkpoint[:, i].ravel()) for i in n])
    close(found["gd_class"], [slow_index(by_checkpoint[:, i, members[i]].ravel()) for i in n])
    assert not found["si"].any()
    assert not found["aai"].any()


def test_self_influence_of_either_sign_cancels():
    dynamics = Dynamics(np.array([[1.0], [-1.0]]), np.zeros((2, 1, 3)), np.zeros((2, 1, 3)), 5)
    found = cancellation_by_signal(dynamics)
    assert {name: values.tolist() for name, values in found.items()} == {
        "si": [1.0],
        "mi": [0.0],
        "aai": [0.0],
        "gd_class": [0.0],
    }


@forms
def test_gradient_norms(seed, frozen):
    f = random_factors(seed, frozen=frozen)
    influence, g = Influence.from_factors(f), last_gradients(f, "train")
    close(score("gradient_l1", influence).score, [sum(abs(v) for v in row) for row in g])
    close(score("gradient_l2", influence).score, [sum(v * v for v in row) ** 0.5 for row in g])
    without = gradients(f.features_train[-1], f.logits_train[-1], f.labels_train, bias=False)
    close(score("gradient_l1", influence, bias=False).score, np.abs(without).sum(axis=1))
    close(score("gradient_l2", influence, bias=False).score, np.linalg.norm(without, axis=1))


@forms
def test_isolation_forest_of_gradients(seed, frozen):
    f = random_factors(seed, frozen=frozen)
    influence, g = Influence.from_factors(f, seed=seed), last_gradients(f, "train").astype(np.float32)
    expected = -IsolationForest(n_estimators=20, random_state=seed).fit(g).score_samples(g)
    # gradients that round differently may fall on the other side of a split
    found = score("gradient_iforest", influence, estimators=20).score
    assert np.corrcoef(found, expected)[0, 1] > 0.999


@pytest.mark.parametrize("seed", range(2))
def test_large_gradients_are_projected_in_chunks(seed, monkeypatch):
    """Chunks do not show, and distances survive a projection to fewer dimensions."""
    from glitchmark.signals import gradient_iforest

    f = random_factors(seed, n=60, d=200)
    whole = gradient_iforest._projected(f.at(-1), 400, seed)
    monkeypatch.setattr(gradient_iforest, "CHUNK", 7)
    np.testing.assert_allclose(gradient_iforest._projected(f.at(-1), 400, seed), whole, rtol=1e-4, atol=1e-5)
    assert whole.shape == (60, 400)
    g = last_gradients(f, "train")
    assert np.corrcoef(cdist(whole, whole).ravel(), cdist(g, g).ravel())[0, 1] > 0.95


@forms
def test_one_class_svm_of_gradients(seed, frozen):
    """The kernel from the factors is that of the gradients written out."""
    f = random_factors(seed, frozen=frozen)
    subset = np.arange(f.n_val) < 20
    g, clean = last_gradients(f, "train"), last_gradients(f, "val")[subset]
    for nu in (0.5, 0.1):
        svm = OneClassSVM(nu=nu, gamma=1 / clean.var(axis=0).sum()).fit(clean)
        found = score("gradient_ocsvm", Influence.from_factors(f, validation=subset), nu=nu).score
        close(found, -svm.decision_function(g), 1e-3)


@forms
def test_similarity_to_clean_features(seed, frozen):
    f = random_factors(seed, frozen=frozen)
    influence, u, v = Influence.from_factors(f), f.features_train[-1], f.features_val[-1]
    similarities = {
        "feature_euc": lambda a, b: -np.linalg.norm(a - b),
        "feature_cos": lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b),
        "feature_dot": lambda a, b: a @ b,
    }
    for name, similarity in similarities.items():
        table = np.array([[similarity(a, b) for b in v] for a in u])
        close(score(name, influence).score, -table.mean(axis=1))
        means = np.stack([table[:, f.labels_val == c].mean(axis=1) for c in range(4)], axis=1)
        close(score(name, influence, class_based=True).score, -means.min(axis=1))


def test_similarity_of_zero_features_is_zero():
    f = random_factors(0)
    f.features_train[-1, 3] = 0
    assert score("feature_cos", Influence.from_factors(f)).score[3] == 0


@forms
def test_losses_and_margins(seed, frozen):
    f = random_factors(seed, frozen=frozen)
    influence, logits = Influence.from_factors(f), f.logits_train.astype(np.float64)
    losses, margins = np.zeros((2, f.n_checkpoints, f.n_train))
    for t in range(f.n_checkpoints):
        for i, y in enumerate(f.labels_train):
            z = logits[t, i]
            losses[t, i] = np.log(np.exp(z).sum()) - z[y]
            margins[t, i] = z[y] - max(z[c] for c in range(4) if c != y)
    close(score("loss", influence).score, losses[-1])
    close(score("mean_loss", influence).score, losses.mean(axis=0))
    close(score("margin", influence).score, -margins[-1])
    close(score("aum", influence).score, -margins.mean(axis=0))
    p = np.exp(logits[-1]) / np.exp(logits[-1]).sum(axis=1, keepdims=True)
    close(score("entropy", influence).score, shannon(p, axis=1))


@pytest.mark.parametrize("behind", [1.0, 30.0, 80.0, 1e4])
def test_saturated_predictions_keep_their_order(behind):
    """p log p of the largest probability would round to zero long before the others do."""
    f = random_factors(0, n=2, classes=2, checkpoints=1, scale=0)
    f.logits_train[0] = [[0, -behind], [-behind, 0]]
    e = np.exp(-behind)
    expected = np.log1p(e) + behind * e / (1 + e)
    np.testing.assert_allclose(score("entropy", Influence.from_factors(f)).score, expected, rtol=1e-12)


def test_forgetting_counts_events():
    learnt = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]], bool)
    f = random_factors(0, n=5, classes=2, checkpoints=4, scale=0)
    f.labels_train[:] = [0, 1, 0, 1, 0]
    right = np.eye(2)[f.labels_train]
    f.logits_train[:] = np.where(learnt.T[:, :, None], right, 1 - right)
    assert score("forgetting", Influence.from_factors(f)).score.tolist() == [0, 2, 0, 1, 4]


@forms
def test_mahalanobis_distances(seed, frozen):
    f = random_factors(seed, frozen=frozen, d=40, m=30)  # fewer samples than features
    influence, u, v = Influence.from_factors(f), f.features_train[-1], f.features_val[-1].astype(np.float64)
    means = np.stack([v[f.labels_val == c].mean(axis=0) for c in range(4)])
    inverse = np.linalg.inv(LedoitWolf(assume_centered=True).fit(v - means[f.labels_val]).covariance_)
    table = np.array([[(x - mean) @ inverse @ (x - mean) for mean in means] for x in u])
    result = score("mahalanobis", influence)
    close(result.score, table[np.arange(f.n_train), f.labels_train] - table.min(axis=1))
    assert (result.suggested == table.argmin(axis=1)).all()
    close(score("mahalanobis_min", influence).score, table.min(axis=1))


def test_mahalanobis_needs_clean_samples_of_observed_labels_alone():
    f = random_factors(0)
    f = changed(f, labels_train=np.minimum(f.labels_train, 2))
    result = score("mahalanobis", Influence.from_factors(f, validation=f.labels_val != 3))
    assert result.suggested.max() == 2


@forms
def test_nearest_neighbours(seed, frozen):
    f = random_factors(seed, frozen=frozen)
    influence, u = Influence.from_factors(f), f.features_train[-1].astype(np.float64)
    distances = cdist(u, u)
    for k in (1, 5, f.n_train - 1):
        disagreement, distance, suggested = [], [], []
        for i in range(f.n_train):
            others = sorted((j for j in range(f.n_train) if j != i), key=lambda j: distances[i, j])[:k]
            labels = f.labels_train[others]
            disagreement.append(np.mean(labels != f.labels_train[i]))
            suggested.append(np.bincount(labels).argmax())
            distance.append(np.mean(distances[i, others]))
        result = score("knn_disagreement", influence, neighbours=k)
        close(result.score, disagreement)
        assert (result.suggested == suggested).all()
        close(score("knn_distance", influence, neighbours=k).score, distance)


@pytest.mark.parametrize("d", [6, 40])  # by a tree, by brute force
def test_duplicates_are_neighbours_and_a_sample_is_not_its_own(d):
    f = random_factors(0, n=6, d=d, checkpoints=1)
    f.features_train[0, 1:4] = f.features_train[0, 0]
    f.labels_train[:] = [0, 1, 1, 1, 2, 3]
    influence = Influence.from_factors(f)
    result = score("knn_disagreement", influence, neighbours=3)
    assert result.score[:4].tolist() == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3])
    assert result.suggested[:4].tolist() == [1, 1, 1, 1]
    distance = score("knn_distance", influence, neighbours=3).score
    np.testing.assert_allclose(distance[:4], 0, atol=1e-3)
    assert (distance[4:] > 0.1).all()


def test_random_is_uniform():
    values = score("random", Influence.from_factors(random_factors(0, n=2000))).score
    assert values.min() >= 0
    assert values.max() < 1
    assert abs(values.mean() - 0.5) < 0.03
