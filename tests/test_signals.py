"""Signals against a slow reference, written straight from the paper's Algorithms 1 and 2, and at the edges."""

import numpy as np
import pytest
from scipy.stats import rankdata

from conftest import random_factors
from glitchmark import registry
from glitchmark.influence.estimators.tracin import TracIn
from glitchmark.influence.factors import Factors
from glitchmark.influence.view import Influence
from glitchmark.scores import Scores, checked
from test_influence import gradients, slow_matrix

SIGNALS = registry.names("signal")
SEEDS = range(4)


def score(name, influence) -> Scores:
    """A shipped signal's checked result."""
    result = registry.load("signal", name).function(influence)
    return checked(result, name, len(influence.labels), influence.n_classes)


def last_influence(f: Factors, i: int, label: int, j: int) -> float:
    """I^T(z'_i = (x_i, label) -> z_j) at the last checkpoint."""
    at = 0 if f.frozen else -1
    g = gradients(f.features_train[at][[i]], f.logits_train[-1][[i]], np.array([label]))[0]
    h = gradients(f.features_val[at][[j]], f.logits_val[-1][[j]], f.labels_val[[j]])[0]
    return f.learning_rates[-1] * float(g @ h)


def slow_cnci(f: Factors) -> tuple[np.ndarray, np.ndarray]:
    """Algorithm 1, line by line."""
    im = slow_matrix(f)
    scores, ncfs = [], []
    for i in range(f.n_train):
        im_minus = [min(im[i, j], 0) for j in range(f.n_val)]
        sums = [sum(im_minus[j] for j in range(f.n_val) if f.labels_val[j] == c) for c in range(f.n_classes)]
        ncf = int(np.argmin(sums))
        same = [j for j in range(f.n_val) if f.labels_val[j] == f.labels_train[i]]
        scores.append(sum(min(last_influence(f, i, ncf, j), 0) for j in same))
        ncfs.append(ncf)
    return np.array(scores), np.array(ncfs)


def slow_pcid(f: Factors) -> np.ndarray:
    """Algorithm 2, line by line."""
    im = slow_matrix(f)
    scores = []
    for i in range(f.n_train):
        im_plus = [max(im[i, j], 0) for j in range(f.n_val)]
        by_class = [[j for j in range(f.n_val) if f.labels_val[j] == c] for c in range(f.n_classes)]
        u = [sum(im_plus[j] for j in members) for members in by_class]
        others = [c for c in range(f.n_classes) if c != f.labels_train[i]]
        pcf = max(others, key=lambda c: u[c])
        u_prime = [sum(max(last_influence(f, i, pcf, j), 0) for j in members) for members in by_class]
        scores.append(1 / (sum(u) * max(abs(a - b) for a, b in zip(u, u_prime, strict=True))))
    return np.array(scores)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("frozen", [True, False])
def test_published_signals_equal_the_slow_reference(seed, frozen):
    f = random_factors(seed, frozen=frozen)
    influence = Influence.from_factors(f, TracIn)
    im = slow_matrix(f)
    class_totals = np.stack([im[:, f.labels_val == c].sum(axis=1) for c in range(4)], axis=1)
    cnci, ncf = slow_cnci(f)
    pcid = slow_pcid(f)
    expected = {
        "mi": im.sum(axis=1),
        "neg_mi": -im.sum(axis=1),
        "aai": np.abs(im).mean(axis=1),
        "gd_class": -class_totals.min(axis=1),
        "cnci": cnci,
        "pcid": pcid,
        "cfrank": np.maximum(rankdata(cnci), rankdata(pcid)),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(score(name, influence).score, values, rtol=2e-4, atol=1e-5, err_msg=name)
    assert (score("cnci", influence).suggested == ncf).all()
    assert (score("cfrank", influence).suggested == ncf).all()
    kinds = np.where(rankdata(cnci) >= rankdata(pcid), "mislabeled", "anomalous")
    assert (score("cfrank", influence).kind == kinds).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_validation_subsets_count_alone(seed):
    """A subset gives what the same factors with the other validation samples cut away give."""
    f = random_factors(seed)
    subset = np.random.default_rng(seed).random(f.n_val) < 0.6
    subset[:4] = True
    cut = Factors(**{**vars(f), **{k: getattr(f, k)[:, subset] for k in ("features_val", "logits_val")},
                     "labels_val": f.labels_val[subset]})  # fmt: skip
    for name in SIGNALS:
        part = score(name, Influence.from_factors(f, TracIn, subset)).score
        np.testing.assert_allclose(
            part, score(name, Influence.from_factors(cut, TracIn)).score, rtol=1e-4, err_msg=name
        )


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_survives_the_edges(name):
    """Zero influence, one class in validation, duplicates, a class without training samples, saturated softmaxes."""
    base = random_factors(0)
    one_class = Factors(**{**vars(base), "labels_val": np.zeros_like(base.labels_val)})
    missing = Factors(**{**vars(base), "labels_train": np.minimum(base.labels_train, 2)})
    for f in (
        Factors(**{**vars(base), "learning_rates": np.zeros(3)}),
        one_class,
        missing,
        random_factors(1, scale=1e4),
        random_factors(2, n=2, m=4),
    ):
        influence = Influence.from_factors(f, TracIn)
        assert len(score(name, influence).score) == f.n_train
    doubled = {k: np.repeat(getattr(base, k), 2, axis=1) for k in ("features_train", "logits_train")}
    twins = Factors(**{**vars(base), **doubled, "labels_train": np.repeat(base.labels_train, 2)})
    values = score(name, Influence.from_factors(twins, TracIn)).score
    np.testing.assert_allclose(values[::2], values[1::2], rtol=1e-5)


def test_no_influence_at_all_ranks_first_under_pcid():
    f = random_factors(3)
    f.features_train[:, 7] = 0
    f.logits_train[:, 7] = [200, 0, 0, 0]
    f.labels_train[7] = 0
    values = score("pcid", Influence.from_factors(f, TracIn)).score
    assert values.argmax() == 7
    assert np.isfinite(values[7])


def test_planted_glitches_are_found():
    """Three clusters; a sample in one cluster with the label of another is what CNCI finds and repairs."""
    rng = np.random.default_rng(0)
    true, true_val = np.repeat(np.arange(3), 40), np.repeat(np.arange(3), 20)
    centres = 4 * np.eye(3)
    features = (centres[true] + rng.normal(size=(120, 3)) * 0.3).astype(np.float32)
    features_val = (centres[true_val] + rng.normal(size=(60, 3)) * 0.3).astype(np.float32)
    labels = true.copy()
    wrong = np.array([3, 50, 90])
    labels[wrong] = (labels[wrong] + 1) % 3
    f = Factors(
        features[None], features_val[None], features[None], features_val[None], labels, true_val, np.array([0.1]), 8
    )
    result = score("cnci", Influence.from_factors(f, TracIn))
    assert set(np.argsort(-result.score)[:3]) == set(wrong)
    assert (result.suggested[wrong] == true[wrong]).all()
    for name in ("gd_class", "neg_mi", "si", "loss"):
        assert set(np.argsort(-score(name, Influence.from_factors(f, TracIn)).score)[:3]) == set(wrong), name
