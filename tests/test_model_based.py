"""Model-based detection: the algorithm on models that are scripted or trained here, and the stage on real cells."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.metrics import roc_auc_score

from glitchmark import registry
from glitchmark.detectors import Data
from glitchmark.errors import CellError
from glitchmark.scores import checked
from glitchmark.stages import features, inject, refit, subset
from glitchmark.stages._cell import prepare
from glitchmark.training.inputs import forward

pytestmark = pytest.mark.usefixtures("one_thread")

SEEDS = range(3)
N, M, C = 200, 70, 3
NO_CLASS = -1
model_based = registry.load("detector", "model_based").function


class Planted:
    """Three Gaussian classes, a tenth of the labels changed, a few samples of no class, and a softmax regression that
    remembers what it is shown."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        classes = rng.integers(C, size=N + M)
        self.x = 2 * np.eye(C, 6)[classes] + rng.normal(size=(N + M, 6))
        self.true, self.labels_val = classes[:N].copy(), classes[N:]
        self.labels = self.true.copy()
        self.mislabeled = np.zeros(N, bool)
        self.mislabeled[rng.permutation(N)[:20]] = True
        self.labels[self.mislabeled] = (self.true + rng.integers(1, C, N))[self.mislabeled] % C
        self.true[rng.choice(np.flatnonzero(~self.mislabeled), 10, replace=False)] = NO_CLASS
        self.n_train, self.weights = N, np.zeros((7, C))
        self.fits, self.predicted, self.asked = [], [], []

    def fit(self, rows, labels, epochs):
        self.fits.append((rows.copy(), labels.copy(), epochs))
        x = np.column_stack([self.x[rows], np.ones(len(rows))])
        for _ in range(20 * epochs):
            p = np.exp(log_softmax(x @ self.weights, axis=1))
            self.weights -= 0.5 * x.T @ (p - np.eye(C)[labels]) / len(rows)

    def logits(self, rows):
        out = np.column_stack([self.x[rows], np.ones(len(rows))]) @ self.weights
        self.predicted.append((rows.copy(), out))
        return out

    def annotate(self, samples):
        self.asked.append(samples.copy())
        return self.true[samples]

    def run(self, seed=0, **parameters):
        readers = {"model": lambda: self, "labels": lambda: self.labels}
        if parameters.get("annotator") != "model":
            readers["annotator"] = self.annotate
        return checked(model_based(Data(C, seed, readers), **parameters), "model_based", N, C)


class Scripted:
    """A model whose logits in each round are given."""

    def __init__(self, rounds, labels_val):
        self.rounds, self.labels_val, self.n_train = rounds, labels_val, len(rounds[0]) - len(labels_val)
        self.round, self.learned = -1, []

    def fit(self, rows, labels, epochs):
        self.round += 1
        self.learned.append((rows, labels))

    def logits(self, rows):
        return self.rounds[self.round][rows]


@pytest.mark.parametrize("annotator", ["simulated", "model"])
@pytest.mark.parametrize("seed", SEEDS)
def test_finds_mislabeled_samples(seed, annotator):
    planted = Planted(seed)
    scores = planted.run(seed, annotator=annotator)
    assert roc_auc_score(planted.mislabeled, scores.score) > 0.9
    assert (scores.suggested == planted.true)[planted.mislabeled].mean() > 0.6


@pytest.mark.parametrize("seed", SEEDS)
def test_the_annotator_is_asked_for_what_was_agreed(seed):
    planted = Planted(seed)
    planted.run(seed, rounds=4, cleaned=9)
    assert [len(samples) for samples in planted.asked] == [9, 9, 9]  # none after the last round
    assert len(set(np.concatenate(planted.asked))) == 27


def test_defaults_are_the_papers_shares():
    """500 of 700 samples, a fifth of them cleaned a round, five rounds of seven epochs."""
    planted = Planted(0)
    planted.run()
    assert [epochs for _, _, epochs in planted.fits] == [7] * 5
    assert len(planted.fits[0][0]) == 50
    assert [len(samples) for samples in planted.asked] == [10] * 4


@pytest.mark.parametrize("clean", [1, 30, 60])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_model_learns_clean_samples_alone(seed, clean):
    """The same validation samples in every round, and what was annotated before; true labels; nothing of Z+."""
    planted = Planted(seed)
    planted.run(seed, clean=clean, cleaned=15)
    truth = np.concatenate([planted.true, planted.labels_val])
    start = set(planted.fits[0][0])
    assert len(start) == clean
    assert min(start) >= N
    held_out = {tuple(rows) for rows, _ in planted.predicted if rows.min() >= N}
    assert {frozenset(rows) for rows in held_out} == {frozenset(range(N, N + M)) - start}
    for number, (rows, labels, _) in enumerate(planted.fits):
        answered = {i for samples in planted.asked[:number] for i in samples if planted.true[i] != NO_CLASS}
        assert set(rows) == start | answered
        assert len(rows) == len(set(rows))
        np.testing.assert_array_equal(labels, truth[rows])


@pytest.mark.parametrize("seed", SEEDS)
def test_annotated_samples_are_the_most_uncertain_ones(seed):
    planted = Planted(seed)
    planted.run(seed, cleaned=12)
    done = np.zeros(N, bool)
    everywhere = [logits for rows, logits in planted.predicted if len(rows) == N]
    for samples, logits in zip(planted.asked, everywhere, strict=False):
        p = np.exp(log_softmax(logits, axis=1))
        entropy = np.array([-sum(q * np.log(q) for q in row) for row in p])
        assert not done[samples].any()
        done[samples] = True
        assert entropy[samples].min() >= entropy[~done].max()


@pytest.mark.parametrize("confidence", [0.6, 0.9])
@pytest.mark.parametrize("seed", SEEDS)
def test_automatic_learns_given_labels_that_the_model_is_sure_of(seed, confidence):
    planted = Planted(seed)
    scores = planted.run(seed, annotator="model", confidence=confidence, cleaned=20)
    everywhere = [logits for rows, logits in planted.predicted if len(rows) == N]
    before = set(planted.fits[0][0])
    for logits, (rows, labels, _) in zip(everywhere, planted.fits[1:], strict=False):
        p = np.exp(log_softmax(logits, axis=1))
        new = np.array(sorted(set(rows) - before))
        before = set(rows)
        assert 0 < len(new) <= 20
        assert (p[new, planted.labels[new]] >= confidence).all()
        own = rows < N
        np.testing.assert_array_equal(labels[own], planted.labels[rows[own]])
    assert planted.asked == []
    best = [np.array_equal(scores.suggested, logits.argmax(axis=1)) for logits in everywhere]
    assert any(best)  # its predictions, not the labels that it trusted


def scripted(quality, seed=0):
    """Rounds whose model knows so many of the validation labels, and gives every training sample its own logits."""
    rng = np.random.default_rng(seed)
    labels_val = rng.integers(C, size=40)
    rounds = []
    for known in quality:
        logits = rng.normal(size=(30 + 40, C))
        logits[30:] = 0
        sure = 30 + np.arange(known)
        logits[sure, labels_val[:known]] = 5
        rounds.append(logits)
    return Scripted(rounds, labels_val)


@pytest.mark.parametrize(("quality", "kept"), [((0, 40, 20), 1), ((0, 20, 40), 2), ((40, 40, 0), 0), ((40, 0, 40), 0)])
def test_the_round_that_detects_best_is_kept_the_first_on_ties(quality, kept):
    model, labels = scripted(quality), np.random.default_rng(1).integers(C, size=30)
    readers = {"model": lambda: model, "labels": lambda: labels, "annotator": lambda rows: np.full(len(rows), NO_CLASS)}
    scores = model_based(Data(C, 0, readers), rounds=3, clean=20)
    expected = -log_softmax(model.rounds[kept][:30], axis=1)[np.arange(30), labels]
    np.testing.assert_allclose(scores.score, expected, rtol=1e-12)
    np.testing.assert_array_equal(scores.suggested, model.rounds[kept][:30].argmax(axis=1))
    assert all(len(rows) == 20 for rows, _ in model.learned)  # samples of no class are put aside


def test_the_annotators_label_is_suggested():
    model, labels = scripted((40, 0)), np.zeros(30, int)
    readers = {"model": lambda: model, "labels": lambda: labels, "annotator": lambda rows: rows % C}
    scores = model_based(Data(C, 0, readers), rounds=2, cleaned=30)
    np.testing.assert_array_equal(scores.suggested, np.arange(30) % C)
    np.testing.assert_allclose(scores.score, -log_softmax(model.rounds[0][:30], axis=1)[:, 0], rtol=1e-12)


def test_loss_of_a_hopeless_label_stays_finite():
    model, labels = scripted((40, 0)), np.zeros(30, int)
    model.rounds[0][:30] = [-2000, 0, 10]
    readers = {"model": lambda: model, "labels": lambda: labels, "annotator": lambda rows: rows % C}
    scores = model_based(Data(C, 0, readers), rounds=2)
    np.testing.assert_allclose(scores.score, 2010, rtol=1e-4)


def test_draws_come_from_the_seed():
    results = [Planted(0).run(seed).score.tobytes() for seed in (0, 0, 1)]
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"clean": 69}, "clean: 69 of 70 validation samples must be at least 1, and leave 2"),
        ({"clean": -1}, "clean: -1 of 70"),
        ({"cleaned": -3}, "cleaned: -3 must be a whole number of at least 1"),
        ({"rounds": 0}, "rounds: 0 must"),
        ({"epochs": 0}, "epochs: 0 must"),
        ({"confidence": 0.0}, "confidence: 0.0 must"),
        ({"annotator": "people"}, "annotator: 'people' is unknown; allowed: simulated, model"),
    ],
)
def test_parameters_that_cannot_work(parameters, message):
    with pytest.raises(CellError, match=message):
        Planted(0).run(**parameters)


# the stage, on real cells

WEIGHTS = Path(registry.__file__).parent / "pretrained" / "vit_cifar.safetensors"
CASES = {"head": ("digits", "vit_cifar", {}), "all": ("breast_cancer", "mlp", {"d_block": 32, "dropout": 0.1})}
SETTINGS = {"epochs": 40, "learning_rate": 0.2, "batch_size": 16}


def entry(result):
    arrays, info = result
    return SimpleNamespace(arrays=arrays, info=info)


def pool(name):
    loaded = registry.load("dataset", name).function()
    info = {"class_names": list(loaded.class_names), "categories": list(loaded.categories)}
    return SimpleNamespace(arrays={"x": loaded.x, "y": loaded.y}, info=info)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of the features that frozen parts compute."""
    return tmp_path_factory.mktemp("features")


class RealCell:
    """Spec and inputs of a cell with a tenth of its labels changed."""

    def __init__(self, folder, trained, seed, **settings):
        data, model, params = CASES[trained]
        network = {"model": {"name": model, "params": params}, "trained": trained, "weights": ""}
        network["input_size"] = 32 if trained == "head" else None
        drawn = {"dataset": data, "seed": seed}
        self.spec = drawn | network | {"settings": SETTINGS | settings, "device": "cpu"}
        self.runtime = {"threads": 1, "features": folder, "paths": {}}
        self.inputs = {"pool": pool(data)}
        split = {"split": {"subset": 300, "validation": 0.3, "test": 0.1}}
        self.inputs["subset"] = entry(subset.compute(drawn | split, self.inputs, self.runtime))
        glitch = {"parts": [{"name": "uniform", "params": {"ratio": 0.1}}]}
        self.inputs["inject"] = entry(inject.compute(drawn | glitch, self.inputs, self.runtime))
        self.truth = self.inputs["inject"].arrays
        self.mislabeled = self.truth["kind"] == "mislabeled"
        if trained == "head":
            self.runtime["paths"] = {"weights": str(WEIGHTS)}
            self.spec["trunk"] = network | {"precision": "single", "device": "cpu"}
            only = {name: self.inputs[name] for name in ("pool", "subset")}
            self.inputs["features"] = entry(features.compute(self.spec, only, self.runtime))

    def run(self, **params):
        spec = self.spec | {"detector": {"name": "model_based", "params": params}}
        return refit.compute(spec, self.inputs, self.runtime)


@pytest.mark.parametrize("annotator", ["simulated", "model"])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("trained", CASES)
def test_real_cells(folder, trained, seed, annotator):
    cell = RealCell(folder, trained, seed)
    arrays, info = cell.run(annotator=annotator, epochs=15)
    assert arrays["score"].shape == arrays["suggested"].shape == (1, 210)
    assert roc_auc_score(cell.mislabeled, arrays["score"][0]) > 0.85
    assert (arrays["suggested"][0] == cell.truth["true_label"])[cell.mislabeled].mean() > 0.4
    assert info["annotated"] == (4 * (64 // 5) if annotator == "simulated" else 0)


def test_the_automatic_variant_knows_no_truth(folder):
    cell = RealCell(folder, "all", 0)
    arrays, _ = cell.run(annotator="model")
    cell.truth["true_label"][:] = 0
    again, _ = cell.run(annotator="model")
    for name in ("score", "suggested"):
        np.testing.assert_array_equal(again[name], arrays[name])
    assert (cell.run()[0]["suggested"] != arrays["suggested"]).any()


def test_same_cell_same_bits_and_the_seed_counts(folder):
    first, again, other = (RealCell(folder, "all", seed).run()[0]["score"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_learning_rate_is_constant(folder):
    """The settings' schedule is one of the whole training, which this is not."""
    plain, cosine = (RealCell(folder, "all", 0, **more).run()[0] for more in ({}, {"schedule": "cosine"}))
    np.testing.assert_array_equal(plain["score"], cosine["score"])


@pytest.mark.parametrize("trained", CASES)
def test_the_model_is_the_cells(folder, trained):
    """It starts from the cell's initial weights, numbers validation samples after training samples, and trains on."""
    made = RealCell(folder, trained, 0, learning_rate=0.02)
    cell = prepare(made.spec, made.inputs, made.runtime)
    model = refit.Refit(cell, np.random.default_rng(0))
    block, head = cell.trainable()
    both = torch.cat([cell.x_train, cell.x_val])
    rows = np.array([5, 212, 0, 299, 209, 210, 5])
    expected = forward(head, forward(block, both[torch.from_numpy(rows)])).numpy()
    np.testing.assert_allclose(model.logits(rows), expected, rtol=1e-5, atol=1e-6)
    labels = np.concatenate([made.truth["true_label"], model.labels_val])
    every = np.arange(len(both))
    losses = []
    for _ in range(3):
        losses.append(-log_softmax(model.logits(every), axis=1)[every, labels].mean())
        model.fit(every, labels, 2)
    assert losses[0] > losses[1] > losses[2]
