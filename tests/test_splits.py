"""Stratified training, validation and test parts of a pool."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glitchmark.datasets._splits import PARTS, Split, draw_parts
from glitchmark.errors import CellError
from glitchmark.stages import subset as stage
from glitchmark.stratified import stratified_counts

# digits in MNIST's training and test split, http://yann.lecun.com/exdb/mnist
MNIST = (
    [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
)


def labels_of(counts) -> np.ndarray:
    """Labels with so many samples of each class, mixed."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


def two_splits(outside, inside) -> tuple[np.ndarray, np.ndarray]:
    """Labels with so many samples of each class outside and inside the source's own test split, and which those are."""
    y = np.concatenate([labels_of(outside), labels_of(inside)])
    is_test = np.arange(len(y)) >= sum(outside)
    order = np.random.default_rng(1).permutation(len(y))
    return y[order], is_test[order]


def draw(y, is_test, split, seed=0):
    names = tuple(f"class {c}" for c in range(y.max() + 1))
    return draw_parts(y, is_test, split, names, np.random.default_rng(seed))


def counts_of(y, rows) -> np.ndarray:
    return np.bincount(y[rows], minlength=y.max() + 1)


def check_parts(parts, n, sizes):
    """They are disjoint rows of the pool, in the numbers asked for."""
    rows = np.concatenate([parts[name] for name in PARTS])
    assert set(parts) == set(PARTS)
    assert rows.dtype == np.int64
    assert len(np.unique(rows)) == len(rows)
    assert rows.min() >= 0
    assert rows.max() < n
    assert tuple(len(parts[name]) for name in PARTS) == sizes


def result_or_refusal(function, *arguments):
    """What a function returns, and the message of the CellError that it raises instead."""
    try:
        return function(*arguments), ""
    except CellError as error:
        return None, str(error)


# Sizes


@pytest.mark.parametrize(
    ("split", "n", "n_test", "sizes"),
    [
        # a share of all samples, and the test part from the rest
        (Split(0.5, 0.2, 0.2), 1000, 0, (400, 100, 100)),
        (Split(0.5, 0.25, 1.0), 1000, 0, (375, 125, 500)),
        (Split(0.8, 0.2, 0.25), 1000, 0, (640, 160, 200)),
        # at most so many, with room left for the test part
        (Split(500, 0.2, 0.2), 1000, 0, (400, 100, 100)),
        (Split(10**6, 0.2, 0.25), 1000, 0, (640, 160, 200)),
        (Split(801, 0.2, 0.25), 1000, 0, (640, 160, 200)),
        (Split(10**6, 0.2, 0.2), 1797, 0, (1198, 299, 299)),
        # the test part from the source's own test split, which nothing else is taken from
        (Split(0.5, 0.2, 0.2), 1000, 200, (320, 80, 80)),
        (Split(1.0, 0.2, 0.2), 1000, 200, (640, 160, 160)),
        (Split(1.0, 0.2, 0.5), 1000, 200, (640, 160, 200)),  # as many as there are
        (Split(10**6, 0.2, 0.2), 1000, 200, (640, 160, 160)),
        (Split(100, 0.2, 0.2), 1000, 200, (80, 20, 20)),
        # validation samples from there, too
        (Split(0.5, 0.2, 0.2, "test"), 1000, 200, (400, 100, 100)),
        (Split(0.9, 0.2, 0.2, "test"), 1000, 200, (720, 180, 20)),  # what the validation samples leave
        (Split(400, 0.25, 0.2, "test"), 1000, 200, (300, 100, 80)),
        (Split(10**3, 0.1, 0.2, "test"), 1000, 200, (800, 100, 100)),
        # the published setting, and the paper's own
        (Split(0.1, 0.2, 0.2, "test"), 70_000, 10_000, (6000, 1000, 1400)),
        (Split(0.1, 0.2, 0.2), 70_000, 10_000, (4800, 1200, 1200)),
        (Split(6000, 0.2, 1.0), 70_000, 10_000, (4800, 1200, 6000)),
    ],
)
def test_sizes(split, n, n_test, sizes):
    assert split.sizes(n, n_test) == sizes


@given(
    n=st.integers(100, 5000),
    test=st.floats(0.05, 1.0),
    validation=st.floats(0.05, 0.5),
    subset=st.one_of(st.floats(0.15, 1.0), st.integers(15, 6000)),
)
@settings(max_examples=200)
def test_sizes_leave_an_untouched_part_or_say_why_not(n, test, validation, subset):
    sizes, refusal = result_or_refusal(Split(subset, validation, test).sizes, n, 0)
    size = round(subset * n) if isinstance(subset, float) else min(subset, int(n / (1 + test)))
    if refusal:
        assert "untouched test part" in refusal
        assert isinstance(subset, float)  # "at most so many" always leaves room
        assert round(test * size) > n - size
    else:
        assert sizes == (size - round(validation * size), round(validation * size), round(test * size))
        assert sum(sizes) <= n


@pytest.mark.parametrize(
    ("split", "n", "n_test", "left"),
    [
        (Split(0.9, 0.2, 0.2), 1000, 0, "leaves 100 for"),
        (Split(1.0, 0.2, 0.2), 1000, 0, "leaves 0 for"),
        (Split(1.0, 0.2, 0.2, "test"), 1000, 200, "leaves 0 for"),
        (Split(900, 0.5, 0.2, "test"), 1000, 200, "leaves 0 for"),
    ],
)
def test_no_room_for_the_untouched_part(split, n, n_test, left):
    with pytest.raises(CellError, match=f"'subset: {split.subset}' of {n} samples {left} the untouched test part"):
        split.sizes(n, n_test)


def test_an_untouched_part_that_rounds_to_zero():
    with pytest.raises(CellError, match="untouched test part"):
        Split(0.02, 0.5, 0.2).sizes(100, 0)


def test_validation_from_a_test_split_that_is_not_there():
    with pytest.raises(CellError, match="needs a test split that comes with the source, and there is none"):
        Split(0.5, 0.2, 0.2, "test").sizes(1000, 0)


# What is drawn


@given(
    counts=st.lists(st.integers(40, 160), min_size=2, max_size=6),
    subset=st.one_of(st.floats(0.4, 0.7), st.integers(80, 10**4)),
    validation=st.floats(0.2, 0.5),
    test=st.floats(0.2, 0.4),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60)
def test_one_split_is_disjoint_and_stratified(counts, subset, validation, test, seed):
    y, split = labels_of(counts), Split(subset, validation, test)
    parts = draw(y, None, split, seed)
    check_parts(parts, len(y), split.sizes(len(y), 0))
    rows = np.concatenate([parts[name] for name in PARTS])
    assert (np.abs(counts_of(y, rows) - np.array(counts) * len(rows) / len(y)) <= 1).all()
    for own in parts.values():
        share = counts_of(y, rows) * len(own) / len(rows)
        assert (np.abs(counts_of(y, own) - share) <= 1).all()

    again, other = draw(y, None, split, seed), draw(y, None, split, seed + 1)
    for name in PARTS:
        np.testing.assert_array_equal(parts[name], again[name])
        assert parts[name].tolist() != other[name].tolist()


@pytest.mark.parametrize("validation_from", ["subset", "test"])
@given(
    counts=st.lists(st.tuples(st.integers(40, 160), st.integers(30, 60)), min_size=2, max_size=6),
    subset=st.floats(0.3, 0.6),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=40)
def test_the_sources_own_test_split_feeds_the_test_part_alone(validation_from, counts, subset, seed):
    outside, inside = np.array(counts).T
    y, is_test = two_splits(outside, inside)
    split = Split(subset, 0.25, 0.25, validation_from)
    parts = draw(y, is_test, split, seed)
    check_parts(parts, len(y), split.sizes(len(y), inside.sum()))
    assert not is_test[parts["training"]].any()
    assert is_test[parts["test"]].all()
    assert (is_test[parts["validation"]] == (validation_from == "test")).all()
    for name, pool in (
        ("training", outside),
        ("validation", inside if validation_from == "test" else outside),
        ("test", inside),
    ):
        share = pool * len(parts[name]) / pool.sum()
        assert (np.abs(counts_of(y, parts[name]) - share) < 2).all()  # one from all parts' draw, one from this one's


@pytest.mark.parametrize(
    ("split", "sizes"),
    [
        (Split(0.1, 0.2, 0.2, "test"), (6000, 1000, 1400)),  # the published code's
        (Split(0.1, 0.2, 0.2), (4800, 1200, 1200)),  # the paper's text
    ],
)
def test_the_papers_settings(split, sizes):
    y, is_test = two_splits(*MNIST)
    parts = draw(y, is_test, split)
    check_parts(parts, 70_000, sizes)
    for name, own in parts.items():
        pool = np.array(MNIST[int(is_test[own].all())])
        assert is_test[own].all() or not is_test[own].any(), name
        assert (np.abs(counts_of(y, own) - pool * len(own) / pool.sum()) < 2).all()


def test_balanced_classes_are_balanced_in_every_part():
    y = labels_of([100] * 5)
    parts = draw(y, None, Split(0.5, 0.2, 0.2))
    for name, count in zip(PARTS, (40, 10, 10), strict=True):
        assert counts_of(y, parts[name]).tolist() == [count] * 5


def test_a_whole_pool_is_used():
    y = labels_of([60, 36, 24])
    parts = draw(y, None, Split(10**6, 0.2, 0.2))
    assert sorted(np.concatenate(list(parts.values()))) == list(range(120))
    y, is_test = two_splits([60, 36, 24], [10, 6, 4])
    parts = draw(y, is_test, Split(1.0, 0.2, 1.0))
    assert sorted(np.concatenate(list(parts.values()))) == list(range(140))


@pytest.mark.parametrize("seed", range(3))
def test_parts_are_in_random_order(seed):
    y = np.repeat([0, 1], 500)
    for rows in draw(y, None, Split(0.5, 0.5, 0.5), seed).values():
        where = np.arange(len(rows)) / len(rows)
        for values in (rows, y[rows]):
            assert abs(np.corrcoef(values, where)[0, 1]) < 0.3


def test_every_sample_may_be_drawn_for_every_part():
    y, seen = labels_of([15, 9, 6]), {name: set() for name in PARTS}
    for seed in range(150):
        for name, rows in draw(y, None, Split(0.5, 0.4, 0.5), seed).items():
            seen[name].update(rows.tolist())
    assert all(rows == set(range(30)) for rows in seen.values())


# Rare classes


@pytest.mark.parametrize("seed", range(5))
def test_a_rare_class_is_in_every_part(seed):
    y = labels_of([6000, 3997, 3])
    parts = draw(y, None, Split(0.05, 0.2, 0.2), seed)
    check_parts(parts, len(y), (400, 100, 100))
    for own in parts.values():
        assert counts_of(y, own)[2] == 1
        assert abs(counts_of(y, own)[0] - 0.6 * len(own)) < 3


@pytest.mark.parametrize("seed", range(3))
def test_a_rare_class_with_test_samples_of_its_own(seed):
    y, is_test = two_splits([6000, 3998, 2], [600, 399, 1])
    parts = draw(y, is_test, Split(0.05, 0.2, 0.2), seed)
    assert [counts_of(y, parts[name])[2] for name in PARTS] == [1, 1, 1]
    y, is_test = two_splits([6000, 3999, 1], [600, 398, 2])
    parts = draw(y, is_test, Split(0.05, 0.2, 0.2, "test"), seed)
    assert [counts_of(y, parts[name])[2] for name in PARTS] == [1, 1, 1]


def test_a_test_split_may_lack_a_class():
    y, is_test = two_splits([60, 40, 20], [10, 10, 0])
    assert counts_of(y, draw(y, is_test, Split(0.5, 0.2, 0.2))["test"])[2] == 0


@pytest.mark.parametrize(
    ("outside", "inside", "split", "message"),
    [
        ([600, 398, 2], None, Split(0.5, 0.2, 0.2), "'class 2' has 2 of the 1000 samples that the parts training,"),
        ([600, 399, 1], [6, 4, 3], Split(0.5, 0.2, 0.2), "'class 2' has 1 of the 1000 samples that the parts train"),
        ([600, 400, 0], [6, 4, 3], Split(0.5, 0.2, 0.2), "'class 2' has 0 of the 1000 samples that the parts train"),
        (
            [60, 30, 9],
            [60, 40, 1],
            Split(0.5, 0.2, 0.2, "test"),
            "'class 2' has 1 of the 101 samples that the parts v",
        ),
        (
            [60, 40, 0],
            [60, 30, 9],
            Split(0.5, 0.2, 0.2, "test"),
            "'class 2' has 0 of the 100 samples that the parts t",
        ),
        ([100] * 10, None, Split(0.05, 0.1, 0.5), "the validation part has 5 samples for 10 classes"),
        ([100] * 10, None, Split(0.05, 0.9, 0.5), "the training part has 5 samples for 10 classes"),
        ([100] * 10, None, Split(0.05, 0.4, 0.1), "the test part has 5 samples for 10 classes"),
    ],
)
def test_too_few_samples_of_a_class(outside, inside, split, message):
    y, is_test = two_splits(outside, inside or [0] * len(outside))
    with pytest.raises(CellError) as error:
        draw(y, is_test if inside else None, split)
    assert message in str(error.value)


@given(
    outside=st.lists(st.integers(0, 30), min_size=2, max_size=6).filter(lambda counts: counts[-1] > 0),
    inside=st.lists(st.integers(0, 8), min_size=6, max_size=6),
    own=st.booleans(),
    subset=st.one_of(st.integers(2, 250), st.floats(0.05, 1.0)),
    validation=st.floats(0.05, 0.95),
    test=st.floats(0.05, 1.0),
    validation_from=st.sampled_from(["subset", "test"]),
)
@settings(max_examples=200)
def test_every_class_is_in_every_part_or_one_sentence_says_why_not(
    outside, inside, own, subset, validation, test, validation_from
):
    y, is_test = two_splits(outside, inside[: len(outside)] if own else [0] * len(outside))
    split = Split(subset, validation, test, validation_from)
    parts, refusal = result_or_refusal(draw, y, is_test, split)
    if refusal:
        assert refusal.count(";") == 1  # what is wrong; what to do
        return
    check_parts(parts, len(y), split.sizes(len(y), int(is_test.sum())))
    assert set(y[parts["training"]]) == set(y[parts["validation"]]) == set(y)
    from_test = is_test[parts["test"]].any()
    assert set(y[parts["test"]]) == set(y[is_test] if from_test else y)


# The stage


def test_the_stage_draws_by_seed_and_data_set():
    y, is_test = two_splits([60, 40], [20, 20])
    pool = SimpleNamespace(arrays={"y": y, "is_test": is_test}, info={"class_names": ["a", "b"]})
    split = {"subset": 0.5, "validation": 0.2, "test": 0.2, "validation_from": "subset"}

    def drawn(**more):
        spec = {"seed": 0, "dataset": "mine", "split": split} | more
        arrays, info = stage.compute(spec, {"pool": pool}, {})
        assert info == {}
        return {name: rows.tolist() for name, rows in arrays.items()}

    first = drawn()
    assert {name: len(rows) for name, rows in first.items()} == {"train": 40, "val": 10, "test": 10}
    assert first == drawn()
    assert first != drawn(seed=1)
    assert first != drawn(dataset="yours")
    assert is_test[first["test"]].all()
    assert not is_test[first["train"] + first["val"]].any()


# Counts by class


def best(sizes, total, least, most) -> float:
    """The smallest sum of squared distances to the shares, over all counts within the bounds."""
    share = total * sizes / sizes.sum()
    ranges = [range(low, high + 1) for low, high in zip(least, most, strict=True)]
    return min(np.square(c - share).sum() for c in itertools.product(*ranges) if sum(c) == total)


@given(data=st.data(), sizes=st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any), bounded=st.booleans())
@settings(max_examples=120)
def test_counts_are_the_nearest_to_their_shares(data, sizes, bounded):
    sizes = np.array(sizes)
    most = np.array([data.draw(st.integers(0, 9)) for _ in sizes]) if bounded else sizes
    least = np.minimum([data.draw(st.integers(0, 4)) if bounded else 0 for _ in sizes], most)
    total = data.draw(st.integers(int(least.sum()), int(most.sum())))
    counts = stratified_counts(sizes, total, least, most)
    assert counts.dtype == np.int64
    assert counts.sum() == total
    assert (counts >= least).all()
    assert (counts <= most).all()
    share = total * sizes / sizes.sum()
    assert np.square(counts - share).sum() == pytest.approx(best(sizes, total, least, most))
    if not bounded:
        assert (np.abs(counts - share) < 1).all()


@given(sizes=st.lists(st.integers(0, 10**5), min_size=1, max_size=30).filter(any), data=st.data())
def test_counts_are_within_one_of_their_shares(sizes, data):
    sizes = np.array(sizes)
    total = data.draw(st.integers(0, int(sizes.sum())))
    counts = stratified_counts(sizes, total)
    assert counts.sum() == total
    assert (counts <= sizes).all()
    assert (np.abs(counts - total * sizes / sizes.sum()) < 1 + 1e-9).all()


def test_known_counts():
    assert stratified_counts(np.array([50, 30, 20]), 10).tolist() == [5, 3, 2]
    assert stratified_counts(np.array([9997, 3]), 100, least=1).tolist() == [99, 1]
    assert stratified_counts(np.array([9997, 2]), 100, least=4).tolist() == [98, 2]  # no more than there are
    assert stratified_counts(np.array([50, 50]), 10, most=np.array([3, 50])).tolist() == [3, 7]
    assert stratified_counts(np.array([0.3, 0.1]), 4, most=np.array([4, 4])).tolist() == [3, 1]  # only shares count


@pytest.mark.parametrize(("total", "least"), [(101, 0), (3, 2)])
def test_bounds_that_leave_no_counts(total, least):
    with pytest.raises(ValueError, match=f"{total} samples are not between"):
        stratified_counts(np.array([50, 50]), total, least)
