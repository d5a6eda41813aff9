"""Thresholds without a known contamination: definitions, a slow reference, scikit-learn's mixtures, odd scores."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.mixture import GaussianMixture

from glitchmark.evaluation.thresholds import RULES, gap, mad, mixture

SEEDS = range(5)


def two_groups(seed, n=1000):
    """A tenth to a third of the scores are higher: (n,), and which ones."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(n // 10, n // 3))
    high = rng.permutation(n) < k
    return np.where(high, rng.normal(rng.uniform(6, 9), rng.uniform(0.3, 1.5), n), rng.normal(size=n)), high


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", SEEDS)
def test_separate_groups_are_told_apart(rule, seed):
    rng = np.random.default_rng(seed)
    high = rng.permutation(np.arange(300) < 40)
    score = rng.normal(size=300) + 30 * high
    flagged = RULES[rule](score[None])[0]
    assert flagged[high].all()
    assert flagged[~high].mean() < 0.02


@pytest.mark.parametrize(
    ("scores", "flagged"),
    [
        ([1, 2, 3, 9, 10], [0, 0, 0, 1, 1]),
        ([0, 7, 8, 9, 10], [0, 0, 0, 0, 1]),  # the largest gap would flag more than half
        ([0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 0, 1]),  # of equal gaps the highest
        ([5, 1, 5, 1, 1], [1, 0, 1, 0, 0]),
        ([1, 5, 5, 5], [0, 0, 0, 0]),  # a constant upper half
        ([3], [0]),
        ([1, 2], [0, 1]),
    ],
    ids=str,
)
def test_gap(scores, flagged):
    np.testing.assert_array_equal(gap(np.array([scores], float)), [np.array(flagged, bool)])


@pytest.mark.parametrize(
    ("scores", "flagged"),
    [
        ([1, 2, 3, 4, 5, 8], [0, 0, 0, 0, 0, 0]),  # median 3.5, deviation 1.5: above 10.17
        ([1, 2, 3, 4, 5, 10.2], [0, 0, 0, 0, 0, 1]),
        ([1, 1, 1, 0, 2], [0, 0, 0, 0, 1]),  # no deviation: all above the median
    ],
    ids=str,
)
def test_mad(scores, flagged):
    np.testing.assert_array_equal(mad(np.array([scores], float)), [np.array(flagged, bool)])


@pytest.mark.parametrize("seed", SEEDS)
def test_mad_of_a_normal_distribution_is_three_standard_deviations(seed):
    score = np.random.default_rng(seed).normal(5, 2, 20_000)
    assert score[mad(score[None])[0]].min() == pytest.approx(5 + 3 * 2, abs=0.25)


@pytest.mark.parametrize("seed", range(12))
def test_mixture_is_scikit_learn_s(seed):
    """Started alike, on scores with variance one, both flag the same samples above the lower component's mean."""
    score, _ = two_groups(seed)
    if seed % 3 == 1:
        score = np.exp(score / 4)  # one heavy tail
    elif seed % 3 == 2:
        score = np.random.default_rng(seed).gamma(2, size=1000)  # no groups at all
    x = ((score - score.mean()) / score.std())[:, None]
    top = score >= np.sort(score)[900]
    start = [x[~top].mean(), x[top].mean()]
    spread = [x[~top].var() + 1e-6, x[top].var() + 1e-6]
    model = GaussianMixture(
        2, weights_init=[0.9, 0.1], means_init=np.reshape(start, (2, 1)),
        precisions_init=1 / np.reshape(spread, (2, 1, 1)),
    ).fit(x)  # fmt: skip
    low, high = np.argsort(model.means_[:, 0])
    higher = (model.predict(x) == high) & (x[:, 0] > model.means_[low, 0])
    assert 0 < higher.sum() < 1000
    np.testing.assert_array_equal(mixture(score[None])[0], score >= score[higher].min())


@pytest.mark.parametrize("seed", SEEDS)
def test_mixture_finds_the_count_that_nobody_told(seed):
    score, high = two_groups(seed)
    assert mixture(score[None])[0].mean() == pytest.approx(high.mean(), abs=0.03)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.7])
def test_mixture_of_two_values(share):
    score = (np.arange(200) < 200 * share).astype(float)
    np.testing.assert_array_equal(mixture(score[None])[0], score == 1)


def test_one_score_far_beyond_all_others_is_flagged_alone_by_gap_and_mixture():
    score = np.random.default_rng(0).normal(size=100)
    score[17] = 1e200
    for rule in (gap, mixture):
        assert np.flatnonzero(rule(score[None])[0]).tolist() == [17]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_constant_scores_have_no_flags(rule, n):
    for value in (0.0, -3.5, 1e300, 5e-324, np.pi):
        assert not RULES[rule](np.full((2, n), value)).any()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", SEEDS)
def test_rows_do_not_depend_on_each_other_nor_on_scale_or_order(rule, seed):
    rng = np.random.default_rng(seed)
    scores = np.stack([two_groups([seed, i], 150)[0] for i in range(6)] + [np.ones(150), rng.gamma(0.3, size=150)])
    together = RULES[rule](scores)
    np.testing.assert_array_equal(together, np.concatenate([RULES[rule](score[None]) for score in scores]))
    np.testing.assert_array_equal(RULES[rule](4 * scores - 8), together)
    shuffle = rng.permutation(150)
    np.testing.assert_array_equal(RULES[rule](scores[:, shuffle]), together[:, shuffle])


@pytest.mark.parametrize("rule", RULES)
@given(scores=arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=30), elements=st.floats(allow_nan=False, allow_infinity=False)))  # fmt: skip  # noqa: E501
@settings(deadline=None)
def test_any_finite_scores_have_a_threshold(rule, scores):
    """Huge, tiny and tied ones: no warning, and whatever is flagged is above everything that is not."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flagged = RULES[rule](scores)
    assert flagged.dtype == bool
    assert flagged.shape == scores.shape
    for score, row in zip(scores, flagged, strict=True):
        assert not row.all()
        assert score[row].min(initial=np.inf) > score[~row].max()


@pytest.mark.parametrize("rule", RULES)
def test_no_rows(rule):
    assert RULES[rule](np.empty((0, 5))).shape == (0, 5)
