"""Every shipped detector on a planted problem that it has to solve."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from glitchmark import registry
from glitchmark.detectors import READS, Data, detector
from glitchmark.errors import CellError
from glitchmark.scores import checked

DETECTORS = registry.names("detector")
SEEDS = range(3)
CENTRES = 3 * np.eye(3, 8)
N = 400


class Planted:
    """Three Gaussian classes; a tenth of the samples is mislabeled, another tenth lies far away."""

    def __init__(self, targets, seed):
        rng = np.random.default_rng(seed)
        self.true = rng.integers(3, size=N)
        self.x = (CENTRES[self.true] + rng.normal(size=(N, 8))).astype(np.float32)
        self.labels = self.true.copy()
        chosen = rng.permutation(N)
        self.mislabeled, self.far = np.zeros((2, N), bool)
        if targets in ("mislabeled", "both"):
            self.mislabeled[chosen[:40]] = True
            self.labels[self.mislabeled] = (self.true[self.mislabeled] + rng.integers(1, 3, 40)) % 3
        if targets in ("anomalous", "both"):
            self.far[chosen[40:80]] = True
            direction = rng.normal(size=(40, 8))
            self.x[self.far] = 30 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        # the classifier that knows the classes and never saw a label
        logits = -0.5 * ((self.x[:, None] - CENTRES) ** 2).sum(axis=2)
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        self.out_of_sample = p / p.sum(axis=1, keepdims=True)
        self.glitched = self.mislabeled | self.far

    def data(self, reads, seed=0):
        readers = {"inputs": self.x, "features": self.x, "out_of_sample": self.out_of_sample}
        self.read = set()

        def reader(name):
            return lambda: (self.read.add(name), readers[name])[1]

        return Data(self.labels, 3, seed, {name: reader(name) for name in reads})


def run(name, planted, seed=0, **parameters):
    plugin = registry.load("detector", name)
    result = plugin.function(planted.data(plugin.info["reads"], seed), **parameters)
    return checked(result, f"detector '{name}'", N, 3)


def planted_for(name, seed):
    return Planted(registry.load("detector", name).info["targets"], seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", DETECTORS)
def test_finds_its_target(name, seed):
    planted = planted_for(name, seed)
    scores = run(name, planted, seed)
    assert roc_auc_score(planted.glitched, scores.score) > 0.9
    if scores.suggested is not None:
        assert (scores.suggested == planted.true)[planted.mislabeled].mean() > 0.8


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", DETECTORS)
def test_deterministic_and_pure(name, seed):
    planted = planted_for(name, seed)
    before = [planted.x.copy(), planted.labels.copy(), planted.out_of_sample.copy()]
    first, again = run(name, planted, seed), run(name, planted, seed)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    for array, copy in zip((planted.x, planted.labels, planted.out_of_sample), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", ["iforest", "iforest_features"])
def test_seed_is_used(name):
    planted = planted_for(name, 0)
    scores = {run(name, planted, seed).score.tobytes() for seed in SEEDS}
    assert len(scores) == len(SEEDS)


@pytest.mark.parametrize("name", DETECTORS)
def test_reads_what_it_declares(name):
    planted = planted_for(name, 0)
    run(name, planted)
    assert planted.read == set(registry.load("detector", name).info["reads"])


@pytest.mark.parametrize("name", READS)
def test_undeclared_read(name):
    planted = Planted("both", 0)
    declared = planted.data([other for other in READS if other != name])
    with pytest.raises(CellError, match=f"'{name}' without declaring"):
        getattr(declared, name)
    assert np.shape(getattr(planted.data([name]), name))[0] == N


def test_unknown_read_is_refused():
    with pytest.raises(ValueError, match="pixels"):
        detector("mine", targets="mislabeled", reads=("pixels",), reference="none")


def test_image_inputs_are_flattened():
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    inputs = Data(np.array([0, 1]), 2, 0, {"inputs": lambda: pixels}).inputs
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs, [range(9), range(9, 18)])


@pytest.mark.parametrize("seed", SEEDS)
def test_cleanlab_is_self_confidence(seed):
    planted = Planted("mislabeled", seed)
    scores = run("cleanlab", planted)
    np.testing.assert_allclose(scores.score, -planted.out_of_sample[np.arange(N), planted.labels], rtol=1e-12)
    np.testing.assert_array_equal(scores.suggested, planted.out_of_sample.argmax(axis=1))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("method", ["normalized_margin", "confidence_weighted_entropy"])
def test_cleanlab_methods(method, seed):
    planted = Planted("mislabeled", seed)
    score = run("cleanlab", planted, method=method).score
    assert roc_auc_score(planted.glitched, score) > 0.9
    assert not np.allclose(score, run("cleanlab", planted).score)


@pytest.mark.parametrize("name", ["iforest", "iforest_features"])
def test_iforest_size_is_used(name):
    planted = planted_for(name, 0)
    assert (run(name, planted, n_estimators=10).score != run(name, planted, n_estimators=20).score).any()
