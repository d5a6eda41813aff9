"""Every shipped glitch, alone and mixed, through the stage that injects them."""

import itertools
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from glitchmark import registry
from glitchmark.datasets._images import fit_images
from glitchmark.errors import CellError
from glitchmark.glitches import ANOMALOUS, MISLABELED, NO_CLASS, AnomalySource, TrainingData
from glitchmark.stages import inject
from glitchmark.stages._samples import training_inputs
from glitchmark.store import Store

GLITCHES = {name: registry.load("glitch", name) for name in registry.names("glitch")}
BREAKING = [name for name, plugin in GLITCHES.items() if plugin.info["kind"]]
WITH_RATIO = [name for name, plugin in GLITCHES.items() if "ratio" in plugin.parameters]
CASES = [(name, modality) for name, plugin in GLITCHES.items() for modality in plugin.info["modalities"]]
BY_MODALITY = {m: [name for name, own in CASES if own == m] for m in ("image", "table")}

# all that the tests know of single glitches: parameters without a default, and numbers other than a share of all
REQUIRED = {"asymmetric": lambda n_classes: {"matrix": np.ones((n_classes, n_classes)).tolist()}}


def count_human(part, clean, before, hit):
    return np.count_nonzero((clean.annotated != clean.label) & (before.glitch[: clean.n] == ""))


def count_singular(part, clean, before, hit):
    return round(part["params"]["ratio"] * np.count_nonzero(clean.label == before.true_label[hit[0]]))


COUNTS = {"none": lambda *_: 0, "human": count_human, "singular": count_singular}


def part(name, ratio=0.1, n_classes=3, **more):
    """An entry of a glitch in a cell's spec."""
    params = {"ratio": ratio} if "ratio" in GLITCHES[name].parameters else {}
    return {"name": name, "params": params | REQUIRED.get(name, lambda _: {})(n_classes) | more}


def setting(n, n_classes, modality="image", seed=0, colour=False, weights=None):
    """A pool, twice as large as the subset, with the subset's rows in random order; another pool of 3 x 600 samples.

    weights: how the subset's classes are distributed; balanced by default. A quarter of the human labels is wrong.
    """
    rng = np.random.default_rng([n, n_classes, seed])
    label = np.arange(n) % n_classes if weights is None else rng.choice(n_classes, n, p=weights)
    y = np.concatenate([label, rng.integers(n_classes, size=n)])
    rows, order = np.arange(n), rng.permutation(2 * n)
    rows, y = rng.permutation(np.argsort(order)[rows]), y[order]  # the subset lies anywhere in the pool
    categories = (0, 0, 3, 0)
    if modality == "image":
        shape = (5, 4, 3) if colour else (5, 4)
        x = rng.integers(0, 200, (2 * n, *shape), dtype=np.uint8)
        x[np.arange(2 * n), 0, y % 4] += 50
    else:
        x = (rng.normal(size=(2 * n, 4)) * [1, 100, 0, 0.01] + [0, 5, 0, 0] + 0.5 * y[:, None]).astype(np.float32)
        x[:, 2] = rng.integers(3, size=2 * n)
        x[rng.random((2 * n, 4)) < 0.1] = np.nan
    wrong = rng.random(2 * n) < 0.25
    annotated = np.where(wrong, (y + rng.integers(1, n_classes, 2 * n)) % n_classes, y)
    foreign_y = rng.permutation(np.arange(1800) % 3)
    foreign_x = rng.integers(0, 256, (1800, 3, 3, 3), dtype=np.uint8)
    x.flags.writeable = foreign_x.flags.writeable = False  # a pool is shared by all cells
    return SimpleNamespace(
        x=x,
        y=y,
        rows=rows,
        label=y[rows],
        annotated=annotated[rows],
        n=n,
        n_classes=n_classes,
        modality=modality,
        foreign_y=foreign_y,
        foreign_x=foreign_x,
        pool=SimpleNamespace(
            arrays={"x": x, "y": y, "annotated": annotated},
            info={
                "class_names": [str(c) for c in range(n_classes)],
                "categories": list(categories) if modality == "table" else [],
            },
        ),
        foreign=SimpleNamespace(arrays={"x": foreign_x, "y": foreign_y}),
    )


def injected(clean, parts, seed=0):
    """What the stage leaves, with each sample's input besides."""
    spec = {"dataset": "mine", "seed": seed, "parts": parts, "anomaly_source": "theirs"}
    inputs = {
        "pool": clean.pool,
        "subset": SimpleNamespace(arrays={"train": clean.rows}),
        "anomaly_pool": clean.foreign,
    }
    arrays, _ = inject.compute(spec, inputs, {})
    x = training_inputs({"pool": clean.pool, "inject": SimpleNamespace(arrays=arrays)})
    return SimpleNamespace(**arrays, x=x)


def bits(x):
    """Each sample's input as bytes: equal for equal NaN, unequal for 0 and -0."""
    return np.array([sample.tobytes().hex() for sample in x])


FIELDS = ("id", "source", "row", "true_label", "observed_label", "glitch", "kind")


def check_truth_table(out, clean):
    """What holds after any glitches."""
    n, hit = clean.n, out.glitch != ""
    assert {len(getattr(out, name)) for name in (*FIELDS, "content", "x")} == {len(out.row)}
    for name in ("row", "true_label", "observed_label", "content"):
        assert getattr(out, name).dtype == np.int64
    assert out.x.dtype == clean.x.dtype
    assert len(set(out.id)) == len(out.id)
    assert out.id.tolist() == [f"{s}:{r}" for s, r in zip(out.source, out.row, strict=True)]
    assert out.observed_label.min() >= 0
    assert out.observed_label.max() < clean.n_classes

    np.testing.assert_array_equal(out.kind != "", hit)
    assert set(out.kind) <= {"", MISLABELED, ANOMALOUS}
    wrong = (out.true_label != out.observed_label) & (out.true_label != NO_CLASS)
    np.testing.assert_array_equal(out.kind == MISLABELED, wrong)

    # what was there before the glitches is still there, in its place, and knows its true class
    assert set(out.source[:n]) == {"mine"}
    np.testing.assert_array_equal(out.row[:n], clean.rows)
    np.testing.assert_array_equal(out.true_label[:n], clean.label)
    assert (out.kind[n:] == ANOMALOUS).all()
    assert (out.true_label[n:] == NO_CLASS).all()
    assert "mine" not in set(out.source[n:])

    # inputs are the pool's own, bit for bit, unless an anomaly was made of the sample
    own = np.flatnonzero(out.kind != ANOMALOUS)
    np.testing.assert_array_equal(bits(out.x[own]), bits(clean.x[out.row[own]]))
    assert (out.content[own] == -1).all()
    assert (out.content[out.kind == ANOMALOUS] >= 0).all()
    changed = np.flatnonzero(out.kind[:n] == ANOMALOUS)
    assert (bits(out.x[changed]) != bits(clean.x[clean.rows[changed]])).all()


def check_step(before, after, part, clean):
    """What holds for one glitch, given the data before and after it. Returns the samples that it hit."""
    plugin, m = GLITCHES[part["name"]], len(before.row)
    assert len(after.row) >= m
    changed = np.flatnonzero(before.glitch != after.glitch[:m])
    assert (before.glitch[changed] == "").all(), "a sample is hit twice"
    hit = np.concatenate([changed, np.arange(m, len(after.row))])
    kept = np.delete(np.arange(m), changed)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(before, name)[kept], getattr(after, name)[kept])
    np.testing.assert_array_equal(bits(before.x[kept]), bits(after.x[kept]))

    assert set(after.glitch[hit]) <= {part["name"]}
    assert set(after.kind[hit]) <= {plugin.info["kind"]}
    count = COUNTS.get(part["name"], lambda *_: round(part["params"]["ratio"] * clean.n))
    assert len(hit) == count(part, clean, before, hit)
    if plugin.info["kind"] == ANOMALOUS:
        np.testing.assert_array_equal(before.observed_label[changed], after.observed_label[changed])
    return hit


def check_glitches(clean, parts, seed):
    before = injected(clean, [], seed)
    check_truth_table(before, clean)
    assert set(before.glitch) == {""}
    for k, own in enumerate(parts):
        after = injected(clean, parts[: k + 1], seed)
        check_truth_table(after, clean)
        check_step(before, after, own, clean)
        before = after


# All glitches

sizes = st.integers(40, 150)
class_counts = st.integers(2, 5)
seeds = st.integers(0, 2**32)
ratios = st.floats(0.07, 0.2)  # at least one sample of a class of eight


@pytest.mark.parametrize(("name", "modality"), CASES, ids=lambda value: value)
@given(n=sizes, n_classes=class_counts, ratio=ratios, colour=st.booleans(), seed=seeds)
@settings(max_examples=25)
def test_single_glitch(name, modality, n, n_classes, ratio, colour, seed):
    check_glitches(setting(n, n_classes, modality, seed, colour), [part(name, ratio, n_classes)], seed)


@pytest.mark.parametrize("modality", ["image", "table"])
@given(data=st.data(), n=st.integers(80, 150), n_classes=st.integers(2, 4), seed=seeds)
@settings(max_examples=50, phases=set(Phase) - {Phase.shrink, Phase.explain})  # which take minutes
def test_mixture(modality, data, n, n_classes, seed):
    drawn = data.draw(st.lists(st.tuples(st.sampled_from(BY_MODALITY[modality]), ratios), min_size=2, max_size=3))
    parts = [part(name, ratio, n_classes) for name, ratio in drawn]
    check_glitches(setting(n, n_classes, modality, seed), parts, seed)


@pytest.mark.parametrize(("name", "modality"), CASES, ids=lambda value: value)
def test_a_glitch_twice(name, modality):
    clean = setting(400, 3, modality)
    for seed in range(4):
        check_glitches(clean, [part(name, 0.3), part(name, 0.3)], seed)


@pytest.mark.parametrize("modality", ["image", "table"])
def test_all_glitches_at_once(modality):
    names = [name for name in BY_MODALITY[modality] if name in BREAKING]
    for order in (names, names[::-1]):
        check_glitches(setting(600, 3, modality, colour=True), [part(name, 0.05) for name in order], 0)


@pytest.mark.parametrize("ratio", [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])  # the paper's range
@pytest.mark.parametrize("name", BREAKING)
def test_ratios(name, ratio):
    modality = GLITCHES[name].info["modalities"][0]
    check_glitches(setting(300, 3, modality), [part(name, ratio)], 0)


@pytest.mark.parametrize("name", [name for name in WITH_RATIO if name in BREAKING])
def test_a_ratio_of_one_hits_every_sample(name):
    modality = GLITCHES[name].info["modalities"][0]
    check_glitches(setting(60, 3, modality), [part(name, 1.0)], 0)


@pytest.mark.parametrize("modality", ["image", "table"])
def test_the_seed_decides(modality):
    names = [name for name in BY_MODALITY[modality] if name in BREAKING and name in WITH_RATIO]
    clean = setting(200, 3, modality)
    for chosen in [[name] for name in names] + [names]:
        parts, seen = [part(name, 0.1) for name in chosen], set()
        for seed in range(4):
            first, again = (vars(injected(clean, parts, seed)) for _ in range(2))
            assert all(first[name].tobytes() == again[name].tobytes() for name in first)
            seen.add(b"".join(values.tobytes() for values in first.values()))
        assert len(seen) == 4


@pytest.mark.parametrize("name", [name for name in WITH_RATIO if name in BREAKING])
def test_places_in_a_mixture_differ_in_their_draws(name):
    clean = setting(200, 3, GLITCHES[name].info["modalities"][0])
    alone = injected(clean, [part(name, 0.1)])
    second = injected(clean, [part("none"), part(name, 0.1)])
    own = [(out.id.tolist(), out.observed_label.tolist(), bits(out.x).tolist()) for out in (alone, second)]
    assert own[0] != own[1]


@pytest.mark.parametrize("name", WITH_RATIO)
@given(n=st.integers(10, 400), share=st.floats(0.01, 0.5))
@settings(max_examples=15)
def test_a_ratio_that_rounds_to_zero(name, n, share):
    clean = setting(n, 2, GLITCHES[name].info["modalities"][0])
    with pytest.raises(CellError, match="rounds to zero") as error:
        injected(clean, [part(name, share / n, 2)])
    found = re.search(r"ratio (\S+) of (\d+) .* at least (\S+)", str(error.value))
    assert found[1] == f"{share / n:g}"
    whole = int(found[2])
    assert whole in ({n // 2, n - n // 2} if name == "singular" else {n})
    assert np.sum(injected(clean, [part(name, float(found[3]), 2)]).glitch == name) == 1


@pytest.mark.parametrize("name", [name for name in BREAKING if name in WITH_RATIO])
@pytest.mark.parametrize("seed", range(3))
def test_too_few_untouched_samples(name, seed):
    """Those that are hit must be untouched; those that are added need none."""
    clean = setting(60, 3, GLITCHES[name].info["modalities"][0])
    parts = [part("uniform", 0.9), part(name, 0.5)]
    if (injected(clean, [part(name, 0.5)]).source == "mine").all():
        with pytest.raises(CellError, match=r"use a smaller ratio|larger 'subset'"):
            injected(clean, parts, seed)
    else:
        check_glitches(clean, parts, seed)


@pytest.mark.parametrize("name", ["uniform", "feature_dependent"])
def test_all_untouched_samples_but_no_more(name):
    clean = setting(60, 2)
    check_glitches(clean, [part("uniform", 0.6), part(name, 0.4)], 0)
    with pytest.raises(CellError, match="needs 25 untouched samples, but there are 24"):
        injected(clean, [part("uniform", 0.6), part(name, 25 / 60)])


@pytest.mark.parametrize("modality", ["image", "table"])
def test_stored_results(tmp_path, modality):
    """Memory-mapped, read-only arrays of the store do as well as arrays in memory, and come back as they were."""
    clean, store = setting(200, 3, modality, colour=True), Store(tmp_path)
    parts = [part(name, 0.05) for name in BY_MODALITY[modality] if name in BREAKING]
    expected = injected(clean, parts)
    store.put("pool", clean.pool.arrays, clean.pool.info)
    store.put("subset", {"train": clean.rows}, {})
    store.put("anomaly_pool", clean.foreign.arrays, {})
    spec = {"dataset": "mine", "seed": 0, "parts": parts, "anomaly_source": "theirs"}
    inputs = {name: store.open(name) for name in ("pool", "subset", "anomaly_pool")}
    store.put("inject", *inject.compute(spec, inputs, {}))
    out = store.open("inject").arrays
    for name in out:
        np.testing.assert_array_equal(out[name], getattr(expected, name))
    x = training_inputs({"pool": inputs["pool"], "inject": store.open("inject")})
    np.testing.assert_array_equal(bits(x), bits(expected.x))


def test_long_names_are_kept():
    name = "a_glitch_of_my_own_with_a_name_of_many_letters"
    clean = setting(4, 2)
    data = TrainingData.clean("mine", clean.rows, clean.label, 2, lambda rows: clean.x[rows])
    x, one = clean.x[:1], np.array([1])
    assert data.relabel(one, 1 - clean.label[one], name).glitch[1] == name
    assert data.change(one, x, name).glitch[1] == name
    assert data.add(name, one, x, 0, name).source[-1] == name
    assert data.add("theirs", one, x, 0, name).glitch[-1] == name


def test_inputs_follow_changes_and_additions():
    clean = setting(6, 2)
    x = clean.x
    data = TrainingData.clean("mine", clean.rows, clean.label, 2, lambda rows: x[rows])
    data = data.change(np.array([4, 1]), x[[7, 8]], "corruption")
    data = data.add("theirs", np.array([90, 80]), x[[9, 10]], 1, "far_ca")
    data = data.change(np.array([0]), x[[11]], "corruption")
    rows = clean.rows
    expected = x[[11, 8, rows[2], rows[3], 7, rows[5], 9, 10]]
    np.testing.assert_array_equal(data.inputs(np.arange(8)), expected)
    mixed = np.array([7, 2, 0, 4])
    np.testing.assert_array_equal(data.inputs(mixed), expected[mixed])
    assert data.inputs(mixed[:0]).shape == (0, 5, 4)


# A glitch of one's own must keep what is found by position

REFUSED = {
    "samples out of order": lambda d: TrainingData(**vars(d) | {"row": d.row[::-1].copy()}),
    "a sample less": lambda d: TrainingData(
        **{name: v[1:] if isinstance(v, np.ndarray) and len(v) == len(d.row) else v for name, v in vars(d).items()}
    ),
    "a sample twice": lambda d: d.add(d.source[0], d.row[:1], d.inputs(np.array([0])), 0, "own"),
}


@pytest.mark.parametrize("broken", REFUSED)
def test_a_glitch_that_loses_the_order_is_refused(tmp_path, broken):
    path = tmp_path / "shuffler.py"
    path.write_text(
        "from glitchmark.glitches import glitch\n\n"
        "action = None\n\n"
        "@glitch('shuffler', kind='anomalous', reference='test')\n"
        "def shuffler(data, rng):\n"
        "    '''Break the order.'''\n"
        "    return action(data)\n"
    )
    registry.load("glitch", "shuffler", path).function.__globals__["action"] = REFUSED[broken]
    with pytest.raises(CellError, match="must keep the training samples in"):
        injected(setting(20, 2), [{"name": "shuffler", "params": {}}])


# Uniform


@pytest.mark.parametrize("n_classes", [3, 5, 10])
@pytest.mark.parametrize("seed", range(3))
def test_uniform_noise_is_uniform(n_classes, seed):
    clean = setting(20_000, n_classes)
    out = hit_only(clean, "uniform", 0.4, seed)
    for true in range(n_classes):
        counts = np.bincount(out.observed[out.true == true], minlength=n_classes)
        assert counts[true] == 0
        assert chisquare(np.delete(counts, true)).pvalue > 1e-6
    assert chisquare(np.bincount(out.samples * 20 // clean.n, minlength=20)).pvalue > 1e-6


def hit_only(clean, name, ratio=0.1, seed=0, **more):
    """True and observed labels of the samples that the glitch hit."""
    data = as_training_data(clean)
    params = part(name, ratio, clean.n_classes, **more)["params"]
    after = GLITCHES[name].function(data, np.random.default_rng(seed), **params)
    samples = np.flatnonzero(after.glitch == name)
    return SimpleNamespace(samples=samples, true=after.true_label[samples], observed=after.observed_label[samples])


def as_training_data(clean, x=None, categories=()):
    x = clean.x if x is None else x
    return TrainingData.clean(
        "mine", clean.rows, clean.label, clean.n_classes, lambda rows: np.asarray(x[rows]), categories=categories
    )


# Class-dependent and singular

UNEQUAL = [0.4, 0.3, 0.2, 0.1]


def targets_of(out, n_classes):
    """The one class that each class was taken for."""
    targets = [set(out.observed[out.true == c]) for c in range(n_classes)]
    assert all(len(own) == 1 for own in targets)
    return np.array([own.pop() for own in targets])


@pytest.mark.parametrize("derangement", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_class_dependent_takes_each_class_for_one_other(derangement, seed):
    clean = setting(400, 4, seed=seed, weights=UNEQUAL)
    out = hit_only(clean, "class_dependent", 0.13, seed, derangement=derangement)
    targets = targets_of(out, 4)
    assert (targets != np.arange(4)).all()
    if derangement:
        assert sorted(targets) == [0, 1, 2, 3]
    counts = np.bincount(out.true, minlength=4)
    assert counts.sum() == 52
    assert (np.abs(counts - 0.13 * np.bincount(clean.label, minlength=4)) <= 1).all()


@pytest.mark.parametrize("derangement", [False, True])
def test_every_allowed_map_is_equally_likely(derangement):
    clean = setting(40, 4)
    maps = [
        targets
        for targets in itertools.product(range(4), repeat=4)
        if all(t != c for c, t in enumerate(targets)) and (not derangement or len(set(targets)) == 4)
    ]
    assert len(maps) == (9 if derangement else 81)
    rng, data, seen = np.random.default_rng(0), as_training_data(clean), dict.fromkeys(maps, 0)
    function = GLITCHES["class_dependent"].function
    for _ in range(30 * len(maps)):
        after = function(data, rng, ratio=0.5, derangement=derangement)
        samples = np.flatnonzero(after.glitch != "")
        out = SimpleNamespace(true=after.true_label[samples], observed=after.observed_label[samples])
        seen[tuple(targets_of(out, 4).tolist())] += 1
    assert chisquare(list(seen.values())).pvalue > 1e-6


@pytest.mark.parametrize("ratio", [0.05, 0.2, 1.0])
def test_singular_is_a_share_of_one_class(ratio):
    clean, seen = setting(300, 4, weights=UNEQUAL), set()
    for seed in range(120):
        out = hit_only(clean, "singular", ratio, seed)
        assert len(set(out.true)) == len(set(out.observed)) == 1
        assert len(out.samples) == round(ratio * np.sum(clean.label == out.true[0]))
        seen.add((out.true[0], out.observed[0]))
    assert seen == set(itertools.permutations(range(4), 2))


# Structured


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("targets", [(), (2, 0, 3, 1), (3, 2, 3, 3)])
def test_structured_follows_its_map(targets, seed):
    clean = setting(200, 4, weights=UNEQUAL)
    out = hit_only(clean, "structured", 0.3, seed, targets=targets)
    np.testing.assert_array_equal(out.observed, np.array(targets or (1, 2, 3, 0))[out.true])
    assert len(out.samples) == 60
    assert set(out.true) == {c for c in range(4) if (targets or (1, 2, 3, 0))[c] != c}


@pytest.mark.parametrize(
    "targets", [(0, 1, 2), (1, 2), (1, 2, 0, 1), (1, 2, 3), (1, 2, -1), (0.5, 2, 0), ((1, 2, 0),) * 3]
)
def test_structured_refuses_a_bad_map(targets):
    with pytest.raises(CellError, match=r"targets: .* one class 0\.\.2 for each of the 3 classes"):
        hit_only(setting(30, 3), "structured", 0.3, targets=targets)


# Asymmetric


@given(
    matrix=st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=3, max_size=3).filter(
        lambda m: sum(m[i][j] for i, j in itertools.permutations(range(3), 2)) > 0.5
    ),
    seed=seeds,
)
@settings(max_examples=60)
def test_asymmetric_follows_its_matrix(matrix, seed):
    clean = setting(300, 3, weights=[0.4, 0.35, 0.25])
    out = hit_only(clean, "asymmetric", 0.1, seed, matrix=matrix)
    flows = np.bincount(clean.label)[:, None] * np.array(matrix) * (1 - np.eye(3))
    share = 30 * flows / flows.sum()
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (out.true, out.observed), 1)
    assert counts.sum() == 30
    assert (counts[flows == 0] == 0).all()
    by_class = share.sum(axis=1)
    assert (np.abs(counts.sum(axis=1) - by_class) < 1 + 1e-9).all()
    assert (np.abs(counts - share) < 2).all()
    again = hit_only(clean, "asymmetric", 0.1, seed, matrix=(np.array(matrix) * 1e-5).tolist())  # only shares count
    np.testing.assert_array_equal(out.observed, again.observed)


@pytest.mark.parametrize("seed", range(3))
def test_asymmetric_with_fewer_samples_than_pairs_of_classes_is_fair_to_classes(seed):
    out = hit_only(setting(400, 20), "asymmetric", 0.1, seed, matrix=np.ones((20, 20)).tolist())
    assert np.bincount(out.true).tolist() == [2] * 20


def test_asymmetric_spreads_over_a_class_at_random():
    clean = setting(3000, 3)
    out = hit_only(clean, "asymmetric", 0.2, matrix=((0, 1, 1), (0, 0, 0), (0, 0, 0)))
    assert np.bincount(out.observed).tolist() == [0, 300, 300]
    for own in (out.samples[out.observed == 1], out.samples[out.observed == 2]):
        assert chisquare(np.bincount(own * 10 // clean.n, minlength=10)).pvalue > 1e-6


@pytest.mark.parametrize(
    "matrix",
    [
        ((0, 1), (1, 0)),
        ((0, 1, 0), (0, 0, 1)),
        ((0, 1, 0), (0, 0, 1), (1, 0)),
        ((0, 1, 0), (0, 0, 1), (1, -1, 0)),
        ((0, 1, 0), (0, 0, 1), (1, float("nan"), 0)),
        ((0, 1, 0), (0, 0, 1), (1, float("inf"), 0)),
        (("a", "b", "c"),) * 3,
        (),
    ],
)
def test_asymmetric_refuses_a_bad_matrix(matrix):
    with pytest.raises(CellError, match="matrix: it must hold 3 rows of 3 numbers of at least 0"):
        hit_only(setting(30, 3), "asymmetric", matrix=matrix)


def test_asymmetric_refuses_a_matrix_that_changes_nothing():
    with pytest.raises(CellError, match="matrix: every number off the diagonal is 0"):
        hit_only(setting(30, 3), "asymmetric", matrix=np.eye(3).tolist())


def test_asymmetric_needs_enough_samples_of_each_class():
    with pytest.raises(CellError, match="needs 20 untouched samples, but there are 10"):
        hit_only(setting(30, 3), "asymmetric", 2 / 3, matrix=((0, 1, 0), (0, 0, 0), (0, 0, 0)))


# Human


def test_human_labels_are_those_that_people_gave():
    clean = setting(120, 4)
    out = injected(clean, [part("human")])
    np.testing.assert_array_equal(out.observed_label, clean.annotated)
    np.testing.assert_array_equal(out.kind == MISLABELED, clean.annotated != clean.label)


# Feature-dependent


def gaussians(seed, modality="table", n=400, noise=None):
    """Two Gaussians with the border x0 = 0; as images, x0 is the brightness. Returns data and distance to it."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    x = rng.normal(size=(n, 3)).astype(np.float32)
    x[:, 0] += np.where(y == 1, 1.5, -1.5)
    clean = SimpleNamespace(rows=rng.permutation(n), n_classes=2)
    clean.label = y[clean.rows]
    side = np.where(y == 1, x[:, 0], -x[:, 0])[clean.rows]  # negative: on the other side
    if modality == "image":
        x = np.repeat(np.clip(128 + 20 * x[:, 0], 0, 255).astype(np.uint8)[:, None], 36, 1).reshape(n, 6, 6)
    return as_training_data(clean, x), side


@pytest.mark.parametrize("modality", ["table", "image"])
@pytest.mark.parametrize("seed", range(4))
def test_feature_dependent_hits_samples_near_the_border(modality, seed):
    data, side = gaussians(seed, modality)
    after = GLITCHES["feature_dependent"].function(data, np.random.default_rng(seed), ratio=0.15, temperature=0.2)
    hit = after.glitch != ""
    assert side[hit].mean() < side[~hit].mean() - 0.8
    assert np.abs(side[hit]).mean() < np.abs(side[~hit]).mean()
    np.testing.assert_array_equal(after.observed_label[hit], 1 - after.true_label[hit])


def test_feature_dependent_grows_sharper_as_its_temperature_falls():
    means = []
    for temperature in (0.01, 0.2, 1.0, 100.0):
        hits = []
        for seed in range(3):
            data, side = gaussians(seed)
            rng = np.random.default_rng(seed)
            after = GLITCHES["feature_dependent"].function(data, rng, ratio=0.1, temperature=temperature)
            hits.append(side[after.glitch != ""])
        means.append(np.mean(hits))
    assert (np.diff(means) > 0.1).all()
    assert means[-1] == pytest.approx(1.5, abs=0.35)  # all alike: the mean of all samples


@pytest.mark.parametrize("seed", range(3))
def test_feature_dependent_takes_the_runner_up(seed):
    """Classes lie on a line: the next best one is that whose centre is nearest, but for its own."""
    rng = np.random.default_rng(seed)
    label, centres = np.arange(400) % 4, np.array([0, 4, 8, 12])
    x = rng.normal(size=(400, 2)).astype(np.float32)
    x[:, 0] += centres[label]
    distance = np.abs(x[:, :1] - centres)
    distance[np.arange(400), label] = np.inf
    clean = SimpleNamespace(rows=np.arange(400), label=label, n_classes=4)
    after = GLITCHES["feature_dependent"].function(as_training_data(clean, x), rng, ratio=0.2)
    hit = after.glitch != ""
    assert np.mean(after.observed_label[hit] == distance.argmin(axis=1)[hit]) > 0.9


def test_feature_dependent_reads_missing_values_and_categories():
    """A category alone tells the classes apart, by a code whose order says nothing."""
    rng = np.random.default_rng(0)
    label = np.arange(300) % 2
    code = np.where(rng.random(300) < 0.1, 1 - label, label)  # a tenth looks like the other class
    x = rng.normal(size=(300, 3)).astype(np.float32)
    x[:, 1] = np.where(code == 1, rng.choice([0, 2], 300), rng.choice([1, 3], 300))
    x[rng.random(300) < 0.2, 0] = np.nan
    clean = SimpleNamespace(rows=np.arange(300), label=label, n_classes=2)
    data = as_training_data(clean, x, categories=(0, 4, 0))
    after = GLITCHES["feature_dependent"].function(data, rng, ratio=0.1, temperature=0.05)
    assert np.mean((code != label)[after.glitch != ""]) > 0.85


def test_feature_dependent_judges_samples_by_what_they_show_now():
    """An image that an earlier part changed is hit; no other one looks as it does."""
    data, _ = gaussians(0, "image")
    seen = []
    read = data.read
    data = TrainingData(**vars(data) | {"read": lambda rows: seen.append(rows) or read(rows)})
    corrupted = data.change(np.arange(20), np.zeros((20, 6, 6), np.uint8), "corruption")
    after = GLITCHES["feature_dependent"].function(corrupted, np.random.default_rng(0), ratio=0.2)
    assert (after.glitch[:20] == "corruption").all()
    assert sorted(np.concatenate(seen)) == sorted(data.row[20:])


def test_feature_dependent_needs_two_samples_of_a_class():
    clean = SimpleNamespace(rows=np.arange(21), label=np.array([0] * 10 + [1] * 10 + [2]), n_classes=3)
    x = np.random.default_rng(0).normal(size=(21, 2)).astype(np.float32)
    with pytest.raises(CellError, match="class 2 has a single untouched training sample"):
        GLITCHES["feature_dependent"].function(as_training_data(clean, x), np.random.default_rng(0), ratio=0.2)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf")])
def test_feature_dependent_refuses_a_bad_temperature(temperature):
    with pytest.raises(CellError, match=r"temperature: .* must be a finite number greater than 0"):
        hit_only(setting(30, 3), "feature_dependent", temperature=temperature)


# Far clustered anomalies


@pytest.mark.parametrize("colour", [False, True])
@given(n=sizes, n_classes=class_counts, ratio=st.floats(0.03, 0.3), seed=seeds)
@settings(max_examples=30)
def test_far_ca_is_one_cluster(colour, n, n_classes, ratio, seed):
    clean = setting(n, n_classes, colour=colour)
    is_test = np.random.default_rng(seed).random(1800) < 0.5
    clean.foreign.arrays["is_test"] = is_test
    out = injected(clean, [part("far_ca", ratio)], seed)
    added = out.glitch == "far_ca"
    rows = out.row[added]
    assert set(out.source[added]) == {"theirs"}
    assert len(set(rows)) == round(ratio * n)
    assert len(set(clean.foreign_y[rows])) == 1
    assert len(set(out.observed_label[added])) == 1
    assert not is_test[rows].any()
    np.testing.assert_array_equal(out.x[added], fit_images(clean.foreign_x[rows], clean.x.shape[1:]))


def test_far_ca_draws_class_and_label():
    clean, seen = setting(60, 3), set()
    for seed in range(80):
        out = injected(clean, [part("far_ca", 0.1)], seed)
        seen.add((clean.foreign_y[out.row[-1]], out.observed_label[-1]))
    assert len(seen) == 9


@pytest.mark.parametrize("seed", range(8))
def test_far_ca_takes_further_classes_where_one_is_too_small(seed):
    clean = setting(100, 3)
    clean.foreign.arrays.update(y=np.arange(60) % 3, is_test=np.arange(60) >= 57)  # 19 of each class
    out = injected(clean, [part("far_ca", 0.2), part("far_ca", 0.3)], seed)
    first, second = out.row[100:120], out.row[120:]
    assert len(np.unique(out.row[100:])) == 50
    assert len(np.unique(first % 3)) == 2
    assert len(np.unique(second % 3)) >= 2
    assert out.row[100:].max() < 57


@pytest.mark.parametrize("seed", range(3))
def test_far_ca_needs_enough_usable_samples(seed):
    clean = setting(100, 3)
    clean.foreign.arrays.update(y=np.arange(30) % 3, is_test=np.arange(30) >= 19)
    with pytest.raises(CellError, match=r"0\.2 needs 20 anomalies, but 'theirs' has 19 samples"):
        injected(clean, [part("far_ca", 0.2)], seed)
    with pytest.raises(CellError, match="needs 10 anomalies, but 'theirs' has 9 samples"):
        injected(clean, [part("far_ca", 0.1), part("far_ca", 0.1)], seed)


def test_far_ca_uses_every_sample_of_a_class_if_asked():
    labels, x = np.arange(60) % 3, np.zeros((60, 5, 4), np.uint8)
    source = AnomalySource("theirs", labels, lambda rows: x[rows], np.ones(60, bool))
    for seed in range(5):
        out = GLITCHES["far_ca"].function(
            as_training_data(setting(100, 2)), np.random.default_rng(seed), source, ratio=0.2
        )
        rows = out.row[out.kind == ANOMALOUS]
        assert sorted(rows) == np.flatnonzero(labels == labels[rows[0]]).tolist()
