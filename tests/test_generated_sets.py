"""The data sets that are a pure function of a seed: colour shapes and a table of clusters."""

import numpy as np
import pytest

from glitchmark import registry
from glitchmark.datasets.clusters import SHARES, clusters
from glitchmark.datasets.shapes import OUTLINES, shapes
from glitchmark.errors import CellError


@pytest.fixture(scope="module")
def pools():
    return {"shapes": shapes(), "clusters": clusters()}


def flat(pool):
    return pool.x.reshape(len(pool.x), -1).astype(np.float32)


def accuracy(model, pool):
    """Of a model trained on four fifths, for the rest."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    x, n = flat(pool), len(pool.y) * 4 // 5
    with threadpool_limits(1):  # a busy machine makes more threads much slower
        return make_pipeline(StandardScaler(), model).fit(x[:n], pool.y[:n]).score(x[n:], pool.y[n:])


@pytest.mark.parametrize(
    ("name", "shape", "dtype"), [("shapes", (4000, 32, 32, 3), np.uint8), ("clusters", (8000, 54), np.float32)]
)
def test_form(pools, name, shape, dtype):
    pool = pools[name]
    assert pool.x.shape == shape
    assert pool.x.dtype == dtype
    assert pool.y.shape == shape[:1]
    assert pool.y.dtype == np.int64
    assert np.isfinite(pool.x).all()
    assert len(np.unique(flat(pool), axis=0)) == shape[0]
    assert len(set(pool.class_names)) == len(pool.class_names) == pool.y.max() + 1
    assert pool.is_test is None
    assert pool.annotated is None
    known = registry.load("dataset", name).info["inspect"]()
    assert (known.n_samples, known.n_classes, known.shape) == (shape[0], len(pool.class_names), shape[1:])
    assert known.modality == ("image" if name == "shapes" else "table")


@pytest.mark.parametrize("function", [shapes, clusters])
def test_pure_function_of_the_seed(function):
    seen = set()
    for seed in range(4):
        first, again = (function(n_samples=300, seed=seed) for _ in range(2))
        np.testing.assert_array_equal(first.x, again.x)
        np.testing.assert_array_equal(first.y, again.y)
        seen.add(first.x.tobytes() + first.y.tobytes())
    assert len(seen) == 4


@pytest.mark.parametrize("function", [shapes, clusters])
def test_global_generators_do_not_matter(function):
    first = function(n_samples=100)
    np.random.seed(1)  # noqa: NPY002
    np.testing.assert_array_equal(first.x, function(n_samples=100).x)


@pytest.mark.parametrize("function", [shapes, clusters])
def test_parameters(function):
    assert function(n_samples=123).x.shape[0] == 123
    assert registry.load("dataset", function.__name__).info["inspect"](n_samples=123, seed=5).n_samples == 123
    with pytest.raises(CellError, match="n_samples: 0 must be"):
        function(n_samples=0)
    with pytest.raises(CellError, match="seed: -1 must be"):
        function(seed=-1)


# Shapes


@pytest.mark.parametrize("n_samples", [50, 57, 4000])
def test_shapes_are_balanced_and_shuffled(n_samples):
    y = shapes(n_samples=n_samples).y
    counts = np.bincount(y, minlength=10)
    assert counts.max() - counts.min() <= 1
    assert len(np.unique(y[:20])) > 5
    assert shapes(n_samples=10).class_names == tuple(OUTLINES)


def test_linear_model_on_pixels_does_not_solve_shapes(pools):
    from sklearn.linear_model import LogisticRegression

    # C = 1e-4 and 1e-2 do worse.
    assert 0.4 < accuracy(LogisticRegression(C=1e-3, tol=1e-2), pools["shapes"]) < 0.65


def test_colour_tells_nothing_of_the_shape(pools):
    from sklearn.ensemble import RandomForestClassifier

    pool = pools["shapes"]
    corners = pool.x[:, :3, :3].reshape(4000, -1, 3).mean(axis=1)  # the ground's colour
    forest = RandomForestClassifier(100, min_samples_leaf=10, random_state=0).fit(corners[:3200], pool.y[:3200])
    assert forest.score(corners[3200:], pool.y[3200:]) < 0.16


def test_shapes_can_be_told_from_their_outlines(pools):
    """Compared with the others of its class, moved where they fit best, a shape is recognised without any training."""
    pool = pools["shapes"]
    light = pool.x.astype(np.float32).mean(axis=3)
    light -= light.mean(axis=(1, 2), keepdims=True)
    spectra = np.fft.rfft2(light / np.sqrt((light**2).sum(axis=(1, 2), keepdims=True)))
    right = []
    for i in range(100):
        match = np.fft.irfft2(spectra[i] * spectra[1000:].conj(), s=(32, 32)).max(axis=(1, 2))
        nearest = pool.y[1000:][np.argsort(match)[-5:]]
        right.append(np.bincount(nearest).argmax() == pool.y[i])
    assert np.mean(right) > 0.6


# Clusters


@pytest.mark.parametrize("seed", range(3))
def test_clusters_are_unequal(seed):
    y = clusters(seed=seed).y
    # Exactly so: labels flipped at random would fill up the rare class.
    np.testing.assert_array_equal(np.bincount(y), np.rint(8000 * np.array(SHARES)))
    assert len(np.unique(y[:200])) == 4  # shuffled


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_clusters_are_neither_trivial_nor_hopeless(pools):
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier

    pool = pools["clusters"]
    mlp = accuracy(MLPClassifier((128,), batch_size=64, max_iter=12, learning_rate_init=3e-3, random_state=0), pool)
    assert 0.8 < mlp < 0.95
    assert 0.7 < accuracy(KNeighborsClassifier(10), pool) < 0.95
    assert 0.5 < accuracy(LogisticRegression(max_iter=200), pool) < mlp - 0.08
