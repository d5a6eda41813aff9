"""The papers' toy problems: their sizes, what holds of them whatever the seed, and slow references."""

import json
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from glitchmark import registry
from glitchmark.errors import CellError
from glitchmark.stages.toy import compute

pytestmark = pytest.mark.usefixtures("one_thread")

FLIPPED = {"blobs": (150, 100, 5), "half_moons": (250, 100, 10)}  # training and test samples, flipped of each class
METHODS = {
    "self_confidence",
    "normalized_margin",
    "confidence_weighted_entropy",
    "influence_function",
    "grad_dot",
    "lissa",
    "datainf",
    "self_lissa",
    "self_datainf",
    "gradient_iforest",
    "gradient_l1",
    "gradient_l2",
}


@cache
def run(name, seed):
    return registry.load("toy", name).function(seed)


def metrics(toy):
    return {(method, of, metric): value for method, of, metric, value in toy.metrics}


def column(toy, name):
    """A series of all training samples in their order, and their classes."""
    parts = [(x, values, np.full(len(x), of)) for _, of, series, x, values in toy.series if series == name]
    at, values, of = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert sorted(at) == list(range(len(at)))  # each sample once
    return values[np.argsort(at)], of[np.argsort(at)]


def plane(toy, part="train"):
    return np.column_stack([column(toy, f"{part}_{axis}")[0] for axis in "xy"])


@pytest.mark.parametrize("name", ["blobs", "half_moons", "three_gaussians"])
def test_a_seed_tells_everything(name):
    import torch

    first, other = run(name, 0), run(name, 1)
    torch.rand(3)
    again = json.loads(json.dumps(compute({"toy": {"name": name, "params": {}}, "seed": 0}, {}, {})[1]))  # as stored
    assert again["metrics"] == [list(metric) for metric in first.metrics]
    assert again["ratio"] == first.ratio
    for stored, (*names, x, values) in zip(again["series"], first.series, strict=True):
        assert stored == [*names, x.tolist(), values.tolist()]
        assert np.isfinite(values).all()
    assert np.isfinite([metric[3] for metric in first.metrics]).all()
    assert [metric[3] for metric in first.metrics] != [metric[3] for metric in other.metrics]
    assert not np.isin(plane(first), plane(other)).any()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", FLIPPED)
def test_sizes_and_flipped_labels_are_the_papers(name, seed):
    toy, (n, tests, flipped) = run(name, seed), FLIPPED[name]
    labels, kind = column(toy, "train_label")
    assert len(labels) == n
    assert toy.ratio == 2 * flipped / n
    wrong = kind == "mislabeled"
    np.testing.assert_array_equal(np.bincount(labels[wrong]), [flipped] * 2)
    np.testing.assert_array_equal(np.bincount(labels), [n // 2] * 2)
    for series in ("train_x", "train_y", "influence", "gradient_1", "gradient_2"):
        np.testing.assert_array_equal(column(toy, series)[1], kind)
    labels_test, of = column(toy, "test_label")
    assert set(of) == {""}
    np.testing.assert_array_equal(np.bincount(labels_test), [tests // 2] * 2)
    assert not np.isin(plane(toy), plane(toy, "test")).any()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", FLIPPED)
def test_every_method_of_the_table_flags_as_many_as_were_flipped(name, seed):
    found, (n, _, flipped) = metrics(run(name, seed)), FLIPPED[name]
    assert {method for method, *_ in found} == METHODS | {""}
    for method in METHODS:
        missed = (1 - found[method, "", "detection_accuracy"]) * n / 2  # each is two errors
        assert missed == pytest.approx(round(missed), abs=1e-9)
        assert 0 <= round(missed) <= 2 * flipped
        assert 0.5 < found[method, "", "trimmed_accuracy"] <= 1


@pytest.mark.parametrize("seed", range(12))
def test_flipped_samples_have_the_lowest_influence_where_the_loss_is_convex(seed):
    toy = run("blobs", seed)
    influence, kind = column(toy, "influence")
    wrong = kind == "mislabeled"
    auroc = metrics(toy)["influence_function", "", "influence_auroc"]
    assert auroc == pytest.approx(roc_auc_score(wrong, -influence))
    assert auroc > 0.98
    assert wrong[influence.argmin()]
    assert metrics(toy)["gradient_l1", "", "detection_accuracy"] > 0.98


def test_influence_does_not_tell_flipped_samples_of_the_half_moons():
    """Where outliers among the gradients do, on average over seeds; CleanLab's scores of predictions do neither."""
    found = [metrics(run("half_moons", seed)) for seed in range(3)]

    def mean(method, metric):
        return np.mean([one[method, "", metric] for one in found])

    assert 0.35 < mean("influence_function", "influence_auroc") < 0.75
    for outlier in ("gradient_iforest", "gradient_l1", "gradient_l2"):
        assert mean(outlier, "detection_accuracy") > 0.92
        for other in ("self_confidence", "influence_function", "grad_dot", "datainf", "lissa"):
            assert mean(outlier, "detection_accuracy") > mean(other, "detection_accuracy")
    assert mean("self_confidence", "detection_accuracy") < 0.88
    assert 0.84 < mean("", "test_accuracy") < 0.95  # the paper's is 90 %


def fitted(toy, keep):
    labels = column(toy, "train_label")[0]
    return LogisticRegression(C=0.01).fit(plane(toy)[keep], labels[keep])


@pytest.mark.parametrize("seed", range(3))
def test_blobs_written_out(seed):
    """Influence, gradients and what trimming leaves, from the points that the series tell."""
    toy = run("blobs", seed)
    x, (labels, kind), n = plane(toy), column(toy, "train_label"), 150
    half = fitted(toy, np.arange(n)).decision_function(x) / 2
    p = softmax(np.column_stack([-half, half]), axis=1)
    u = np.column_stack([x, np.ones(n)])
    gradients = np.stack([np.outer(p[i] - np.eye(2)[labels[i]], u[i]).ravel() for i in range(n)])
    hessian = np.mean([np.kron(np.diag(p[i]) - np.outer(p[i], p[i]), np.outer(u[i], u[i])) for i in range(n)], axis=0)
    solved = np.linalg.solve(hessian + 0.01 * np.eye(6), gradients.sum(axis=0))
    np.testing.assert_allclose(column(toy, "influence")[0], gradients @ solved / n, rtol=1e-3, atol=1e-3)
    components = PCA(2, svd_solver="full").fit_transform(gradients[:, 3:])
    for k in range(2):
        np.testing.assert_allclose(column(toy, f"gradient_{k + 1}")[0], components[:, k], atol=1e-4)
    flagged = np.zeros(n, bool)
    flagged[np.argsort(-np.abs(gradients).sum(axis=1))[:10]] = True
    found = metrics(toy)
    assert found["gradient_l1", "", "detection_accuracy"] == pytest.approx((flagged == (kind == "mislabeled")).mean())
    x_test, y_test = plane(toy, "test"), column(toy, "test_label")[0]
    assert found["gradient_l1", "", "trimmed_accuracy"] == fitted(toy, ~flagged).score(x_test, y_test)
    assert found["", "", "test_accuracy"] == fitted(toy, np.arange(n)).score(x_test, y_test)


@pytest.mark.parametrize("seed", range(3))
def test_cleanlab_finds_given_labels_and_not_predictions(seed):
    given = metrics(registry.load("toy", "blobs").function(seed, scores_predictions=False))
    for method in ("self_confidence", "normalized_margin"):
        assert given[method, "", "detection_accuracy"] > 0.95
        assert metrics(run("blobs", seed))[method, "", "detection_accuracy"] < 0.92


def test_more_flipped_labels_are_all_flagged():
    toy = registry.load("toy", "blobs").function(0, flipped=12)
    assert toy.ratio == 24 / 150
    assert (column(toy, "train_label")[1] == "mislabeled").sum() == 24


@pytest.mark.parametrize("seed", range(3))
def test_gradients_of_three_gaussians(seed):
    toy = run("three_gaussians", seed)
    rows = np.column_stack([column(toy, f"gradient_{k}")[0] for k in range(1, 7)]).reshape(-1, 3, 2)
    pair = column(toy, "gradient_1")[1]
    true, observed = (np.array([int(of.split("-")[k]) for of in pair]) for k in range(2))
    np.testing.assert_array_equal(np.bincount(true), [30] * 3)
    assert toy.ratio == 0.2 == (true != observed).mean()
    # residuals sum to zero, and all rows of a gradient are multiples of the feature
    np.testing.assert_allclose(rows.sum(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(rows[:, :2]), 0, atol=1e-4)
    x, (centres, here) = plane(toy), (plane(toy)[true == observed], true[true == observed])
    means = np.stack([centres[here == c].mean(axis=0) for c in range(3)])
    assert (np.linalg.norm(x[:, None] - means, axis=2).argmin(axis=1) == true).mean() > 0.98
    found = metrics(toy)
    assert found["", "", "true_label_accuracy"] > 0.9  # wrong labels do not move it much
    # "opposite to that of correctly labeled examples of the same original class", section 3.1, and not to others'
    assert found["", "same", "gradient_cosine"] < -0.5 < found["", "cross", "gradient_cosine"] - 0.2
    flat, clean = rows.reshape(-1, 6), true == observed
    cosines = []
    for i in np.flatnonzero(~clean):
        mean = flat[clean & (true == true[i])].mean(axis=0)
        cosines.append(flat[i] @ mean / np.linalg.norm(flat[i]) / np.linalg.norm(mean))
    assert found["", "same", "gradient_cosine"] == pytest.approx(np.mean(cosines), rel=1e-4)


def test_a_rate_that_diverges_says_so():
    with pytest.raises(CellError, match="smaller learning_rate"):
        registry.load("toy", "half_moons").function(0, learning_rate=1e20)


@pytest.mark.parametrize("name", registry.names("toy"))
def test_loading_a_toy_imports_no_large_library(name):
    code = (
        f"import sys; from glitchmark.registry import load; load('toy', {name!r}); "
        "sys.exit(bool({'torch', 'sklearn', 'cleanlab', 'numba'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
