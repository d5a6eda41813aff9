"""The streamed engine against the full matrix, against Captum, and its invariances."""

from functools import partial

import captum.influence
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from conftest import random_factors
from glitchmark.errors import CellError
from glitchmark.influence import engine
from glitchmark.influence.engine import class_sums, relabelled_sums
from glitchmark.influence.estimators.grad_cos import GradCos
from glitchmark.influence.estimators.influence_function import InfluenceFunction
from glitchmark.influence.estimators.tracin import TracIn
from glitchmark.influence.factors import Factors, cross_entropy, residuals
from glitchmark.influence.view import Influence

SEEDS = range(4)
FIELDS = ("neg", "pos", "ncf", "pcf", "ncf_neg", "pcf_pos")


def gradients(features, logits, labels, bias=True):
    """Per-sample gradients of the last layer at one checkpoint, (k, C * (d + 1)), in double precision."""
    p = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    d = p - np.eye(p.shape[1])[labels]
    u = np.hstack([features, np.full((len(features), 1), float(bias))]).astype(np.float64)
    return np.einsum("kc,kd->kcd", d, u).reshape(len(d), -1)


def slow_matrix(f: Factors, labels=None, last_only=False, bias=True):
    """TracIn by its definition: sum over checkpoints of lr <g_i, g_j>."""
    labels = f.labels_train if labels is None else labels
    total = 0.0
    for t in range(f.n_checkpoints - 1 if last_only else 0, f.n_checkpoints):
        at = 0 if f.frozen else t
        train = gradients(f.features_train[at], f.logits_train[t], labels, bias)
        val = gradients(f.features_val[at], f.logits_val[t], f.labels_val, bias)
        total = total + f.learning_rates[t] * train @ val.T
    return total


def slow_sums(matrix, labels_val, classes, subset):
    """Sign-split class sums by loops."""
    neg, pos = np.zeros((len(matrix), classes)), np.zeros((len(matrix), classes))
    for j in np.flatnonzero(subset):
        neg[:, labels_val[j]] += np.minimum(matrix[:, j], 0)
        pos[:, labels_val[j]] += np.maximum(matrix[:, j], 0)
    return neg, pos


def close(actual, expected, tolerance=1e-5):
    """Equal to a tolerance relative to the largest value."""
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * max(1e-30, np.abs(expected).max()))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_matrix_is_tracin_by_its_definition(seed, frozen, bias):
    f = random_factors(seed, frozen=frozen)
    influence = Influence.from_factors(f, lambda factors: TracIn(factors, bias=bias))
    close(influence.matrix(), slow_matrix(f, bias=bias))
    own = np.zeros(f.n_train)
    for t, rate in enumerate(f.learning_rates):
        g = gradients(f.features_train[0 if frozen else t], f.logits_train[t], f.labels_train, bias)
        own += rate * np.square(g).sum(axis=1)
    close(influence.self_influence, own)


def small_blocks(monkeypatch, rows=37):
    """Have the engine go through the matrix in blocks of so many rows."""
    monkeypatch.setattr(engine, "_bounds", lambda n, m, width: [(i, min(i + rows, n)) for i in range(0, n, rows)])


def some_subsets(f, seed):
    """All validation samples, two draws with some in common, one class alone, and a single sample: bool (5, m)."""
    draws = np.random.default_rng(seed).random((2, f.n_val)) < 0.5
    draws[:, 0] = True
    return np.stack([np.ones(f.n_val, bool), *draws, f.labels_val == 2, np.arange(f.n_val) == 3])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("alone", [True, False])
def test_streamed_class_sums_equal_those_of_the_full_matrix(seed, frozen, alone, monkeypatch):
    """Subsets alone take another way through the engine than several at once."""
    f = random_factors(seed, n=150, frozen=frozen)
    small_blocks(monkeypatch)
    subsets, each = some_subsets(f, seed), np.arange(150)
    whole = class_sums(TracIn, f, subsets)
    for s, subset in enumerate(subsets):
        sums, s = (class_sums(TracIn, f, subset[None]), 0) if alone else (whole, s)
        neg, pos = slow_sums(slow_matrix(f), f.labels_val, 4, subset)
        close(sums.neg[s].T, neg)
        close(sums.pos[s].T, pos)
        assert (sums.ncf[s] == neg.argmin(axis=1)).all()
        pos[each, f.labels_train] = -1
        assert (sums.pcf[s] == pos.argmax(axis=1)).all()
        neg, _ = slow_sums(slow_matrix(f, sums.ncf[s], last_only=True), f.labels_val, 4, subset)
        close(sums.ncf_neg[s], neg[each, f.labels_train])
        _, pos = slow_sums(slow_matrix(f, sums.pcf[s], last_only=True), f.labels_val, 4, subset)
        close(sums.pcf_pos[s].T, pos)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("build", [TracIn, GradCos, InfluenceFunction])  # products, and plain arrays
def test_several_subsets_at_once_are_each_alone(seed, frozen, build, monkeypatch):
    f = random_factors(seed, n=150, frozen=frozen)
    small_blocks(monkeypatch)
    subsets = some_subsets(f, seed)
    whole = class_sums(build, f, subsets, self_influence=True)
    np.testing.assert_array_equal(whole.self_influence, build(f).self_influence())
    for s, subset in enumerate(subsets):
        alone = class_sums(build, f, subset[None])
        for field in FIELDS:
            close(getattr(whole, field)[s], getattr(alone, field)[0])
    unasked = class_sums(build, f, subsets, counterfactual=False)
    assert unasked.ncf_neg is None
    assert unasked.pcf_pos is None
    assert unasked.self_influence is None
    np.testing.assert_array_equal(unasked.neg, whole.neg)


def test_an_empty_subset_is_refused():
    f = random_factors(0)
    with pytest.raises(CellError, match="a validation subset has no samples"):
        class_sums(TracIn, f, np.zeros((1, f.n_val), bool))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("frozen", [True, False])
def test_sums_depend_neither_on_threads_nor_on_the_size_of_blocks(seed, frozen, monkeypatch):
    f = random_factors(seed, n=200, frozen=frozen)
    subsets = some_subsets(f, seed)
    whole = class_sums(TracIn, f, subsets)
    small_blocks(monkeypatch)
    one, *more = (class_sums(TracIn, f, subsets, threads=threads) for threads in (1, 2, 3))
    for field in FIELDS:
        close(getattr(one, field), getattr(whole, field), 1e-6)
        for sums in more:
            np.testing.assert_array_equal(getattr(sums, field), getattr(one, field), err_msg=field)


@pytest.mark.parametrize("seed", SEEDS)
def test_per_batch_divides_all_sums_by_the_batch_size(seed):
    f = random_factors(seed)
    plain, divided = class_sums(TracIn, f), class_sums(partial(TracIn, per_batch=True), f)
    for field in ("neg", "pos", "ncf_neg", "pcf_pos"):
        close(f.batch_size * getattr(divided, field), getattr(plain, field))
    np.testing.assert_array_equal(divided.ncf, plain.ncf)
    np.testing.assert_array_equal(divided.pcf, plain.pcf)


@pytest.mark.parametrize("seed", SEEDS)
def test_permuting_samples_and_classes_permutes_the_sums(seed):
    f = random_factors(seed)
    rng = np.random.default_rng(seed)
    rows, columns, classes = rng.permutation(f.n_train), rng.permutation(f.n_val), rng.permutation(4)
    renamed = np.argsort(classes)  # old class -> new class
    g = Factors(
        features_train=f.features_train[:, rows],
        features_val=f.features_val[:, columns],
        logits_train=f.logits_train[:, rows][:, :, classes],
        logits_val=f.logits_val[:, columns][:, :, classes],
        labels_train=renamed[f.labels_train[rows]],
        labels_val=renamed[f.labels_val[columns]],
        learning_rates=f.learning_rates,
        batch_size=f.batch_size,
    )
    before, after = Influence.from_factors(f, TracIn), Influence.from_factors(g, TracIn)
    close(after.class_sums().neg, before.class_sums().neg[rows][:, classes])
    assert (after.ncf == renamed[before.ncf[rows]]).all()
    close(after.class_sums(after.ncf).neg, before.class_sums(before.ncf).neg[rows][:, classes])


@pytest.mark.parametrize("seed", SEEDS)
def test_any_relabelling_can_be_asked_for(seed):
    f = random_factors(seed)
    labels = np.random.default_rng(seed).integers(4, size=f.n_train)
    sums = Influence.from_factors(f, TracIn).class_sums(labels)
    neg, _ = slow_sums(slow_matrix(f, labels, last_only=True), f.labels_val, 4, np.ones(f.n_val, bool))
    close(sums.neg, neg)
    for subset in some_subsets(f, seed):
        part = relabelled_sums(TracIn, f, labels, subset, threads=2)
        neg, pos = slow_sums(slow_matrix(f, labels, last_only=True), f.labels_val, 4, subset)
        close(part.neg, neg)
        close(part.pos, pos)


class Net(nn.Module):
    """A trunk that changes with training, and a last layer."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 7), nn.Tanh())
        self.fc = nn.Linear(7, 3)

    def forward(self, x):
        return self.fc(self.trunk(x))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bias", [True, False])
def test_matrix_equals_captum(seed, bias, tmp_path):
    """TracInCP on the last layer counts its bias, TracInCPFast leaves it out."""
    torch.manual_seed(seed)
    x, y = torch.randn(30, 5), torch.randint(3, (30,))
    x_val, y_val = torch.randn(12, 5), torch.randint(3, (12,))
    net, rates, outputs = Net(), [0.1, 0.05, 0.02], []
    optimiser = torch.optim.SGD(net.parameters(), lr=0.5)
    for t in range(3):
        for _ in range(5):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimiser.step()
        torch.save(net.state_dict(), tmp_path / f"{t}.pt")
        with torch.no_grad():
            outputs.append([net.trunk(x), net.trunk(x_val), net(x), net(x_val)])

    def load(model, path):
        model.load_state_dict(torch.load(path, weights_only=True))
        return rates[int(path.split("/")[-1][0])]

    checkpoints = [str(tmp_path / f"{t}.pt") for t in range(3)]
    data = torch.utils.data.TensorDataset(x, y)
    if bias:
        captums = captum.influence.TracInCP(
            net, data, checkpoints, load, layers=["fc"], loss_fn=nn.CrossEntropyLoss(reduction="none"), batch_size=10
        )
    else:
        captums = captum.influence.TracInCPFast(
            net, net.fc, data, checkpoints, load, loss_fn=nn.CrossEntropyLoss(reduction="sum"), batch_size=10
        )
    expected = captums.influence((x_val, y_val), show_progress=False).numpy().T
    stacked = [np.stack([o[i].numpy() for o in outputs]) for i in range(4)]
    f = Factors(*stacked, y.numpy(), y_val.numpy(), np.array(rates), 30)
    influence = Influence.from_factors(f, lambda factors: TracIn(factors, bias=bias))
    close(influence.matrix(), expected)
    neg, pos = slow_sums(expected, y_val.numpy(), 3, np.ones(12, bool))
    close(influence.class_sums().neg, neg)
    close(influence.class_sums().pos, pos)


@pytest.mark.parametrize("margin", [0.0, 1.0, 30.0, 80.0])
def test_residuals_and_loss_are_exact_for_saturated_softmaxes(margin):
    logits, e = np.array([[margin, 0, -margin]], np.float32), np.exp(-np.float64(margin))
    others = e + e**2
    assert cross_entropy(logits, np.array([0]))[0] == pytest.approx(np.log1p(others), rel=1e-12)
    assert cross_entropy(logits, np.array([1]))[0] == pytest.approx(margin + np.log1p(others), rel=1e-12)
    p = np.array([1, e, e**2]) / (1 + others)
    np.testing.assert_allclose(
        residuals(logits, np.array([0]))[0], [-others / (1 + others), *p[1:]], rtol=1e-6, atol=1e-44
    )
    np.testing.assert_allclose(residuals(logits, np.array([2]))[0], [*p[:2], -p[0] - p[1]], rtol=1e-6, atol=1e-44)


def test_a_well_fitted_sample_keeps_an_influence():
    """1 - p rounds to zero in single precision from a margin of about 17 on; the residual must not."""
    f = random_factors(0, n=4, classes=2, scale=0)
    f.logits_train[:, :, 0] = 40.0
    f.labels_train[:] = 0
    assert (TracIn(f).self_influence() > 0).all()


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 50))
def test_loss_is_the_log_of_the_sum(seed, scale):
    rng = np.random.default_rng(seed)
    logits, labels = scale * rng.normal(size=(20, 5)), rng.integers(5, size=20)
    expected = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(20), labels]
    np.testing.assert_allclose(cross_entropy(logits, labels), expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels_train": np.zeros(3, int)}, "labels_train has shape"),
        ({"features_val": np.zeros((3, 24, 6), np.float32)}, "logits_val has shape"),
        ({"logits_val": np.full((3, 25, 4), np.nan, np.float32)}, "logits_val holds NaN"),
    ],
)
def test_factors_that_do_not_fit_are_refused(change, message):
    f = random_factors(0)
    with pytest.raises(CellError, match=message):
        Factors(**{**vars(f), **change})
