"""Products of clean gradients, against gradients that are written out."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax

from conftest import random_factors
from glitchmark.errors import CellError
from glitchmark.feature_store import content_ids, fill, opened
from glitchmark.stages.pairs import BINS, compute


def pairs(factors, **info):
    train = SimpleNamespace(arrays=vars(factors), info=info)
    return compute({}, {"train": train}, {"threads": 1, "features": ""})


def written_out(factors):
    """Products of the whole gradients in double precision: of pairs of one class, and of two."""
    u = np.hstack([factors.features_val[-1], np.ones((factors.n_val, 1))]).astype(np.float64)
    d = softmax(factors.logits_val[-1].astype(np.float64), axis=1) - np.eye(factors.n_classes)[factors.labels_val]
    gradients = [np.outer(error, feature).ravel() for error, feature in zip(d, u, strict=True)]
    found = {"same": [], "cross": []}
    for i, one in enumerate(gradients):
        for j in range(i + 1, len(gradients)):
            kind = "same" if factors.labels_val[i] == factors.labels_val[j] else "cross"
            found[kind].append(one @ gradients[j])
    return {kind: np.array(values) for kind, values in found.items()}


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_against_gradients_written_out(seed, frozen):
    factors = random_factors(seed, m=70, frozen=frozen)
    arrays, info = pairs(factors)
    expected = written_out(factors)
    edges = arrays["edges"]
    every = np.abs(np.concatenate(list(expected.values())))
    assert 0.99 <= (every <= edges[-1] * (1 + 1e-5)).mean() < 0.995
    np.testing.assert_allclose(edges, -edges[::-1], rtol=1e-12, atol=1e-12)
    assert len(edges) == BINS + 1
    for kind, values in expected.items():
        assert info[kind]["pairs"] == len(values)
        assert info[kind]["positive"] == (values > 0).mean()
        assert info[kind]["magnitude"] == pytest.approx(np.abs(values).mean(), rel=1e-5)
        assert arrays[kind].sum() == pytest.approx(1)
        slow = np.array([np.mean((values >= low) & (values < high)) for low, high in pairwise(edges)])
        slow[0] += (values < edges[0]).mean()
        slow[-1] += (values >= edges[-1]).mean()
        np.testing.assert_allclose(np.cumsum(arrays[kind]), np.cumsum(slow), atol=1.5 / len(values))


def test_blocks_are_one_whole():
    """More samples than a block has rows: each pair once."""
    factors = random_factors(0, m=1300, d=3)
    _, info = pairs(factors)
    assert info["same"]["pairs"] + info["cross"]["pairs"] == 1300 * 1299 // 2
    expected = written_out(random_factors(0, m=60, d=3))  # and the values do not depend on it
    few = pairs(random_factors(0, m=60, d=3))[1]
    assert few["cross"]["positive"] == (expected["cross"] > 0).mean()
    sizes = np.bincount(factors.labels_val)
    assert info["same"]["pairs"] == (sizes * (sizes - 1) // 2).sum()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("classes", [2, 5, 10])
def test_untrained_models_agree_within_classes_alone(classes, seed):
    """With equal probabilities, residuals of one class have the product 1 - 1/C, of two classes -1/C: C - 1 times."""
    factors = random_factors(seed, m=60, classes=classes, scale=0)
    object.__setattr__(factors, "features_val", np.ones_like(factors.features_val))
    arrays, info = pairs(factors)
    assert (info["same"]["positive"], info["cross"]["positive"]) == (1, 0)
    assert info["same"]["magnitude"] / info["cross"]["magnitude"] == pytest.approx(classes - 1)
    assert arrays["same"][-1] == 1
    assert arrays["cross"][: BINS // 2 + 1].sum() == pytest.approx(1)


def test_vanishing_gradients_have_a_range():
    factors = random_factors(0)
    object.__setattr__(factors, "logits_val", 1e4 * np.eye(4, dtype=np.float32)[factors.labels_val][None])
    arrays, info = pairs(factors)
    assert info["same"] == {"positive": 0, "magnitude": 0, "pairs": info["same"]["pairs"]}
    assert arrays["same"][BINS // 2] == arrays["cross"][BINS // 2] == 1


@pytest.mark.parametrize("labels", [np.zeros(25, int), np.arange(25)])
def test_one_kind_of_pair_alone_says_so(labels):
    factors = random_factors(0, classes=25)
    object.__setattr__(factors, "labels_val", labels)
    with pytest.raises(CellError, match="larger 'validation'"):
        pairs(factors)


def test_features_come_from_the_store_where_only_the_head_is_trained(tmp_path):
    factors = random_factors(4, frozen=True)
    ids = content_ids(factors.features_val[0])
    fill(opened(tmp_path, "trunk"), ids, lambda rows: iter([factors.features_val[0][rows]]), dict)
    arrays = {k: v for k, v in vars(factors).items() if not k.startswith("features")} | {"feature_ids_val": ids}
    train = SimpleNamespace(arrays=arrays, info={"trunk": "trunk"}, path=tmp_path)
    stored, info = compute({}, {"train": train}, {"threads": 1, "features": tmp_path})
    given, expected = pairs(factors)
    assert info == expected
    for name, values in given.items():
        np.testing.assert_array_equal(stored[name], values)
