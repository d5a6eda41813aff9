"""Signals against a slow reference, written straight from the paper's Algorithms 1 and 2; and what all signals share:
edges, invariances, what they read, and the direction of their scores."""

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from conftest import random_factors
from glitchmark import registry
from glitchmark.errors import CellError
from glitchmark.influence.engine import class_sums
from glitchmark.influence.estimators.tracin import TracIn
from glitchmark.influence.factors import Factors, residuals
from glitchmark.influence.view import Influence
from glitchmark.scores import Scores, checked
from test_influence import gradients, slow_matrix

SIGNALS = registry.names("signal")
SEEDS = range(4)
DRAWING = {"random", "gradient_iforest"}  # their scores depend on the order of the samples

# every other form of a signal than that of its defaults
FORMS = [(name, {}) for name in SIGNALS] + [
    ("pcid", {"pcf": "code"}),
    ("gd_class_mean", {"per_class": 3}),
    ("mean_influence", {"per_class": 3}),
    *((name, {"of": of}) for name in ("influence_trend", "influence_variance") for of in ("aai", "si")),
    ("cancellation", {"of": "gd_class"}),
    *(("cancellation", {"of": of, "over": "checkpoints"}) for of in ("mi", "aai", "si", "gd_class")),
    *((f"feature_{name}", {"class_based": True}) for name in ("euc", "cos", "dot")),
    ("gradient_iforest", {"max_dimensions": 5}),
    ("gradient_l1", {"bias": False}),
    ("gradient_l2", {"bias": False}),
]


def each(forms):
    """A test for every form of a signal."""
    return pytest.mark.parametrize(("name", "parameters"), forms, ids=str)


def dynamic(name, parameters):
    """Whether a signal reads influence by checkpoint, which is that on all validation samples."""
    return registry.load("signal", name).info["reads"] == "dynamics" and (
        name != "cancellation" or "over" in parameters
    )


def score(name, influence, **parameters) -> Scores:
    """A shipped signal's checked result."""
    result = registry.load("signal", name).function(influence, **parameters)
    return checked(result, name, len(influence.labels), influence.n_classes)


def changed(f: Factors, **arrays) -> Factors:
    """Factors with other arrays."""
    return Factors(**{**vars(f), **arrays})


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


@each([form for form in FORMS if not dynamic(*form)])
def test_validation_subsets_count_alone(name, parameters):
    """A subset gives what the same factors with the other validation samples cut away give."""
    for seed in SEEDS:
        f = random_factors(seed)
        subset = np.random.default_rng(seed).random(f.n_val) < 0.6
        subset[:4] = True
        if "per_class" in parameters:  # drawn by their place: the places must be the same
            subset = np.arange(f.n_val) < 15
        cut = changed(
            f,
            features_val=f.features_val[:, subset],
            logits_val=f.logits_val[:, subset],
            labels_val=f.labels_val[subset],
        )
        part = score(name, Influence.from_factors(f, TracIn, subset), **parameters).score
        whole = score(name, Influence.from_factors(cut, TracIn), **parameters).score
        np.testing.assert_allclose(part, whole, rtol=1e-4, atol=1e-7)


BASE = random_factors(0)
PERFECT = np.where(np.eye(4)[BASE.labels_train] > 0, 1e4, -1e4).astype(np.float32)[None].repeat(3, axis=0)
EDGES = {
    "no learning rate": changed(BASE, learning_rates=np.zeros(3)),
    "one class in validation": changed(BASE, labels_val=np.zeros_like(BASE.labels_val)),
    "a class missing from training": changed(BASE, labels_train=np.minimum(BASE.labels_train, 2)),
    "one class in training": changed(BASE, labels_train=np.zeros_like(BASE.labels_train)),
    "all samples the same": changed(
        BASE, **{name: np.zeros_like(getattr(BASE, name)) for name in ("features_train", "logits_train")}
    ),
    "saturated": random_factors(1, scale=1e4),
    "saturated and right": changed(
        BASE,
        logits_train=PERFECT,
        logits_val=np.where(np.eye(4)[BASE.labels_val] > 0, 1e4, -1e4).astype(np.float32)[None].repeat(3, axis=0),
    ),
    "large features": changed(
        BASE, features_train=1e6 * BASE.features_train, features_val=np.float32(1e6) * BASE.features_val
    ),
    "two training samples": random_factors(2, n=2),
    "one validation sample a class": random_factors(2, m=4),
    "one checkpoint": random_factors(3, checkpoints=1),
    "two classes": random_factors(4, classes=2),
    "more features than samples": random_factors(5, d=80, frozen=True),
}
REFUSED = {
    ("mahalanobis", "one class in validation"): "no clean validation sample has the observed labels 1, 2, 3",
    ("mahalanobis", "one validation sample a class"): "vary too little within their classes",
    ("mahalanobis_min", "one validation sample a class"): "vary too little within their classes",
    ("gradient_ocsvm", "saturated and right"): "the gradients of the 25 clean samples are all equal",
    ("knn_disagreement", "two training samples"): "neighbours: 10 is too many for 2 training samples",
    ("knn_distance", "two training samples"): "neighbours: 10 is too many for 2 training samples",
}


@each(FORMS)
@pytest.mark.parametrize("edge", EDGES)
def test_every_signal_survives_the_edges(name, parameters, edge):
    """A score a sample, finite; or one clear sentence where the signal has no meaning."""
    influence = Influence.from_factors(EDGES[edge], TracIn)
    if (name, edge) in REFUSED:
        with pytest.raises(CellError, match=REFUSED[name, edge]):
            score(name, influence, **parameters)
    else:
        score(name, influence, **parameters)


@each([form for form in FORMS if form[0] != "random"])
def test_duplicate_samples_have_the_same_score(name, parameters):
    doubled = {k: np.repeat(getattr(BASE, k), 2, axis=1) for k in ("features_train", "logits_train")}
    twins = changed(BASE, **doubled, labels_train=np.repeat(BASE.labels_train, 2))
    values = score(name, Influence.from_factors(twins, TracIn), **parameters).score
    np.testing.assert_allclose(values[::2], values[1::2], rtol=1e-5)


@pytest.mark.parametrize("seed", range(2))
@each([form for form in FORMS if form[0] not in DRAWING])
def test_permuting_samples_permutes_the_scores(name, parameters, seed):
    f = random_factors(seed)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(f.n_train)
    columns = np.arange(f.n_val) if "per_class" in parameters else rng.permutation(f.n_val)
    permuted = changed(
        f,
        features_train=f.features_train[:, rows],
        logits_train=f.logits_train[:, rows],
        labels_train=f.labels_train[rows],
        features_val=f.features_val[:, columns],
        logits_val=f.logits_val[:, columns],
        labels_val=f.labels_val[columns],
    )
    before = score(name, Influence.from_factors(f, TracIn), **parameters)
    after = score(name, Influence.from_factors(permuted, TracIn), **parameters)
    # one-class SVM: an iterative solver, which sees the samples in another order
    tolerance = 1e-2 if name == "gradient_ocsvm" else 1e-4
    np.testing.assert_allclose(after.score, before.score[rows], rtol=tolerance, atol=tolerance * np.ptp(before.score))
    if before.suggested is not None:
        assert (after.suggested == before.suggested[rows]).all()


@pytest.mark.parametrize("name", sorted(DRAWING))
def test_draws_come_from_the_seed(name):
    first, again, other = (score(name, Influence.from_factors(BASE, TracIn, seed=s)).score for s in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


@each(FORMS)
def test_signals_read_only_what_they_declare(name, parameters):
    f = random_factors(0)
    everything = np.ones(f.n_val, bool)
    influence = {
        "factors": lambda: f,
        "build": lambda: TracIn,
        "sums": lambda: class_sums(TracIn, f, self_influence=True),
    }
    dynamics = influence | {"dynamics": lambda: Influence.from_factors(f, TracIn).dynamics}
    trained = f.with_validation(np.zeros(f.n_val, bool))
    declared = {
        "training": Influence.from_factors(trained),
        "factors": Influence.from_factors(f),
        "influence": Influence(f.labels_train, f.n_classes, everything, 0, influence),
        "dynamics": Influence(f.labels_train, f.n_classes, everything, 0, dynamics),
    }[registry.load("signal", name).info["reads"]]
    expected = score(name, Influence.from_factors(f, TracIn), **parameters).score
    np.testing.assert_array_equal(score(name, declared, **parameters).score, expected)


def test_no_positive_influence_at_all_ranks_first():
    f = random_factors(3)
    f.features_train[:, 7] = 0
    f.logits_train[:, 7] = [200, 0, 0, 0]
    f.labels_train[7] = 0
    for name in ("pcid", "inverse_pos"):
        values = score(name, Influence.from_factors(f, TracIn)).score
        assert values.argmax() == 7
        assert np.isfinite(values[7])


def planted(glitch: str, seed: int) -> tuple[Factors, np.ndarray]:
    """Three clusters of 40 under softmax regression by gradient descent, with 9 glitches, told as bool (120,): samples
    with another label, or samples far from all clusters under one label."""
    rng = np.random.default_rng(seed)
    truth, labels_val = np.repeat(np.arange(3), 40), np.repeat(np.arange(3), 20)
    centres, labels = 3 * np.eye(3, 6), truth.copy()
    x, x_val = (centres[y] + 0.5 * rng.normal(size=(len(y), 6)) for y in (truth, labels_val))
    glitches = np.zeros(120, bool)
    glitches[rng.choice(120, 9, replace=False)] = True
    if glitch == "mislabeled":
        labels[glitches] = (labels[glitches] + rng.integers(1, 3, 9)) % 3
    else:
        x[glitches] = 6 * np.eye(6)[4] + 0.5 * rng.normal(size=(9, 6))
        labels[glitches] = rng.integers(3)
    inputs, inputs_val = (np.pad(part, ((0, 0), (0, 1)), constant_values=1) for part in (x, x_val))
    weights, logits, logits_val = np.zeros((7, 3)), [], []
    for _ in range(4):
        for _ in range(15):
            weights -= 0.05 * inputs.T @ residuals((inputs @ weights).astype(np.float32), labels) / 120
        logits.append(inputs @ weights)
        logits_val.append(inputs_val @ weights)
    arrays = [np.stack(part).astype(np.float32) for part in ([x], [x_val], logits, logits_val)]
    return Factors(*arrays, labels, labels_val, np.full(4, 0.05), 120), glitches


# Signals that do not find what they target here, and why.
MISSED = {
    ("mi", "mislabeled"): "ranks the harmless first, as published",
    ("aai", "anomalous"): "samples unlike all others have little influence, which the paper shows as well",
    ("mai", "anomalous"): "as aai",
    ("random", "mislabeled"): "chance",
    ("random", "anomalous"): "chance",
    ("entropy", "mislabeled"): "the prediction does not depend on a label that is not memorised",
    ("cancellation", "mislabeled"): "tells how far MI can be trusted",
    ("influence_variance", "mislabeled"): "works once clean samples are fitted",
    **{(f"feature_{name}", "mislabeled"): "features do not depend on the label" for name in ("euc", "cos", "dot")},
}


@pytest.mark.parametrize("name", SIGNALS)
def test_planted_glitches_rank_high(name):
    targets = registry.load("signal", name).info["targets"]
    for glitch in ("mislabeled", "anomalous") if targets == "both" else (targets,):
        if (name, glitch) in MISSED:
            continue
        for seed in SEEDS:
            f, glitches = planted(glitch, seed)
            assert roc_auc_score(glitches, score(name, Influence.from_factors(f, TracIn)).score) > 0.7, (glitch, seed)


@pytest.mark.parametrize("name", ["cnci", "cfrank", "mahalanobis", "knn_disagreement"])
def test_suggested_labels_repair_mislabeled_samples(name):
    for seed in SEEDS:
        f, glitches = planted("mislabeled", seed)
        suggested = score(name, Influence.from_factors(f, TracIn)).suggested
        assert (suggested[glitches] == np.repeat(np.arange(3), 40)[glitches]).all()


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("gd_class_mean", {"per_class": 0}, "per_class: 0 must be a whole number"),
        ("feature_cos", {"per_class": 2.5}, "per_class: 2.5 must be a whole number"),
        ("knn_distance", {"neighbours": 0}, "neighbours: 0 must be a whole number"),
        ("knn_distance", {"neighbours": 40}, "neighbours: 40 is too many for 40 training samples"),
        ("gradient_iforest", {"estimators": True}, "estimators: True must be a whole number"),
        ("gradient_iforest", {"max_dimensions": "many"}, "max_dimensions: 'many' must be a whole number"),
        ("gradient_ocsvm", {"nu": 1.5}, "nu: 1.5 must be greater than 0 and at most 1"),
        ("influence_trend", {"of": "pcid"}, "of: 'pcid' is unknown; allowed: mi, aai, si"),
        ("cancellation", {"over": "classes"}, "over: 'classes' is unknown; allowed: validation, checkpoints"),
        ("cancellation", {"of": "aai"}, "of .over validation.: 'aai' is unknown; allowed: mi, gd_class"),
        ("cancellation", {"of": "cnci", "over": "checkpoints"}, "of .over checkpoints.: 'cnci' is unknown"),
        ("pcid", {"pcf": "both"}, "pcf: 'both' is unknown"),
    ],
)
def test_wrong_parameters_are_named(name, parameters, message):
    with pytest.raises(CellError, match=message):
        score(name, Influence.from_factors(BASE, TracIn), **parameters)
