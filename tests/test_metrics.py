"""Metrics against closed forms and a slow reference; subsets of the validation samples."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from glitchmark.evaluation.metrics import (
    at_the_top,
    by_class,
    by_glitch_kind,
    characterisation,
    detection,
    flags,
    most_suspicious,
    published_cross_entropy,
    ranks_of,
    repair,
    training_fit,
)
from glitchmark.ranking import ranking, tie_break
from glitchmark.stratified import stratified_order

SEEDS = range(5)


def validation_subset(labels, size, rng):
    """The first samples of a stratified order, as a mask."""
    return np.isin(np.arange(len(labels)), stratified_order(labels, rng)[:size])


def ordered(scores, ids=None):
    ids = np.arange(scores.shape[1]).astype(str) if ids is None else ids
    return most_suspicious(scores, tie_break(ids))


def measured(score, glitched, ids=None):
    found = detection(score[None], ordered(score[None], ids), glitched)
    return {name: value.item() for (_, name), value in found.items()}


def planted(seed, n=200, k=20):
    rng = np.random.default_rng(seed)
    glitched = np.zeros(n, bool)
    glitched[rng.permutation(n)[:k]] = True
    return rng, glitched


@pytest.mark.parametrize("seed", SEEDS)
def test_perfect_and_inverted(seed):
    rng, glitched = planted(seed)
    score = glitched + rng.uniform(0, 0.9, 200)
    assert measured(score, glitched) == dict.fromkeys(("f1", "precision", "recall", "average_precision", "auroc"), 1)
    inverted = measured(-score, glitched)
    assert inverted["f1"] == inverted["precision"] == inverted["recall"] == inverted["auroc"] == 0
    worst = np.mean([i / (180 + i) for i in range(1, 21)])
    assert inverted["average_precision"] == pytest.approx(worst, rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_constant_score(seed):
    rng, glitched = planted(seed, n=2000, k=300)
    values = measured(np.full(2000, rng.normal()), glitched)
    assert values["average_precision"] == pytest.approx(0.15)
    assert values["auroc"] == pytest.approx(0.5)
    assert values["f1"] == pytest.approx(0.15, abs=0.08)  # flagging at random


@pytest.mark.parametrize("seed", SEEDS)
def test_half_found(seed):
    _, glitched = planted(seed, n=100, k=10)
    score = np.zeros(100)
    score[np.flatnonzero(glitched)[:5]] = 2
    score[np.flatnonzero(~glitched)[:5]] = 1
    values = measured(score, glitched)
    assert values["f1"] == values["precision"] == values["recall"] == 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_reference_without_ties(seed):
    rng, glitched = planted(seed, n=120, k=17)
    score = rng.permutation(120) + 60 * glitched * rng.uniform(size=120)
    assert len(set(score)) == 120
    order = sorted(range(120), key=lambda i: -score[i])
    found, precisions = 0, []
    for place, i in enumerate(order, start=1):
        if glitched[i]:
            found += 1
            precisions.append(found / place)
    pairs = [(score[i] > score[j]) for i in np.flatnonzero(glitched) for j in np.flatnonzero(~glitched)]
    hits = sum(glitched[i] for i in order[:17])
    values = measured(score, glitched)
    assert values["average_precision"] == pytest.approx(np.mean(precisions), rel=1e-12)
    assert values["auroc"] == pytest.approx(np.mean(pairs), rel=1e-12)
    assert values["f1"] == pytest.approx(2 * hits / (17 + 17))


@st.composite
def tied_scores(draw):
    n = draw(st.integers(2, 60))
    score = np.array(draw(st.lists(st.integers(-1, 1), min_size=n, max_size=n)), float)
    glitched = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    glitched[:2] = True, False
    return score, glitched, np.array(draw(st.permutations(range(n))))


@given(tied_scores())
@settings(deadline=None)
def test_definitions_are_those_of_scikit_learn(drawn):
    score, glitched, _ = drawn
    values = measured(score, glitched)
    assert values["average_precision"] == pytest.approx(average_precision_score(glitched, score), rel=1e-12)
    assert values["auroc"] == pytest.approx(roc_auc_score(glitched, score), rel=1e-12)


@given(tied_scores())
@settings(deadline=None)
def test_place_of_a_sample_does_not_matter(drawn):
    score, glitched, shuffle = drawn
    ids = np.char.add("digits:", np.arange(len(score)).astype(str))
    ranks = ranking(score, tie_break(ids))
    np.testing.assert_array_equal(ranking(score[shuffle], tie_break(ids[shuffle])), ranks[shuffle])
    before, after = measured(score, glitched, ids), measured(score[shuffle], glitched[shuffle], ids[shuffle])
    assert before["f1"] == after["f1"]
    assert before == pytest.approx(after)


@given(tied_scores())
@settings(deadline=None)
def test_ranks(drawn):
    score, glitched, _ = drawn
    ranks = ranking(score, tie_break(np.arange(len(score)).astype(str)))
    assert sorted(ranks) == list(range(1, len(score) + 1))
    assert (np.diff(score[np.argsort(ranks)]) <= 0).all()
    k = glitched.sum()
    hits = np.count_nonzero(glitched & (ranks <= k))
    assert measured(score, glitched)["f1"] == pytest.approx(hits / k)


def test_ties_favour_nobody():
    """Anomalies come last in a training set; a constant score must not find them by that."""
    n, k = 1000, 200
    glitched = np.arange(n) >= n - k
    ids = np.array([f"digits:{i}" for i in range(n - k)] + [f"letters:{i}" for i in range(k)])
    found = [measured(np.zeros(n), glitched, np.char.add(ids, str(seed)))["f1"] for seed in range(10)]
    assert np.mean(found) == pytest.approx(0.2, abs=0.04)


def test_tie_break_is_a_function_of_the_id():
    ids = np.array([f"digits:{i}" for i in range(5000)])
    ties = tie_break(ids)
    assert len(set(ties.tolist())) == 5000
    np.testing.assert_array_equal(tie_break(ids[::-1]), ties[::-1])
    wider = np.append(ids, "a_longer_name:123456789")
    np.testing.assert_array_equal(tie_break(wider)[:-1], ties)


@given(st.integers(0, 2**32), st.integers(1, 5))
@settings(deadline=None)
def test_rows_are_measured_each_for_itself(seed, rows):
    """Many rows at once, with few ties, many, or nothing but ties, are those rows one by one."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 50))
    glitched = rng.permutation(np.arange(n) < rng.integers(1, n))
    scores = np.stack([rng.integers(int(rng.integers(1, 60)), size=n) for _ in range(rows)]).astype(float)
    ids = np.char.add("x:", np.arange(n).astype(str))
    together = detection(scores, ordered(scores, ids), glitched)
    for i, score in enumerate(scores):
        one = measured(score, glitched, ids)
        assert {name: value[i] for (_, name), value in together.items()} == pytest.approx(one, rel=1e-12)
        assert one["average_precision"] == pytest.approx(average_precision_score(glitched, score), rel=1e-12)
        assert one["auroc"] == pytest.approx(roc_auc_score(glitched, score), rel=1e-12)
    np.testing.assert_array_equal(ranks_of(ordered(scores, ids)), [ranking(score, tie_break(ids)) for score in scores])


@pytest.mark.parametrize("seed", SEEDS)
def test_top_of_the_ranking_is_scikit_learn_s(seed):
    rng, glitched = planted(seed, n=203, k=31)
    scores = rng.integers(40, size=(3, 203)) + rng.integers(30, size=(3, 203)) * glitched
    ranks = ranks_of(ordered(scores.astype(float)))
    found = at_the_top(ordered(scores.astype(float)), glitched)
    for i in range(3):
        assert found["", "accuracy"][i] == pytest.approx(accuracy_score(glitched, ranks[i] <= 31))
        for percent, size in {5: 10, 10: 20, 15: 30, 20: 41}.items():
            top = ranks[i] <= size
            assert found["", f"precision_at_{percent}"][i] == pytest.approx(precision_score(glitched, top))
            assert found["", f"recall_at_{percent}"][i] == pytest.approx(recall_score(glitched, top))


def test_top_of_a_few_samples_is_at_least_one():
    found = at_the_top(np.array([[2, 0, 1]]), np.array([False, False, True]))
    assert found["", "precision_at_5"] == found["", "recall_at_5"] == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_kinds_are_each_measured_against_the_clean_samples(seed):
    rng = np.random.default_rng(seed)
    kind = rng.choice(["", "mislabeled", "anomalous"], 80, p=[0.6, 0.3, 0.1])
    kind[:3] = "", "mislabeled", "anomalous"
    scores = rng.integers(9, size=(4, 80)).astype(float)
    found = by_glitch_kind(scores, ordered(scores), kind)
    assert list(found) == [("mislabeled", "average_precision"), ("anomalous", "average_precision")]
    for (name, _), values in found.items():
        kept = np.isin(kind, ["", name])
        expected = [average_precision_score(kind[kept] == name, score[kept]) for score in scores]
        np.testing.assert_allclose(values, expected, rtol=1e-12)
    alone = np.where(kind == "anomalous", "", kind)
    assert by_glitch_kind(scores, ordered(scores), alone) == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_class_f1_is_scikit_learn_s_among_the_class_s_samples(seed):
    rng, glitched = planted(seed, n=90, k=15)
    observed = rng.integers(4, size=90)
    glitched[observed == 2] = False  # nothing to find in this class, which some flags fall on all the same
    scores = rng.integers(20, size=(3, 90)) + 8.0 * glitched
    order = ordered(scores)
    flagged = ranks_of(order) <= glitched.sum()
    assert flagged[:, observed == 2].any()
    found = by_class(order, glitched, observed, np.array(["ant", "bee", "cat", "dog", ""]))
    assert {name for name, _ in found} <= {"ant", "bee", "dog"}
    assert len(found) >= 2
    for (name, metric), values in found.items():
        assert metric == "class_f1"
        members = observed == ["ant", "bee", "cat", "dog"].index(name)
        expected = [f1_score(glitched[members], row[members]) for row in flagged]
        np.testing.assert_allclose(values, expected, rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_flags_are_measured_as_scikit_learn_does(seed):
    rng, glitched = planted(seed)
    flagged = rng.random((5, 200)) < np.array([0, 0.05, 0.2, 0.6, 1])[:, None]
    flagged[2] = glitched
    found = flags(flagged, glitched, "own")
    for name, score in {"f1": f1_score, "precision": precision_score, "recall": recall_score}.items():
        expected = [score(glitched, row, zero_division=0) for row in flagged]
        np.testing.assert_allclose(found["", f"{name}_own"], expected, rtol=1e-12)
    np.testing.assert_allclose(found["", "flagged_own"], flagged.mean(axis=1))
    assert list(flags(flagged, np.zeros(200, bool), "gap")) == [("", "flagged_gap")]


def test_repair_counts_every_mislabeled_sample_or_the_detected_ones():
    true = np.array([0, 1, 2, 0, 1, -1])
    suggested = np.array([[0, 1, 0, 2, 0, 1], [1, 1, 2, 0, 0, 1]])
    kind = np.array(["mislabeled"] * 4 + ["", "anomalous"])
    order = np.array([[0, 2, 1, 5, 4, 3], [5, 0, 1, 2, 4, 3]])  # 5 glitches: all but the last are flagged
    found = repair(suggested, order, true, kind)
    assert found["", "repair_accuracy"].tolist() == [2 / 4, 3 / 4]
    assert found["", "repair_accuracy_detected"].tolist() == [2 / 3, 2 / 3]
    assert repair(suggested, order, true, np.full(6, "")) == {}


def test_repair_where_nothing_mislabeled_was_detected():
    kind = np.array(["mislabeled", "", ""])
    found = repair(np.array([[1, 0, 0]]), np.array([[1, 2, 0]]), np.array([1, 0, 0]), kind)
    assert found["", "repair_accuracy"] == 1
    assert np.isnan(found["", "repair_accuracy_detected"])


def test_characterisation_per_kind():
    true = np.array(["mislabeled"] * 4 + ["anomalous"] * 2 + [""] * 3)
    told = np.array(
        ["mislabeled", "mislabeled", "mislabeled", "anomalous", "anomalous", "mislabeled"] + ["anomalous"] * 3
    )
    found = characterisation(np.stack([told, np.full(9, "mislabeled")]), true)
    assert {metric for _, metric in found} == {"characterisation_accuracy"}
    groups = {group: values.tolist() for (group, _), values in found.items()}
    assert groups == {"": pytest.approx([4 / 6, 4 / 6]), "mislabeled": [3 / 4, 1], "anomalous": [1 / 2, 0]}


@pytest.mark.parametrize("kind", ["mislabeled", "anomalous"])
def test_characterisation_of_one_kind(kind):
    found = characterisation(np.array([[kind, "mislabeled", "anomalous"]]), np.array([kind, kind, ""]))
    assert {group for group, _ in found} == {"", kind}
    assert len({value.item() for value in found.values()}) == 1


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_published_loss_of_a_perfect_and_of_the_worst_fit(classes):
    """softmax outputs (1, 0, ..., 0) taken for logits: log(e + C - 1) less the label's own, which is 1 or 0."""
    logits = np.zeros((2, classes), np.float32)
    logits[:, 0] = 1e4
    perfect = np.log(np.e + classes - 1) - 1
    np.testing.assert_allclose(published_cross_entropy(logits, np.array([0, 1])), [perfect, perfect + 1], rtol=1e-12)
    if classes == 10:
        assert perfect == pytest.approx(1.4612, abs=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_published_loss_is_torch_s_on_softmax_outputs(seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(scale=5, size=(50, 4)).astype(np.float32), rng.integers(4, size=50)
    outputs = torch.softmax(torch.from_numpy(logits), dim=1)
    expected = torch.nn.functional.cross_entropy(outputs, torch.from_numpy(labels), reduction="none")
    np.testing.assert_allclose(published_cross_entropy(logits, labels), expected, rtol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_training_fit(seed):
    """Each kind's mean loss and accuracy, sample by sample; true labels count for mislabeled samples alone."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3, size=(60, 5)).astype(np.float32)
    observed, true = rng.integers(5, size=(2, 60))
    kind = rng.choice(["", "mislabeled", "anomalous"], 60)
    found = training_fit(logits, observed, true, kind)
    expected = {}
    for name in ("clean", "mislabeled", "anomalous"):
        rows = [i for i in range(60) if kind[i] == ("" if name == "clean" else name)]
        p = [np.exp(row) / np.exp(row).sum() for row in logits.astype(float)]
        again = [np.exp(row) / np.exp(row).sum() for row in p]
        expected[name, "training_loss"] = np.mean([-np.log(p[i][observed[i]]) for i in rows])
        expected[name, "training_accuracy"] = np.mean([np.argmax(p[i]) == observed[i] for i in rows])
        expected[name, "training_loss_published"] = np.mean([-np.log(again[i][observed[i]]) for i in rows])
        if name == "mislabeled":
            expected[name, "true_label_accuracy"] = np.mean([np.argmax(p[i]) == true[i] for i in rows])
    assert list(found) == list(expected)
    assert found == pytest.approx(expected, rel=1e-9)


def test_training_fit_without_glitches():
    fit = training_fit(np.zeros((3, 2), np.float32), np.zeros(3, int), np.zeros(3, int), np.full(3, ""))
    assert {group for group, _ in fit} == {"clean"}
    assert "true_label_accuracy" not in {name for _, name in fit}


labels = st.lists(st.integers(0, 9), min_size=1, max_size=120).map(np.array)


@given(labels=labels, sizes=st.tuples(st.integers(0, 130), st.integers(0, 130)), seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_subsets_are_nested(labels, sizes, seed):
    small, large = (validation_subset(labels, size, np.random.default_rng(seed)) for size in sorted(sizes))
    assert [small.sum(), large.sum()] == [min(size, len(labels)) for size in sorted(sizes)]
    assert not (small & ~large).any()


@given(labels=labels, seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_full_subset_has_all(labels, seed):
    for size in (len(labels), len(labels) + 1):
        assert validation_subset(labels, size, np.random.default_rng(seed)).all()


def largest_deviation(labels, seed):
    """The largest distance of any class from its share over all prefixes, in samples."""
    order = stratified_order(labels, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(labels)))
    taken = np.cumsum(labels[order][:, None] == np.unique(labels), axis=0)
    shares = np.arange(1, len(labels) + 1)[:, None] * taken[-1] / len(labels)
    return np.abs(taken - shares).max()


@given(labels=labels, seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=200)
def test_every_prefix_is_stratified(labels, seed):
    assert largest_deviation(labels, seed) <= 1 + 1e-9


@pytest.mark.parametrize("counts", [[24] * 10, [80, 40], [20, 24, 16]], ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_prefixes_of_usual_data_are_stratified(counts, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    assert largest_deviation(labels, seed) <= 1 + 1e-9


def test_subsets_are_random():
    labels = np.repeat([0, 1], 50)
    drawn = {validation_subset(labels, 20, np.random.default_rng(seed)).tobytes() for seed in range(10)}
    assert len(drawn) == 10
