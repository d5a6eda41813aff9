"""Every shipped detector on a planted problem that it has to solve.

The detector that trains a model itself is in test_model_based.py.
"""

import warnings

import numpy as np
import pytest
import torch
from cleanlab.rank import get_label_quality_scores
from pyod.models.deep_svdd import DeepSVDD
from sklearn.metrics import roc_auc_score

from glitchmark import registry, seeds
from glitchmark.detectors import READS, Data, detector
from glitchmark.detectors.cleanlab import FILTERS, METHODS
from glitchmark.errors import CellError
from glitchmark.feature_store import content_ids, fill, opened
from glitchmark.scores import checked
from glitchmark.stages import detect
from glitchmark.store import DamagedEntry, Store

DETECTORS = [name for name in registry.names("detector") if name != "model_based"]
PYOD = ["cblof", "deep_svdd", "dif", "iforest"]
SEEDS = range(3)
CENTRES = 3 * np.eye(3, 8)
N = 400
FAST = {"dif": {"n_ensemble": 5}, "deep_svdd": {"epochs": 20}}  # the same code in a fraction of the time
LEAST = {"deep_svdd": 0.75}  # its network also learns to bring outliers near the centre


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
        readers = {
            "inputs": self.x,
            "features": self.x,
            "out_of_sample": self.out_of_sample,
            "labels": self.labels,
            "model": np.arange(N),
        }
        self.read = set()

        def reader(name):
            return lambda: (self.read.add(name), readers[name])[1]

        return Data(3, seed, {name: reader(name) for name in reads})


def run(name, planted, seed=0, **parameters):
    plugin = registry.load("detector", name)
    parameters = FAST.get(name.removesuffix("_features"), {}) | parameters
    result = plugin.function(planted.data(plugin.info["reads"], seed), **parameters)
    return checked(result, f"detector '{name}'", N, 3)


def planted_for(name, seed):
    return Planted(registry.load("detector", name).info["targets"], seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", DETECTORS)
def test_finds_its_target(name, seed):
    planted = planted_for(name, seed)
    scores = run(name, planted, seed)
    assert roc_auc_score(planted.glitched, scores.score) > LEAST.get(name.removesuffix("_features"), 0.9)
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


@pytest.mark.parametrize("name", ["deep_svdd", "dif", "iforest", "iforest_features", "deep_svdd_features"])
def test_seed_is_used(name):
    planted = planted_for(name, 0)
    scores = {run(name, planted, seed).score.tobytes() for seed in SEEDS}
    assert len(scores) == len(SEEDS)


def test_seed_draws_clusters():
    """Where k-means has more than one solution."""
    planted = Planted("anomalous", 0)
    planted.x = np.random.default_rng(0).uniform(size=(N, 8)).astype(np.float32)
    assert len({run("cblof", planted, seed, n_clusters=12).score.tobytes() for seed in SEEDS}) > 1


@pytest.mark.parametrize("name", PYOD)
def test_global_generators_are_neither_read_nor_moved(name):
    planted, scores = planted_for(name, 0), []
    for outside in (1, 2):
        np.random.seed(outside)  # noqa: NPY002
        torch.manual_seed(outside)
        scores.append(run(name, planted).score)
        after = np.random.random(), torch.rand(1).item()  # noqa: NPY002
        np.random.seed(outside)  # noqa: NPY002
        torch.manual_seed(outside)
        assert after == (np.random.random(), torch.rand(1).item())  # noqa: NPY002
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("name", PYOD)
def test_features_are_treated_as_inputs_are(name):
    planted = planted_for(name, 0)
    np.testing.assert_array_equal(run(name, planted).score, run(f"{name}_features", planted).score)


@pytest.mark.parametrize("seed", SEEDS)
def test_deep_svdd_trains(seed):
    """Some versions of PyOD return what the network computes with its initial weights."""
    planted = Planted("anomalous", seed)
    np.random.seed(seed)  # noqa: NPY002
    initial = DeepSVDD(n_features=8, epochs=0, verbose=0, random_state=seed).fit(planted.x).decision_scores_
    means = [run("deep_svdd", planted, seed, epochs=epochs).score.mean() for epochs in (1, 30)]
    assert means[1] < 0.5 * means[0] < 0.5 * initial.mean()


@pytest.mark.parametrize("name", PYOD)
@pytest.mark.parametrize("n", [30, 256])
def test_few_samples_and_constant_columns(name, n):
    planted = Planted("anomalous", 0)
    x = np.column_stack([planted.x[:n], np.zeros(n), np.full(n, 7.5)]).astype(np.float32)
    far = n // 10
    x[:far, :8] = 40 * np.eye(8)[np.arange(far) % 8]
    data = Data(3, 0, {"inputs": lambda: x})
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # e.g. of samples fewer than a tree takes
        score = registry.load("detector", name).function(data, **FAST.get(name, {}))
    assert checked(score, name, n, 3).score.shape == (n,)
    assert len(np.unique(score)) > n // 2
    if name != "deep_svdd" and n == 256:
        assert roc_auc_score(np.arange(n) < far, score) > 0.9


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", [*PYOD, "dif_features"])
def test_missing_values_are_refused(name, bad):
    planted = Planted("anomalous", 0)
    planted.x[[3, 5], 2] = bad
    with pytest.raises(CellError, match=r"^2 of 400 training samples hold NaN or infinite values"):
        run(name, planted)


def test_cblof_with_fewer_samples_than_clusters():
    with pytest.raises(CellError, match="n_clusters: 8 is too many for 5 training samples; lower it"):
        registry.load("detector", "cblof").function(Data(2, 0, {"inputs": lambda: np.eye(5, dtype=np.float32)}))


@pytest.mark.parametrize("seed", SEEDS)
def test_cblof_without_small_clusters(seed):
    """Four groups of one size each; with ten clusters the smallest is at most a tenth, which PyOD takes for small."""
    rng = np.random.default_rng(seed)
    x = np.repeat(100 * np.eye(4), 30, axis=0) + rng.normal(size=(120, 4))
    data, cblof = Data(2, seed, {"inputs": lambda: x}), registry.load("detector", "cblof").function
    with pytest.raises(CellError, match=r"n_clusters: 4 leads to 4 clusters of similar size, .* use 10 or more"):
        cblof(data, n_clusters=4)
    assert np.isfinite(cblof(data, n_clusters=10)).all()


@pytest.mark.parametrize("name", PYOD)
def test_equal_samples_are_refused(name):
    with pytest.raises(CellError, match="all 20 training samples are equal"):
        registry.load("detector", name).function(Data(2, 0, {"inputs": lambda: np.ones((20, 2))}))


@pytest.mark.parametrize(
    ("name", "key"),
    [("cblof", "n_clusters"), ("deep_svdd", "epochs"), ("dif", "n_ensemble"), ("iforest", "n_estimators")],
)
def test_counts_must_be_positive(name, key):
    with pytest.raises(CellError, match=f"{key}: 0 must be a whole number of at least 1"):
        run(name, planted_for(name, 0), **{key: 0})


@pytest.mark.parametrize("name", DETECTORS)
def test_reads_what_it_declares(name):
    planted = planted_for(name, 0)
    run(name, planted)
    assert planted.read == set(registry.load("detector", name).info["reads"])


@pytest.mark.parametrize("name", [name for name in READS if name != "annotator"])
def test_undeclared_read(name):
    planted = Planted("both", 0)
    declared = planted.data([other for other in READS if other not in (name, "annotator")])
    with pytest.raises(CellError, match=f"'{name}' without declaring"):
        getattr(declared, name)
    assert np.shape(getattr(planted.data([name]), name))[0] == N


def test_undeclared_annotator():
    asked = np.array([3, 1])
    with pytest.raises(CellError, match="'annotator' without declaring"):
        Data(3, 0, {}).annotate(asked)
    np.testing.assert_array_equal(Data(3, 0, {"annotator": lambda rows: rows % 2}).annotate(asked), [1, 1])


@pytest.mark.parametrize(
    ("reads", "labels"),
    [(("inputs",), False), (("features",), False), (("out_of_sample",), True), (("inputs", "features"), True)],
)
def test_who_gets_labels(reads, labels):
    """What reads inputs or features alone must not rerun for other labels."""

    @detector("mine", targets="both", reads=reads, reference="none")
    def mine(data):
        return None

    assert ("labels" in mine.plugin.info["reads"]) == labels


def test_unknown_read_is_refused():
    with pytest.raises(ValueError, match="pixels"):
        detector("mine", targets="mislabeled", reads=("pixels",), reference="none")


def test_image_inputs_are_flattened():
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    inputs = Data(2, 0, {"inputs": lambda: pixels}).inputs
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs, [range(9), range(9, 18)])


@pytest.mark.parametrize("seed", SEEDS)
def test_cleanlab_is_self_confidence(seed):
    planted = Planted("mislabeled", seed)
    scores = run("cleanlab", planted)
    np.testing.assert_allclose(scores.score, -planted.out_of_sample[np.arange(N), planted.labels], rtol=1e-12)
    np.testing.assert_array_equal(scores.suggested, planted.out_of_sample.argmax(axis=1))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("method", METHODS)
def test_cleanlab_methods_order_as_the_library_does(method, seed):
    planted = Planted("mislabeled", seed)
    planted.out_of_sample = 0.9 * planted.out_of_sample + 0.1 / 3  # away from the library's clipping
    score = run("cleanlab", planted, method=method).score
    assert roc_auc_score(planted.glitched, score) > 0.9
    quality = get_label_quality_scores(planted.labels, planted.out_of_sample, method=method)
    order = np.argsort(score)
    assert (np.diff(quality[order]) <= 1e-12).all()


def test_weighted_entropy_of_certain_samples():
    """The surer the model is of the given label the less suspicious, and the surer of another the more."""
    p = np.array([0.0, 1e-300, 1e-30, 1e-12, 1e-9, 1e-7, 1e-3, 0.1, 0.4, 0.6, 0.9, 0.999, 1 - 1e-7, 1 - 1e-12, 1.0])
    data = Data(2, 0, {"labels": lambda: np.zeros(len(p), int), "out_of_sample": lambda: np.column_stack([p, 1 - p])})
    plugin = registry.load("detector", "cleanlab")
    score = plugin.function(data, method="confidence_weighted_entropy").score
    assert (np.diff(score) < 0).all()
    closed = -(0.1 * np.log2(0.1) + 0.9 * np.log2(0.9)) / 0.1
    np.testing.assert_allclose(score[7], closed, rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("filter_by", FILTERS)
def test_cleanlab_flags_label_issues(filter_by, seed):
    planted = Planted("mislabeled", seed)
    scores = run("cleanlab", planted, filter_by=filter_by)
    found = planted.mislabeled[scores.flagged]
    assert scores.flagged.dtype == bool
    assert found.mean() > 0.6
    assert found.sum() > 0.6 * planted.mislabeled.sum()
    if not filter_by.startswith("low_"):  # which may flag what the model predicts as well
        assert (scores.suggested != planted.labels)[scores.flagged].all()


@pytest.mark.parametrize("seed", SEEDS)
def test_predicted_neq_given_is_the_disagreement(seed):
    planted = Planted("mislabeled", seed)
    flagged = run("cleanlab", planted, filter_by="predicted_neq_given").flagged
    np.testing.assert_array_equal(flagged, planted.out_of_sample.argmax(axis=1) != planted.labels)


@pytest.mark.parametrize("filter_by", FILTERS)
def test_cleanlab_with_rare_and_missing_classes(filter_by, capfd):
    """A class without any label, and one with a single label."""
    planted = Planted("mislabeled", 0)
    planted.labels[planted.labels == 2] = 0
    planted.labels[:2] = 1, 2
    planted.out_of_sample = np.column_stack([planted.out_of_sample, np.full(N, 1e-3)]) / 1.001
    readers = {"labels": lambda: planted.labels, "out_of_sample": lambda: planted.out_of_sample}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = registry.load("detector", "cleanlab").function(Data(4, 0, readers), filter_by=filter_by)
    scores = checked(result, "cleanlab", N, 4)
    assert scores.flagged.any()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("method", METHODS)
def test_cleanlab_without_labels(method):
    planted = Planted("mislabeled", 0)
    scores = run("cleanlab", planted, method=method, ignore_labels=True)
    assert planted.read == {"out_of_sample"}
    assert scores.flagged is None
    np.testing.assert_array_equal(scores.suggested, planted.out_of_sample.argmax(axis=1))
    unsure = 1 - planted.out_of_sample.max(axis=1)
    assert np.corrcoef(np.argsort(np.argsort(scores.score)), np.argsort(np.argsort(unsure)))[0, 1] > 0.95


@pytest.mark.parametrize("ignore_labels", [True, False])
def test_cleanlab_refuses_nan(ignore_labels):
    planted = Planted("mislabeled", 0)
    planted.out_of_sample[3] = np.nan
    with pytest.raises(CellError, match=r"^1 of 400 samples have class probabilities that are NaN"):
        run("cleanlab", planted, ignore_labels=ignore_labels)


@pytest.mark.parametrize("key", ["method", "filter_by"])
def test_cleanlab_refuses_unknown_choices(key):
    with pytest.raises(CellError, match=f"{key}: 'prune' is unknown.*allowed: "):
        run("cleanlab", Planted("mislabeled", 0), **{key: "prune"})


@pytest.mark.parametrize("name", ["iforest", "iforest_features"])
def test_iforest_size_is_used(name):
    planted = planted_for(name, 0)
    assert (run(name, planted, n_estimators=10).score != run(name, planted, n_estimators=20).score).any()


# the stage: which of a cell's results it reads


class Stored:
    """A pool of images whose features are their pixels' sums, a subset, and a glitch that changes two of its samples
    and adds two others."""

    def __init__(self, folder):
        rng = np.random.default_rng(0)
        self.folder, self.store = folder / "features", Store(folder / "store")
        self.pool = rng.integers(0, 256, (300, 4, 4), dtype=np.uint8)
        self.train, val = rng.permutation(300)[:125], np.arange(10)
        self.changed = rng.integers(0, 256, (4, 4, 4), dtype=np.uint8)
        self.content = np.full(127, -1)
        self.content[[7, 30, 125, 126]] = [1, 0, 2, 3]
        self.put("pool", {"x": self.pool}, {"class_names": ["a", "b"], "categories": []})
        self.put("subset", {"train": self.train, "val": val})
        row = np.concatenate([self.train, [0, 1]])
        labels = rng.integers(2, size=127)
        self.put("inject", {"row": row, "content": self.content, "changed": self.changed, "observed_label": labels})
        ids = {"train": content_ids(self.pool[self.train]), "val": content_ids(self.pool[val])}
        self.put("features", ids, {"trunk": "sums"})
        self.put("changed_features", {"changed": content_ids(self.changed)}, {"trunk": "sums"})
        self.expected = np.concatenate([self.pool[self.train], np.zeros((2, 4, 4), np.uint8)])
        self.expected[self.content >= 0] = self.changed[self.content[self.content >= 0]]

    def put(self, name, arrays, info=None):
        self.store.put(name, arrays, info or {})

    def fill(self, *images):
        for x in images:
            store = opened(self.folder, "sums")
            fill(store, content_ids(x), lambda at, x=x: iter([self.features(x[at])]), dict)

    @staticmethod
    def features(x):
        return np.column_stack([x.sum(axis=1), x.sum(axis=2)]).astype(np.float32)

    def detect(self, name, *inputs):
        return self.compute(name, {i: self.store.get(i) for i in inputs})

    def compute(self, name, inputs):
        spec = {"dataset": "data", "seed": 3, "detector": {"name": name, "params": {}}}
        return detect.compute(spec, inputs, {"features": self.folder})[0]["score"][0]


@pytest.fixture
def stored(tmp_path):
    yield Stored(tmp_path)
    opened.cache_clear()  # the next one lies elsewhere


def scored(name, x):
    """The isolation forest's scores of what it should have read."""
    plugin = registry.load("detector", name)
    data = Data(2, seeds.integer(3, "detector", name, "data"), {plugin.info["reads"][0]: lambda: x})
    return plugin.function(data)


def test_inputs_of_the_subset_or_as_glitches_left_them(stored):
    original, glitched = (scored("iforest", x) for x in (stored.pool[stored.train], stored.expected))
    np.testing.assert_array_equal(stored.detect("iforest", "pool", "subset"), original)
    np.testing.assert_array_equal(stored.detect("iforest", "pool", "inject"), glitched)
    np.testing.assert_array_equal(stored.detect("iforest", "pool", "subset", "inject"), glitched)


def test_features_of_the_subset_or_as_glitches_left_them(stored):
    stored.fill(stored.pool[stored.train], stored.changed)
    original, glitched = (
        scored("iforest_features", stored.features(x)) for x in (stored.pool[stored.train], stored.expected)
    )
    with_subset = stored.detect("iforest_features", "pool", "subset", "features")
    np.testing.assert_array_equal(with_subset, original)
    with_glitch = stored.detect("iforest_features", "pool", "subset", "inject", "features", "changed_features")
    np.testing.assert_array_equal(with_glitch, glitched)


def test_features_of_a_glitch_that_changed_no_input(stored):
    stored.fill(stored.pool[stored.train])
    stored.put("untouched", {"row": stored.train, "content": np.full(125, -1)})
    stored.put("no_features", {"changed": content_ids(stored.changed[:0])}, {"trunk": "sums"})
    inputs = {name: stored.store.get(name) for name in ("pool", "subset", "features")}
    inputs |= {"inject": stored.store.get("untouched"), "changed_features": stored.store.get("no_features")}
    score = stored.compute("iforest_features", inputs)
    np.testing.assert_array_equal(score, scored("iforest_features", stored.features(stored.pool[stored.train])))


@pytest.mark.parametrize("lost", ["features", "changed_features"])
def test_lost_features_name_the_entry_whose_stage_computes_them(stored, lost):
    stored.fill(stored.changed if lost == "features" else stored.pool[stored.train])
    with pytest.raises(DamagedEntry, match="damaged or missing") as error:
        stored.detect("iforest_features", "pool", "inject", "features", "changed_features")
    assert error.value.key == lost


def test_labels_are_not_read_from_where_they_are_not(stored, tmp_path):
    """A detector that declares inputs alone cannot see labels, even where the stage has them."""
    (tmp_path / "peeks.py").write_text(
        "from glitchmark.detectors import detector\n\n"
        "@detector('peeks', targets='both', reads=('inputs',), reference='none')\n"
        "def peeks(data):\n    return data.labels\n"
    )
    registry.load("detector", "peeks", tmp_path / "peeks.py")
    with pytest.raises(CellError, match=r"reads 'labels' without declaring it; add it to its reads"):
        stored.detect("peeks", "pool", "inject")
