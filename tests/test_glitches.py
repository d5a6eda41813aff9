"""Every shipped glitch, alone and mixed, through the stage that injects them."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from glitchmark import registry
from glitchmark.errors import CellError
from glitchmark.glitches import ANOMALOUS, MISLABELED, NO_CLASS, AnomalySource, TrainingData
from glitchmark.stages import inject

GLITCHES = registry.names("glitch")
BREAKING = [name for name in GLITCHES if registry.load("glitch", name).info["kind"]]
PER_CLASS = 600  # samples of each class of the anomaly source


def part(name, ratio):
    parameters = registry.load("glitch", name).parameters
    return {"name": name, "params": {"ratio": ratio} if "ratio" in parameters else {}}


def setting(n, n_classes, seed=0):
    """A pool, more than the subset has, with the subset's rows in random order."""
    rng = np.random.default_rng([n, n_classes, seed])
    y = rng.permutation(np.arange(2 * n) % n_classes)
    return SimpleNamespace(
        y=y,
        rows=rng.permutation(2 * n)[:n],
        n=n,
        n_classes=n_classes,
        foreign=rng.permutation(np.arange(3 * PER_CLASS) % 3),
    )


def injected(given_, parts, seed):
    spec = {"dataset": "mine", "seed": seed, "parts": parts, "anomaly_source": "theirs"}
    inputs = {
        "pool": SimpleNamespace(
            arrays={"y": given_.y}, info={"class_names": [str(c) for c in range(given_.n_classes)]}
        ),
        "subset": SimpleNamespace(arrays={"train": given_.rows}),
        "anomaly_pool": SimpleNamespace(arrays={"y": given_.foreign}),
    }
    arrays, _ = inject.compute(spec, inputs, {})
    return SimpleNamespace(**arrays)


def expected_count(parts, name, n):
    return sum(round(p["params"]["ratio"] * n) for p in parts if p["name"] == name)


def check_invariants(out, given_, parts):
    n, hit = given_.n, out.glitch != ""
    for name in {p["name"] for p in parts}:
        plugin = registry.load("glitch", name)
        mine = out.glitch == name
        assert np.count_nonzero(mine) == (expected_count(parts, name, n) if plugin.info["kind"] else 0)
        assert set(out.kind[mine]) <= {plugin.info["kind"]}
    assert set(out.glitch) <= {"", *(p["name"] for p in parts)}

    np.testing.assert_array_equal(out.kind != "", hit)
    np.testing.assert_array_equal(out.kind == ANOMALOUS, out.true_label == NO_CLASS)
    np.testing.assert_array_equal(
        out.kind == MISLABELED, (out.true_label != out.observed_label) & (out.true_label >= 0)
    )
    assert set(out.kind) <= {"", MISLABELED, ANOMALOUS}

    assert out.observed_label.min() >= 0
    assert out.observed_label.max() < given_.n_classes
    assert len(set(out.id)) == len(out.id)
    assert out.id.tolist() == [f"{s}:{r}" for s, r in zip(out.source, out.row, strict=True)]

    # what was there before the glitches is still there, in its place, and knows its true class
    own = np.arange(n)
    assert set(out.source[own]) == {"mine"}
    np.testing.assert_array_equal(out.row[own], given_.rows)
    kept = own[out.kind[own] != ANOMALOUS]
    np.testing.assert_array_equal(out.true_label[kept], given_.y[given_.rows][kept])
    np.testing.assert_array_equal(out.observed_label[~hit], given_.y[out.row[~hit]])
    assert (out.kind[n:] == ANOMALOUS).all()


sizes = st.integers(25, 150)
class_counts = st.integers(2, 7)
seeds = st.integers(0, 2**32)
ratios = st.floats(0.03, 0.3)


@pytest.mark.parametrize("name", GLITCHES)
@given(n=sizes, n_classes=class_counts, ratio=ratios, seed=seeds)
@settings(deadline=None, max_examples=60)
def test_single_glitch(name, n, n_classes, ratio, seed):
    data = setting(n, n_classes)
    parts = [part(name, ratio)]
    check_invariants(injected(data, parts, seed), data, parts)


@given(
    n=sizes,
    n_classes=class_counts,
    drawn=st.lists(st.tuples(st.sampled_from(GLITCHES), ratios), min_size=2, max_size=3),
    seed=seeds,
)
@settings(deadline=None, max_examples=150)
def test_mixture_is_disjoint(n, n_classes, drawn, seed):
    data = setting(n, n_classes)
    parts = [part(name, ratio) for name, ratio in drawn]
    check_invariants(injected(data, parts, seed), data, parts)


@pytest.mark.parametrize("name", BREAKING)
def test_glitch_twice_hits_no_sample_twice(name):
    data = setting(1000, 4)
    parts = [part(name, 0.3), part(name, 0.3)]
    for seed in range(10):  # far_ca needs the same class in both parts to show an overlap
        check_invariants(injected(data, parts, seed), data, parts)


@pytest.mark.parametrize("names", [[name] for name in BREAKING] + [BREAKING, BREAKING[::-1]], ids="+".join)
def test_seed_decides(names):
    data = setting(200, 3)
    parts = [part(name, 0.2) for name in names]
    seen = set()
    for seed in range(5):
        first, again = (injected(data, parts, seed) for _ in range(2))
        for field, values in vars(first).items():
            np.testing.assert_array_equal(values, getattr(again, field))
        seen.add(b"".join(np.ascontiguousarray(v).tobytes() for v in vars(first).values()))
    assert len(seen) == 5


@pytest.mark.parametrize("name", BREAKING)
def test_draws_differ_between_positions_of_a_mixture(name):
    data = setting(400, 3)
    alone = injected(data, [part(name, 0.1)], 0)
    second = injected(data, [part("none", 0), part(name, 0.1)], 0)
    assert set(alone.id[alone.glitch == name]) != set(second.id[second.glitch == name])


@pytest.mark.parametrize("name", BREAKING)
@given(n=st.integers(2, 400), share=st.floats(0.01, 0.5))
@settings(deadline=None, max_examples=40)
def test_ratio_that_rounds_to_zero(name, n, share):
    data, ratio = setting(n, 2), share / n
    with pytest.raises(CellError, match="rounds to zero") as error:
        injected(data, [part(name, ratio)], 0)
    assert f"{ratio:g} of {n} " in str(error.value)
    advised = float(re.search(r"use at least (\S+)", str(error.value))[1])
    assert np.count_nonzero(injected(data, [part(name, advised)], 0).glitch == name) == 1


@pytest.mark.parametrize("seed", range(5))
def test_uniform_needs_untouched_samples(seed):
    data = setting(50, 3)
    with pytest.raises(CellError, match="30 samples, but only 20"):
        injected(data, [part("uniform", 0.6), part("uniform", 0.6)], seed)


@pytest.mark.parametrize("n_classes", [3, 5, 10])
@pytest.mark.parametrize("seed", range(3))
def test_uniform_noise_is_uniform(n_classes, seed):
    data = setting(30_000, n_classes)
    out = injected(data, [part("uniform", 0.4)], seed)
    hit = np.flatnonzero(out.glitch == "uniform")
    for true in range(n_classes):
        new = out.observed_label[hit][out.true_label[hit] == true]
        counts = np.bincount(new, minlength=n_classes)
        assert chisquare(np.delete(counts, true)).pvalue > 1e-6
    places = np.bincount(hit * 20 // data.n, minlength=20)
    assert chisquare(places).pvalue > 1e-6


@given(n=sizes, n_classes=class_counts, ratio=ratios, seed=seeds)
@settings(deadline=None, max_examples=60)
def test_far_ca_is_one_cluster(n, n_classes, ratio, seed):
    data = setting(n, n_classes)
    out = injected(data, [part("far_ca", ratio)], seed)
    added = out.glitch == "far_ca"
    assert set(out.source[added]) == {"theirs"}
    assert len(set(out.row[added])) == round(ratio * n)
    assert len(set(data.foreign[out.row[added]])) == 1
    assert len(set(out.observed_label[added])) == 1


def test_far_ca_draws_class_and_label():
    data = setting(60, 3)
    seen = set()
    for seed in range(80):
        out = injected(data, [part("far_ca", 0.1)], seed)
        seen.add((data.foreign[out.row[-1]], out.observed_label[-1]))
    assert len(seen) == 9


@pytest.mark.parametrize("seed", range(5))
def test_far_ca_takes_further_classes_where_one_is_too_small(seed):
    data = setting(100, 3)
    data.foreign = np.arange(3 * 19) % 3
    out = injected(data, [part("far_ca", 0.2)], seed)
    rows = out.row[out.kind == ANOMALOUS]
    assert len(np.unique(rows)) == 20
    assert len(np.unique(data.foreign[rows])) == 2


@pytest.mark.parametrize("seed", range(3))
def test_far_ca_needs_enough_samples(seed):
    data = setting(100, 3)
    data.foreign = np.arange(19) % 3
    with pytest.raises(CellError, match=r"0\.2 needs 20 anomalies, but 'theirs' has 19 samples"):
        injected(data, [part("far_ca", 0.2)], seed)


def test_far_ca_uses_every_sample_of_a_class_if_asked():
    labels = np.arange(3 * 20) % 3
    data = TrainingData.clean("mine", np.arange(100), np.arange(100) % 2, 2)
    function = registry.load("glitch", "far_ca").function
    out = function(data, np.random.default_rng(0), AnomalySource("theirs", labels), ratio=0.2)
    rows = out.row[out.kind == ANOMALOUS]
    assert sorted(rows) == np.flatnonzero(labels == labels[rows[0]]).tolist()


def test_long_names_are_kept():
    name = "a_glitch_of_my_own_with_a_name_of_many_letters"
    data = TrainingData.clean("mine", np.arange(4), np.arange(4) % 2, 2)
    assert data.relabel(np.array([1]), np.array([0]), name).glitch[1] == name
    assert data.add(name, np.array([7]), 0, name).source[-1] == name
    assert data.add("theirs", np.array([7]), 0, name).glitch[-1] == name
